"""What a server's processes cost: CPU time and memory, from /proc."""

import os
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def members(session: int) -> list[int]:
    """All processes of a session: a server is started in a session of its own, its workers belong to it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getsid(int(entry.name)) == session:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def cpu_seconds(session: int) -> float:
    """User and system time of all processes of a session, and of their children that have ended."""
    return sum(_ticks(pid, with_children=True) for pid in members(session)) / TICKS_PER_SECOND


def process_cpu_seconds(pid: int) -> float:
    """User and system time of one process alone."""
    return _ticks(pid, with_children=False) / TICKS_PER_SECOND


def _ticks(pid: int, *, with_children: bool) -> int:
    try:
        # The name may hold spaces and brackets: the numbers begin after the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # utime and stime, then cutime and cstime
    return sum(int(value) for value in fields[11 : 15 if with_children else 13])


def memory_mib(session: int) -> float:
    """PSS: memory of its own, and its share of what processes have in common."""
    kib = 0
    for pid in members(session):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return kib / 1024


def wait_until_idle(session: int, quiet_seconds: float = 2.0, seconds: float = 120.0) -> None:
    """Returns once the session used less than 5 % of a core for a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = cpu_seconds(session)
        time.sleep(quiet_seconds)
        if cpu_seconds(session) - before < 0.05 * quiet_seconds:
            return
