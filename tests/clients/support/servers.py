"""Servers under test: `lathe serve`, and a real `mlflow server` to prove the tests on."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests

from .paths import lathe_binary
from .waiting import wait_for

LISTENING = re.compile(r"listening on (http://\S+)")
IN_USE = "Address already in use"
RETRIES_OF_A_PORT = 10
S3_LISTENING = re.compile(r"S3 clients reach it on http://(\S+);")


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment of a server: ours without the variables that choose a client's server."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "LATHE_ADMIN", "LATHE_LISTEN", "LATHE_DATA", "LATHE_DATABASE"))
    }
    return kept | {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "NO_COLOR": "1"} | extra


class Server:
    """A server process with a base URL; what it writes is kept in a file."""

    name = "server"

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / f"{self.name}.log"
        self.process: subprocess.Popen | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_until_healthy(self, seconds: float = 60.0) -> None:
        def healthy() -> bool:
            if not self.is_running():
                raise RuntimeError(f"{self.name} ended at start (code {self.process.returncode}):\n{self.log()[-4000:]}")
            try:
                return requests.get(f"{self.url}/health", timeout=5).ok
            except requests.ConnectionError:
                return False

        wait_for(f"{self.name} at {self.url}", healthy, seconds, pause=0.05)

    def kill(self) -> None:
        """SIGKILL: the process gets no chance to tidy up."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self, seconds: float = 30.0) -> int:
        """Asks the server to end, as Ctrl-C does, and returns its exit code."""
        if self.process is None:
            return 0
        if self.is_running():
            self.process.send_signal(signal.SIGINT if self.name == "lathe" else signal.SIGTERM)
        try:
            return self.process.wait(timeout=seconds)
        finally:
            # Whatever is left of its process group (MLflow's workers) goes with it.
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class LatheServer(Server):
    """`lathe serve` on a free loopback port; `start` after `kill` or `stop` reuses the same data."""

    name = "lathe"

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        arguments: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        binary: Path | None = None,
    ):
        super().__init__(folder)
        self.binary = binary or lathe_binary()
        self.database_url = database_url
        self.arguments = arguments
        self.environment = environment or {}
        # Any free ports at first; a server that starts again keeps its own, as one that clients know would.
        self.listen, self.s3_listen = "127.0.0.1:0", "127.0.0.1:0"

    def start(self, seconds: float = 60.0, extra: tuple[str, ...] = ()) -> "LatheServer":
        # Its own port is free meanwhile, and a connection of anybody may have it for a moment.
        for _ in range(RETRIES_OF_A_PORT):
            before = len(self.log())
            try:
                return self.start_once(seconds, extra)
            except RuntimeError:
                if IN_USE not in self.log()[before:]:
                    raise
            time.sleep(1)
        return self.start_once(seconds, extra)

    def start_once(self, seconds: float, extra: tuple[str, ...]) -> "LatheServer":
        command = [str(self.binary), "serve", "--listen", self.listen, "--s3-listen", self.s3_listen, "--data-dir", str(self.folder / "data")]
        if self.database_url:
            command += ["--database-url", self.database_url]
        command += [*self.arguments, *extra]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=clean_environment(**self.environment),
            start_new_session=True,
        )
        found: list[str] = []
        ended = threading.Event()

        def copy_log(stream) -> None:
            with self.log_path.open("a") as log:
                for line in stream:
                    log.write(line)
                    log.flush()
                    if s3 := S3_LISTENING.search(line):
                        self.s3_listen = s3.group(1)
                    match = LISTENING.search(line)
                    if match:
                        found.append(match.group(1))
            ended.set()

        threading.Thread(target=copy_log, args=(self.process.stderr,), daemon=True).start()

        def listening() -> str | None:
            if found:
                return found[0]
            if ended.is_set():
                raise RuntimeError(f"lathe ended before it listened:\n{self.log()[-4000:]}")
            return None

        self.url = wait_for("the line `listening on http://…`", listening, seconds).rstrip("/")
        self.listen = self.url.removeprefix("http://")
        self.wait_until_healthy(seconds)
        return self


class MlflowServer(Server):
    """The reference: MLflow's own server on SQLite with proxied artifacts, one worker."""

    name = "mlflow"

    def start(self, seconds: float = 120.0) -> "MlflowServer":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
                cwd=self.folder,
                start_new_session=True,
            )
        self.wait_until_healthy(seconds)
        return self
