"""The state of the machine, to be read beside the figures."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def lathe_version(binary: Path) -> str:
    ended = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"


def describe(binary: Path, load_before: tuple[float, ...], load_after: tuple[float, ...]) -> list[str]:
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({processor()}), {memory_gib():.0f} GiB, {platform.system()} {platform.release()}",
        f"- load average before {', '.join(f'{value:.2f}' for value in load_before)}; after {', '.join(f'{value:.2f}' for value in load_after)} (the load itself is about 1)",
        f"- {lathe_version(binary)} ({binary.parent.name} build, {binary.stat().st_size / 2**20:.0f} MiB), SQLite",
        f"- MLflow {version('mlflow')}, one worker, SQLite, job execution off, telemetry off; Python {platform.python_version()}",
    ]
