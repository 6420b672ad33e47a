"""The gate of a canary, on real traffic: a bad one is rolled back, and nobody approves alone what two must."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from . import models
from .conftest import ENDED, Pipelines

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"

PIPELINE = """
name: release
jobs:
  canary:
    deploy: { deployment: d, model: "models:/m/2", canary: 50% }
    watch: { for: 1h, min_requests: 5, abort_if: ["error_rate > 0.1"] }
  promote: { needs: [canary], deploy: { deployment: d, promote: true } }
  rollback: { needs: [canary], if: "${{ failure() && jobs.canary.started }}", deploy: { deployment: d, rollback: true } }
"""


@pytest.mark.slow
def test_a_canary_that_fails_its_gate_is_rolled_back(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()
    http = Http(server.url)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    for body in (models.answers(1), "raise ValueError('broken')"):
        models.register(server.url, "m", models.log_model(server.url, tmp_path, body))
    models.deploy_and_wait(http, "d", "models:/m/1")
    assert http.ok(models.predict(http, "d")) == {"predictions": [1]}
    pipelines = Pipelines(http)
    run = pipelines.start(pipelines.push(PIPELINE))

    def ask_until_it_ended() -> bool:
        models.predict(http, "d")
        return pipelines.status(run) in ENDED

    wait_for("the gate", ask_until_it_ended, 120, pause=0.01)
    assert pipelines.jobs(run) == {"canary": "failed", "promote": "skipped", "rollback": "succeeded"}
    assert "error_rate > 0.1" in pipelines.job(run, "canary")["reason"]
    assert models.versions(http, "d") == {"primary": 1}
    assert [models.predict(http, "d").status_code for _ in range(10)] == [200] * 10
    # Done again by hand, the canary is tried once more.
    pipelines.http.ok(pipelines.http.post(f"/api/v1/pipeline-runs/{run}/retry"))
    pipelines.wait_job(run, "canary", "running")
    wait_for("the gate", ask_until_it_ended, 120, pause=0.01)
    assert pipelines.job(run, "canary")["attempt"] == 2
    assert pipelines.jobs(run) == {"canary": "failed", "promote": "skipped", "rollback": "succeeded"}
    assert models.versions(http, "d") == {"primary": 1}
    # One that nobody asks is not judged, and not promoted.
    unasked = PIPELINE.replace("name: release", "name: unasked").replace("for: 1h, min_requests: 5,", "for: 1s,")
    # It ends at its timeout only, and its worker has to be there before: where that takes longer, it is tried with more.
    for timeout in ("20s", "1m", "4m"):
        run = pipelines.wait(pipelines.start(pipelines.push(unasked.replace("    watch:", f"    timeout: {timeout}\n    watch:"))), 400)["run"]["id"]
        if "it answered" in pipelines.job(run, "canary")["reason"]:
            break
    assert pipelines.jobs(run) == {"canary": "failed", "promote": "skipped", "rollback": "succeeded"}
    assert "is not judged: it answered 0 requests" in pipelines.job(run, "canary")["reason"]
    assert models.versions(http, "d") == {"primary": 1}
    # Nor is one whose gate compares it with a champion that nobody asks.
    models.register(server.url, "m", models.log_model(server.url, tmp_path, models.answers(3)))
    alone = PIPELINE.replace("name: release", "name: alone").replace("m/2", "m/3").replace("50%", "100%")
    alone = alone.replace("for: 1h", "for: 1s").replace("error_rate > 0.1", "p95_latency > 100 * champion")
    run = pipelines.start(pipelines.push(alone))
    # Asked before, the champion might answer the last of it when the canary has begun.
    ready = lambda: any((one["role"], one["state"]) == ("canary", "ready") for one in models.deployed(http, "d"))
    wait_for("the canary", ready, 120, pause=0.05)
    wait_for("the gate", ask_until_it_ended, 120, pause=0.01)
    assert pipelines.jobs(run) == {"canary": "failed", "promote": "skipped", "rollback": "succeeded"}
    assert "not judged by the gate `p95_latency > 100 * champion`" in pipelines.job(run, "canary")["reason"]
    assert models.versions(http, "d") == {"primary": 1}


SLOW_MODEL = """
import time
import mlflow

class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        time.sleep(3600)

    def predict(self, context, model_input, params=None):
        return [1] * len(model_input)

mlflow.models.set_model(Model())
"""


@pytest.mark.slow
def test_a_job_that_deploys_ends_at_its_timeout(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()
    http = Http(server.url)
    pipelines = Pipelines(http)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    (tmp_path / "slow.py").write_text(SLOW_MODEL)
    mlflow.set_tracking_uri(server.url)
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(name="model", python_model=str(tmp_path / "slow.py"), signature=models.SIGNATURE, pip_requirements=[])
    models.register(server.url, "m", run.info.run_id)
    done = pipelines.run('name: p\njobs: { a: { timeout: 2s, deploy: { deployment: d, model: "models:/m/1" } } }\n')
    assert done["run"]["status"] == "failed"
    assert re.fullmatch(r"version 1 of `m` does not answer after (\d+m )?\d+s", done["jobs"][0]["reason"])


def test_what_another_run_logged_is_another_version(pipelines: Pipelines, name: str, server_url: str, unique, tmp_path: Path):
    model = unique("model")
    runs = [models.log_model(server_url, tmp_path, models.answers(number)) for number in (1, 2)]
    run = pipelines.run(f"""
name: {name}
jobs:
  flaky: {{ run: test -e {tmp_path}/ready }}
  pick:
    needs: [flaky]
    if: always()
    run: if test -e {tmp_path}/ready; then echo run={runs[1]}; else echo run={runs[0]}; fi >> "$LATHE_VALUES"
  register: {{ needs: [pick], register_model: {{ name: {model}, from: "${{{{ jobs.pick.values.run }}}}" }} }}
""")["run"]["id"]
    assert pipelines.jobs(run) == {"flaky": "failed", "pick": "succeeded", "register": "succeeded"}
    (tmp_path / "ready").touch()
    pipelines.http.ok(pipelines.http.post(f"/api/v1/pipeline-runs/{run}/retry"))
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert pipelines.job(run, "register")["values"] == {"model": model, "version": "2"}
    version = pipelines.http.ok(pipelines.http.get("model-versions/get", name=model, version="2"))["model_version"]
    assert version["run_id"] == runs[1]


@pytest.fixture(scope="module")
def people(make_lathe: Callable[..., LatheServer]) -> dict[str, Http]:
    """Three maintainers and Dan, a contributor, where people must sign in."""
    server = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()
    admin = Http.with_login(server.url, "admin", PASSWORD)
    people = {}
    for name in ("ada", "bob", "cleo", "dan"):
        secret = admin.ok_any(admin.post("/api/v1/users", {"username": name}))["password"]
        role = "contributor" if name == "dan" else "maintainer"
        admin.ok_any(admin.request("PUT", f"/api/v1/projects/default/members/{name}", {"role": role}))
        people[name] = Http.with_login(server.url, name, secret)
    return people


def test_nobody_moves_an_alias_by_a_run_of_somebody_else(people: dict[str, Http]):
    ada, dan = people["ada"], people["dan"]
    ada.ok(ada.post("registered-models/create", {"name": "m"}))
    ada.ok(ada.post("model-versions/create", {"name": "m", "source": "s3://elsewhere/model"}))
    jobs = '{ a: { run: "exit 1" }, b: { needs: [a], if: "${{ failure() }}", set_alias: { model: m, alias: champion, version: "1" } } }'
    pipelines = Pipelines(ada)
    pipelines.push(f"name: aliases\non: {{ manual: {{}}, schedule: {{ cron: '0 0 1 1 *' }} }}\njobs: {jobs}\n")
    run = pipelines.start("aliases")
    assert pipelines.wait(run)["run"]["status"] == "failed"
    ada.ok(ada.request("DELETE", "registered-models/alias", {"name": "m", "alias": "champion"}))
    alias = lambda http: http.post("registered-models/alias", {"name": "m", "alias": "champion", "version": "1"}).status_code
    act = lambda http, path: http.post(f"/api/v1/{path}").status_code
    assert (alias(dan), act(dan, f"pipeline-runs/{run}/retry"), act(dan, "pipelines/aliases/runs")) == (403, 403, 403)
    assert (act(dan, "pipelines/aliases/pause"), act(dan, "pipelines/aliases/resume")) == (200, 403)
    said = [dan.ok(dan.get("/api/v1/pipelines/aliases"))["pipeline"], dan.ok(dan.get(f"/api/v1/pipeline-runs/{run}"))]
    assert [each["needs_maintainer"] for each in said] == [True, True], "whoever is refused reads it beforehand"
    assert ada.get("registered-models/alias", name="m", alias="champion").status_code in (400, 404)
    assert (act(ada, "pipelines/aliases/resume"), act(ada, f"pipeline-runs/{run}/retry")) == (200, 200)
    pipelines.wait(run)
    assert ada.ok(ada.get("registered-models/alias", name="m", alias="champion"))["model_version"]["version"] in ("1", 1)


def test_two_people_approve_and_the_one_who_started_is_none_of_them(people: dict[str, Http]):
    pipelines = Pipelines(people["ada"])
    run = pipelines.start(pipelines.push("name: p\njobs:\n  ask: { approval: { min: 2, timeout: 1h } }\n  go: { needs: [ask], run: echo }\n"))
    pipelines.wait_job(run, "ask", "awaiting_approval")

    def approve(name: str) -> int:
        return people[name].post(f"/api/v1/pipeline-runs/{run}/jobs/ask/approve", {"comment": f"by {name}"}).status_code

    assert (approve("ada"), approve("dan")) == (403, 403), "who started it, and who is no maintainer"
    assert approve("bob") == 200
    assert approve("bob") == 200, "to approve twice is one approval"
    job = pipelines.job(run, "ask")
    assert (job["status"], job["reason"]) == ("awaiting_approval", "1 of 2 approved")
    assert approve("cleo") == 200
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert pipelines.jobs(run) == {"ask": "succeeded", "go": "succeeded"}


def test_a_run_is_canceled_by_those_who_may_start_it(people: dict[str, Http]):
    ada, dan = Pipelines(people["ada"]), Pipelines(people["dan"])
    cancel = lambda name, run: people[name].post(f"/api/v1/pipeline-runs/{run}/cancel")
    ask = "ask: { approval: { timeout: 1h } }"
    jobs = f'{{ {ask}, go: {{ needs: [ask], set_alias: {{ model: m, alias: champion, version: "1" }} }} }}'
    run = ada.start(ada.push(f"name: moves\njobs: {jobs}\n"))
    refused = cancel("dan", run)
    assert refused.status_code == 403 and "job `go` changes a deployment or moves an alias" in refused.json()["message"], refused.text
    # Nor by a run that would take its place.
    group = "concurrency: { group: moving, on_conflict: cancel_running }"
    run_in_group = ada.start(ada.push(f"name: moves-in-group\n{group}\njobs: {jobs}\n"))
    usurper = dan.push(f"name: usurper\n{group}\njobs: {{ a: {{ run: echo }} }}\n")
    refused = people["dan"].post(f"/api/v1/pipelines/{usurper}/runs", {})
    assert refused.status_code == 403 and "is not yours to cancel" in refused.json()["message"], refused.text
    assert cancel("bob", run).status_code == cancel("bob", run_in_group).status_code == 200
    assert ada.wait(run)["run"]["status"] == ada.wait(run_in_group)["run"]["status"] == "canceled"
    run = ada.start(ada.push(f"name: asks\njobs: {{ {ask} }}\n"))
    assert cancel("dan", run).status_code == 200
    text = f"name: itself\non: {{ schedule: {{ cron: '0 0 1 1 *' }} }}\njobs: {jobs}\n"
    refused = people["dan"].post("/api/v1/pipelines", {"file": text})
    assert refused.status_code == 403 and "`on` starts the pipeline by itself" in refused.json()["message"], refused.text
    assert dan.push(f"name: itself\njobs: {jobs}\n") == "itself"


@pytest.mark.parametrize(("on_timeout", "ask", "go"), [("approve", "succeeded", "succeeded"), ("reject", "failed", "skipped")])
def test_what_nobody_decides_is_decided_by_the_file(pipelines: Pipelines, name: str, on_timeout: str, ask: str, go: str):
    text = f"name: {name}\njobs:\n  ask: {{ approval: {{ timeout: 1s, on_timeout: {on_timeout} }} }}\n  go: {{ needs: [ask], run: echo }}\n"
    run = pipelines.run(text)["run"]["id"]
    assert pipelines.jobs(run) == {"ask": ask, "go": go}
    assert pipelines.job(run, "ask")["reason"] == "nobody decided in time"
