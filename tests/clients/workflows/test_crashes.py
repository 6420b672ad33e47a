"""`kill -9` of the server and of runners: work goes on or is tried again, and nothing is published twice."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.databases import change_rows
from support.http import Http
from support.processes import is_alive
from support.servers import LatheServer
from support.waiting import wait_for

from .conftest import Pipelines

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]


def runner_of(server: LatheServer, run: str, job: str) -> int:
    """The pid of the runner of a job's first attempt; of a plain job, because the folder of a cell is not called like its job."""
    process = next(server.folder.glob(f"**/work/attempts/{run}/{job}-1/process.json"))
    return json.loads(process.read_text())["pid"]


def test_a_job_outlives_its_server_and_is_found_again(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    text = f"""
name: survivor
jobs:
  long:
    outputs: {{ out: out.txt }}
    run: |
      echo began >> {tmp_path}/began
      while ! test -e {tmp_path}/go; do sleep 0.05; done
      echo "made=1" >> "$LATHE_VALUES"
      echo result > out.txt
  after: {{ needs: [long], inputs: {{ out: "${{{{ jobs.long.outputs.out }}}}" }}, run: 'cat "$IN_OUT"' }}
"""
    run = pipelines.start(pipelines.push(text))
    wait_for("the job to begin", (tmp_path / "began").exists, 30)
    server.kill()
    server.start()
    pipelines = Pipelines(Http(server.url))
    assert pipelines.jobs(run) == {"long": "running", "after": "waiting"}
    (tmp_path / "go").touch()
    done = pipelines.wait(run)
    assert done["run"]["status"] == "succeeded", done
    assert (tmp_path / "began").read_text() == "began\n"
    assert (pipelines.job(run, "long")["attempt"], pipelines.log(run, "after")) == (1, "result\n")


def test_a_killed_runner_is_noticed_and_tried_again(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    text = f"""
name: killed
jobs:
  long:
    retry: {{ max: 1, initial: 1s, on: [lost] }}
    run: |
      echo began >> {tmp_path}/began
      while ! test -e {tmp_path}/go; do echo alive >> {tmp_path}/alive; sleep 0.05; done
"""
    run = pipelines.start(pipelines.push(text))
    wait_for("the job to begin", (tmp_path / "began").exists, 30)
    os.kill(runner_of(server, run, "long"), signal.SIGKILL)
    wait_for("the second attempt", lambda: (tmp_path / "began").read_text().count("began") == 2, 30)
    (tmp_path / "go").touch()
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    attempts = pipelines.http.ok(pipelines.http.get(f"/api/v1/pipeline-runs/{run}/jobs/long/attempts"))["attempts"]
    assert [one["status"] for one in attempts] == ["lost", "succeeded"]


@pytest.mark.parametrize("left", ["an order that nobody took", "no folder"])
def test_an_attempt_whose_process_never_began_is_given_up_without_waiting_for_it(
    left: str, make_lathe: Callable[..., LatheServer], tmp_path: Path
):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    text = f"""
name: early
jobs: {{ a: {{ retry: {{ max: 1, initial: 1s, on: [lost] }}, run: "echo began >> {tmp_path}/began; while ! test -e {tmp_path}/go; do sleep 0.05; done" }} }}
"""
    run = pipelines.start(pipelines.push(text))
    wait_for("the job to begin", (tmp_path / "began").exists, 30)
    runner = runner_of(server, run, "a")
    folder = server.folder / "data" / "work" / "attempts" / run / "a-1"
    group = wait_for("the command's group", lambda: json.loads((folder / "process.json").read_text())["group"], 30)
    # As the kill leaves it that comes between the claim and the start of the process.
    server.kill()
    os.kill(runner, signal.SIGKILL)
    os.killpg(group, signal.SIGKILL)
    shutil.rmtree(folder)
    if left == "an order that nobody took":
        folder.mkdir()
        (folder / "order.json").write_text("{}")
    (tmp_path / "go").touch()
    server.start()
    pipelines = Pipelines(Http(server.url))
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    first, second = pipelines.attempts(run, "a")
    assert (first["status"], first["reason"]) == ("lost", "the server ended before its process began")
    assert (second["status"], (tmp_path / "began").read_text()) == ("succeeded", "began\nbegan\n")


def test_servers_killed_again_and_again_lose_no_job_and_do_none_twice(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    began, done = tmp_path / "began", tmp_path / "done"
    jobs = "\n".join(
        f"  j{n}: {{ needs: [{f'j{n - 1}' if n else ''}], run: 'echo j{n} >> {began}; sleep 0.2; echo j{n} >> {done}' }}" for n in range(6)
    )
    run = pipelines.start(pipelines.push(f"name: chain\njobs:\n{jobs}\n"))

    def lines(file: Path) -> list[str]:
        return file.read_text().split() if file.exists() else []

    for kill in range(4):
        seen = lines(began)
        wait_for(f"another job to begin before kill {kill}", lambda: len(lines(began)) > len(seen), 60)
        server.kill()
        server.start()
        pipelines = Pipelines(Http(server.url))
    assert pipelines.wait(run, 120)["run"]["status"] == "succeeded"
    assert sorted(set(lines(done))) == [f"j{n}" for n in range(6)]
    # Between the claim and the start of its process, an attempt may be lost: it is tried again and told so.
    attempts = {job["job"]: job["attempt"] for job in pipelines.get(run)["jobs"]}
    assert all(lines(done).count(job) <= attempts[job] for job in attempts), (lines(done), attempts)
    # A run begins and ends with its attempt, wherever the server is killed: none is left at work.
    http = pipelines.http
    experiment = http.ok(http.get("experiments/get-by-name", experiment_name="chain"))["experiment"]["experiment_id"]
    runs = http.ok(http.post("runs/search", {"experiment_ids": [experiment]}))["runs"]
    ends = [(one["run_id"], one["status"]) for job in attempts for one in pipelines.attempts(run, job) if one["run_id"]]
    names = {"succeeded": "FINISHED", "canceled": "KILLED"}
    assert {one["info"]["run_id"]: one["info"]["status"] for one in runs} == {run_id: names.get(end, "FAILED") for run_id, end in ends}


def test_a_late_runner_publishes_nothing(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    """The machine of a runner is given up and another one takes over; then the runner ends after all."""
    first = make_lathe()
    shared = first.database_url or f"sqlite://{tmp_path}/shared.db"
    first.start(extra=() if first.database_url else ("--database-url", shared))
    pipelines = Pipelines(Http(first.url))
    text = f"""
name: late
jobs:
  make:
    retry: {{ max: 1, initial: 1s, on: [lost] }}
    outputs: {{ out: out.txt }}
    run: |
      echo x >> {tmp_path}/began
      mine=$(wc -l < {tmp_path}/began)
      while ! test -e {tmp_path}/go$mine; do sleep 0.05; done
      echo $mine > out.txt
      echo "mine=$mine" >> "$LATHE_VALUES"
  take: {{ needs: [make], inputs: {{ out: "${{{{ jobs.make.outputs.out }}}}" }}, run: 'cat "$IN_OUT"' }}
"""
    run = pipelines.start(pipelines.push(text))
    wait_for("the first attempt", (tmp_path / "began").exists, 30)
    first.kill()
    # Another machine with the same database and the same address: the first one's folders are not there.
    second = LatheServer(tmp_path / "second", shared)
    second.listen = first.listen
    try:
        second.start()
        wait_for("the second attempt", lambda: (tmp_path / "began").read_text().count("x") == 2, 120)
        (tmp_path / "go1").touch()
        result = first.folder / "data" / "work" / "attempts" / run / "make-1" / "result.json"
        wait_for("the end of the late runner", result.exists, 60)
        assert json.loads(result.read_text())["how"] == "failed", result.read_text()
        (tmp_path / "go2").touch()
        pipelines = Pipelines(Http(second.url))
        assert pipelines.wait(run)["run"]["status"] == "succeeded"
        attempts = pipelines.attempts(run, "make")
        assert [one["status"] for one in attempts] == ["lost", "succeeded"]
        assert (pipelines.job(run, "make")["values"], pipelines.log(run, "take")) == ({"mine": "2"}, "2\n")
        listed = pipelines.http.ok(pipelines.http.get("artifacts/list", run_id=attempts[0]["run_id"]))
        assert listed.get("files", []) == []
    finally:
        second.stop()


def test_a_run_that_was_deleted_does_not_keep_its_job_from_ending(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    run = pipelines.start(pipelines.push(f"name: p\njobs:\n  a: {{ run: 'echo x; while ! test -e {tmp_path}/go; do sleep 0.05; done' }}\n"))
    wait_for("the job to print", lambda: "x" in pipelines.log(run, "a"), 30)
    pipelines.http.ok(pipelines.http.post("runs/delete", {"run_id": pipelines.attempts(run, "a")[0]["run_id"]}))
    (tmp_path / "go").touch()
    assert pipelines.wait(run)["run"]["status"] == "succeeded"


def test_a_folder_of_a_server_of_before_is_found(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    """The folder of a cell was called like its job, `a[0]-1`."""
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    run = pipelines.start(pipelines.push(f"""
name: before
jobs:
  a: {{ matrix: {{ n: [1] }}, run: 'echo x; while ! test -e {tmp_path}/go; do sleep 0.05; done' }}
"""))
    wait_for("the job to print", lambda: "x" in pipelines.log(run, "a[0]"), 30)
    folder = server.folder / "data" / "work" / "attempts" / run / "a.0-1"
    server.kill()
    (tmp_path / "go").touch()
    wait_for("the end of its runner", (folder / "result.json").exists, 30)
    folder.rename(folder.with_name("a[0]-1"))
    server.start()
    pipelines = Pipelines(Http(server.url))
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert [one["status"] for one in pipelines.attempts(run, "a[0]")] == ["succeeded"]
    assert pipelines.log(run, "a[0]") == "x\n"
    wait_for("the folder to go", lambda: not folder.with_name("a[0]-1").exists(), 30)


def test_no_folder_with_secrets_outlives_its_attempt(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    attempts = server.folder / "data" / "work" / "attempts"
    pipelines = Pipelines(Http(server.url))
    pipelines.push(f"""
name: tidy
jobs:
  wait: {{ run: 'echo x; while ! test -e {tmp_path}/go; do sleep 0.05; done' }}
  fail: {{ run: exit 3 }}
  none: {{ outputs: {{ out: nothing }}, run: echo }}
  slow: {{ timeout: 1s, run: sleep 60 }}
""")
    run = pipelines.start("tidy")
    wait_for("the job to print", lambda: "x" in pipelines.log(run, "wait"), 30)
    assert not (attempts / run / "wait-1" / "order.json").exists(), "a runner removes its order once it has read it"
    wait_for("the others to end", lambda: list(attempts.glob("*/*")) == [attempts / run / "wait-1"], 60)
    server.kill()
    # What a server leaves that is killed between the end of an attempt and the removal of its folder.
    for left in (attempts / run / "fail-1", attempts / ("0" * 32) / "a[0]-2"):
        left.mkdir(parents=True)
        (left / "order.json").write_text("{}")
    server.start()
    wait_for("the leftovers to go", lambda: list(attempts.glob("*/*")) == [attempts / run / "wait-1"], 30)
    (tmp_path / "go").touch()
    pipelines = Pipelines(Http(server.url))
    assert pipelines.wait(run)["run"]["status"] == "failed"
    assert pipelines.job(run, "wait")["status"] == "succeeded"
    wait_for("the last folder to go", lambda: list(attempts.glob("*/*")) == [], 30)


def test_a_deleted_repository_stops_neither_other_pipelines_nor_what_is_at_work(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    http = Http(server.url)
    pipelines = Pipelines(http)

    def commit(repository: str) -> None:
        http.ok_any(http.request("PUT", f"/api/v1/repos/{repository}/refs/main/objects/train/x", data=b"x"))
        http.ok_any(http.post(f"/api/v1/repos/{repository}/branches/main/commits", {"message": "x"}))

    for repository in ("gone", "kept"):
        http.ok_any(http.post("/api/v1/repos", {"name": repository}))
        on = f'{{ data_commit: {{ repo: {repository}, paths: ["train/**"] }} }}'
        pipelines.push(f"name: on-{repository}\non: {on}\njobs: {{ a: {{ run: echo }} }}\n")
    text = f"name: long\njobs: {{ a: {{ run: 'touch {tmp_path}/began; while ! test -e {tmp_path}/go; do sleep 0.05; done' }} }}\n"
    run = pipelines.start(pipelines.push(text))
    wait_for("the job to begin", (tmp_path / "began").exists, 30)
    commit("gone")
    http.ok_any(http.request("DELETE", "/api/v1/repos/gone"))
    server.kill()
    # As if no server had looked at the commit before its repository was gone.
    unseen = [("DELETE FROM fired", ()), ("UPDATE positions SET position = 0 WHERE reader = 'triggers'", ())]
    expired = [("UPDATE attempts SET lease_until_ms = 0 WHERE status = 'running'", ()), ("UPDATE leases SET expires_at_ms = 0", ())]
    change_rows(server.database_url, server.folder / "data", unseen + expired)
    server.start()
    http = Http(server.url)
    pipelines = Pipelines(http)
    commit("kept")
    started = wait_for("the other pipeline to start", lambda: pipelines.runs("on-kept"), 30)
    assert pipelines.wait(started[0]["id"])["run"]["status"] == "succeeded"
    (tmp_path / "go").touch()
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    assert [one["status"] for one in pipelines.attempts(run, "a")] == ["succeeded"]
    # What did not start is told where one looks for it.
    about = {"subject": "default/pipeline/on-gone", "action": "pipeline.not_started"}
    [event, *_] = wait_for("the event", lambda: http.ok(http.get("/api/v1/activity", **about))["events"], 30)
    assert (event["detail"]["trigger"], event["detail"]["reason"]) == ("data_commit", "repository `gone` does not exist")
    shown = run_lathe(server.url, "pipeline", "show", "on-gone")
    assert "not started by data_commit at " in shown.stderr and "repository `gone` does not exist" in shown.stderr, shown


def test_a_run_whose_file_cannot_be_read_ends_with_its_process_its_run_and_its_token(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    waits = f"echo $LATHE_TOKEN > {tmp_path}/token; while ! test -e {tmp_path}/go; do sleep 0.05; done"
    run = pipelines.start(pipelines.push(f"name: spoiled\njobs:\n  a: {{ run: '{waits}' }}\n  b: {{ needs: [a], run: echo }}\n"))
    other = pipelines.start(pipelines.push(f"name: good\njobs: {{ a: {{ run: 'while ! test -e {tmp_path}/go; do sleep 0.05; done' }} }}\n"))
    token = wait_for("the job to begin", lambda: (tmp_path / "token").exists() and (tmp_path / "token").read_text().strip(), 30)
    runner = runner_of(server, run, "a")
    folder = server.folder / "data" / "work" / "attempts" / run
    group = wait_for("the command's group", lambda: json.loads((folder / "a-1" / "process.json").read_text())["group"], 30)
    server.kill()
    # As a newer version finds it that does not read it any more.
    spoiled = ("UPDATE pipeline_files SET content = 'of another time' WHERE content LIKE ?", ("name: spoiled%",))
    expired = [("UPDATE attempts SET lease_until_ms = 0 WHERE status = 'running'", ()), ("UPDATE leases SET expires_at_ms = 0", ())]
    change_rows(server.database_url, server.folder / "data", [spoiled, *expired])
    server.start()
    http = Http(server.url)
    pipelines = Pipelines(http)
    ended = pipelines.wait(run)["run"]
    assert ended["status"] == "failed" and ended["reason"].startswith("its file cannot be read: "), ended
    wait_for("the attempt to end", lambda: pipelines.jobs(run) == {"a": "canceled", "b": "canceled"}, 60)
    [attempt] = pipelines.attempts(run, "a")
    assert attempt["status"] == "canceled", attempt
    assert http.ok(http.get("runs/get", run_id=attempt["run_id"]))["run"]["info"]["status"] == "KILLED"
    own = Http(server.url, {"Authorization": f"Bearer {token}"})
    assert own.get("runs/get", run_id=attempt["run_id"]).status_code == 401
    wait_for("its processes to end", lambda: not is_alive(runner) and not is_alive(group), 30)
    wait_for("its folder to go", lambda: not folder.exists() or not list(folder.iterdir()), 30)
    (tmp_path / "go").touch()
    assert pipelines.wait(other)["run"]["status"] == "succeeded"
