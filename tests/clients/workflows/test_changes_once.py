"""What a pipeline changes by itself (versions, aliases, deployments) is changed once, wherever the server is killed."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.databases import change_rows
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from . import models
from .conftest import Pipelines

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]

KILLS = 8


@pytest.fixture
def server(make_lathe: Callable[..., LatheServer]) -> LatheServer:
    return make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()


def restart_later(server: LatheServer, *before_start: tuple[str, tuple]) -> Pipelines:
    """Starts a killed server as if the time of all leases were over."""
    expired = [("UPDATE attempts SET lease_until_ms = 0 WHERE status = 'running'", ()), ("UPDATE leases SET expires_at_ms = 0", ())]
    change_rows(server.database_url, server.folder / "data", [*before_start, *expired])
    server.start()
    return Pipelines(Http(server.url))


def crash_before_the_end_is_stored(server: LatheServer, run: str) -> Pipelines:
    """What is there when a server is killed between what the only job of a run changed and the end of that job."""
    server.kill()
    tables = ("attempts", "jobs", "pipeline_runs")
    undone = [(f"UPDATE {table} SET status = 'running', ended_at_ms = NULL WHERE pipeline_run_id = ?", (run,)) for table in tables]
    return restart_later(server, *undone)


def test_a_change_that_was_made_before_a_crash_is_not_made_again(server: LatheServer, tmp_path: Path):
    runs = [models.log_model(server.url, tmp_path, models.answers(number)) for number in (1, 2)]

    def happened(http: Http) -> dict[str, int]:
        models.wait_for_ledger(http, "m")
        deployment = ("created", "canary_started", "shadow_started", "promoted", "rolled_back")
        counts = {verb: models.count_events(http, f"deployment.{verb}", "default/deployment/d") for verb in deployment}
        counts |= {action: models.count_events(http, action, "default/model/m") for action in ("version.created", "alias.set")}
        return counts

    def do(job: str, meanwhile: Callable[[Http], object] = lambda http: None) -> tuple[dict[str, int], dict[str, str]]:
        """Runs a pipeline of one job, and once more after a crash; returns the deployment and the job's values."""
        pipelines = Pipelines(Http(server.url))
        name = f"p{random.randrange(10**9)}"
        run = pipelines.start(pipelines.push(f"name: {name}\njobs:\n  a: {job}\n"))
        done = pipelines.wait(run, 120)
        assert done["run"]["status"] == "succeeded", done
        meanwhile(pipelines.http)
        http = pipelines.http
        before = (happened(http), roles(http), pipelines.job(run, "a")["values"])
        pipelines = crash_before_the_end_is_stored(server, run)
        done = pipelines.wait(run, 120)
        assert done["run"]["status"] == "succeeded", done
        assert len(pipelines.attempts(run, "a")) == 1
        after = (happened(pipelines.http), roles(pipelines.http), pipelines.job(run, "a")["values"])
        assert after == before, job
        return after[1], after[2]

    def roles(http: Http) -> dict[str, int]:
        return models.versions(http, "d") if http.get("/api/v1/deployments/d").ok else {}

    def register(run_id: str, alias: str) -> str:
        return f"{{ register_model: {{ name: m, from: {run_id}, alias: {alias} }} }}"

    assert do(register(runs[0], "champion"))[1] == {"model": "m", "version": "1"}
    assert do(register(runs[1], "challenger"))[1] == {"model": "m", "version": "2"}
    assert do('{ deploy: { deployment: d, model: "models:/m@champion" } }')[0] == {"primary": 1}
    assert do('{ deploy: { deployment: d, model: "models:/m@challenger", canary: 20% } }')[0] == {"primary": 1, "canary": 2}

    def give_back(http: Http) -> None:
        """A person moves the alias before the server is back."""
        http.ok(http.post("registered-models/alias", {"name": "m", "alias": "champion", "version": "1"}))

    promoted, values = do("{ deploy: { deployment: d, promote: true }, set_alias: { model: m, alias: champion } }", give_back)
    assert promoted == {"primary": 2, "previous": 1}
    assert values == {"deployment": "d", "model": "m", "version": "2"}
    http = Http(server.url)
    aliased = http.ok(http.get("registered-models/alias", name="m", alias="champion"))
    assert aliased["model_version"]["version"] == "1", "what a person did since then stays"
    assert do('{ deploy: { deployment: d, model: "models:/m/1", shadow: true } }')[0] == {"primary": 2, "previous": 1, "shadow": 1}
    # A rollback that ends a canary must not, done again, leave the version that was kept.
    http = Http(server.url)
    http.ok(http.post("/api/v1/deployments/d/canary", {"model": "models:/m/1", "weight": 5}))
    assert do("{ deploy: { deployment: d, rollback: true } }")[0] == {"primary": 2, "previous": 1, "shadow": 1}
    assert do("{ deploy: { deployment: d, rollback: true } }")[0] == {"primary": 1, "previous": 2, "shadow": 1}
    assert do('{ deploy: { deployment: d, model: "models:/m/2" } }')[0] == {"primary": 2, "previous": 1, "shadow": 1}
    http = Http(server.url)
    wait_for("version 2 to answer", lambda: models.predict(http, "d").text.find("2") > 0, 60, pause=0.1)
    assert happened(http)["version.created"] == 2


PIPELINE = """
name: release
params: {{ run: {{ type: str }} }}
jobs:
  register: {{ register_model: {{ name: m, from: "${{{{ params.run }}}}", alias: challenger }} }}
  canary: {{ needs: [register], deploy: {{ deployment: d, model: "models:/m@challenger", canary: 20% }} }}
  promote: {{ needs: [canary], deploy: {{ deployment: d, promote: true }}, set_alias: {{ model: m, alias: champion }} }}
  other: {{ needs: [promote], deploy: {{ deployment: {other}, model: "models:/m@champion" }} }}
  never: {{ needs: [promote], if: "${{{{ failure() }}}}", deploy: {{ deployment: d, rollback: true }} }}
"""


def test_a_server_killed_at_random_releases_a_model_once(server: LatheServer, tmp_path: Path):
    runs = [models.log_model(server.url, tmp_path, models.answers(number)) for number in (1, 2)]
    http = Http(server.url)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    models.register(server.url, "m", runs[0])
    models.deploy_and_wait(http, "d", "models:/m/1")
    pipelines = Pipelines(http)
    run = pipelines.start(pipelines.push(PIPELINE.format(other="e")), params={"run": runs[1]})
    chance = random.Random(20261126)
    for kill in range(KILLS):
        # A job at a time is watched, so that the kills fall into all of them.
        job = ("register", "canary", "promote", "other")[kill % 4]
        wait_for(f"{job} to begin", lambda job=job: pipelines.job(run, job)["status"] not in ("waiting", "queued"), 120, pause=0.001)
        wait_for("the moment", lambda: chance.random() < 0.2, 60, pause=0.005)
        server.kill()
        pipelines = restart_later(server)
    done = pipelines.wait(run, 180)
    assert done["run"]["status"] == "succeeded", done
    assert pipelines.jobs(run) == {"register": "succeeded", "canary": "succeeded", "promote": "succeeded", "other": "succeeded", "never": "skipped"}
    http = pipelines.http
    models.wait_for_ledger(http, "m")
    assert models.versions(http, "d") == {"primary": 2, "previous": 1}
    assert models.versions(http, "e") == {"primary": 2}
    of_d = {verb: models.count_events(http, f"deployment.{verb}", "default/deployment/d") for verb in ("canary_started", "promoted", "rolled_back")}
    assert of_d == {"canary_started": 1, "promoted": 1, "rolled_back": 0}
    assert models.count_events(http, "deployment.created", "default/deployment/e") == 1
    assert models.count_events(http, "version.created", "default/model/m") == 2
    assert models.count_events(http, "alias.set", "default/model/m") == 2, "challenger once, champion once"
    aliased = http.ok(http.get("registered-models/alias", name="m", alias="champion"))
    assert aliased["model_version"]["version"] == "2"


def test_a_promotion_takes_the_canary_that_its_run_tried(server: LatheServer, tmp_path: Path):
    runs = [models.log_model(server.url, tmp_path, models.answers(number)) for number in (1, 2, 3)]
    http = Http(server.url)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    for run_id in runs:
        models.register(server.url, "m", run_id)
    models.deploy_and_wait(http, "d", "models:/m/1")
    pipelines = Pipelines(http)
    pipelines.push("""
name: tried
jobs:
  canary: { deploy: { deployment: d, model: "models:/m/2", canary: 20% } }
  ask: { needs: [canary], approval: {} }
  promote: { needs: [canary, ask], deploy: { deployment: d, promote: true } }
""")
    run = pipelines.start("tried")
    pipelines.wait_job(run, "ask", "awaiting_approval", 120)
    http.ok(http.post("/api/v1/deployments/d/canary", {"model": "models:/m/3", "weight": 5}))
    http.ok(http.post(f"/api/v1/pipeline-runs/{run}/jobs/ask/approve", {}))
    assert pipelines.wait(run)["run"]["status"] == "failed"
    assert "version 3" in pipelines.job(run, "promote")["reason"]
    assert models.versions(http, "d") == {"primary": 1, "canary": 3}
