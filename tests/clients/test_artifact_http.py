"""The artifact doors as plain HTTP: ranges, streams, content types, deletion, listing."""

import hashlib
import os

import pytest
from mlflow import MlflowClient

from support.http import Http

PROXY = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def place(client: MlflowClient, run_id: str) -> str:
    """The proxy's path of a run's artifacts."""
    return f"{PROXY}/{client.get_run(run_id).info.artifact_uri.removeprefix('mlflow-artifacts:/')}"


def put(http: Http, path: str, data: object, **options) -> None:
    response = http.request("PUT", path, data=data, **options)
    assert response.status_code == 200, response.text


def test_what_was_put_is_got(http: Http, place: str) -> None:
    put(http, f"{place}/a/b.bin", b"\0\1\2binary")
    response = http.get(f"{place}/a/b.bin")
    assert (response.status_code, response.content) == (200, b"\0\1\2binary")
    assert http.get(f"{place}/a/none.bin").status_code == 404


def test_a_body_in_chunks_of_unknown_length_is_taken(http: Http, place: str) -> None:
    blocks = [os.urandom(70_000) for _ in range(30)]
    put(http, f"{place}/streamed", iter(blocks))
    assert hashlib.sha256(http.get(f"{place}/streamed").content).digest() == hashlib.sha256(b"".join(blocks)).digest()


@pytest.mark.lathe_only
def test_nothing_is_put_in_the_way_of_an_experiment(http: Http, client: MlflowClient, unique) -> None:
    made = int(client.create_experiment(unique("exp")))
    for stray in (f"{made + 1}", f"{made + 1}/models", f"{made}/models", f"{made}/nosuch/artifacts/x", f"{made}/a.txt"):
        refused = http.request("PUT", f"{PROXY}/{stray}", data=b"x")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), stray
    later = client.create_experiment(unique("exp"))
    for experiment in (str(made), later):
        client.log_text(client.create_run(experiment).info.run_id, "hello", "note.txt")
        model = client.create_logged_model(experiment)
        place = model.artifact_location.removeprefix("mlflow-artifacts:/")
        put(http, f"{PROXY}/{place}/MLmodel", b"flavors: {}")


def test_get_artifact_answers_the_file_of_a_run(http: Http, place: str, run_id: str) -> None:
    put(http, f"{place}/d/note.txt", b"hi")
    response = http.get("/get-artifact", run_id=run_id, path="d/note.txt")
    assert (response.status_code, response.content) == (200, b"hi")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    missing = http.get("/get-artifact", run_id=run_id, path="d/none.txt")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_pages_are_served_as_attachments(http: Http, place: str, run_id: str) -> None:
    put(http, f"{place}/page.html", b"<script>alert(1)</script>")
    response = http.get("/get-artifact", run_id=run_id, path="page.html")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_a_model_version_serves_its_files(http: Http, client: MlflowClient, place: str, run_id: str, model_name: str) -> None:
    put(http, f"{place}/model/MLmodel", b"flavors: {}")
    client.create_model_version(model_name, f"{client.get_run(run_id).info.artifact_uri}/model", run_id)
    response = http.get("/model-versions/get-artifact", name=model_name, version="1", path="MLmodel")
    assert (response.status_code, response.content) == (200, b"flavors: {}")


def test_the_run_route_and_the_proxy_list_the_same(http: Http, place: str, run_id: str) -> None:
    put(http, f"{place}/f/one.txt", b"12345")
    put(http, f"{place}/f/sub/two.txt", b"1")
    by_run = http.ok(http.get("artifacts/list", run_id=run_id, path="f"))
    assert by_run["files"] == [
        {"path": "f/one.txt", "is_dir": False, "file_size": 5},
        {"path": "f/sub", "is_dir": True},
    ]
    assert by_run["root_uri"] == f"mlflow-artifacts:{place.removeprefix(PROXY)}"
    by_proxy = http.ok(http.get(PROXY, path=place.removeprefix(PROXY + "/") + "/f"))
    assert by_proxy["files"] == [{"path": "one.txt", "is_dir": False, "file_size": 5}, {"path": "sub", "is_dir": True}]


def test_delete_takes_a_file_away(http: Http, place: str) -> None:
    put(http, f"{place}/gone.txt", b"x")
    assert http.request("DELETE", f"{place}/gone.txt").status_code == 200
    assert http.get(f"{place}/gone.txt").status_code == 404


# MLflow answers whole files only.
@pytest.mark.lathe_only
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=100-199", 100, 199), ("bytes=990-", 990, 999), ("bytes=-5", 995, 999)],
)
def test_a_range_answers_only_that_part(http: Http, place: str, asked: str, first: int, last: int) -> None:
    data = os.urandom(1000)
    put(http, f"{place}/ranged", data)
    response = http.request("GET", f"{place}/ranged", headers={"Range": asked})
    assert response.status_code == 206
    assert response.content == data[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/1000"


@pytest.mark.lathe_only
def test_a_range_beyond_the_end_is_416(http: Http, place: str) -> None:
    put(http, f"{place}/ranged", b"12345")
    response = http.request("GET", f"{place}/ranged", headers={"Range": "bytes=10-20"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */5"


@pytest.mark.lathe_only
def test_an_upload_that_breaks_off_leaves_the_old_file(http: Http, place: str) -> None:
    import socket
    from urllib.parse import urlsplit

    put(http, f"{place}/kept.txt", b"old")
    parts = urlsplit(http.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = f"PUT {parts.path}{place}/kept.txt HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode() + b"new" * 1000)
    assert http.get(f"{place}/kept.txt").content == b"old"
    assert http.ok(http.get(PROXY, path=place.removeprefix(PROXY + "/")))["files"] == [
        {"path": "kept.txt", "is_dir": False, "file_size": 3}
    ]
