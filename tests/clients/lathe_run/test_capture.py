"""`lathe run -- CMD`: any command as a run, with nothing of Lathe's in its code."""

import json
import os
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import pytest
import requests
from mlflow import MlflowClient

from support.cli import run_lathe
from support.http import Http
from support.paths import lathe_binary
from support.waiting import wait_for

from .runs import PATH, artifact, program, runs_of

pytestmark = pytest.mark.lathe_only


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
