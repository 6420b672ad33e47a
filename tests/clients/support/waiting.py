"""Waiting without sleeping blindly: look again until a deadline, then say what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Against hanging, and no shorter: a loaded machine is many times slower, and how long a thing takes decides nothing.
LEAST_SECONDS = 180.0


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 30.0, pause: float = 0.02) -> T:
    """Returns the first true value that `probe` gives."""
    seconds = max(seconds, LEAST_SECONDS)
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(pause)
