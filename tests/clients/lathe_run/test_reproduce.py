"""`lathe run reproduce`: the code, the data and the names of a run as they were, and what is not so is said."""

import json
import subprocess
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.http import Http
from support.paths import lathe_binary
from support.waiting import wait_for

from .runs import PATH, artifact, program, runs_of

pytestmark = pytest.mark.lathe_only


TRAIN = """
import os, sys, urllib.request
import boto3, mlflow
text = boto3.client("s3").get_object(Bucket=sys.argv[1], Key="main/data.txt")["Body"].read().decode()
with mlflow.start_run():
    mlflow.log_metric("length", len(text) + OFFSET)
    mlflow.log_text(text, "seen.txt")
"""


def worktrees(project: Path) -> list[str]:
    listed = subprocess.run(["git", "worktree", "list"], cwd=project, check=True, capture_output=True, text=True)
    return listed.stdout.splitlines()


def test_a_reproduction_that_fails_leaves_nothing_in_the_repository(start, reproduce, client, unique, project):
    experiment = unique("fails")
    # Whatever the user's git does with diffs, what is captured of them can be applied.
    for name, value in [("diff.noprefix", "true"), ("color.diff", "always"), ("diff.context", "0"), ("diff.external", "false")]:
        subprocess.run(["git", "config", name, value], cwd=project, check=True)
    child = start("python", "train.py", options=("-e", experiment))
    assert child.communicate(timeout=90)[0] == "changed\n"
    (run,) = runs_of(client, experiment)
    assert "+++ b/sub/train.py" in artifact(run.info.run_id, "code.diff")
    done = reproduce(run.info.run_id, "--current-env")
    assert (done.returncode, done.stdout.startswith("changed\n"), len(worktrees(project))) == (0, True, 1), done.stderr
    for named in ("environment variables", "standard input"):
        assert named in done.stderr
    # Packages that nobody can install, a diff that fits nowhere, and a commit that is not there.
    client.log_text(run.info.run_id, "no-such-package-of-anybody @ file:///nowhere", "lathe/requirements.txt")
    done = reproduce(run.info.run_id)
    assert (done.returncode, "packages cannot be installed" in done.stderr, len(worktrees(project))) == (7, True, 1), done.stderr
    client.log_text(run.info.run_id, "nonsense", "lathe/code.diff")
    done = reproduce(run.info.run_id, "--current-env")
    assert (done.returncode, "git apply" in done.stderr, len(worktrees(project))) == (5, True, 1), done.stderr


def test_what_a_reproduction_writes_again_is_named(start, reproduce, client, server_url: str, http: Http, unique, project):
    repository, experiment = unique("repo"), unique("writes")
    run_lathe(server_url, "repo", "create", repository, cwd=project, HOME=str(project.parent))
    (project / "sub" / "in.txt").write_text("x")
    script = '"$0" cp "$2" "data://$1/out.txt" && "$0" commit "$1" -m made'
    child = start("sh", "-c", script, str(lathe_binary()), repository, str(project / "sub" / "in.txt"), options=("-e", experiment))
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    (run,) = runs_of(client, experiment)
    written = f"data/{repository}@{out.strip().splitlines()[-1]}"
    name = f"default/run/{run.info.run_id}"
    graph = lambda: http.ok(http.get("/api/v1/lineage", name=name, direction="down", depth=1))
    wait_for("the edge of what it wrote", lambda: any(edge["to"].endswith(written) for edge in graph()["edges"]), 10)
    # Nothing has changed since, so that its second commit is refused; what is named comes before.
    done = reproduce(run.info.run_id, "--current-env")
    assert (done.returncode, f"happens again: the run wrote {written}" in done.stderr) == (1, True), done.stderr


def test_what_a_reproduction_takes_and_moves_by_name_is_named(start, reproduce, client, server_url: str, http: Http, unique, project):
    repository, experiment = unique("repo"), unique("merges")
    ours = lambda *words: run_lathe(server_url, *words, cwd=project, HOME=str(project.parent)).stdout.strip()
    ours("repo", "create", repository)
    ours("branch", "create", repository, "side")
    ours("cp", str(project / "new.txt"), f"data://{repository}@side/new.txt")
    ahead = ours("commit", f"{repository}@side", "-m", "ahead")
    child = start(str(lathe_binary()), "merge", f"{repository}@side", options=("-e", experiment))
    assert child.communicate(timeout=90) and child.returncode == 0
    (run,) = runs_of(client, experiment)
    done = reproduce(run.info.run_id, "--current-env")
    assert f"happens again: the run moved the branch `main` to data/{repository}@{ahead}" in done.stderr, done.stderr
    named = "not reproduced: what the command merges, reverts, branches from or tags by a name that it has not read"
    assert named in done.stderr
    child = start("true", options=("-e", experiment))
    assert child.communicate(timeout=90) and child.returncode == 0
    other = next(one for one in runs_of(client, experiment) if one.info.run_id != run.info.run_id)
    done = reproduce(other.info.run_id, "--current-env")
    assert (done.returncode, named in done.stderr) == (0, False), done.stderr


REGISTERS = """
import mlflow
from mlflow import MlflowClient
with mlflow.start_run():
    mlflow.log_text("x", "model/MLmodel")
    info = mlflow.active_run().info
client = MlflowClient()
client.create_registered_model("NAME")
client.create_model_version("NAME", info.artifact_uri + "/model", info.run_id)
"""


def test_versions_and_uncommitted_files_that_a_reproduction_makes_again_are_named(
    start, reproduce, client, server_url: str, http: Http, unique, project
):
    repository, experiment, model = unique("repo"), unique("again"), unique("model")
    run_lathe(server_url, "repo", "create", repository, cwd=project, HOME=str(project.parent))
    script = f'"$0" cp "$2" "data://$1/pred/p.csv" && python -c \'{REGISTERS.replace("NAME", model)}\''
    child = start("sh", "-c", script, str(lathe_binary()), repository, str(project / "new.txt"), options=("-e", experiment))
    _, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    (run,) = runs_of(client, experiment)
    [write] = http.ok(http.get(f"/api/v1/runs/{run.info.run_id}/uses"))["writes"]
    assert write == {"repository": repository, "branch": "main", "staged": ["pred/p.csv"]}
    # The name is taken, so that it fails; what is named comes before.
    said = reproduce(run.info.run_id, "--current-env").stderr
    assert f"happens again: the run wrote pred/p.csv on {repository}@main and did not commit it" in said, said
    assert f"happens again: the run registered model/{model}/1; another version of the model is made" in said, said
    run_lathe(server_url, "commit", repository, "-m", "taken", cwd=project, HOME=str(project.parent))
    [write] = http.ok(http.get(f"/api/v1/runs/{run.info.run_id}/uses"))["writes"]
    assert write["staged"] == []


def test_a_run_is_run_again_with_its_code_and_its_data(start, reproduce, client, http: Http, unique, project):
    repository, experiment = unique("repo"), unique("again")
    http.ok_any(http.post("/api/v1/repos", {"name": repository}))

    def commit(text: str) -> None:
        objects = f"{http.base_url}/api/v1/repos/{repository}/refs/main/objects/data.txt"
        assert http.session.put(objects, data=text.encode(), timeout=30).ok
        http.ok_any(http.post(f"/api/v1/repos/{repository}/branches/main/commits", {"message": text}))

    commit("as it was")
    # Not committed: it travels in the diff.
    (project / "sub" / "train.py").write_text(TRAIN.replace("OFFSET", "0"))
    child = start("python", "train.py", repository, options=("-e", experiment))
    assert child.communicate(timeout=90) and child.returncode == 0
    (original,) = runs_of(client, experiment)
    commit("something much longer, of today")
    (project / "sub" / "train.py").write_text("raise SystemExit('the code of today')")

    done = reproduce(original.info.run_id, "--current-env")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "new.txt" in done.stderr and "packages" in done.stderr, "what is not reproduced is named"
    again = next(run for run in runs_of(client, experiment) if run.info.run_id != original.info.run_id)
    assert again.data.metrics["length"] == len("as it was")
    assert again.data.tags["lathe.reproduces"] == original.info.run_id
    graph = http.ok(http.get("/api/v1/lineage", name=f"default/run/{again.info.run_id}", direction="up"))
    assert "reproduced" in {edge["kind"] for edge in graph["edges"]}
    assert len(worktrees(project)) == 1, "nothing of the temporary folder is left in the repository"

    client.log_metric(original.info.run_id, "length", 0)
    differing = reproduce(original.info.run_id, "--current-env")
    assert differing.returncode == 1 and "metrics.length" in differing.stdout


TRAIN_MODEL = """
import mlflow
from sklearn.linear_model import LinearRegression
with mlflow.start_run():
    mlflow.log_param("slope", 2)
    mlflow.log_text("kept", "folder/kept.txt")
    mlflow.log_text("changed later", "changed.txt")
    mlflow.sklearn.log_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0]), name="line")
"""


def test_every_file_of_a_run_and_of_its_models_is_compared(start, reproduce, client, http: Http, unique, project):
    experiment = unique("compared")
    (project / "sub" / "train.py").write_text(TRAIN_MODEL)
    child = start("python", "train.py", options=("-e", experiment))
    assert child.communicate(timeout=90) and child.returncode == 0
    (original,) = runs_of(client, experiment)

    def compared() -> tuple[int, dict[str, dict]]:
        done = reproduce(original.info.run_id, "--current-env", "-o", "jsonl")
        # What the command itself prints comes first.
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"what"')]
        return done.returncode, {row["what"]: row for row in rows}

    code, rows = compared()
    assert [row for row in rows.values() if not row["same"]] == [] and code == 0
    assert {"status", "params.slope", "artifacts.folder/kept.txt", "artifacts.changed.txt", "models.line.MLmodel"} <= rows.keys()
    weights = {what for what in rows if what.startswith("models.line.model.")}
    assert len(weights) == 1, rows

    client.log_text(original.info.run_id, "something else", "changed.txt")
    client.log_text(original.info.run_id, "nobody writes this again", "only-once.txt")
    client.log_param(original.info.run_id, "of_then", 1)
    (model,) = client.search_logged_models([original.info.experiment_id], f"source_run_id = '{original.info.run_id}'")
    [weight] = weights
    place = model.artifact_location.removeprefix("mlflow-artifacts:/")
    url = f"{http.base_url}/api/2.0/mlflow-artifacts/artifacts/{place}/{weight.removeprefix('models.line.')}"
    assert http.session.put(url, data=b"other weights", timeout=30).ok
    code, rows = compared()
    assert code == 1
    assert {what for what, row in rows.items() if not row["same"]} == {
        "artifacts.changed.txt", "artifacts.only-once.txt", "params.of_then", weight,
    }  # fmt: skip
    assert [(rows[what]["before"] == "absent", rows[what]["now"]) for what in ("artifacts.only-once.txt", "params.of_then")] == [
        (False, "absent"), (False, "absent"),
    ]  # fmt: skip


def test_submodules_and_changes_that_git_does_not_tell_are_named(start, reproduce, client, unique, project):
    experiment = unique("unknown")
    (project / ".gitmodules").write_text("")
    for words in (["add", ".gitmodules"], ["commit", "-q", "-m", "second"]):
        subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=project, check=True)
    git = program(project.parent / "bin", "git", f'[ "$1" = diff ] && exit 1; PATH="{PATH}" exec git "$@"')
    child = start("true", options=("-e", experiment), PATH=f"{git}:{PATH}")
    assert "not captured: what differs from the commit" in child.communicate(timeout=90)[1]
    (run,) = runs_of(client, experiment)
    assert run.data.tags["lathe.git.dirty"] == "unknown"
    done = reproduce(run.info.run_id, "--current-env")
    assert done.returncode == 0, done.stderr
    for named in ("what differed from the commit", "the submodules"):
        assert f"not reproduced: {named}" in done.stderr


def test_what_cannot_be_run_again_is_refused(reproduce, client, run_id):
    done = reproduce(run_id)
    assert (done.returncode, "nothing was captured" in done.stderr) == (5, True)
