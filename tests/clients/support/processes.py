"""Processes of this machine."""

from pathlib import Path


def is_alive(pid: int | str) -> bool:
    """Whether a process is at work; one that has ended is not, though nobody may have asked for its end yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
