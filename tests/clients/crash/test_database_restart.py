"""PostgreSQL goes away in the middle of the load and comes back: 503 meanwhile, then on, and nothing acknowledged is lost."""

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from support.http import Http
from support.paths import SCRIPTS
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = [pytest.mark.lathe_only, pytest.mark.postgres, pytest.mark.slow]


def postgres(command: str) -> str:
    """A PostgreSQL server of this test's own: others must not lose theirs."""
    environment = os.environ | {"LATHE_POSTGRES_NAME": f"restart-{os.getpid()}"}
    script = [str(SCRIPTS / "postgres.sh"), command]
    return subprocess.run(script, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def server(tmp_path) -> Iterator[LatheServer]:
    url = postgres("start")
    lathe = LatheServer(tmp_path, url)
    try:
        yield lathe.start()
    finally:
        lathe.stop()
        postgres("stop")


class PatientWriter(threading.Thread):
    """Writes params p0, p1, … one after the other, each again until it is acknowledged, as a client with retries does."""

    def __init__(self, url: str):
        super().__init__(daemon=True)
        self.http = Http(url)
        self.run_id = self.http.ok(self.http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
        self.acknowledged = 0
        self.refused: list[tuple[int, str | None, str]] = []
        self.is_done = threading.Event()

    def run(self) -> None:
        while not self.is_done.is_set():
            body = {"run_id": self.run_id, "key": f"p{self.acknowledged}", "value": "1"}
            response = self.http.post("runs/log-parameter", body)
            if response.ok:
                self.acknowledged += 1
            else:
                self.refused.append((response.status_code, response.headers.get("Retry-After"), response.text))
                self.is_done.wait(0.05)


def test_a_restart_of_the_database_is_an_interruption_and_nothing_more(server: LatheServer) -> None:
    writers = [PatientWriter(server.url) for _ in range(4)]
    for writer in writers:
        writer.start()
    wait_for("some writes", lambda: all(writer.acknowledged > 20 for writer in writers))
    postgres("halt")
    wait_for("a refusal of each writer", lambda: all(writer.refused for writer in writers), seconds=60)
    assert Http(server.url).get("/health").status_code == 200, "the server itself is alive"
    before = [writer.acknowledged for writer in writers]
    postgres("resume")
    wait_for(
        "writes after the restart",
        lambda: all(writer.acknowledged > then + 20 for writer, then in zip(writers, before, strict=True)),
        seconds=30,
    )
    for writer in writers:
        writer.is_done.set()
        writer.join(timeout=60)
        for status, retry_after, text in writer.refused:
            assert (status, bool(retry_after)) == (503, True), f"{status} {text}"
        http = Http(server.url)
        params = http.ok(http.get("runs/get", run_id=writer.run_id))["run"]["data"]["params"]
        assert {f"p{number}" for number in range(writer.acknowledged)} <= {param["key"] for param in params}
    assert server.is_running()
