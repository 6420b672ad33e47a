"""The program `lathe`, called as people call it."""

import os
import subprocess
from pathlib import Path

from .paths import lathe_binary


def client_environment(url: str, **more: str) -> dict[str, str]:
    """Our environment without what chooses a client's server, who it is there and where its files lie but for HOME; `url` is the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "LATHE_", "XDG_"))}
    return kept | {"LATHE_URL": url} | more


def run_lathe(
    url: str, *words: str, cwd: Path | None = None, given: str | None = None, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess:
    """Calls it and waits for its end; `given` is its standard input."""
    return subprocess.run(
        [lathe_binary(), *words], cwd=cwd, env=client_environment(url, **environment), input=given, text=True,
        capture_output=True, timeout=timeout,
    )  # fmt: skip
