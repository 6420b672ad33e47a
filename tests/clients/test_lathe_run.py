"""`lathe run -- CMD`: any command as a run, with nothing of Lathe's in its code."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow import MlflowClient

from support.cli import client_environment, run_lathe
from support.http import Http
from support.paths import lathe_binary
from support.waiting import wait_for

pytestmark = pytest.mark.lathe_only

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with a commit, a changed file and one that git does not know."""
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    git = lambda *words: subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=folder, check=True)
    git("init", "-q")
    (folder / "sub" / "train.py").write_text("print('first')\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (folder / "sub" / "train.py").write_text("print('changed')\n")
    (folder / "new.txt").write_text("x")
    return folder


@pytest.fixture
def start(server_url: str, project: Path) -> Callable[..., subprocess.Popen]:
    def make(*words: str, options: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
        ours = client_environment(**{"url": server_url, "PATH": PATH, "HOME": str(project.parent)} | environment)
        return subprocess.Popen([lathe_binary(), "run", *options, "--", *words], cwd=project / "sub", env=ours, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip

    return make


def runs_of(client: MlflowClient, experiment: str) -> list:
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def artifact(run_id: str, name: str) -> str:
    return mlflow.artifacts.load_text(f"runs:/{run_id}/lathe/{name}")


def test_code_packages_output_and_load_are_captured(start, client, unique, project):
    experiment = unique("captured")
    child = start("python", "train.py", "--lr", "0.1", options=("-e", experiment, "-n", "first"))
    out, err = child.communicate(timeout=90)
    assert (child.returncode, out) == (0, "changed\n"), err
    run = runs_of(client, experiment)[0]
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    tags = run.data.tags
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True).stdout.strip()
    assert tags["mlflow.source.git.commit"] == head
    assert json.loads(tags["lathe.command"]) == ["python", "train.py", "--lr", "0.1"]
    assert (tags["lathe.folder"], tags["lathe.git.dirty"]) == ("sub/", "true")
    assert artifact(run.info.run_id, "output.log") == "changed\n"
    assert "+print('changed')" in artifact(run.info.run_id, "code.diff")
    assert artifact(run.info.run_id, "untracked.txt") == "new.txt"
    assert f"mlflow=={mlflow.__version__}" in artifact(run.info.run_id, "requirements.txt")
    assert 0 < run.data.metrics["system/system_memory_usage_percentage"] <= 100
    assert 0 <= run.data.metrics["system/cpu_utilization_percentage"] <= 100
    assert run.info.run_id in err, "the run's page is told"


SCRIPT = """
import json, os, mlflow
print(json.dumps(sorted(name for name in os.environ if name.startswith(("LATHE_", "MLFLOW_", "AWS_")))), flush=True)
with mlflow.start_run():
    mlflow.log_param("seen", "yes")
"""


def test_the_command_is_the_run_and_gets_no_other_credentials(start, client, http: Http, unique):
    experiment = unique("identity")
    others = dict.fromkeys([
        "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_REGISTRY_URI", "MLFLOW_S3_ENDPOINT_URL", "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
    ], "https://elsewhere.example")  # fmt: skip
    child = start("python", "-c", SCRIPT, options=("-e", experiment), **others)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    names = json.loads(out.splitlines()[0])
    assert names == ["AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
                     "LATHE_PROJECT", "LATHE_TOKEN", "LATHE_URL", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI"]  # fmt: skip
    (run,) = runs_of(client, experiment)
    assert run.data.params == {"seen": "yes"}
    unset = next(line for line in run_lathe(http.base_url, "env").stdout.splitlines() if line.startswith("unset "))
    assert set(others) <= set(unset.split())
    events = lambda: http.ok(http.get("/api/v1/activity", actor=run.info.run_id))["events"]
    wait_for("what the run did itself", lambda: any(event["actor"]["kind"] == "run" for event in events()), 10)


USES_LATHE = """
set -e
"$0" cat "$1/in.txt"
"$0" checkout "$1@main" ./checked-out
printf made > made.txt
"$0" cp made.txt "data://$1/out/made.txt"
"$0" commit "$1" -m made
"""


def test_lathe_itself_is_the_run_inside_it(start, client, server_url: str, http: Http, unique, project):
    repository, experiment = unique("repo"), unique("inside")
    ours = lambda *words: run_lathe(server_url, *words, cwd=project, HOME=str(project.parent))
    ours("repo", "create", repository)
    (project / "in.txt").write_text("given")
    ours("cp", str(project / "in.txt"), f"data://{repository}/in.txt")
    read = ours("commit", repository, "-m", "given").stdout.strip()
    child = start("sh", "-c", USES_LATHE, str(lathe_binary()), repository, options=("-e", experiment))
    out, err = child.communicate(timeout=90)
    assert (child.returncode, out.startswith("given")) == (0, True), err
    made = out.removeprefix("given").strip().splitlines()[-1]
    (run,) = runs_of(client, experiment)
    name, data = f"default/run/{run.info.run_id}", f"default/data/{repository}"
    edges = lambda: {
        (edge["from"], edge["kind"], edge["to"])
        for direction in ("up", "down")
        for edge in http.ok(http.get("/api/v1/lineage", name=name, direction=direction, depth=1))["edges"]
    }
    expected = {(f"{data}@{read}", "read", name), (name, "wrote", f"{data}@{made}")}
    wait_for("what the run read and wrote", lambda: expected <= edges(), 10)
    # And where its code is from.
    code = f"default/code/code@{run.data.tags['mlflow.source.git.commit']}"
    assert (code, "ran", name) in edges()
    shown = ours("run", "show", run.info.run_id).stdout
    assert f"data/{repository}@{read[:12]}" in shown, shown
    record = json.loads(ours("run", "show", run.info.run_id, "-o", "json").stdout)
    assert (f"data/{repository}@{read}" in record["reads"], record["exit_code"]) == (True, 0)


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [(("sh", "-c", "exit 3"), 3, "FAILED"), (("sh", "-c", "kill -KILL $$"), 137, "KILLED"), (("no-such-program",), 3, "FAILED")],
)
def test_how_a_command_ends_is_how_the_run_ends(start, client, unique, command, code, status):
    experiment = unique("ends")
    child = start(*command, options=("-e", experiment))
    child.communicate(timeout=90)
    assert child.returncode == code
    (run,) = runs_of(client, experiment)
    # What was never started has not ended.
    told = None if command == ("no-such-program",) else str(code)
    assert (run.info.status, run.data.tags.get("lathe.exit_code")) == (status, told)


def test_a_signal_reaches_the_command(start, client, unique):
    experiment = unique("signals")
    child = start("sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done", options=("-e", experiment))
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=60)
    assert (out, child.returncode) == ("bye\n", 0)
    (run,) = runs_of(client, experiment)
    assert run.info.status == "FINISHED"
    assert artifact(run.info.run_id, "output.log") == "ready\nbye\n"


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder


def test_the_load_of_processor_and_cards_is_recorded_while_the_command_goes_on(start, client, unique, project):
    experiment = unique("load")
    cards = program(project.parent / "bin", "nvidia-smi", "echo '0, 97, 1024'; echo '1, [N/A], 5'")
    busy = "echo began; while ! test -e enough; do :; done; echo ended"
    child = start("sh", "-c", busy, options=("-e", experiment), PATH=f"{cards}:{PATH}")
    loads = lambda run_id: client.get_metric_history(run_id, "system/cpu_utilization_percentage")
    wait_for("a load that was measured over some time", lambda: any(loads(run.info.run_id)[1:] for run in runs_of(client, experiment)), 120)
    (run,) = runs_of(client, experiment)
    assert artifact(run.info.run_id, "output.log") == "began\n", "the output is there before the command's end"
    (project / "sub" / "enough").touch()
    assert child.communicate(timeout=90)[0] == "began\nended\n"
    assert artifact(run.info.run_id, "output.log") == "began\nended\n"
    assert 0 < loads(run.info.run_id)[1].value <= 100
    metrics = client.get_run(run.info.run_id).data.metrics
    seen = {key.removeprefix("system/"): value for key, value in metrics.items() if "gpu" in key}
    assert seen == {"gpu_0_utilization_percentage": 97, "gpu_0_memory_usage_megabytes": 1024, "gpu_1_memory_usage_megabytes": 5}


def test_a_tool_that_hangs_holds_nothing_up(start, client, unique, project):
    experiment = unique("hangs")
    cards = program(project.parent / "bin", "nvidia-smi", "exec sleep 600")
    child = start("sh", "-c", "echo done", options=("-e", experiment), PATH=f"{cards}:{PATH}")
    assert child.communicate(timeout=90)[0] == "done\n"
    (run,) = runs_of(client, experiment)
    assert (run.info.status, artifact(run.info.run_id, "output.log")) == ("FINISHED", "done\n")
    assert 0 < run.data.metrics["system/system_memory_usage_percentage"] <= 100


def test_a_server_that_hangs_holds_up_neither_signals_nor_output(make_lathe, start, unique, project):
    server = make_lathe().start()
    client, experiment = MlflowClient(server.url), unique("hung")
    lines = 400_000
    command = f"trap 'seq {lines}; touch ended; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    child = start("sh", "-c", command, options=("-e", experiment), LATHE_URL=server.url)
    assert child.stdout.readline() == "ready\n"
    loads = lambda run: client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    wait_for("the first load", lambda: any(map(loads, runs_of(client, experiment))), 60)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        # Long enough for the next load to be on its way to a server that does not answer.
        time.sleep(11)
        child.send_signal(signal.SIGTERM)
        shown = [child.stdout.readline() for _ in range(lines)]
        wait_for("the command's end", (project / "sub" / "ended").exists, 60)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (shown[0], shown[-1]) == ("1\n", f"{lines}\n")
    child.communicate(timeout=120)
    assert child.returncode == 0
    (run,) = runs_of(client, experiment)
    assert run.info.status == "FINISHED"
    log = Http(server.url).get("/get-artifact", run_id=run.info.run_id, path="lathe/output.log")
    assert log.text == "ready\n" + "".join(shown)


TRAIN = """
import os, sys, urllib.request
import boto3, mlflow
text = boto3.client("s3").get_object(Bucket=sys.argv[1], Key="main/data.txt")["Body"].read().decode()
with mlflow.start_run():
    mlflow.log_metric("length", len(text) + OFFSET)
    mlflow.log_text(text, "seen.txt")
"""


@pytest.fixture
def reproduce(server_url: str, project: Path) -> Callable[..., subprocess.CompletedProcess]:
    def call(run_id: str, *options: str) -> subprocess.CompletedProcess:
        return run_lathe(server_url, "run", "reproduce", run_id, "--yes", *options, cwd=project, PATH=PATH, HOME=str(project.parent))

    return call


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


def test_packages_are_installed_as_they_were(start, reproduce, client, unique, project):
    experiment, environment = unique("packages"), project.parent / "env"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    path = f"{environment / 'bin'}:/usr/bin:/bin"
    child = start("python3", "-c", "import sys; print(sys.prefix)", options=("-e", experiment), PATH=path)
    assert child.communicate(timeout=90)[0].strip() == str(environment)
    (original,) = runs_of(client, experiment)
    done = reproduce(original.info.run_id)
    assert done.returncode == 0, done.stderr
    again = next(run for run in runs_of(client, experiment) if run.info.run_id != original.info.run_id)
    assert "lathe/environments/" in artifact(again.info.run_id, "output.log")


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., None]:
    """Puts a package into an environment as an installer does."""

    def put(environment: Path, name: str, **files: str) -> None:
        [packages] = environment.glob("lib/python*/site-packages")
        (packages / f"{name}-0.1.dist-info").mkdir()
        for file, text in ({"METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"} | files).items():
            (packages / f"{name}-0.1.dist-info" / file.replace("__", ".")).write_text(text)

    return put


def test_the_packages_are_those_of_the_command_s_own_python(start, reproduce, client, unique, project, package):
    experiment, environment = unique("own"), project / "sub" / ".venv"
    # As uv makes it: without pip.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    package(environment, "only_here", direct_url__json=json.dumps({"url": "https://me:secret@host/x.whl", "archive_info": {}}))
    package(environment, "my_project", direct_url__json=json.dumps({"url": f"file://{project}", "dir_info": {"editable": True}}))
    package(environment, "by_conda", INSTALLER="conda\n", direct_url__json=json.dumps({"url": "file:///croot/x", "dir_info": {}}))
    (project / "sub" / "here.egg-info").mkdir()
    (project / "sub" / "here.egg-info" / "PKG-INFO").write_text("Name: here\nVersion: 1\n")
    for interpreter in [".venv/bin/python", str(environment / "bin" / "python")]:
        child = start(interpreter, "-c", "import sys; print(sys.prefix)", options=("-e", experiment))
        assert child.communicate(timeout=90)[0].strip() == str(environment)
        original = runs_of(client, experiment)[0]
        assert artifact(original.info.run_id, "requirements.txt").splitlines() == ["by_conda==0.1"]
        left_out = artifact(original.info.run_id, "packages-left-out.txt").splitlines()
        assert left_out == [f"my_project==0.1 (editable file://{project})", "only_here==0.1 (from https://host/x.whl)"]
        client.log_text(original.info.run_id, "", "lathe/requirements.txt")
        done = reproduce(original.info.run_id)
        assert done.returncode == 0, done.stderr
        assert "2 packages that came from no registry: my_project==0.1" in done.stderr
        assert f"the interpreter {interpreter}: one with the captured packages is started" in done.stderr
        again = runs_of(client, experiment)[0]
        assert "lathe/environments/" in artifact(again.info.run_id, "output.log")
        done = reproduce(original.info.run_id, "--current-env")
        assert (done.returncode, f"the interpreter {interpreter}: that of this shell is started" in done.stderr) == (0, True), done.stderr


def wheel_with_script(folder: Path, name: str, code: str) -> Path:
    """A package with one script, as a registry would give it."""
    wheel, info = folder / f"{name}-0.1-py3-none-any.whl", f"{name}-0.1.dist-info"
    files = {
        f"{name}.py": f"def main():\n    {code}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return wheel


def test_a_script_is_started_with_the_packages_of_its_own_python(start, reproduce, client, unique, project, package):
    experiment, environment = unique("script"), project / "sub" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    package(environment, "only_here")
    script = environment / "bin" / "tool"
    script.write_text(f"#!{environment}/bin/python\nimport sys; print(sys.prefix)\n")
    script.chmod(0o755)
    wheel = wheel_with_script(project.parent, "tool", "import sys; print(sys.prefix)")
    named = "the program .venv/bin/tool"
    # Named by its path without an activated environment, and found in PATH where another Python comes first.
    for program, path in [(".venv/bin/tool", PATH), ("tool", f"{PATH}:{environment / 'bin'}")]:
        child = start(program, options=("-e", experiment), PATH=path)
        assert child.communicate(timeout=90)[0].strip() == str(environment)
        original = runs_of(client, experiment)[0]
        assert artifact(original.info.run_id, "requirements.txt").splitlines() == ["only_here==0.1"]
        client.log_text(original.info.run_id, f"tool @ file://{wheel}", "lathe/requirements.txt")
        done = reproduce(original.info.run_id)
        assert (done.returncode, named in done.stderr) == (0, program.startswith(".")), done.stderr
        assert "lathe/environments/" in artifact(runs_of(client, experiment)[0].info.run_id, "output.log")
    # Packages that have no such script: the one that git did not know is started where it lies.
    child = start(".venv/bin/tool", options=("-e", experiment))
    assert child.communicate(timeout=90)[0].strip() == str(environment)
    original = runs_of(client, experiment)[0]
    client.log_text(original.info.run_id, "", "lathe/requirements.txt")
    done = reproduce(original.info.run_id)
    assert (done.returncode, named in done.stderr) == (0, True), done.stderr
    assert artifact(runs_of(client, experiment)[0].info.run_id, "output.log").strip() == str(environment)


def test_a_program_by_its_path_is_named_unless_it_is_of_the_code(start, reproduce, client, unique, project):
    experiment = unique("by-path")
    for name in ("known", "unknown"):
        program(project / "sub", name, "echo here")
    subprocess.run(["git", "add", "sub/known"], cwd=project, check=True)
    for name, is_named in [("./known", False), ("./unknown", True), (str(project / "sub" / "known"), True)]:
        child = start(name, options=("-e", experiment))
        assert child.communicate(timeout=90)[0] == "here\n"
        done = reproduce(runs_of(client, experiment)[0].info.run_id, "--current-env")
        assert (done.returncode, "here" in done.stdout) == (0, True), done.stderr
        assert (f"the program {name}: it is started as it is here now" in done.stderr) is is_named, done.stderr


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


@pytest.fixture
def without_artifacts(server_url: str):
    """A server in front of the server that passes everything on but what is uploaded: that is refused, or hangs."""
    hangs, seen = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "PUT" and "/mlflow-artifacts/" in self.path:
                seen.set()
                if hangs.is_set():
                    time.sleep(600)
                self.send_error(500)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}
            answer = requests.request(self.command, server_url + self.path, data=body, headers=headers, timeout=60)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", hangs, seen
    server.shutdown()


@pytest.mark.parametrize(("signaled", "status"), [(False, "FAILED"), (True, "KILLED")])
def test_a_run_whose_command_never_started_has_ended(start, client, unique, http: Http, without_artifacts, signaled, status):
    url, hangs, seen = without_artifacts
    experiment = unique("never")
    if signaled:
        hangs.set()
    child = start("sh", "-c", "echo never", options=("-e", experiment), LATHE_URL=url)
    if signaled:
        assert seen.wait(60)
        child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=90)
    assert (out, child.returncode == 0) == ("", False), err
    (run,) = runs_of(client, experiment)
    assert (run.info.status, run.info.end_time is None) == (status, False), err
    events = http.ok(http.get("/api/v1/activity", action="token.revoked", max_results=1000))["events"]
    made = http.ok(http.get("/api/v1/activity", action="token.created", max_results=1000))["events"]
    [token] = [event["subject"] for event in made if event["detail"].get("run_id") == run.info.run_id]
    assert token in [event["subject"] for event in events], "its credentials end with it"


def test_what_cannot_be_run_again_is_refused(reproduce, client, run_id):
    done = reproduce(run_id)
    assert (done.returncode, "nothing was captured" in done.stderr) == (5, True)


def test_what_a_killed_keeper_leaves_behind_ends_within_the_hour(start, client, unique, http: Http):
    experiment = unique("short")
    child = start("sleep", "60", options=("-e", experiment))
    run = wait_for("the run", lambda: runs_of(client, experiment), 60)[0]
    made = {"action": "token.created", "max_results": 1000}
    of_run = lambda: [one for one in http.ok(http.get("/api/v1/activity", **made))["events"] if one["detail"].get("run_id") == run.info.run_id]
    [event] = wait_for("its credentials", of_run, 30)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate(timeout=30)
    assert 0 < event["detail"]["expires_at_ms"] - event["at_ms"] <= 3_600_000
