"""What surrounds a job: its environment, its home, its Python, and the room that a server gives to all of them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.http import Http
from support.processes import is_alive
from support.servers import LatheServer
from support.waiting import wait_for

from . import models
from .conftest import Pipelines, git_repository

pytestmark = [pytest.mark.lathe_only, pytest.mark.any_database]

# What a job may know of the server's environment, and what `sh` adds.
OF_THE_SERVER = {"PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "VIRTUAL_ENV"} | {"PWD", "OLDPWD", "SHLVL", "_"}
OF_THE_JOB = {
    "HOME", "PYTHONUNBUFFERED", "LATHE_VALUES", "LATHE_URL", "LATHE_TOKEN", "LATHE_PROJECT", "LATHE_PIPELINE_RUN", "LATHE_JOB",
    "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME",
    "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
}  # fmt: skip
SECRETS = {"LATHE_ADMIN_PASSWORD": "the-password-of-the-admin", "AWS_SECRET_ACCESS_KEY": "the-key-of-the-server", "AWS_ACCESS_KEY_ID": "THESERVER", "FOO": "the-foo-of-the-server"}


def test_neither_a_job_nor_a_model_sees_what_the_server_was_started_with(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    server = make_lathe(environment=SECRETS | {"LATHE_SERVING_PYTHON": sys.executable, "HOME": str(home)}).start()
    http = Http(server.url)
    pipelines = Pipelines(http)
    out = tmp_path / "environment.json"
    run = pipelines.start(pipelines.push(f"""
name: p
jobs:
  show:
    run: |
      {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))' > {out}.part
      ls -A "$HOME"; cd ~; pwd
      mv {out}.part {out}
      while ! test -e {tmp_path}/go; do sleep 0.05; done
"""))
    wait_for("what the job sees", out.exists, 60)
    seen = json.loads(out.read_text())
    assert set(seen) <= OF_THE_SERVER | OF_THE_JOB, set(seen) - OF_THE_SERVER - OF_THE_JOB
    assert not set(SECRETS.values()) & set(seen.values())
    assert OF_THE_JOB <= set(seen)
    # What it has is the run's own, and nothing more.
    attempt = pipelines.attempts(run, "show")[0]
    assert seen["MLFLOW_RUN_ID"] == attempt["run_id"]
    own = Http(server.url, {"Authorization": f"Bearer {seen['LATHE_TOKEN']}"})
    who = own.ok(own.get("/api/v1/whoami"))
    assert (who["actor"], who["is_admin"]) == ({"kind": "run", "name": attempt["run_id"]}, False)
    (tmp_path / "go").touch()
    assert pipelines.wait(run)["run"]["status"] == "succeeded"
    folder = server.folder / "data" / "work" / "attempts" / run / "show-1" / "home"
    assert (Path(seen["HOME"]), pipelines.log(run, "show")) == (folder, f"{folder}\n"), "a home of its own, which is empty"
    wait_for("its folder to go", lambda: not folder.exists(), 30)
    assert own.get("/api/v1/whoami").status_code == 401, "its token ends with it"

    http.ok(http.post("registered-models/create", {"name": "m"}))
    told = "return [chr(10).join(f'{name}={value}' for name, value in os.environ.items())]"
    models.register(server.url, "m", models.log_model(server.url, tmp_path, told))
    models.deploy_and_wait(http, "d", "models:/m/1")
    [text] = http.ok(models.predict(http, "d"))["predictions"]
    assert not [secret for secret in SECRETS.values() if secret in text]
    names = {line.split("=", 1)[0] for line in text.splitlines()}
    assert not names & (set(SECRETS) | {"LATHE_TOKEN", "MLFLOW_TRACKING_TOKEN"}), names
    assert str(home) not in text


@pytest.mark.slow
def test_a_python_environment_is_made_once_for_each_lock_file(server_url: str, http: Http, name: str, tmp_path: Path):
    text = f"name: {name}\njobs:\n  a:\n    env: {{ venv: {{ requirements: requirements.lock }} }}\n    run: python -c 'import sys; print(sys.prefix)'\n"
    # Nothing to install, so that the test needs no package index; the name makes the file no other test's.
    code = git_repository(tmp_path, {"lathe.yaml": text, "requirements.lock": f"# {name} 1\n"})
    pipelines = Pipelines(http)

    def run() -> list[str]:
        done = run_lathe(server_url, "pipeline", "run", "--wait", cwd=code, HOME=str(code))
        newest = pipelines.runs(name)[0]["id"]
        assert done.returncode == 0, done.stderr + pipelines.log(newest, "a")
        return pipelines.log(newest, "a").splitlines()

    making, first = run()
    assert "making the Python environment of requirements.lock" in making
    assert Path(first).parent.name == "environments"
    assert run() == [first]
    (code / "requirements.lock").write_text(f"# {name} 2\n")
    making, second = run()
    assert "making the Python environment" in making and second != first
    (code / "requirements.lock").write_text(f"# {name} 1\n")
    assert run() == [first]


def test_an_environment_is_made_anew_when_an_included_file_changes_and_never_from_local_code(server_url: str, http: Http, name: str, tmp_path: Path):
    text = f"name: {name}\njobs:\n  a:\n    env: {{ venv: {{ requirements: requirements.lock }} }}\n    run: python -c 'import sys; print(sys.prefix)'\n"
    code = git_repository(tmp_path, {"lathe.yaml": text, "requirements.lock": "-r base.txt\n", "base.txt": f"# {name} 1\n"})
    pipelines = Pipelines(http)

    def run() -> tuple[str, str]:
        run_lathe(server_url, "pipeline", "run", "--wait", cwd=code, HOME=str(code))
        newest = pipelines.runs(name)[0]["id"]
        log = pipelines.log(newest, "a").splitlines()
        return (log[-1] if log else ""), pipelines.job(newest, "a")["reason"]

    first = run()[0]
    assert Path(first).parent.name == "environments"
    (code / "base.txt").write_text(f"# {name} 2\n")
    second = run()[0]
    assert second != first and Path(second).parent.name == "environments"
    for line in ["-e .", "./package", "local.whl"]:
        (code / "base.txt").write_text(f"# {name}\n{line}\n")
        assert f"line 2 of base.txt: `{line}`" in run()[1]


@pytest.mark.parametrize("cache", ["true", "false"])
def test_a_lock_file_is_a_file_of_the_code(server_url: str, http: Http, name: str, tmp_path: Path, cache: str):
    text = f"name: {name}\njobs:\n  a: {{ cache: {cache}, env: {{ venv: {{ requirements: requirements.lock }} }}, run: echo }}\n"
    (tmp_path / "requirements.lock").symlink_to("/dev/zero")
    code = git_repository(tmp_path, {"lathe.yaml": text})
    done = run_lathe(server_url, "pipeline", "run", "--wait", cwd=code, HOME=str(code))
    pipelines = Pipelines(http)
    assert done.returncode != 0
    reason = pipelines.job(pipelines.runs(name)[0]["id"], "a")["reason"]
    assert "requirements.lock leads out of the code" in reason
    assert http.get("/health").ok


def hanging(folder: Path) -> Path:
    """A folder with a `uv` that makes no environment, and says who it and its own process are."""
    folder.mkdir()
    (folder / "uv").write_text(f"""#!/bin/sh
[ "$1" = venv ] || exit 0
sleep 600 &
echo $$ $! > {folder}/started.part
mv {folder}/started.part {folder}/started
wait
""")
    (folder / "uv").chmod(0o755)
    return folder


@pytest.mark.parametrize("end", ["cancel", "timeout"])
def test_an_attempt_ends_also_while_its_environment_is_made(make_lathe: Callable[..., LatheServer], tmp_path: Path, end: str):
    programs = hanging(tmp_path / "bin")
    server = make_lathe(environment={"PATH": f"{programs}:{os.environ['PATH']}"}).start()
    http = Http(server.url)
    limit = "1h" if end == "cancel" else "15s"
    text = f"name: p\njobs:\n  a: {{ timeout: {limit}, env: {{ venv: {{ requirements: requirements.lock }} }}, run: echo }}\n"
    code = git_repository(tmp_path / "code", {"lathe.yaml": text, "requirements.lock": ""})
    done = run_lathe(server.url, "pipeline", "run", cwd=code, HOME=str(code))
    assert done.returncode == 0, done.stderr
    pipelines = Pipelines(http)
    run = pipelines.runs("p")[0]["id"]
    started = programs / "started"
    wait_for("the environment to be made", started.exists, 60)
    if end == "cancel":
        http.ok(http.post(f"/api/v1/pipeline-runs/{run}/cancel"))
    ended = pipelines.wait(run)
    assert ended["run"]["status"] == ("canceled" if end == "cancel" else "failed"), ended
    reason = pipelines.job(run, "a")["reason"]
    assert end == "cancel" or "longer than 15s before its command began" in reason, reason
    wait_for("its processes to end", lambda: not any(map(is_alive, started.read_text().split())), 30)


@pytest.mark.parametrize(("arguments", "resources", "room"), [
    (("--job-cpus", "2"), "{ cpu: 1 }", 2),
    (("--job-cpus", "1"), "{ cpu: 0.5 }", 2),
    (("--job-cpus", "64", "--job-memory-bytes", str(1 << 30)), "{ cpu: 1, memory: 600MiB }", 1),
])  # fmt: skip
def test_no_more_jobs_run_at_once_than_there_is_room_for(make_lathe: Callable[..., LatheServer], tmp_path: Path, arguments, resources: str, room: int):
    server = make_lathe(*arguments).start()
    pipelines = Pipelines(Http(server.url))
    here, counts = tmp_path / "here", tmp_path / "counts"
    here.mkdir()
    text = f"""
name: p
jobs:
  many:
    matrix: {{ n: [1, 2, 3, 4, 5] }}
    resources: {resources}
    run: |
      touch {here}/$LATHE_JOB
      ls {here} | wc -l >> {counts}
      while [ $(ls {here} | wc -l) -lt {room} ] && ! test -e {tmp_path}/filled; do sleep 0.02; done
      touch {tmp_path}/filled
      sleep 0.3
      ls {here} | wc -l >> {counts}
      rm {here}/$LATHE_JOB
"""
    done = pipelines.wait(pipelines.start(pipelines.push(text)))
    assert done["run"]["status"] == "succeeded", done
    # Each waits until the room was full once; it is never fuller.
    assert max(int(count) for count in counts.read_text().split()) == room
    refused = pipelines.push("name: q\njobs:\n  a: { resources: { cpu: 65 }, run: echo }\n")
    assert pipelines.http.post(f"/api/v1/pipelines/{refused}/runs", {}).status_code == 400


def test_an_output_that_cannot_be_kept_fails_its_job_at_once(pipelines: Pipelines, name: str):
    text = f"name: {name}\njobs:\n  a:\n    outputs: {{ out: out }}\n    run: mkdir out && echo x > 'out/back\\slash'\n"
    done = pipelines.run(text)
    assert done["run"]["status"] == "failed"
    assert "output `out` cannot be kept" in pipelines.job(done["run"]["id"], "a")["reason"]


def test_a_cached_result_counts_for_the_packages_of_the_worker(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    packages, python = tmp_path / "lib" / "python3.11" / "site-packages", tmp_path / "bin" / "python3"
    (packages / "numpy-1.0.dist-info").mkdir(parents=True)
    python.parent.mkdir()
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    server = make_lathe(environment={"PATH": f"{python.parent}:{os.environ['PATH']}"}).start()
    pipelines = Pipelines(Http(server.url))

    def run() -> tuple[str, str]:
        done = pipelines.run("name: p\njobs: { a: { cache: true, run: echo } }\n")
        return done["jobs"][0]["status"], done["jobs"][0]["reason"]

    assert (run()[0], run()[0]) == ("succeeded", "cached")
    (packages / "numpy-1.0.dist-info").rename(packages / "numpy-1.1.dist-info")
    status, reason = run()
    assert status == "succeeded" and "environment" in reason, reason
    assert run()[0] == "cached"
