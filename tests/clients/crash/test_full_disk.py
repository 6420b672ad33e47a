"""A disk without room: writes are refused with 507, reads go on, nothing acknowledged is lost."""

from collections.abc import Callable

import pytest

from support.http import Http
from support.servers import LatheServer

pytestmark = pytest.mark.lathe_only

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
# More than any disk has: as if it were full.
NO_ROOM = ("--min-free-bytes", str(2**62))


@pytest.fixture
def server(make_lathe: Callable[..., LatheServer]) -> LatheServer:
    return make_lathe().start()


def fill(http: Http) -> tuple[str, str]:
    """A run with one of everything; returns its id and the place of its artifacts."""
    run_id = http.ok(http.post("runs/create", {"experiment_id": "0", "run_name": "before"}))["run"]["info"]["run_id"]
    body = {
        "run_id": run_id,
        "metrics": [{"key": "m", "value": 1, "timestamp": 1, "step": 0}],
        "params": [{"key": "p", "value": "1"}],
        "tags": [{"key": "t", "value": "1"}],
    }
    http.ok(http.post("runs/log-batch", body))
    place = f"{PROXY}/0/{run_id}/artifacts"
    assert http.request("PUT", f"{place}/file.bin", data=b"before" * 1000).status_code == 200
    http.ok(http.post("registered-models/create", {"name": "before"}))
    return run_id, place


def everything(http: Http, run_id: str, place: str) -> list[object]:
    return [
        http.ok(http.get("runs/get", run_id=run_id)),
        http.ok(http.post("runs/search", {"experiment_ids": ["0"]})),
        http.ok(http.get("metrics/get-history", run_id=run_id, metric_key="m")),
        http.ok(http.get("artifacts/list", run_id=run_id)),
        http.get(f"{place}/file.bin").content,
        http.ok(http.get("registered-models/get", name="before")),
        http.ok(http.post("experiments/search", {"max_results": 10})),
    ]


def test_writes_answer_507_and_reads_go_on(server: LatheServer) -> None:
    run_id, place = fill(Http(server.url))
    before = everything(Http(server.url), run_id, place)
    assert server.stop() == 0

    server.start(extra=NO_ROOM)
    http = Http(server.url)
    writes = {
        "runs/create": {"experiment_id": "0"},
        "runs/log-batch": {"run_id": run_id, "params": [{"key": "q", "value": "1"}]},
        "runs/log-metric": {"run_id": run_id, "key": "m", "value": 2, "timestamp": 2},
        "runs/set-tag": {"run_id": run_id, "key": "t", "value": "2"},
        "experiments/create": {"name": "after"},
        "registered-models/create": {"name": "after"},
        "model-versions/create": {"name": "before", "source": "s3://bucket/x"},
        "logged-models": {"experiment_id": "0", "name": "after"},
    }
    for path, body in writes.items():
        response = http.post(path, body)
        assert response.status_code == 507, f"{path}: {response.status_code} {response.text}"
        assert response.json()["error_code"] and response.json()["message"]
    upload = http.request("PUT", f"{place}/file.bin", data=b"after" * 1000)
    assert upload.status_code == 507, upload.text
    assert http.get("/health").text == "OK"
    assert everything(http, run_id, place) == before
    assert server.stop() == 0

    server.start()
    assert everything(Http(server.url), run_id, place) == before
    assert Http(server.url).post("runs/create", {"experiment_id": "0"}).status_code == 200


def test_a_large_upload_to_a_full_disk_is_answered(server: LatheServer) -> None:
    _, place = fill(Http(server.url))
    server.stop()
    server.start(extra=NO_ROOM)
    response = Http(server.url).request("PUT", f"{place}/large.bin", data=b"x" * 20_000_000)
    assert response.status_code == 507
    assert Http(server.url).get(f"{place}/large.bin").status_code == 404
