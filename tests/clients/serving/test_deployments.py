"""Deployments: made, tried out, switched without an unanswered request, and back after crashes."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest
import tritonclient.http as http_client
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from support.cli import run_lathe
from support.databases import change_rows
from support.processes import is_alive
from support.servers import LatheServer
from support.waiting import wait_for

from .conftest import Deployments, tensors_of

pytestmark = pytest.mark.lathe_only


def test_a_version_answers_under_a_name(deployments: Deployments, unique: Callable[[str], str]):
    name, model = unique("dep"), unique("model")
    version = deployments.log(model, 2.0)
    deployments.create(name, f"models:/{model}/{version}")
    assert deployments.http.ok(deployments.predict(name, [[1, 1], [2, 0.5]])) == {"predictions": pytest.approx([3.0, 4.5])}
    lineage = deployments.http.get("/api/v1/lineage", name=f"default/deployment/{name}", direction="up", depth=3).text
    assert f"default/model/{model}/{version}" in lineage and "default/run/" in lineage
    counted = deployments.version(name, "primary")["statistics"]["total"]
    assert (counted["requests"], counted["errors"]) == (1, 0)
    again = deployments.http.post("/api/v1/deployments", {"name": name, "model": f"models:/{model}/{version}"})
    assert again.status_code == 409
    deployments.http.ok_any(deployments.http.request("DELETE", f"/api/v1/deployments/{name}"))
    assert deployments.predict(name, [[1, 1]]).status_code == 404


def test_what_is_wrong_is_said(deployments: Deployments, scorer: str, unique):
    http = deployments.http
    for body, status in [
        ({"name": "Bad Name", "model": "models:/line@champion"}, 400),
        ({"name": unique("d"), "model": "models:/nothing/1"}, 404),
        ({"name": unique("d"), "model": "models:/line@nobody"}, 400),
        ({"name": unique("d"), "model": "line"}, 400),
        ({"name": unique("d"), "model": "models:/line@champion", "workers": 0}, 400),
        ({"name": unique("d")}, 400),
    ]:
        assert http.post("/api/v1/deployments", body).status_code == status, body
    assert deployments.post(scorer, "promote").status_code == 409
    assert http.get("/api/v1/deployments/nothing").status_code == 404
    assert deployments.predict("nothing", [[1, 1]]).status_code == 404


def test_a_canary_answers_its_part_and_a_switch_drops_nothing(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.log(model, 3.0)
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/2", "weight": 25}))
    deployments.ready(name, "canary")
    answers = [deployments.predict(name, [[1, 0]]).json()["predictions"][0] for _ in range(100)]
    assert sum(round(answer) == 3 for answer in answers) == 25, answers
    stop, failures, asked = threading.Event(), [], []

    def ask() -> None:
        mine = Deployments(deployments.url)
        while not stop.is_set():
            response = mine.predict(name, [[1, 0]])
            asked.append(1)
            if response.status_code != 200:
                failures.append(response.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for("some requests", lambda: len(asked) > 50, 30)
        deployments.http.ok_any(deployments.post(name, "promote"))
        seen = len(asked)
        wait_for("more requests", lambda: len(asked) > seen + 50, 30)
        deployments.http.ok_any(deployments.post(name, "rollback"))
        seen = len(asked)
        wait_for("more requests", lambda: len(asked) > seen + 50, 30)
        deployments.ready(name)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert deployments.version(name, "primary")["version"] == 1
    wait_for("the first to answer", lambda: round(deployments.predict(name, [[1, 0]]).json()["predictions"][0]) == 1, 30)


def test_a_canary_of_the_same_version_is_no_other_one(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/1", "weight": 30}))
    deployments.ready(name, "canary")
    assert deployments.http.ok(deployments.http.get(f"/v2/models/{name}"))["versions"] == ["1"]
    assert deployments.http.get(f"/v2/models/{name}/versions/1").status_code == 200
    shown = run_lathe(deployments.url, "deploy", "show", name, "-o", "jsonl").stdout
    weights = {version["role"]: version["weight"] for version in json.loads(shown)["versions"]}
    assert weights == {"primary": 70, "canary": 30}, shown


def test_a_shadow_is_asked_and_compared_and_not_heard(deployments: Deployments, unique, tmp_path):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.log(model, 3.0)
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "shadow", {"model": f"models:/{model}/2"}))
    deployments.ready(name, "shadow")
    answers = [deployments.predict(name, [[1, 0]]).json()["predictions"][0] for _ in range(20)]
    assert {round(answer) for answer in answers} == {1}
    wait_for("the shadow's answers", lambda: deployments.version(name, "shadow")["statistics"]["different"] == 20, 30)
    assert deployments.version(name, "shadow")["statistics"]["compared"] == 20
    shown = run_lathe(deployments.url, "deploy", "show", name, cwd=tmp_path).stdout.splitlines()
    [head] = [line for line in shown if "COMPARED" in line]
    cells = {role: line for line in shown for role in ("primary", "shadow") if f" {role} " in line}
    at = [head.index(title) for title in ("COMPARED", "DIFFERENT")]
    assert [cells["shadow"][place:].split()[0] for place in at] == ["20", "20"], shown
    assert "20 " not in cells["primary"][at[0]:], shown
    # Ended: it is gone, what is answered stays, and there is none to end any more.
    ended = run_lathe(deployments.http.base_url, "deploy", "shadow", name, "--end")
    assert ended.returncode == 0, ended.stderr
    shown = deployments.http.ok(deployments.http.get(f"/api/v1/deployments/{name}"))
    assert [one["role"] for one in shown["versions"]] == ["primary"]
    assert round(deployments.predict(name, [[1, 0]]).json()["predictions"][0]) == 1
    again = deployments.http.request("DELETE", f"/api/v1/deployments/{name}/shadow")
    assert again.status_code == 409 and "has no shadow" in again.json()["message"]
    assert deployments.http.request("DELETE", f"/api/v1/deployments/{name}-x/shadow").status_code == 404
    of_name = lambda: deployments.http.ok(deployments.http.get("/api/v1/audit", action="deployment.", subject=f"default/deployment/{name}"))["events"]
    of_shadow = lambda: sorted((event["action"], event["detail"]["version"]) for event in of_name() if "shadow" in event["action"])
    wait_for("the events", lambda: len(of_shadow()) == 2, 30)
    assert of_shadow() == [("deployment.shadow_ended", 2), ("deployment.shadow_started", 2)]


def test_an_alias_is_followed(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0, "champion")
    deployments.create(name, f"models:/{model}@champion")
    deployments.log(model, 5.0, "champion")
    wait_for("the new version", lambda: round(deployments.predict(name, [[1, 0]]).json()["predictions"][0]) == 5, 60)
    assert deployments.version(name, "primary")["version"] == 2


def test_an_alias_is_followed_again_after_a_rollback(deployments: Deployments, unique, tmp_path):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0, "champion")
    deployments.create(name, f"models:/{model}@champion")
    deployments.log(model, 5.0, "champion")
    answer = lambda: round(deployments.predict(name, [[1, 0]]).json()["predictions"][0])
    wait_for("the new version", lambda: answer() == 5, 60)
    deployments.http.ok_any(deployments.post(name, "rollback"))
    wait_for("the version before", lambda: answer() == 1, 60)
    deployments.ready(name)
    assert deployments.version(name, "primary").get("alias") is None
    for alias, status in (("nobody", 400), ("", 400), ("1/2", 400)):
        assert deployments.post(name, "follow", {"alias": alias}).status_code == status, alias
    assert deployments.post("nothing", "follow", {"alias": "champion"}).status_code == 404
    done = run_lathe(deployments.url, "deploy", "follow", name, "champion", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    wait_for("what the alias points at", lambda: answer() == 5, 60)
    primary = deployments.version(name, "primary")
    assert (primary["version"], primary["alias"]) == (2, "champion")
    # It is followed when it moves, and to follow what is followed changes nothing but the alias.
    deployments.log(model, 7.0)
    deployments.ready(name)
    deployments.http.ok(deployments.post(name, "follow", {"alias": "champion"}))
    again = deployments.version(name, "primary")
    assert (again["version"], again["alias"], again["state"]) == (2, "champion", "ready")
    mlflow.MlflowClient().set_registered_model_alias(model, "champion", 3)
    wait_for("the newest version", lambda: answer() == 7, 60)


def test_a_killed_worker_comes_back(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.create(name, f"models:/{model}/1")
    [pid] = deployments.version(name, "primary")["statistics"]["process_ids"]
    os.kill(pid, signal.SIGKILL)
    wait_for("an answer", lambda: deployments.predict(name, [[1, 0]]).status_code == 200, 60)
    assert deployments.version(name, "primary")["statistics"]["process_ids"] != [pid]


@pytest.fixture
def own_server(make_lathe: Callable[..., LatheServer]) -> LatheServer:
    """A server that may crash, with a deployment `scorer` of `4a + b`."""
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()
    deployments = Deployments(server.url)
    deployments.log("line", 4.0)
    deployments.create("scorer", "models:/line/1")
    return server


def crash(server: LatheServer) -> None:
    """Kills the server alone, and not, as `kill` does, whom it started."""
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(timeout=30)


@pytest.mark.slow
def test_deployments_come_back_after_a_crash_of_the_server(own_server: LatheServer):
    [pid] = Deployments(own_server.url).version("scorer", "primary")["statistics"]["process_ids"]
    crash(own_server)
    own_server.start()
    deployments = Deployments(own_server.url)
    wait_for("an answer", lambda: deployments.predict("scorer", [[1, 1]]).status_code == 200, 90)
    assert deployments.predict("scorer", [[1, 1]]).json()["predictions"] == pytest.approx([5.0])
    # Whom the first server started has ended with it.
    wait_for("the old worker to end", lambda: not is_alive(pid), 30)


@pytest.mark.slow
def test_a_version_that_a_crash_left_ready_is_not_called_so(own_server: LatheServer):
    deployments = Deployments(own_server.url)
    deployments.log("line", 5.0)
    deployments.http.ok_any(deployments.post("scorer", "canary", {"model": "models:/line/2", "weight": 50}))
    deployments.ready("scorer", "canary")
    deployments.http.ok_any(deployments.post("scorer", "promote"))
    state = lambda: deployments.version("scorer", "previous")["state"]
    wait_for("the first to end", lambda: state() == "stopped", 60)
    crash(own_server)
    # As if it had been killed before that could be noted.
    left = "UPDATE deployment_versions SET state = 'ready' WHERE role = 'previous'"
    change_rows(own_server.database_url, own_server.folder / "data", [(left, ())])
    own_server.start()
    deployments = Deployments(own_server.url)
    wait_for("the first not to be called ready", lambda: state() == "stopped", 60)
    assert deployments.version("scorer", "primary")["version"] == 2


def gated(gate: Path, answer: float) -> mlflow.pyfunc.PythonModel:
    """Is loaded once a file is there, and answers a number."""
    file = str(gate)

    # Made in a function, so that its code travels with it.
    class Gated(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            import os
            import time

            while not os.path.exists(file):
                time.sleep(0.05)

        def predict(self, context, model_input, params=None):
            return [answer] * len(model_input)

    return Gated()


def broken() -> mlflow.pyfunc.PythonModel:
    """Cannot be loaded."""

    class Broken(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            raise RuntimeError("no model today")

        def predict(self, context, model_input, params=None):
            return []

    return Broken()


def counter() -> mlflow.pyfunc.PythonModel:
    """Answers how many rows it was asked at once."""

    class Counter(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            import time

            time.sleep(0.02)
            return [float(len(model_input))] * len(model_input)

    return Counter()


def adder() -> mlflow.pyfunc.PythonModel:
    """Answers the sum of a row."""

    class Adder(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return list(model_input.sum(axis=1))

    return Adder()


def test_versions_that_cannot_start_do_not_take_away_the_one_that_answers(deployments: Deployments, unique, tmp_path):
    name, model, gate = unique("dep"), unique("model"), tmp_path / "gate"
    deployments.log(model, 1.0, "champion")
    deployments.create(name, f"models:/{model}@champion")
    deployments.log_python(model, broken(), "champion")
    primary = lambda: (lambda one: (one["version"], one["state"]))(deployments.version(name, "primary"))
    wait_for("the second to fail", lambda: primary() == (2, "failed"), 90)
    assert set(deployments.answers(name, 10)) == {1}
    deployments.log_python(model, gated(gate, 7.0), "champion")
    wait_for("the third to start", lambda: primary()[0] == 3, 60)
    assert set(deployments.answers(name, 10)) == {1}
    assert deployments.version(name, "previous")["version"] == 1
    deployments.http.ok_any(deployments.post(name, "rollback"))
    assert primary() == (1, "ready") and set(deployments.answers(name, 10)) == {1}
    # Once more, and this time it comes up: what answered goes on until then.
    deployments.http.ok_any(deployments.post(name, "follow", {"alias": "champion"}))
    assert set(deployments.answers(name, 10)) == {1}
    gate.touch()
    wait_for("the third to answer", lambda: deployments.answers(name, 1) == [7], 90)
    deployments.ready(name)
    assert deployments.version(name, "previous")["version"] == 1


def test_a_deployment_without_a_living_worker_is_not_healthy(deployments: Deployments, unique, tmp_path):
    name, model, gate = unique("dep"), unique("model"), tmp_path / "gate"
    gate.touch()
    deployments.log_python(model, gated(gate, 3.0))
    deployments.create(name, f"models:/{model}/1")
    paths = [f"/serving/{name}/ping", f"/serving/{name}/health", f"/v2/models/{name}/ready"]
    statuses = lambda: [deployments.http.get(path).status_code for path in paths]
    assert statuses() == [200, 200, 200]
    gate.unlink()
    [pid] = deployments.version(name, "primary")["statistics"]["process_ids"]
    os.kill(pid, signal.SIGKILL)
    wait_for("the end of the worker to be seen", lambda: not deployments.version(name, "primary")["statistics"]["process_ids"], 30)
    assert statuses() == [503, 503, 503]
    assert deployments.predict(name, [[1, 0]]).status_code == 503
    assert deployments.counts(name) == (1, 1)
    gate.touch()
    wait_for("it to be healthy", lambda: statuses() == [200, 200, 200], 90)
    assert deployments.answers(name, 1) == [3]


def test_what_the_canary_does_not_take_is_answered_by_the_primary_and_is_its_error(deployments: Deployments, unique, tmp_path):
    name, model, gate = unique("dep"), unique("model"), tmp_path / "gate"
    deployments.log(model, 1.0)
    deployments.log_python(model, adder(), columns="abc")
    gate.touch()
    deployments.log_python(model, gated(gate, 5.0))
    deployments.create(name, f"models:/{model}/1")
    # It asks for a column more than the clients send.
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/2", "weight": 50}))
    deployments.ready(name, "canary")
    assert set(deployments.answers(name, 20)) == {1}
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((20, 0), (10, 10))
    asked_badly = {"dataframe_records": [{"a": 1.0}]}
    assert [deployments.http.post(f"/serving/{name}/invocations", asked_badly).status_code for _ in range(4)] == [400] * 4
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((20, 0), (10, 10))
    labels = f'project="default",deployment="{name}",model="{model}",version="2",role="canary"'
    assert f"lathe_inference_errors_total{{{labels}}} 10" in deployments.http.get("/metrics").text
    # All of its workers are dead.
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/3", "weight": 50}))
    deployments.ready(name, "canary")
    gate.unlink()
    [pid] = deployments.version(name, "canary")["statistics"]["process_ids"]
    os.kill(pid, signal.SIGKILL)
    wait_for("the end of the worker to be seen", lambda: not deployments.version(name, "canary")["statistics"]["process_ids"], 30)
    assert set(deployments.answers(name, 20)) == {1}
    assert deployments.counts(name, "canary") == (10, 10)


def test_what_a_canary_or_shadow_refuses_in_its_worker_is_its_error(deployments: Deployments, unique, tmp_path):
    name, model, gate = unique("dep"), unique("model"), tmp_path / "gate"
    gate.touch()
    # One takes any text, and the other a time, which only its worker can tell from other texts.
    for kind, answer in (("string", 1.0), ("datetime", 5.0)):
        deployments.log_python(model, gated(gate, answer), signature=ModelSignature(Schema([ColSpec(kind, "at")])))
    deployments.create(name, f"models:/{model}/1")
    ask = lambda text: deployments.http.post(f"/serving/{name}/invocations", {"dataframe_records": [{"at": text}]})
    answers = lambda text, times: [deployments.http.ok(ask(text))["predictions"][0] for _ in range(times)]
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/2", "weight": 50}))
    deployments.ready(name, "canary")
    assert answers("soon", 20) == [1] * 20
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((20, 0), (10, 10))
    assert sorted(answers("2026-01-02", 20)) == [1] * 10 + [5] * 10
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((30, 0), (20, 10))
    # Asked badly is what neither takes.
    assert [ask(7).status_code for _ in range(4)] == [400] * 4
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((30, 0), (20, 10))
    deployments.http.ok_any(deployments.post(name, "rollback"))
    deployments.http.ok_any(deployments.post(name, "shadow", {"model": f"models:/{model}/2"}))
    deployments.ready(name, "shadow")
    assert answers("soon", 5) == [1] * 5
    shadow = lambda: deployments.version(name, "shadow")["statistics"]
    wait_for("the shadow's errors", lambda: shadow()["total"]["requests"] == 5, 30)
    assert (shadow()["total"]["errors"], shadow()["compared"]) == (5, 0)


def test_what_both_refuse_in_their_workers_is_the_callers_fault(deployments: Deployments, unique, tmp_path):
    name, model, gate = unique("dep"), unique("model"), tmp_path / "gate"
    gate.touch()
    for answer in (1.0, 5.0):
        deployments.log_python(model, gated(gate, answer), signature=ModelSignature(Schema([ColSpec("datetime", "at")])))
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "canary", {"model": f"models:/{model}/2", "weight": 50}))
    deployments.ready(name, "canary")
    asked = [deployments.http.post(f"/serving/{name}/invocations", {"dataframe_records": [{"at": "soon"}]}) for _ in range(10)]
    assert [one.status_code for one in asked] == [400] * 10
    assert (deployments.counts(name), deployments.counts(name, "canary")) == ((0, 0), (0, 0))


def test_a_shadow_is_asked_what_the_client_asked(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.log_python(model, adder(), columns="abc")
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "shadow", {"model": f"models:/{model}/2"}))
    deployments.ready(name, "shadow")
    for _ in range(5):
        # What the primary answers is the sum, too, if the shadow gets the column that only it knows.
        body = {"dataframe_records": [{"a": 1.0, "b": 0.0, "c": 0.0}]}
        deployments.http.ok(deployments.http.post(f"/serving/{name}/invocations", body))
    shadow = lambda: deployments.version(name, "shadow")["statistics"]
    # They are counted first, and then compared.
    wait_for("the shadow's answers", lambda: shadow()["compared"] == 5, 30)
    assert (shadow()["total"]["requests"], shadow()["total"]["errors"], shadow()["compared"], shadow()["different"]) == (5, 0, 5, 0)
    roles = [line.split('role="')[1].split('"')[0] for line in deployments.http.get("/metrics").text.splitlines()
             if line.startswith("lathe_inference_requests_total") and f'"{name}"' in line]  # fmt: skip
    assert sorted(roles) == ["primary", "shadow"]


def test_another_registered_model_wants_a_deployment_of_its_own(deployments: Deployments, unique, tmp_path):
    name, model, other = unique("dep"), unique("model"), unique("other")
    deployments.log(model, 1.0)
    deployments.log(other, 2.0)
    deployments.create(name, f"models:/{model}/1")
    for verb, more in (("canary", {"weight": 10}), ("shadow", {})):
        refused = deployments.post(name, verb, {"model": f"models:/{other}/1", **more})
        assert refused.status_code == 409 and f"`{other}` is another" in refused.json()["message"], refused.text
    done = run_lathe(deployments.url, "deploy", "canary", name, "--model", f"models:/{other}/1", "--weight", "10", cwd=tmp_path)
    assert done.returncode != 0 and "lathe deploy create" in done.stderr
    assert [one["role"] for one in deployments.get(name)["versions"]] == ["primary"]


def test_requests_are_asked_one_by_one_where_batching_is_off(deployments: Deployments, unique):
    name, model = unique("dep"), unique("model")
    deployments.log_python(model, counter())
    mlflow.MlflowClient().set_model_version_tag(model, "1", "lathe.batching", "off")
    deployments.create(name, f"models:/{model}/1")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: Deployments(deployments.url).answers(name, 2), range(32)))
    assert {answer for answers in found for answer in answers} == {1}


@pytest.mark.postgres
def test_a_server_routes_by_what_another_server_changed(make_lathe: Callable[..., LatheServer], unique, tmp_path):
    shared = {"LATHE_SERVING_PYTHON": sys.executable, "LATHE_OBJECTS": f"file://{tmp_path / 'objects'}"}
    first = make_lathe(environment=shared).start()
    second = LatheServer(tmp_path / "second", first.database_url, (), shared).start()
    try:
        one, other = Deployments(first.url), Deployments(second.url)
        one.log("line", 1.0)
        one.log("line", 3.0)
        one.create("scorer", "models:/line/1")
        one.http.ok_any(one.post("scorer", "canary", {"model": "models:/line/2", "weight": 0}))
        one.ready("scorer", "canary")
        runs = lambda role: (other.version("scorer", role).get("statistics") or {}).get("process_ids")
        wait_for("both versions on the second server", lambda: runs("primary") and runs("canary"), 90)
        assert other.answers("scorer", 5) == [1] * 5
        one.http.ok_any(one.http.request("PUT", "/api/v1/deployments/scorer/canary", {"weight": 100}))
        wait_for("the weight", lambda: other.answers("scorer", 1) == [3], 60)
        one.ready("scorer", "canary")
        one.http.ok_any(one.post("scorer", "promote"))
        # Until it has stopped the version that is primary no more, and after that: no request is refused.
        wait_for("the version before to be stopped", lambda: other.answers("scorer", 1) == [3] and not runs("previous"), 60)
        one.http.ok_any(one.http.request("DELETE", "/api/v1/deployments/scorer"))
        wait_for("the end", lambda: other.predict("scorer", [[1, 0]]).status_code == 404, 60)
    finally:
        second.stop()


def raiser() -> mlflow.pyfunc.PythonModel:
    """Raises on every request."""

    # Made in a function, so that its code travels with it.
    class Raiser(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            raise RuntimeError("not today")

    return Raiser()


def test_what_a_model_raises_is_its_error_everywhere(deployments: Deployments, unique):
    """The model fails in every dialect; one request is asked badly. All who count agree."""
    import tritonclient.grpc as grpc_client

    name, model = unique("dep"), unique("raiser")
    deployments.log_python(model, raiser())
    deployments.create(name, f"models:/{model}/1")
    for _ in range(3):
        raised = deployments.predict(name, [[1, 1]])
        # As MLflow's own scoring server answers.
        assert (raised.status_code, raised.json()["error_code"]) == (400, "BAD_REQUEST"), raised.text
        assert "RuntimeError: not today" in raised.json()["message"]
    address = deployments.url.removeprefix("http://")
    with http_client.InferenceServerClient(address) as client, pytest.raises(http_client.InferenceServerException) as raised:
        client.infer(name, tensors_of(http_client, a=[1.0], b=[1.0]))
    assert raised.value.status() == "500" and "not today" in str(raised.value)
    with grpc_client.InferenceServerClient(address) as client, pytest.raises(grpc_client.InferenceServerException) as raised:
        client.infer(name, tensors_of(grpc_client, a=[1.0], b=[1.0]))
    assert "INTERNAL" in str(raised.value) and "not today" in str(raised.value)
    asked_badly = deployments.http.post(f"/serving/{name}/invocations", {"dataframe_records": [{"a": 1.0}]})
    assert asked_badly.status_code == 400 and "`b`" in asked_badly.text
    assert deployments.counts(name) == (5, 5)
    traffic = deployments.traffic(name, 6)
    assert (traffic["errors"], traffic["error_rate"]) == ({"invalid_argument": 1, "model_failed": 5}, 1.0)
