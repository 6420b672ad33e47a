"""A web page must not be able to drive a server on loopback; a server on the network must want a login."""

import socket
import subprocess
import time
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from support.http import Http
from support.paths import lathe_binary
from support.servers import clean_environment

pytestmark = pytest.mark.lathe_only


def test_a_request_for_another_host_is_refused(http: Http) -> None:
    for path in ("/api/2.0/mlflow/experiments/get?experiment_id=0", "/", "/api/v1/server"):
        response = http.request("GET", path, headers={"Host": "evil.example"})
        assert 400 <= response.status_code < 500, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(http: Http, client: MlflowClient, unique, headers) -> None:
    name = unique("exp")
    response = http.request("POST", "experiments/create", {"name": name}, headers=headers)
    assert response.status_code == 403, response.text
    assert client.get_experiment_by_name(name) is None


def test_what_is_refused_before_a_route_is_told_in_the_words_of_the_path(http: Http) -> None:
    """MLflow's clients read a body without `error_code` as an error of the server."""
    foreign = {"headers": {"Host": "evil.example"}}
    other_site = {"headers": {"Origin": "http://evil.example"}}
    asked = [
        (http.request("GET", "/p/ALPHA/api/2.0/mlflow/experiments/get?experiment_id=0"), "INVALID_PARAMETER_VALUE"),
        (http.request("GET", "/p/ALPHA/get-artifact?run_id=x&path=y"), "INVALID_PARAMETER_VALUE"),
        (http.request("GET", "experiments/get?experiment_id=0", **foreign), "PERMISSION_DENIED"),
        (http.request("POST", "runs/create", {"experiment_id": "0"}, **other_site), "PERMISSION_DENIED"),
        (http.request("POST", "/p/alpha/ajax-api/2.0/mlflow/runs/create", {}, **other_site), "PERMISSION_DENIED"),
    ]
    for response, code in asked:
        body = response.json()
        assert (body["error_code"], body["request_id"]) == (code, response.headers["X-Request-Id"]), body
    for response in (
        http.request("GET", "/p/ALPHA/api/v1/home"),
        http.request("GET", "/api/v1/server", **foreign),
        http.request("POST", "/api/v1/runs/search", {}, **other_site),
    ):
        assert response.json()["code"] in ("invalid_argument", "permission_denied"), response.text


def test_mlflows_client_reads_why_a_project_cannot_be(server_url: str) -> None:
    with pytest.raises(MlflowException) as refused:
        MlflowClient(f"{server_url}/p/ALPHA").get_experiment("0")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("door", ["http", "s3"])
def test_a_head_may_have_32_kib(http: Http, door: str) -> None:
    base = "" if door == "http" else http.ok(http.get("/api/v1/s3-credentials"))["endpoint_url"]
    ask = http if door == "http" else Http(base)
    assert ask.request("GET", "/health", headers={"X-Long": "a" * 30_000}).status_code != 431
    for size in (33_000, 100_000):
        assert ask.request("GET", "/health", headers={"X-Long": "a" * size}).status_code == 431, size
    assert ask.request("GET", f"/health?{'a' * 33_000}").status_code == 431
    assert ask.request("GET", "/health").status_code != 431


def test_a_page_of_the_servers_own_origin_is_served(http: Http, unique) -> None:
    headers = {"Origin": http.base_url, "Sec-Fetch-Site": "same-origin"}
    http.ok(http.request("POST", "experiments/create", {"name": unique("exp")}, headers=headers))


def test_answers_carry_the_headers_that_protect_a_page(http: Http) -> None:
    headers = http.get("/").headers
    assert "Content-Security-Policy" in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert http.get("experiments/get", experiment_id="0").headers["Cache-Control"] == "no-store"


def test_an_address_beyond_loopback_without_login_is_refused(tmp_path) -> None:
    command = [str(lathe_binary()), "serve", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "data")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_environment())
    assert ended.returncode not in (0, 101), ended.stderr
    assert "login" in ended.stderr


def test_a_second_server_on_the_same_folder_is_refused(make_lathe) -> None:
    server = make_lathe(database="sqlite").start()
    command = [str(server.binary), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.folder / "data")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_environment())
    assert ended.returncode not in (0, 101), ended.stderr
    assert Http(server.url).get("/health").ok


@pytest.mark.parametrize("door", ["http", "s3"])
def test_a_refusal_before_the_body_was_asked_for_ends_the_connection(server_url: str, http: Http, door: str) -> None:
    """Else the next request of a client that leaves its body out would be read as that body."""
    url = server_url if door == "http" else http.ok(http.get("/api/v1/s3-credentials"))["endpoint_url"]
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"PUT /api/nowhere HTTP/1.1\r\nHost: {address.netloc}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            status, *headers = answer.read().split(b"\r\n\r\n")[0].decode().lower().splitlines()
    assert status.split()[1][0] == "4", status
    assert "connection: close" in headers


@pytest.mark.parametrize("door", ["http", "s3"])
def test_a_refusal_leaves_the_connection_to_the_next_request(server_url: str, http: Http, door: str) -> None:
    """Clients in Python send head and body apart: a refusal must not close the connection between them."""
    url = server_url if door == "http" else http.ok(http.get("/api/v1/s3-credentials"))["endpoint_url"]
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection, connection.makefile("rb") as answers:
        for _ in range(3):
            connection.sendall(f"PUT /nowhere/at/all HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 5\r\n\r\n".encode())
            time.sleep(0.1)
            connection.sendall(b"hello")
            assert answers.readline().split()[1][:1] == b"4"
            length = 0
            while (line := answers.readline().strip().lower()) != b"":
                assert line != b"connection: close"
                name, _, value = line.partition(b": ")
                length = int(value) if name == b"content-length" else length
            answers.read(length)
