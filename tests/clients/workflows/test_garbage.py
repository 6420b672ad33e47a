"""What is removed by itself: names of changes that nobody can ask for again, and folders that were not used for long."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.databases import change_rows, read_rows
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from . import models
from .conftest import Pipelines, git_repository

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]

DAY = 24 * 3600
DAY_MS = DAY * 1000


def collect(server: LatheServer) -> dict:
    database = ["--database-url", server.database_url] if server.database_url else []
    done = run_lathe(server.url, "gc", "--data-dir", str(server.folder / "data"), *database, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def age(folder: Path, days: int) -> None:
    """As if nobody had used it for so long."""
    at = time.time() - days * DAY
    os.utime(folder, (at, at))


def folders(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir())


def test_names_of_changes_and_code_go_when_nobody_asks_for_them_any_more(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe().start()
    http = Http(server.url)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    http.ok(http.post("model-versions/create", {"name": "m", "source": "s3://elsewhere/model"}))
    # What the second job does is done once, under a name.
    aliases = '{ needs: [tell], set_alias: { model: m, alias: told, version: "1" } }'
    file = f"name: told\njobs: {{ tell: {{ run: cat told.txt }}, name: {aliases} }}\n"
    code = git_repository(tmp_path / "code", {"lathe.yaml": file, "told.txt": "first\n"})

    def run() -> str:
        done = run_lathe(server.url, "pipeline", "run", "--wait", "-o", "json", cwd=code)
        assert done.returncode == 0, done.stderr
        pipelines = Pipelines(Http(server.url))
        newest = pipelines.runs("told")[0]
        assert pipelines.log(newest["id"], "tell") == "first\n"
        return newest["id"]

    old, recent = run(), run()
    server.stop()
    data = server.folder / "data"
    names = lambda: {key.split("/")[0] for (key,) in read_rows(server.database_url, data, "SELECT once_key FROM made_once")}
    assert names() == {old, recent}
    # Both were made long ago; one of them ended, or was retried, only yesterday.
    change_rows(server.database_url, data, [
        ("UPDATE made_once SET at_ms = at_ms - ?", (91 * DAY_MS,)),
        ("UPDATE pipeline_runs SET ended_at_ms = ended_at_ms - ? WHERE pipeline_run_id = ?", (91 * DAY_MS, old)),
    ])  # fmt: skip
    [kept] = folders(data / "work" / "code")
    age(data / "work" / "code" / kept, 29)
    assert (collect(server)["removed_folders"], folders(data / "work" / "code")) == (0, [kept])
    assert names() == {recent}
    age(data / "work" / "code" / kept, 31)
    assert collect(server)["removed_folders"] == 1
    assert list((data / "work" / "code").iterdir()) == []
    server.start()
    run()
    assert folders(data / "work" / "code") == [kept], "laid out again"
    # A use is noted: what is used stays, however long ago it was made.
    age(data / "work" / "code" / kept, 31)
    run()
    assert collect(server)["removed_folders"] == 0


def test_files_of_models_go_unless_a_deployment_uses_them(make_lathe: Callable[..., LatheServer], tmp_path: Path):
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()
    http = Http(server.url)
    http.ok(http.post("registered-models/create", {"name": "m"}))
    for answer in ("one", "two"):
        models.register(server.url, "m", models.log_model(server.url, tmp_path, f"return ['{answer}']"))
    root = server.folder / "data" / "serving" / "models"
    models.deploy_and_wait(http, "used", "models:/m/1")
    used = folders(root)
    models.deploy_and_wait(http, "over", "models:/m/2")
    http.ok_any(http.request("DELETE", "/api/v1/deployments/over"))
    server.stop()
    for folder in root.iterdir():
        age(folder, 31)
    assert len(folders(root)) == 2
    server.start()
    http = Http(server.url)
    wait_for("it to answer again", lambda: models.predict(http, "used").ok, 90, pause=0.1)
    assert collect(server)["removed_folders"] == 1
    assert folders(root) == used
    assert http.ok(models.predict(http, "used"))["predictions"] == ["one"]
