"""A file whose bytes changed on the disk is never read whole as if it were what was stored."""

from collections.abc import Callable

import pytest
import requests

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = pytest.mark.lathe_only


@pytest.mark.parametrize("size", [12, 5_000_000])
def test_a_damaged_file_is_no_whole_answer(make_lathe: Callable[..., LatheServer], size: int) -> None:
    server = make_lathe().start()
    http = Http(server.url)
    run = http.ok(http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
    place = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/file.bin"
    assert http.request("PUT", place, data=bytes(size)).ok
    stored = [file for file in (server.folder / "data").rglob("*") if file.is_file() and file.stat().st_size == size]
    assert len(stored) == 1
    with stored[0].open("r+b") as file:
        file.seek(size - 1)
        file.write(b"!")
    with pytest.raises(requests.RequestException):
        http.request("GET", place).raise_for_status()
    wait_for("the line in the log", lambda: "is damaged" in server.log(), 30)
