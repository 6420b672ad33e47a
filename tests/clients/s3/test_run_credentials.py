"""Lineage without a line of user code: unmodified clients with a run's own credentials."""

from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from support.http import Http
from support.servers import LatheServer

from .answers import code_of, keys_in
from .conftest import Keys, keys_of

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"


@pytest.fixture(params=["local", "login"])
def server(request, server_url: str, make_lathe) -> Http:
    """The same story on a server without login and on one with it."""
    if request.param == "local":
        return Http(server_url)
    made: LatheServer = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD})
    made.start()
    return Http.with_login(made.url, "admin", PASSWORD)


@pytest.fixture
def world(server: Http, unique) -> Callable[..., object]:
    class World:
        http = server
        repository = unique("repo")

        def s3_of(self, credentials: dict) -> Keys:
            anybody = keys_of(Http(server.base_url, {"Authorization": f"Bearer {credentials['token']}"}))
            assert anybody.access_key_id == credentials["s3"]["access_key_id"]
            return anybody

        def put(self, path: str, body: bytes, branch: str = "main") -> None:
            answer = server.session.put(
                f"{server.base_url}/api/v1/repos/{self.repository}/refs/{branch}/objects/{path}", data=body, timeout=30
            )
            assert answer.ok, answer.text

        def commit(self) -> str:
            answer = server.post(f"/api/v1/repos/{self.repository}/branches/main/commits", {"message": "m"})
            return server.ok_any(answer)["id"]

        def run(self) -> tuple[str, dict]:
            run_id = server.ok(server.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
            return run_id, server.ok_any(server.post("/api/v1/run-credentials", {"run_id": run_id}))

        def edges(self, name: str, direction: str) -> set[tuple[str, str, str]]:
            graph = server.ok(server.get("/api/v1/lineage", name=name, direction=direction))
            return {(edge["from"], edge["to"], edge["kind"]) for edge in graph["edges"]}

    made = World()
    server.ok_any(server.post("/api/v1/repos", {"name": made.repository}))
    return made


def test_what_a_run_reads_and_writes_is_its_lineage(world, monkeypatch, tmp_path: Path):
    world.put("train.csv", b"x,y\n1,2\n")
    world.put("other.csv", b"never read")
    first = world.commit()
    run_id, credentials = world.run()
    keys = world.s3_of(credentials)
    storage = {"key": keys.access_key_id, "secret": keys.secret_access_key, "client_kwargs": {"endpoint_url": keys.endpoint_url}}
    root = f"s3://{world.repository}/main"

    # The training code: pandas and mlflow, and nothing of Lathe's.
    mlflow.set_tracking_uri(world.http.base_url)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", credentials["token"])
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    frame = pd.read_csv(f"{root}/train.csv", storage_options=storage)
    with mlflow.start_run():
        mlflow.log_metric("rows", len(frame))

    # Others go on meanwhile; the run reads what it read before.
    world.put("train.csv", b"x,y\n1,2\n3,4\n")
    second = world.commit()
    boto3 = keys.boto3()
    read = lambda key: boto3.get_object(Bucket=world.repository, Key=key)["Body"].read()
    assert read("main/train.csv") == b"x,y\n1,2\n"
    assert read(f"{second}/train.csv") == b"x,y\n1,2\n3,4\n"
    assert keys_in(boto3.list_objects_v2(Bucket=world.repository)) == ["main/other.csv", "main/train.csv"]

    # It writes, reads its own writing, and the commit that takes it comes from the run.
    boto3.put_object(Bucket=world.repository, Key="main/out/scores.csv", Body=b"0.9")
    assert read("main/out/scores.csv") == b"0.9"
    third = world.commit()
    run, data = f"default/run/{run_id}", f"default/data/{world.repository}"
    assert {(f"{data}@{first}", run, "read"), (f"{data}@{second}", run, "read")} <= world.edges(run, "up")
    assert (run, f"{data}@{third}", "wrote") in world.edges(f"{data}@{third}", "up")
    assert (run, f"{data}@{third}", "wrote") in world.edges(f"{data}@{first}", "down")

    reads = world.http.ok(world.http.get(f"/api/v1/runs/{run_id}/uses"))["reads"]
    paths = {entry["commit"]: entry["paths"] for entry in reads}
    assert paths[first] == ["train.csv"] and paths[second] == ["train.csv"]
    events = world.http.ok(world.http.get("/api/v1/activity", actor=run_id))["events"]
    assert {event["actor"]["kind"] for event in events} == {"run"}


def test_a_run_that_has_ended_gets_no_credentials_and_others_none_of_it(world, unique):
    run_id, credentials = world.run()
    for seconds in (0, -1, 10**9):
        body = {"run_id": run_id, "ttl_seconds": seconds}
        assert world.http.post("/api/v1/run-credentials", body).status_code == 400
    world.http.ok_any(world.http.request("DELETE", f"/api/v1/tokens/{credentials['token_id']}"))
    keys = Keys("", "us-east-1", **credentials["s3"])
    endpoint = world.run()[1]
    alive = world.s3_of(endpoint)
    ended = Keys(alive.endpoint_url, alive.region, keys.access_key_id, keys.secret_access_key)
    assert code_of(lambda: ended.boto3().list_buckets()) == "InvalidAccessKeyId"
    world.http.ok(world.http.post("runs/update", {"run_id": run_id, "status": "FINISHED"}))
    assert world.http.post("/api/v1/run-credentials", {"run_id": run_id}).status_code == 409
    assert world.http.post("/api/v1/run-credentials", {"run_id": "0" * 32}).status_code == 404
    listed = world.http.ok(world.http.get("/api/v1/tokens"))["tokens"]
    assert [token for token in listed if token["kind"] == "run"] == []


def test_credentials_hold_longer_when_who_made_them_says_so(world):
    run_id = world.http.ok(world.http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
    made = world.http.ok_any(world.http.post("/api/v1/run-credentials", {"run_id": run_id, "ttl_seconds": 3600}))
    renew = lambda http, seconds: http.post(f"/api/v1/run-credentials/{made['token_id']}/renew", {"ttl_seconds": seconds})
    later = world.http.ok(renew(world.http, 7200))["expires_at_ms"]
    assert made["expires_at_ms"] + 3_000_000 < later
    itself = Http(world.http.base_url, {"Authorization": f"Bearer {made['token']}"})
    assert renew(itself, 86400).status_code == 404, "nobody keeps itself alive"
    assert renew(world.http, 0).status_code == 400
    world.http.ok_any(world.http.request("DELETE", f"/api/v1/tokens/{made['token_id']}"))
    assert renew(world.http, 7200).status_code == 404


def test_a_name_that_a_run_resolves_stays_what_it_was(world):
    """`lathe checkout` does so, twice in one run."""
    world.put("a", b"1")
    zeroth = world.commit()
    world.put("a", b"2")
    first = world.commit()
    run_id, credentials = world.run()
    itself = Http(world.http.base_url, {"Authorization": f"Bearer {credentials['token']}"})
    resolve = lambda http, ref: http.ok(http.get(f"/api/v1/repos/{world.repository}/refs/{ref}"))["id"]
    assert resolve(itself, "main") == first
    world.put("a", b"3")
    second = world.commit()
    assert (resolve(itself, "main"), resolve(itself, "main~1"), resolve(world.http, "main")) == (first, zeroth, second)
    boto3 = world.s3_of(credentials).boto3()
    assert boto3.get_object(Bucket=world.repository, Key="main~1/a")["Body"].read() == b"1"
    again, _ = world.run()
    more = world.http.ok_any(world.http.post("/api/v1/run-credentials", {"run_id": again, "reproduces": run_id}))
    reproduced = Http(world.http.base_url, {"Authorization": f"Bearer {more['token']}"})
    assert resolve(reproduced, "main") == first


def test_a_model_that_a_run_loads_is_its_source_once(world, unique, monkeypatch, tmp_path: Path):
    maker, made_by = world.run()
    reader, read_by = world.run()
    mlflow.set_tracking_uri(world.http.base_url)
    for name in ("MLmodel", "weights.bin", "own.txt"):
        (tmp_path / name).write_text(name)
    act_as = lambda credentials: monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", credentials["token"])
    client, name = mlflow.MlflowClient(), unique("model")
    act_as(made_by)
    for file in ("MLmodel", "weights.bin"):
        client.log_artifact(maker, str(tmp_path / file), "model")
    client.create_registered_model(name)
    version = client.create_model_version(name, f"runs:/{maker}/model", maker).version
    world.http.ok(world.http.post("registered-models/alias", {"name": name, "alias": "champion", "version": version}))
    mlflow.artifacts.download_artifacts(f"models:/{name}@champion", dst_path=str(tmp_path / "mine"))
    act_as(read_by)
    client.log_artifact(reader, str(tmp_path / "own.txt"))
    mlflow.artifacts.download_artifacts(f"runs:/{reader}/own.txt", dst_path=str(tmp_path / "own"))
    for folder in ("one", "two"):
        mlflow.artifacts.download_artifacts(f"models:/{name}@champion", dst_path=str(tmp_path / folder))
    assert (tmp_path / "two" / "weights.bin").read_text() == "weights.bin"
    run = lambda run_id: f"default/run/{run_id}"
    model_version = f"default/model/{name}/{version}"
    reads = lambda run_id: {edge[0] for edge in world.edges(run(run_id), "up") if edge[1:] == (run(run_id), "read")}
    assert reads(maker) == set(), "of its own there is no edge"
    assert reads(reader) == {run(maker), model_version}
    events = world.http.ok(world.http.get("/api/v1/activity", actor=reader))["events"]
    actions = [event["action"] for event in events]
    assert (actions.count("artifact.read"), actions.count("version.read")) == (1, 1)
