"""Paths that lead out of a run's artifacts, in every spelling, at every door."""

import http.client
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient

from support.http import Http

from .conftest import error_code
from .values import ESCAPES, ODD_PATHS

pytestmark = pytest.mark.lathe_only

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
SECRETS = (b"root:x:", b"root:*:", b"[lathe]", b"SQLite format 3")


class Answer:
    """An answer to a request whose path was sent exactly as it is written."""

    def __init__(self, server: Http, method: str, target: str, body: bytes | None = None):
        parts = urlsplit(server.base_url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.putrequest(method, parts.path + target, skip_accept_encoding=True)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            self.status_code = response.status
            self.content = response.read()
            self.text = self.content.decode(errors="replace")
        finally:
            connection.close()

    def json(self) -> object:
        return json.loads(self.content)


def raw_path(path: str) -> str:
    """Only what no request line can hold is encoded."""
    return "".join(char if 0x20 < ord(char) < 0x7F else "".join(f"%{byte:02X}" for byte in char.encode()) for char in path)


@pytest.fixture
def place(client: MlflowClient, things: dict[str, str]) -> str:
    return client.get_run(things["run_id"]).info.artifact_uri.removeprefix("mlflow-artifacts:/")


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_proxy_refuses_a_path_that_leads_elsewhere(http: Http, place, fingerprint: Callable[[], str], method, path) -> None:
    before = fingerprint()
    body = b"written by a test" if method == "PUT" else None
    for target in (f"{PROXY}/{path}", f"{PROXY}/{place}/{path}", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{place}/{path}"):
        answer = Answer(http, method, raw_path(target), body)
        assert 400 <= answer.status_code < 500, f"{target}: {answer.status_code} {answer.text[:200]}"
        assert not any(secret in answer.content for secret in SECRETS)
    assert fingerprint() == before


@pytest.mark.parametrize("path", ESCAPES)
def test_listing_and_downloading_refuse_it_too(http: Http, things: dict[str, str], path: str) -> None:
    query = raw_path(path)
    for target in (
        f"/api/2.0/mlflow/artifacts/list?run_id={things['run_id']}&path={query}",
        f"{PROXY}?path={query}",
        f"/get-artifact?run_id={things['run_id']}&path={query}",
        f"/model-versions/get-artifact?name={things['model']}&version=1&path={query}",
        f"/api/2.0/mlflow/logged-models/{things['model_id']}/artifacts/directories?artifact_directory_path={query}",
        f"/ajax-api/2.0/mlflow/logged-models/{things['model_id']}/artifacts/files?artifact_file_path={query}",
    ):
        answer = Answer(http, "GET", target)
        error_code(answer, target)
        assert not any(secret in answer.content for secret in SECRETS)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_path_is_refused_or_stays_inside_the_run(http: Http, things, place: str, path: str) -> None:
    target = raw_path(f"{PROXY}/{place}/odd/{path}")
    answer = Answer(http, "PUT", target, b"odd")
    assert answer.status_code < 500, answer.text
    listed = http.ok(http.get("artifacts/list", run_id=things["run_id"]))
    if answer.status_code == 200:
        assert [entry["path"] for entry in listed.get("files", [])] == ["odd"], "it lies below the run, and there only"
        assert Answer(http, "GET", target).content == b"odd"
        assert Answer(http, "DELETE", target).status_code == 200
        assert Answer(http, "GET", target).status_code == 404
    else:
        assert "files" not in listed
        error_code(answer, path)
    for other in (
        f"/api/2.0/mlflow/artifacts/list?run_id={things['run_id']}&path={raw_path(path)}",
        f"/get-artifact?run_id={things['run_id']}&path={raw_path(path)}",
        f"{PROXY}?path={raw_path(path)}",
    ):
        found = Answer(http, "GET", other)
        assert found.status_code < 500, f"{other}: {found.text[:200]}"
        assert not any(secret in found.content for secret in SECRETS)


DOTS = [path for path in ESCAPES if ".." in path or "2e" in path.lower()]


@pytest.mark.parametrize("source", [f"{scheme}/{path}" for scheme in ("mlflow-artifacts:", "s3://bucket") for path in DOTS])
def test_a_version_cannot_have_a_source_that_leads_elsewhere(http: Http, things, fingerprint, source: str) -> None:
    before = fingerprint()
    error_code(http.post("model-versions/create", {"name": things["model"], "source": source}), source)
    assert fingerprint() == before


def test_an_experiment_cannot_be_put_outside_either(http: Http, things, fingerprint: Callable[[], str]) -> None:
    before = fingerprint()
    for number, location in enumerate(["mlflow-artifacts:/../x", "mlflow-artifacts:/a/../../x", "mlflow-artifacts:/%2e%2e/x"]):
        body = {"name": f"{things['new']}-{number}", "artifact_location": location}
        error_code(http.post("experiments/create", body), location)
    assert fingerprint() == before
