"""Runs, deployments and monitoring where people must sign in."""

import json

import pytest
import requests
import tritonclient.grpc as grpc_client

from support.http import Http

from .conftest import HOUR_MS, START_MS, World, table

pytestmark = pytest.mark.lathe_only

ROWS = {"dataframe_split": json.loads(table(3)[["temp", "wind"]].to_json(orient="split", index=False))}


def ask(world: World, token: str | None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    http = Http(f"{world.server.url}/p/{world.owner.project}", headers)
    return http.post(f"/serving/{world.names['deployment']}/invocations", ROWS)


def token_of(world: World, **more) -> str:
    return world.owner.ok("POST", "/api/v1/tokens", {"name": f"made-{len(more)}-{id(more):x}", **more})["token"]


def test_a_deployment_answers_whoever_may_ask_it(world: World):
    for more in ({"scope": "infer"}, {"kind": "service", "role": "viewer", "scope": "infer"}):
        token = token_of(world, **more)
        answer = ask(world, token)
        assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 0, 0]}), answer.text
        asked = Http(f"{world.server.url}/p/{world.owner.project}", {"Authorization": f"Bearer {token}"})
        assert asked.get(f"/api/v1/deployments/{world.names['deployment']}").status_code == 403, "it may ask and nothing else"
    read = ask(world, token_of(world, scope="read"))
    assert (read.status_code, read.json()["error_code"]) == (403, "PERMISSION_DENIED")
    for token in (None, "lth_" + "x" * 43):
        answer = ask(world, token)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
    stranger = ask(world, world.anna.token)
    assert (stranger.status_code, stranger.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_grpc_takes_the_same_tokens(world: World):
    name, project = world.names["deployment"], world.owner.project

    def state(token: str | None) -> str:
        headers = {"x-mlflow-workspace": project} | ({"authorization": f"Bearer {token}"} if token else {})
        with grpc_client.InferenceServerClient(world.server.url.removeprefix("http://")) as client:
            try:
                return client.get_model_metadata(name, headers=headers).name
            except grpc_client.InferenceServerException as refused:
                return refused.status()

    assert state(token_of(world, scope="infer")) == name
    assert [state(None), state(world.anna.token)] == ["StatusCode.UNAUTHENTICATED", "StatusCode.PERMISSION_DENIED"]


def test_a_run_of_the_command_line_is_the_run_and_leaves_no_token(world: World):
    run_id = world.names["run_id"]
    run = world.owner.ok("GET", "runs/get", params={"run_id": run_id})["run"]
    assert (run["info"]["run_name"], run["info"]["status"]) == (world.names["run"], "FINISHED")
    assert {param["key"]: param["value"] for param in run["data"]["params"]} == {world.names["param"]: world.names["value"]}
    events = world.owner.ok("GET", "/api/v1/audit", params={"actor": run_id, "max_results": 1000})["events"]
    assert {event["actor"]["kind"] for event in events} == {"run"}
    assert "version.created" in {event["action"] for event in events}, "what the script did, it did as the run"
    [reads] = world.owner.ok("GET", f"/api/v1/runs/{run_id}/uses")["reads"]
    assert (reads["repository"], reads["commit"]) == (world.names["repo"], world.names["commit"])
    tokens = world.owner.ok("GET", "/api/v1/audit", params={"action": "token.", "max_results": 1000})["events"]
    own = {event["subject"] for event in tokens if event["detail"].get("run_id") == run_id}
    ended = {event["subject"] for event in tokens if event["action"] == "token.revoked"}
    assert len(own) == 1 and own <= ended, "the run's own credentials ended with it"


def test_monitoring_is_read_by_those_in_the_project(world: World):
    place, owner = f"/api/v1/deployments/{world.names['deployment']}", world.owner
    windows = owner.ok("GET", f"{place}/traffic")["windows"]
    [first] = [window for window in windows if window["start_ms"] == START_MS - START_MS % HOUR_MS]
    assert (first["requests"], first["rows"]) == (1, 200)
    assert world.names["history"] in owner.ok("GET", f"{place}/drift")["reference"]["source"]
    [quality] = [one for one in owner.ok("GET", f"{place}/quality")["windows"] if one["labelled"]]
    assert (quality["labelled"], quality["measures"]["accuracy"] > 0.9) == (200, True)
    assert [alert["rule"] for alert in owner.ok("GET", "/api/v1/alerts")["alerts"]] == [world.names["rule"]]
    viewer = world.person(f"{world.mark}-viewer", owner.project)
    world.admin.ok_any(world.admin.request("PUT", f"/api/v1/projects/{owner.project}/members/{viewer.name}", {"role": "viewer"}))
    for what in ("traffic", "drift", "quality", "reference", "alerts", "alert-rules", "monitoring"):
        assert viewer.ok("GET", f"{place}/{what}") == owner.ok("GET", f"{place}/{what}")
        assert world.anna.http.get(f"{place}/{what}").status_code in (200, 404)
        reaching = Http(f"{world.server.url}/p/{owner.project}", {"Authorization": f"Bearer {world.anna.token}"})
        assert reaching.get(f"{place}/{what}").status_code == 403
        assert Http(f"{world.server.url}/p/{owner.project}").get(f"{place}/{what}").status_code == 401
    for method, what in (("PUT", "monitoring"), ("POST", "labels"), ("POST", "alert-rules"), ("PUT", "reference"), ("POST", "check")):
        assert viewer.http.request(method, f"{place}/{what}", {}).status_code == 403, what
