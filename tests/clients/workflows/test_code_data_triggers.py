"""Code from git, data from repositories, and what starts a pipeline by itself: with the command line, and with clients that know nothing of it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.http import Http
from support.waiting import wait_for

from .conftest import BIN, Pipelines, git_repository

pytestmark = pytest.mark.lathe_only

TRAIN = """
import sys, os
import mlflow, boto3
lines = open(sys.argv[1]).read().split()
mlflow.log_metric("rows", len(lines))
s3 = boto3.client("s3")
s3.put_object(Bucket=os.environ["RESULTS_REPO"], Key="results/found.txt", Body=b"found")
print("trained on", len(lines))
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A git repository whose newest change is not committed."""
    folder = git_repository(tmp_path / "code", {"sub/train.py": "print('old')\n"})
    (folder / "sub" / "train.py").write_text(TRAIN)
    return folder


@pytest.fixture
def lathe(server_url: str, code: Path) -> Callable[..., subprocess.CompletedProcess]:
    return lambda *words: run_lathe(server_url, *words, cwd=code / "sub", HOME=str(code.parent))


def put(http: Http, repository: str, path: str, body: bytes) -> None:
    http.ok_any(http.request("PUT", f"/api/v1/repos/{repository}/refs/main/objects/{path}", data=body))


def test_code_and_data_are_what_they_were_and_lineage_knows(pipelines: Pipelines, name: str, http: Http, code: Path, lathe, unique):
    data, results = unique("data"), unique("results")
    for repository in (data, results):
        http.ok_any(http.post("/api/v1/repos", {"name": repository}))
    http.ok_any(http.post(f"/api/v1/repos/{results}/branches", {"name": "results", "from": "main"}))
    put(http, data, "train/a.txt", b"one two three")
    commit = http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": "first"}))["id"]
    (code / "sub" / "lathe.yaml").write_text(f"""
name: {name}
jobs:
  train:
    inputs: {{ data: "data://{data}@main/train/a.txt" }}
    env: {{ variables: {{ RESULTS_REPO: {results} }} }}
    run: {BIN}/python train.py "$IN_DATA"
""")
    done = lathe("pipeline", "run", "--wait")
    assert done.returncode == 0, done.stderr + done.stdout
    run = pipelines.runs(name)[0]["id"]
    assert "trained on 3" in pipelines.log(run, "train"), pipelines.log(run, "train")
    assert pipelines.get(run)["run"]["pins"] == {f"{data}@main": commit}
    run_id = pipelines.job(run, "train")["run_id"]
    metrics = http.ok(http.get("runs/get", run_id=run_id))["run"]["data"]["metrics"]
    assert {metric["key"]: metric["value"] for metric in metrics} == {"rows": 3}
    reads = http.ok(http.get(f"/api/v1/runs/{run_id}/uses"))["reads"]
    assert [(read["repository"], read["commit"], read["paths"]) for read in reads] == [(data, commit, ["train/a.txt"])]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=code, check=True, capture_output=True, text=True).stdout.strip()
    why = lathe("lineage", "why", f"default/run/{run_id}", "-o", "json")
    for expected in (f"default/data/{data}@{commit}", f"default/job/{run}/train", f"default/pipeline-run/{run}", f"code@{head}"):
        assert expected in why.stdout, (expected, why.stdout, why.stderr)
    shown = lathe("pipeline", "show", name)
    assert "succeeded" in shown.stdout and "train" in shown.stdout
    assert "trained on 3" in lathe("pipeline", "logs", f"{name}/1", "train").stdout
    assert name in lathe("pipeline", "list").stdout
    assert json.loads(lathe("pipeline", "show", run, "-o", "json").stdout)["run"]["number"] == 1


def test_a_broken_file_is_shown_where_it_breaks(code: Path, lathe, name: str):
    (code / "sub" / "lathe.yaml").write_text(f"name: {name}\njobs:\n  a: {{ needs: [b], run: x }}\n")
    refused = lathe("pipeline", "run")
    assert (refused.returncode, "lathe.yaml:3:" in refused.stderr, "`b`" in refused.stderr) == (2, True, True), refused.stderr
    assert "\\n" not in refused.stderr and "\n   3 | " in refused.stderr, refused.stderr


def test_some_of_what_is_left_out_is_named(code: Path, lathe, name: str):
    (code / "sub" / "lathe.yaml").write_text(f"name: {name}\njobs: {{ a: {{ run: echo }} }}\n")
    for number in range(3):
        (code / f"left{number}").touch()
    said = lathe("pipeline", "push").stderr
    assert "left out: 4 files that git does not know (git add them): left0, left1, left2, …" in said, said


def test_a_commit_starts_the_pipelines_that_wait_for_it(pipelines: Pipelines, name: str, http: Http, unique):
    data = unique("data")
    http.ok_any(http.post("/api/v1/repos", {"name": data}))
    pipelines.push(f"""
name: {name}
on: {{ data_commit: {{ repo: {data}, branch: main, paths: ["train/**"] }} }}
jobs:
  read:
    inputs: {{ data: "data://{data}@${{{{ trigger.commit }}}}/train" }}
    run: cat "$IN_DATA"/*
""")
    pipelines.push(f'name: {name}-awake\non: {{ data_commit: {{ repo: {data}, paths: ["last"] }} }}\njobs: {{ a: {{ run: echo }} }}\n')
    commits = []
    for path, body in (("other/x", b"no"), ("train/x", b"yes")):
        put(http, data, path, body)
        commits.append(http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": path}))["id"])
    wait_for("the run", lambda: pipelines.runs(name), 30)
    run = pipelines.runs(name)[0]
    assert (run["trigger"], run["trigger_detail"]["commit"]) == ("data_commit", commits[1])
    assert pipelines.wait(run["id"])["run"]["status"] == "succeeded"
    assert pipelines.log(run["id"], "read") == "yes"
    assert len(pipelines.runs(name)) == 1
    impact = http.ok(http.get("/api/v1/lineage", name=f"default/data/{data}@{commits[1]}", direction="down", depth=4))
    assert f"default/pipeline-run/{run['id']}" in json.dumps(impact)
    why = run_lathe(http.base_url, "lineage", "why", f"pipeline-run/{run['id']}").stdout
    assert f"triggered by data {data}@{commits[1]}" in why, why
    # By hand, it gets the branch's newest commit; paused, it starts on nothing.
    assert pipelines.get(pipelines.start(name))["run"]["trigger_detail"]["commit"] == commits[1]
    http.ok(http.post(f"/api/v1/pipelines/{name}/pause"))
    for path in ("train/y", "last"):
        put(http, data, path, b"more")
        http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": path}))
    # Once a later commit has started another pipeline, those before it have been looked at.
    wait_for("the run of the other", lambda: pipelines.runs(f"{name}-awake"), 30)
    assert http.ok(http.get(f"/api/v1/pipelines/{name}"))["pipeline"]["is_paused"] is True
    pipelines.wait(pipelines.start(name))
    assert [run["trigger"] for run in pipelines.runs(name)] == ["manual", "manual", "data_commit"]


def test_all_commits_of_a_fast_forward_count(pipelines: Pipelines, name: str, http: Http, unique):
    data = unique("data")
    http.ok_any(http.post("/api/v1/repos", {"name": data}))
    http.ok_any(http.post(f"/api/v1/repos/{data}/branches", {"name": "next", "from": "main"}))
    on = lambda paths: f'{{ data_commit: {{ repo: {data}, paths: ["{paths}"] }} }}'
    pipelines.push(f"name: {name}\non: {on('train/**')}\njobs: {{ a: {{ run: echo }} }}\n")
    pipelines.push(f"name: {name}-none\non: {on('*/x')}\njobs: {{ a: {{ run: echo }} }}\n")
    for path in ("train/deep/x", "other/deep/y"):
        http.ok_any(http.request("PUT", f"/api/v1/repos/{data}/refs/next/objects/{path}", data=b"x"))
        commit = http.ok_any(http.post(f"/api/v1/repos/{data}/branches/next/commits", {"message": path}))["id"]
    merged = http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/merge", {"source": "next"}))
    assert merged["outcome"] == "fast_forward", merged
    started = wait_for("the run", lambda: pipelines.runs(name), 30)
    assert [run["trigger_detail"]["commit"] for run in started] == [commit]
    # A star stays in its folder: once a later commit has started a run, those before it have been looked at.
    put(http, data, "train/x", b"x")
    http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": "last"}))
    [run] = wait_for("the other run", lambda: pipelines.runs(f"{name}-none"), 30)
    assert run["trigger_detail"]["commit"] != commit


def test_a_pipeline_does_not_start_itself(pipelines: Pipelines, name: str, http: Http, client, unique):
    model = unique("model")
    client.create_registered_model(model)
    client.create_model_version(model, "s3://elsewhere/model")
    data = unique("data")
    http.ok_any(http.post("/api/v1/repos", {"name": data}))
    on = f"{{ model_alias: {{ model: {model}, alias: champion }}, data_commit: {{ repo: {data} }} }}"
    pipelines.push(f"name: {name}-other\non: {on}\njobs: {{ a: {{ run: echo }} }}\n")
    pipelines.push(f"""
name: {name}
on: {on}
jobs:
  by-server: {{ set_alias: {{ model: {model}, alias: champion, version: "1" }} }}
  by-run:
    needs: [by-server]
    run: |
      {BIN}/python - <<'E'
      import os, urllib.request
      def send(method, path, body):
          headers = {{"authorization": "Bearer " + os.environ["LATHE_TOKEN"], "content-type": "application/json"}}
          url = os.environ["LATHE_URL"] + "/api/v1/repos/{data}/" + path
          urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method=method))
      send("PUT", "refs/main/objects/x", b"x")
      send("POST", "branches/main/commits", b'{{"message": "by a run"}}')
      E
""")
    done = pipelines.wait(pipelines.start(name))
    assert done["run"]["status"] == "succeeded", [job["reason"] for job in done["jobs"]]
    wait_for("the other pipeline to start twice", lambda: len(pipelines.runs(f"{name}-other")) == 2, 30)
    about = {"subject": f"default/pipeline/{name}", "action": "pipeline.not_started"}
    told = wait_for("both events", lambda: len(found := http.ok(http.get("/api/v1/activity", **about))["events"]) == 2 and found, 30)
    assert {event["detail"]["trigger"] for event in told} == {"model_alias", "data_commit"}
    assert all("a pipeline does not start itself" in event["detail"]["reason"] for event in told), told
    assert len(pipelines.runs(name)) == 1
    # A person does start it.
    put(http, data, "y", b"y")
    http.ok_any(http.post(f"/api/v1/repos/{data}/branches/main/commits", {"message": "by a person"}))
    wait_for("the second run", lambda: len(pipelines.runs(name)) == 2, 30)


def test_a_bundle_that_does_not_hold_its_commit_is_refused(http: Http, code: Path, unique):
    repository = unique("code")
    git = lambda *words: subprocess.run(["git", *words], cwd=code, check=True, capture_output=True, text=True).stdout.strip()
    git("-c", "user.email=a@example.org", "-c", "user.name=a", "commit", "-q", "-a", "-m", "second")
    first, second = git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")

    def bundle(*what: str) -> bytes:
        git("bundle", "create", "--quiet", "made.bundle", *what)
        return (code / "made.bundle").read_bytes()

    push = lambda body, commit: http.request(
        "POST", "/api/v1/code-bundles", data=body, params={"repository": repository, "commit": commit}
    )
    is_pushed = lambda commit: http.ok(http.get("/api/v1/code-bundles", repository=repository, commit=commit))["is_pushed"]
    whole = bundle("HEAD")
    for body, commit, why in [
        (b"", second, "the git bundle cannot be used"),
        (b"no bundle", second, "the git bundle cannot be used"),
        (whole[:-30], second, "the git bundle cannot be used"),
        (bundle("HEAD~1..HEAD"), second, "the git bundle cannot be used"),
        (whole, "0" * 40, f"the git bundle does not hold commit {'0' * 40}"),
    ]:
        refused = push(body, commit)
        assert (refused.status_code, why in refused.text) == (400, True), refused.text
        assert not is_pushed(commit)
    for commit in (first, second, second):
        assert push(whole, commit).status_code == 201
        assert is_pushed(commit)


def test_a_moved_alias_starts_a_pipeline(pipelines: Pipelines, name: str, client, unique):
    model = unique("model")
    pipelines.push(f"""
name: {name}
on: {{ model_alias: {{ model: {model}, alias: champion }} }}
jobs: {{ tell: {{ run: "echo ${{{{ trigger.model }}}} ${{{{ trigger.version }}}}" }} }}
""")
    client.create_registered_model(model)
    client.create_model_version(model, "s3://elsewhere/model")
    client.set_registered_model_alias(model, "other", 1)
    client.set_registered_model_alias(model, "champion", 1)
    wait_for("the run", lambda: pipelines.runs(name), 30)
    run = pipelines.runs(name)[0]["id"]
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert pipelines.log(run, "tell") == f"{model} 1\n"
    assert len(pipelines.runs(name)) == 1


def test_a_version_is_registered_once_with_what_made_it(pipelines: Pipelines, name: str, client, unique):
    model = unique("model")
    done = pipelines.run(f"""
name: {name}
jobs:
  train:
    run: |
      {BIN}/python - <<'E'
      import mlflow
      from sklearn.dummy import DummyClassifier
      model = DummyClassifier().fit([[0], [1]], [0, 1])
      mlflow.sklearn.log_model(model, name="model")
      E
  register: {{ needs: [train], register_model: {{ name: {model}, from: "${{{{ jobs.train.run_id }}}}", alias: candidate }} }}
  tell: {{ needs: [register], run: "echo version ${{{{ jobs.register.values.version }}}}" }}
""")
    run = done["run"]["id"]
    assert done["run"]["status"] == "succeeded", [job["reason"] for job in done["jobs"]]
    assert pipelines.log(run, "tell") == "version 1\n"
    version = client.get_model_version_by_alias(model, "candidate")
    assert version.run_id == pipelines.job(run, "train")["run_id"]
    assert [one.version for one in client.search_model_versions(f"name = '{model}'")] in ([1], ["1"])


def test_a_commit_that_a_run_merged_is_what_a_pipeline_comes_from(pipelines: Pipelines, name: str, http: Http, client, unique):
    data = unique("data")
    http.ok_any(http.post("/api/v1/repos", {"name": data}))
    http.ok_any(http.post(f"/api/v1/repos/{data}/branches", {"name": "next", "from": "main"}))
    for branch in ("main", "next"):
        http.ok_any(http.request("PUT", f"/api/v1/repos/{data}/refs/{branch}/objects/{branch}", data=b"x"))
        http.ok_any(http.post(f"/api/v1/repos/{data}/branches/{branch}/commits", {"message": branch}))
    pipelines.push(f"name: {name}\non: {{ data_commit: {{ repo: {data} }} }}\njobs: {{ a: {{ run: echo }} }}\n")
    # It has read what it merges, which is an edge of the same event.
    run_id = client.create_run(client.create_experiment(unique("merges"))).info.run_id
    token = http.ok_any(http.post("/api/v1/run-credentials", {"run_id": run_id}))["token"]
    run = Http(http.base_url, {"authorization": f"Bearer {token}"})
    merged = run.ok_any(run.post(f"/api/v1/repos/{data}/branches/main/merge", {"source": "next"}))["commit"]["id"]
    # The commits of before may have started it, too, when it was pushed so soon after them.
    of_merge = lambda: next((run for run in pipelines.runs(name) if run["trigger_detail"]["commit"] == merged), None)
    started = wait_for("the run", of_merge, 30)
    why = run_lathe(http.base_url, "lineage", "why", f"pipeline-run/{started['id']}").stdout
    assert f"triggered by data {data}@{merged}" in why, why
