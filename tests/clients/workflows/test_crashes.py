"""`kill -9` of the server and of runners: work goes on or is tried again, and nothing is published twice."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from .conftest import Pipelines

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]


def runner_of(server: LatheServer, run: str, job: str) -> int:
    """The pid of the runner of a job's first attempt."""
    import json

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


def test_servers_killed_again_and_again_lose_no_job_and_do_none_twice(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    jobs = "\n".join(
        f"  j{n}: {{ needs: [{f'j{n - 1}' if n else ''}], run: 'echo j{n} >> {tmp_path}/done; sleep 0.2' }}" for n in range(6)
    )
    run = pipelines.start(pipelines.push(f"name: chain\njobs:\n{jobs}\n"))
    for _ in range(3):
        wait_for("something to happen", lambda: (tmp_path / "done").exists(), 30)
        server.kill()
        server.start()
        pipelines = Pipelines(Http(server.url))
    assert pipelines.wait(run, 120)["run"]["status"] == "succeeded"
    done = (tmp_path / "done").read_text().split()
    assert sorted(set(done)) == [f"j{n}" for n in range(6)]
    # Between the claim and the start of its process, an attempt may be lost: it is tried again and told so.
    attempts = {job["job"]: job["attempt"] for job in pipelines.get(run)["jobs"]}
    assert all(done.count(job) <= attempts[job] for job in attempts), (done, attempts)
