"""Login mode: what MLflow's client sends for a user name and password, or for a token."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def secured(make_lathe) -> LatheServer:
    """A server that wants a login."""
    return make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()


@pytest.fixture(scope="module")
def admin(secured: LatheServer) -> Http:
    http = Http(secured.url)
    http.session.auth = ("admin", PASSWORD)
    return http


@pytest.fixture
def log_in(secured: LatheServer, monkeypatch) -> Callable[..., MlflowClient]:
    """Sets the variables that MLflow's client reads, and makes a client: `log_in("ann", "secret")`, `log_in(token="…")`."""

    def make(username: str | None = None, password: str | None = None, token: str | None = None) -> MlflowClient:
        values = {"USERNAME": username, "PASSWORD": password, "TOKEN": token}
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
            else:
                monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", secured.url)
        mlflow.set_tracking_uri(secured.url)
        return MlflowClient(secured.url, secured.url)

    return make


def new_user(admin: Http, name: str, role: str | None, project: str = "default") -> str:
    """Makes a user; returns the secret."""
    answer = admin.ok_any(admin.post("/api/v1/users", {"username": name}))
    if role:
        admin.ok_any(admin.request("PUT", f"/api/v1/projects/{project}/members/{name}", {"role": role}))
    return answer["password"]


def code_of(action: Callable[[], object]) -> int:
    with pytest.raises(MlflowException) as refused:
        action()
    return refused.value.get_http_status_code()


def test_without_credentials_nothing_but_health_is_answered(secured: LatheServer, log_in) -> None:
    assert Http(secured.url).get("/health").status_code == 200
    response = Http(secured.url).post("runs/search", {"experiment_ids": ["0"]})
    assert response.status_code == 401
    assert response.json()["error_code"] == "UNAUTHENTICATED"
    assert code_of(lambda: log_in().search_experiments()) == 401


def test_a_user_name_and_a_password_open_the_door(log_in, unique) -> None:
    client = log_in("admin", PASSWORD)
    with mlflow.start_run(experiment_id=client.create_experiment(unique("exp"))) as active:
        mlflow.log_metric("m", 1)
        mlflow.log_text("hello", "note.txt")
    assert client.get_run(active.info.run_id).data.metrics == {"m": 1.0}
    assert mlflow.artifacts.load_text(f"runs:/{active.info.run_id}/note.txt") == "hello"


def test_a_wrong_password_does_not(log_in) -> None:
    assert code_of(lambda: log_in("admin", "wrong").search_experiments()) == 401


def test_a_token_opens_the_door_until_it_is_revoked(admin: Http, log_in, unique) -> None:
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": unique("token")}))
    assert made["token"].startswith("lth_")
    client = log_in(token=made["token"])
    assert client.get_experiment("0").name == "Default"
    client.create_run("0")
    assert admin.request("DELETE", f"/api/v1/tokens/{made['id']}").ok
    assert code_of(lambda: client.get_experiment("0")) == 401


def test_a_stream_ends_with_the_right_to_read_it(admin: Http, secured: LatheServer, unique) -> None:
    run = admin.ok(admin.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": unique("token")}))
    name = unique("user")
    member = Http.with_login(secured.url, name, new_user(admin, name, "viewer"))
    token = Http(secured.url, {"Authorization": f"Bearer {made['token']}"})

    def open_stream(http: Http, path: str) -> requests.Response:
        answer = http.request("GET", path, stream=True, timeout=(30, 60))
        assert answer.status_code == 200, answer.text
        return answer

    paths = ["/api/v1/events/stream", f"/api/v1/runs/{run}/stream"]
    streams = [open_stream(http, path) for http in (token, member) for path in paths]
    assert admin.request("DELETE", f"/api/v1/tokens/{made['id']}").ok
    assert admin.request("DELETE", f"/api/v1/projects/default/members/{name}").ok
    admin.ok(admin.post("runs/set-tag", {"run_id": run, "key": "later", "value": "1"}))
    admin.ok(admin.post("runs/log-metric", {"run_id": run, "key": "later", "value": 1, "timestamp": 1, "step": 0}))
    # Streams say that they are alive, so that a reading never times out.
    with ThreadPoolExecutor(len(streams)) as pool:
        read = [pool.submit(lambda stream: b"".join(stream.iter_content(None)), stream) for stream in streams]
        try:
            assert all(b"later" not in one.result(60) for one in read)
        finally:
            for stream in streams:
                stream.close()


def test_a_token_can_be_the_password_of_its_owner(admin: Http, log_in, unique) -> None:
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": unique("token")}))
    assert log_in("admin", made["token"]).get_experiment("0").name == "Default"


def test_a_token_that_may_only_read_changes_nothing(admin: Http, log_in, unique) -> None:
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": unique("token"), "scope": "read"}))
    client = log_in(token=made["token"])
    assert client.get_experiment("0").name == "Default"
    name = unique("exp")
    assert code_of(lambda: client.create_experiment(name)) == 403
    assert client.get_experiment_by_name(name) is None


@pytest.mark.parametrize(
    ("role", "reads", "writes"), [("viewer", True, False), ("contributor", True, True), (None, False, False)]
)
def test_a_role_decides_what_a_user_may(admin: Http, log_in, unique, role, reads: bool, writes: bool) -> None:
    name = unique("user")
    client = log_in(name, new_user(admin, name, role))
    if reads:
        assert client.get_experiment("0").name == "Default"
    else:
        assert code_of(lambda: client.get_experiment("0")) in (403, 404)
    if writes:
        assert client.create_run("0").info.status == "RUNNING"
    else:
        assert code_of(lambda: client.create_run("0")) in (403, 404)
    assert (
        Http.with_login(admin.base_url, name, "not the password").get("experiments/get", experiment_id="0").status_code == 401
    )


def test_a_user_sees_only_the_projects_they_are_in(admin: Http, log_in, unique, secured: LatheServer) -> None:
    project, name = unique("closed"), unique("user")
    admin.ok_any(admin.post("/api/v1/projects", {"name": project}))
    secret = new_user(admin, name, "contributor")
    user = Http.with_login(secured.url, name, secret)
    assert user.get("experiments/get", experiment_id="0").status_code == 200
    nowhere = unique("closed")
    answers = []
    for asked in (project, nowhere):
        by_path = user.get(f"/p/{asked}/api/2.0/mlflow/experiments/search", max_results=5)
        by_header = user.request("GET", "experiments/search", params={"max_results": 5}, headers={"X-MLFLOW-WORKSPACE": asked})
        answers.append([(answer.status_code, answer.json()["message"].replace(asked, "?")) for answer in (by_path, by_header)])
    # Nobody can find out by asking which other projects there are.
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {403}
    assert admin.get(f"/p/{nowhere}/api/2.0/mlflow/experiments/search", max_results=5).status_code == 404
    assert {entry["name"] for entry in user.ok_any(user.get("/api/v1/projects"))["projects"]} == {"default"}


def test_who_did_it_is_in_the_ledger(admin: Http, log_in, unique) -> None:
    name = unique("user")
    client = log_in(name, new_user(admin, name, "contributor"))
    experiment_id = client.create_experiment(unique("exp"))

    def made() -> list[str]:
        events = admin.ok_any(admin.get("/api/v1/audit", actor=name, action="experiment.created"))["events"]
        return [event["subject"] for event in events]

    assert wait_for("the event to be sealed", made) == [f"default/experiment/{experiment_id}"]


def test_guessing_passwords_is_slowed_down(admin: Http, secured: LatheServer, unique) -> None:
    name = unique("victim")
    new_user(admin, name, "viewer")
    codes: list[int] = []
    # Nine at once and then nine a minute: where each takes its time, it are some more until one is refused.
    while 429 not in codes and len(codes) < 60:
        codes.append(Http.with_login(secured.url, name, f"guess {len(codes)}").get("experiments/get", experiment_id="0").status_code)
    assert codes[0] == 401
    assert codes[-1] == 429, codes
    assert set(codes) == {401, 429}, codes


def test_the_first_start_prints_a_secret_once(make_lathe) -> None:
    server: LatheServer = make_lathe("--login").start()
    words = re.findall(r"[A-Za-z0-9_\-]{16,}", server.log())
    opened = [word for word in words if Http.with_login(server.url, "admin", word).get("experiments/get", experiment_id="0").ok]
    assert len(set(opened)) == 1, f"one of the printed words is the admin's password:\n{server.log()}"
    server.stop()
    before = len(server.log())
    server.start()
    assert opened[0] not in server.log()[before:]
    assert Http.with_login(server.url, "admin", opened[0]).get("experiments/get", experiment_id="0").ok


def test_the_credentials_of_a_removed_users_runs_end_with_the_user(secured: LatheServer, admin: Http):
    http = Http.with_login(secured.url, "leaver", new_user(admin, "leaver", "contributor"))
    run_id = http.ok(http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
    token = http.ok_any(http.post("/api/v1/run-credentials", {"run_id": run_id}))["token"]
    run = Http(secured.url, {"Authorization": f"Bearer {token}"})
    run.ok(run.get("runs/get", run_id=run_id))
    # What its own credentials make outlives neither.
    child = run.ok_any(run.post("/api/v1/run-credentials", {"run_id": run_id}))["token"]
    admin.ok_any(admin.request("DELETE", "/api/v1/users/leaver"))
    for one in (token, child):
        assert Http(secured.url, {"Authorization": f"Bearer {one}"}).get("runs/get", run_id=run_id).status_code == 401
