"""PostgreSQL goes away in the middle of the load and comes back: 503 meanwhile, then on, and nothing acknowledged is lost."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

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


def request_id_of(text: str) -> str | None:
    """The id that a refusal names, if it is one of Lathe's."""
    try:
        return json.loads(text).get("request_id")
    except (ValueError, AttributeError):
        return None


def logged_of(server: LatheServer, text: str) -> list[str]:
    """What the log says of a refusal."""
    request_id = request_id_of(text)
    return [line for line in server.log().splitlines() if request_id and request_id in line]


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
            told = f"{status} {text}\n{logged_of(server, text)}"
            assert (status, bool(retry_after)) == (503, True), told
            assert request_id_of(text), told
        http = Http(server.url)
        params = http.ok(http.get("runs/get", run_id=writer.run_id))["run"]["data"]["params"]
        assert {f"p{number}" for number in range(writer.acknowledged)} <= {param["key"] for param in params}
    assert server.is_running()


def ended_at_work(server: LatheServer, run: str, job: str) -> Path:
    """The file that a runner writes last."""
    return server.folder / "data" / "work" / "attempts" / run / f"{job}-1" / "result.json"


def test_jobs_that_end_while_the_database_is_away_end_as_they_did(server: LatheServer, tmp_path: Path) -> None:
    http = Http(server.url)
    text = f"""
name: away
jobs:
  good: {{ run: 'echo said; while ! test -e {tmp_path}/go; do sleep 0.05; done; echo "n=1" >> "$LATHE_VALUES"' }}
  bad: {{ run: 'while ! test -e {tmp_path}/go; do sleep 0.05; done; exit 3' }}
  after: {{ needs: [good], run: 'echo ${{{{ jobs.good.values.n }}}}' }}
  version: {{ needs: [good], register_model: {{ name: m, from: "${{{{ jobs.good.run_id }}}}" }} }}
"""
    http.ok_any(http.post("/api/v1/pipelines", {"file": text}))
    run = http.ok_any(http.post("/api/v1/pipelines/away/runs", {}))["id"]
    results = [ended_at_work(server, run, job) for job in ("good", "bad")]
    wait_for("both to be at work", lambda: all((file.parent / "process.json").exists() for file in results), 30)
    postgres("halt")
    (tmp_path / "go").touch()
    wait_for("both to end", lambda: all(file.exists() for file in results), 30)
    refused = []

    def is_refused() -> bool:
        refused.append(http.get(f"/api/v1/pipeline-runs/{run}").status_code == 503)
        return sum(refused) >= 5

    wait_for("the server to notice for a while", is_refused, 60, pause=0.5)
    assert all(file.exists() for file in results), "what is not stored yet is not removed"
    postgres("resume")

    def jobs() -> dict[str, dict] | None:
        answer = http.get(f"/api/v1/pipeline-runs/{run}")
        if not answer.ok or answer.json()["run"]["status"] not in ("succeeded", "failed"):
            return None
        return {job["job"]: job for job in answer.json()["jobs"]}

    found = wait_for("the end of the run", jobs, 60, pause=0.1)
    assert {name: (job["status"], job["attempt"]) for name, job in found.items()} == {
        "good": ("succeeded", 1), "bad": ("failed", 1), "after": ("succeeded", 1), "version": ("failed", 1),
    }  # fmt: skip
    assert "exit code 3" in found["bad"]["reason"]
    assert "logged no model" in found["version"]["reason"]
    log = http.ok(http.get(f"/api/v1/pipeline-runs/{run}/jobs/good/logs"))
    assert (log["text"], log["is_complete"]) == ("said\n", True)
    assert server.is_running()
