"""Deployments: made, tried out, switched without an unanswered request, and back after crashes."""

import os
import signal
import sys
import threading
from collections.abc import Callable

import mlflow
import numpy as np
import pandas as pd
import pytest
import tritonclient.http as http_client

from support.cli import run_lathe
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


def test_a_shadow_is_asked_and_compared_and_not_heard(deployments: Deployments, unique, tmp_path):
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.log(model, 3.0)
    deployments.create(name, f"models:/{model}/1")
    deployments.http.ok_any(deployments.post(name, "shadow", {"model": f"models:/{model}/2"}))
    deployments.ready(name, "shadow")
    answers = [deployments.predict(name, [[1, 0]]).json()["predictions"][0] for _ in range(20)]
    assert {round(answer) for answer in answers} == {1}
    wait_for("the shadow's answers", lambda: deployments.version(name, "shadow")["statistics"]["compared"] == 20, 30)
    assert deployments.version(name, "shadow")["statistics"]["different"] == 20
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


@pytest.mark.slow
def test_deployments_come_back_after_a_crash_of_the_server(make_lathe: Callable[..., LatheServer]):
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()
    deployments = Deployments(server.url)
    deployments.log("line", 4.0)
    deployments.create("scorer", "models:/line/1")
    [pid] = deployments.version("scorer", "primary")["statistics"]["process_ids"]
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(timeout=30)
    server.start()
    deployments = Deployments(server.url)
    wait_for("an answer", lambda: deployments.predict("scorer", [[1, 1]]).status_code == 200, 90)
    assert deployments.predict("scorer", [[1, 1]]).json()["predictions"] == pytest.approx([5.0])
    # Whom the first server started has ended with it.
    wait_for("the old worker to end", lambda: not os.path.exists(f"/proc/{pid}"), 30)


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
    mlflow.set_tracking_uri(deployments.url)
    signature = mlflow.models.infer_signature(pd.DataFrame({"a": [1.0], "b": [1.0]}), np.array([1.0]))
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=raiser(), signature=signature, registered_model_name=model)
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
    window = deployments.traffic(name, 6)
    assert (window["errors"], window["error_rate"]) == ({"invalid_argument": 1, "model_failed": 5}, 1.0)
