"""examples/flights from data to a deployment and its successor, through public edges and unchanged clients only."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from support.http import Http
from support.paths import ROOT, lathe_binary
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow, pytest.mark.any_database]

BIN = str(Path(sys.executable).parent)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "flights"
    shutil.copytree(ROOT / "examples" / "flights", folder, ignore=shutil.ignore_patterns("__pycache__"))
    # How fast a version answers on a busy machine must not decide a test.
    pipeline = folder / "lathe.yaml"
    pipeline.write_text(pipeline.read_text().replace(', "p95_latency > 3 * champion"', ""))
    git = lambda *words: subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=folder, check=True)
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "the example")
    return folder


def test_flights_go_from_data_to_a_deployment_and_its_successor(make_lathe: Callable[..., LatheServer], example: Path):
    path = f"{BIN}:{os.environ['PATH']}"
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable, "PATH": path}).start()
    http = Http(server.url)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "LATHE_"))}
    kept |= {"LATHE_URL": server.url, "PATH": path, "HOME": str(example.parent)}

    def run(*words: str, **environment: str) -> str:
        done = subprocess.run(words, cwd=example, env=kept | environment, text=True, capture_output=True, timeout=400)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    lathe = lambda *words: run(str(lathe_binary()), *words)

    def commit(months: str) -> str:
        given = http.ok(http.get("/api/v1/s3-credentials"))
        keys = {"AWS_ENDPOINT_URL": given["endpoint_url"], "AWS_REGION": given["region"], "AWS_DEFAULT_REGION": given["region"],
                "AWS_ACCESS_KEY_ID": given["access_key_id"], "AWS_SECRET_ACCESS_KEY": given["secret_access_key"]}  # fmt: skip
        run("python", "load.py", "--months", months, "--sample", "0.05", **keys)
        return lathe("commit", "flights", "-m", months).split()[0]

    def jobs() -> dict[str, str]:
        newest = http.ok(http.get("/api/v1/pipeline-runs", pipeline="flights-delay"))["runs"][0]["id"]
        return {one["job"]: one["status"] for one in http.ok(http.get(f"/api/v1/pipeline-runs/{newest}"))["jobs"]}

    lathe("repo", "create", "flights")
    first = commit("1-3")
    lathe("pipeline", "run", "--wait", "-P", "size=0.1")
    found = jobs()
    assert {name: status for name, status in found.items() if status != "succeeded"} == {
        "canary": "skipped", "promote": "skipped", "rollback": "skipped",
    }  # fmt: skip
    why = lathe("lineage", "why", "deployment/flights-delay", "-o", "json")
    for expected in (f"default/data/flights@{first}", "default/model/flights-delay/1", "default/pipeline-run/", "default/code/"):
        assert expected in why, (expected, why)

    mlflow.set_tracking_uri(server.url)
    asked = mlflow.models.Model.load("models:/flights-delay/1").load_input_example()
    body = {"dataframe_split": json.loads(asked.to_json(orient="split", index=False))}
    stop, refused, answered = threading.Event(), [], []

    def ask() -> None:
        mine = Http(server.url)
        while not stop.is_set():
            response = mine.post("/serving/flights-delay/invocations", body)
            (answered if response.status_code == 200 else refused).append(response.text)

    second = commit("4-7")
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        wait_for("answers", lambda: answered, 30)
        lathe("pipeline", "run", "--wait", "-P", "size=0.1", "-P", "min_gain=0")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    found = jobs()
    assert (found["canary"], found["promote"], found["first-deployment"]) == ("succeeded", "succeeded", "skipped"), found
    assert refused == []
    [primary] = [one for one in http.ok(http.get("/api/v1/deployments/flights-delay"))["versions"] if one["role"] == "primary"]
    assert (primary["version"], primary["alias"] if "alias" in primary else None) == (2, None)
    assert mlflow.MlflowClient().get_model_version_by_alias("flights-delay", "champion").version in (2, "2")
    impact = lathe("lineage", "impact", f"default/data/flights@{second}", "-o", "json")
    assert "default/deployment/flights-delay" in impact, impact
