"""kill -9 while many clients write; three times on the same data."""

from collections.abc import Callable

import pytest

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from .writers import ArtifactWriter, BatchWriter, RunWriter, VersionWriter, Writer

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]

ROUNDS = 3


def start_writers(url: str, round_number: int) -> list[Writer]:
    http = Http(url)
    experiment_id = http.ok(http.post("experiments/create", {"name": f"crash {round_number}"}))["experiment_id"]
    writers = [
        BatchWriter(url, experiment_id, "batch-a"),
        BatchWriter(url, experiment_id, "batch-b"),
        RunWriter(url, experiment_id, "run-a"),
        RunWriter(url, experiment_id, "run-b"),
        ArtifactWriter(url, experiment_id, "artifact-a"),
        ArtifactWriter(url, experiment_id, "artifact-b"),
        VersionWriter(url, experiment_id, "version-a", f"crash-{round_number}"),
        VersionWriter(url, experiment_id, "version-b", f"crash-{round_number}"),
    ]
    for writer in writers:
        writer.start()
    return writers


def kill_in_the_middle(server: LatheServer, writers: list[Writer], acknowledged_each: int) -> None:
    def all_busy() -> bool:
        trouble = [writer.trouble for writer in writers if writer.trouble]
        assert not trouble, trouble
        return all(len(writer.acknowledged) >= acknowledged_each for writer in writers)

    wait_for(f"{acknowledged_each} acknowledged writes of each kind", all_busy, seconds=120, pause=0.001)
    server.kill()
    for writer in writers:
        writer.join(timeout=60)
        assert not writer.is_alive(), f"{writer.name} did not notice that the server is gone"
        assert not writer.trouble, writer.trouble
    assert any(writer.sent > len(writer.acknowledged) for writer in writers), "nothing was in flight: the kill came too late"


def test_nothing_acknowledged_is_lost_and_nothing_is_torn(make_lathe: Callable[..., LatheServer]) -> None:
    server = make_lathe().start()
    everything: list[Writer] = []
    for round_number in range(ROUNDS):
        writers = start_writers(server.url, round_number)
        # Not the same moment in each round.
        kill_in_the_middle(server, writers, acknowledged_each=4 + 13 * round_number)
        everything += writers
        server.start()
        http = Http(server.url)
        # Those of earlier rounds, too: a later crash must not take away what an earlier one left.
        for writer in everything:
            writer.check(http)
        chain = http.ok(http.get("/api/v1/audit/verify"))
        assert chain["verified"] is True, chain
    assert server.stop() == 0


def test_every_acknowledged_change_is_in_the_ledger_after_a_crash(make_lathe: Callable[..., LatheServer]) -> None:
    server = make_lathe().start()
    writers = start_writers(server.url, 0)
    kill_in_the_middle(server, writers, acknowledged_each=10)
    server.start()
    http = Http(server.url)
    runs = {run_id for writer in writers if isinstance(writer, RunWriter) for run_id in writer.acknowledged.values()}

    def recorded() -> set[str]:
        subjects: set[str] = set()
        token = None
        while True:
            page = http.ok(http.get("/api/v1/audit", action="run.created", max_results=500, page_token=token))
            subjects |= {event["subject"].rpartition("/")[2] for event in page["events"]}
            token = page.get("next_page_token")
            if not token:
                return subjects

    # Events are sealed a moment after their change.
    wait_for("the events of all acknowledged runs", lambda: runs <= recorded(), seconds=15)


def test_a_server_that_is_killed_again_and_again_still_starts(make_lathe: Callable[..., LatheServer]) -> None:
    server = make_lathe().start()
    http = Http(server.url)
    run_id = http.ok(http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
    server.kill()
    for _ in range(5):
        server.start()
        server.kill()
    server.start()
    assert Http(server.url).get("runs/get", run_id=run_id).status_code == 200
    assert server.stop() == 0
