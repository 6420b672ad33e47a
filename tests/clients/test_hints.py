"""What the command line says when something is not as it was meant: each error says what to do next."""

import json
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from support.cli import client_environment, run_lathe
from support.databases import drop_database, new_database_url
from support.http import Http
from support.paths import lathe_binary
from support.servers import LatheServer

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"


class Person:
    """A user with a token, who calls the command line."""

    def __init__(self, server: LatheServer, home: Path, name: str):
        self.server, self.home, self.name = server, home, name
        self.http = Http.with_login(server.url, name, PASSWORD)
        self.token = self.http.ok_any(self.http.post("/api/v1/tokens", {"name": f"{name}-laptop"}))["token"]

    def lathe(self, *words: str, code: int = 0) -> subprocess.CompletedProcess:
        done = run_lathe(self.server.url, *words, cwd=self.home, LATHE_TOKEN=self.token, HOME=str(self.home))
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def fails(self, *words: str, code: int) -> str:
        """What is hinted at."""
        said = self.lathe(*words, code=code).stderr
        assert "hint: " in said, f"{words}: {said}"
        return said.split("hint: ", 1)[1].strip()


@pytest.fixture(scope="module")
def server(make_lathe) -> LatheServer:
    return make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()


@pytest.fixture(scope="module")
def admin(server: LatheServer, tmp_path_factory: pytest.TempPathFactory) -> Person:
    admin = Person(server, tmp_path_factory.mktemp("admin"), "admin")
    admin.lathe("project", "create", "alpha")
    return admin


def member(admin: Person, home: Path, name: str, role: str) -> Person:
    admin.http.ok_any(admin.http.post("/api/v1/users", {"username": name, "password": PASSWORD}))
    admin.lathe("member", "set", name, role, "-p", "alpha")
    return Person(admin.server, home, name)


def test_a_hint_asks_the_same_project(admin: Person) -> None:
    for words in (("run", "show", "zz"), ("model", "show", "nosuch"), ("open", "nosuch")):
        assert f"--url {admin.server.url} --project alpha" in admin.fails(*words, "-p", "alpha", code=3)
        assert "--project" not in admin.fails(*words, code=3)


def test_what_is_taken_unknown_or_wrong_is_told_with_the_way_out(admin: Person) -> None:
    admin.lathe("user", "create", "twice")
    assert "lathe user list" in admin.fails("user", "create", "twice", code=5)
    assert "lathe project list" in admin.fails("project", "create", "alpha", code=5)
    assert "lathe project list" in admin.fails("run", "list", "-p", "nosuch", code=3)
    assert "lathe token list" in admin.fails("token", "revoke", "0" * 32, code=3)
    assert "--filter" in admin.fails("run", "list", "--filter", "metrics.loss <", code=2)


def test_a_role_that_is_missing_is_named_once_and_rightly(admin: Person, tmp_path: Path) -> None:
    home = tmp_path / "vera"
    home.mkdir()
    vera = member(admin, home, "vera", "viewer")
    assert "lathe whoami" in vera.fails("exp", "list", code=4)
    status = vera.lathe("status", code=4)
    assert f"your projects: alpha; look into one: lathe status --url {vera.server.url} --project alpha" in status.stderr
    in_alpha = Http(f"{vera.server.url}/p/alpha", {"Authorization": f"Bearer {vera.token}"})
    for verb in ("delete", "restore"):
        refused = in_alpha.post(f"runs/{verb}", {"run_id": "0" * 32})
        assert refused.status_code == 403
        assert "the role maintainer is needed" in refused.json()["message"]


def test_who_may_not_write_is_told_before_anything_is_made_for_a_reproduction(admin: Person, tmp_path: Path) -> None:
    home = tmp_path / "rita"
    home.mkdir()
    rita = member(admin, home, "rita", "viewer")
    admin.lathe("run", "-p", "alpha", "-e", "role", "--", "true")
    [run] = json.loads(admin.lathe("run", "list", "-p", "alpha", "-e", "role", "-o", "json").stdout)
    said = rita.lathe("run", "reproduce", run["run_id"], "-p", "alpha", "--yes", code=4).stderr
    assert ("may not" in said, "not reproduced" in said) == (True, False), said
    assert not (home / ".cache").exists()


def test_a_flag_before_the_command_is_sent_behind_it(admin: Person) -> None:
    for words in (("-p", "alpha", "status"), ("--project=alpha", "status"), ("--url", "http://x", "run", "list")):
        assert "stands after the command" in admin.fails(*words, code=2), words
    assert "hint: " not in admin.lathe("--nosuch", "status", code=2).stderr
    assert "hint: " not in admin.lathe("gc", "--project", "x", code=2).stderr


def test_a_server_without_tls_is_told_from_none(admin: Person) -> None:
    secure = admin.server.url.replace("http:", "https:")
    assert f"--url {admin.server.url}" in admin.fails("status", "--url", secure, code=7)
    examined = json.loads(admin.lathe("doctor", "-o", "json", "--url", secure, code=1).stdout)
    assert examined[0]["advice"].endswith(f"--url {admin.server.url}")
    assert "lathe serve --listen 127.0.0.1:9" in admin.fails("status", "--url", "http://127.0.0.1:9", code=7)


def test_open_shows_what_is_there(admin: Person) -> None:
    created = admin.http.ok(admin.http.post("runs/create", {"experiment_id": "0"}))
    run_id = created["run"]["info"]["run_id"]
    page = f"{admin.server.url}/p/default/runs/{run_id}"
    assert json.loads(admin.lathe("open", run_id, "-o", "json").stdout) == {"url": page}
    assert admin.lathe("open", f"default/run/{run_id}").stdout.strip() == page
    for name in ("nosuch", "nosuch/3", "default/model/nosuch", f"default/run/{'0' * 32}"):
        admin.fails("open", name, code=3)


def test_a_token_may_be_for_asking_models_alone(admin: Person) -> None:
    admin.lathe("token", "create", "shop", "--infer-only")
    listed = json.loads(admin.lathe("token", "list", "-o", "json").stdout)
    assert [token["scope"] for token in listed if token["name"] == "shop"] == ["infer"]
    admin.lathe("token", "create", "both", "--infer-only", "--read-only", code=2)
    made = admin.http.ok_any(admin.http.post("/api/v1/tokens", {"name": "asker", "scope": "infer"}))
    asked = run_lathe(admin.server.url, "whoami", cwd=admin.home, HOME=str(admin.home), LATHE_TOKEN=made["token"])
    assert (asked.returncode, "hint: use another token, or sign in: lathe login" in asked.stderr) == (4, True), asked.stderr


def test_an_empty_token_does_not_fall_back_to_the_stored_one(admin: Person) -> None:
    done = run_lathe(admin.server.url, "whoami", cwd=admin.home, HOME=str(admin.home), LATHE_TOKEN="")
    said = "error: LATHE_TOKEN or --token is set and empty\nhint: unset it or give a token\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_restored_store_is_collected_and_damage_is_named(make_lathe, tmp_path: Path) -> None:
    server = make_lathe().start()
    client = MlflowClient(server.url, server.url)
    Http(server.url).ok_any(Http(server.url).post("/api/v1/projects", {"name": "alpha"}))
    alpha = Http(f"{server.url}/p/alpha")
    experiment = alpha.ok(alpha.post("experiments/create", {"name": "e"}))["experiment_id"]
    model = alpha.ok(alpha.post("logged-models", {"experiment_id": experiment, "name": "m"}))["model"]["info"]
    place = model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    sent = alpha.request("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}/weights.bin", data=b"42 bytes of a model")
    assert sent.status_code == 200
    alpha.ok(alpha.post("registered-models/create", {"name": "digits"}))
    version = {"name": "digits", "source": model["artifact_uri"], "model_id": model["model_id"]}
    alpha.ok(alpha.post("model-versions/create", version))
    client.log_text(client.create_run("0").info.run_id, "whole", "note.txt")

    def stores(folder: Path, database_url: str | None) -> list[str]:
        return ["--data-dir", str(folder), *(["--database-url", database_url] if database_url else [])]

    def lathe(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run([lathe_binary(), *words], env=client_environment(""), capture_output=True, text=True, timeout=120)

    made = lathe("backup", "--to", str(tmp_path / "backup"), *stores(server.folder / "data", server.database_url))
    assert made.returncode == 0, made.stderr
    target_url = new_database_url()
    try:
        target = stores(tmp_path / "new folder", target_url)
        restored = lathe("restore", "--from", str(tmp_path / "backup"), *target)
        assert restored.returncode == 0, restored.stderr
        assert f"lathe serve --data-dir '{tmp_path}/new folder'" in restored.stderr
        collected = lathe("gc", *target)
        assert collected.returncode == 0, collected.stderr
        for file in (tmp_path / "new folder" / "objects").rglob("*"):
            if file.is_file() and file.read_bytes() == b"42 bytes of a model":
                file.write_bytes(b"43 bytes of a model")
        found = lathe("fsck", "-o", "json", *target)
        assert found.returncode == 1, found.stderr
        [damage] = json.loads(found.stdout)["damages"]
        assert damage["dependents"] == [f"artifacts alpha/{place}/weights.bin", "model_versions alpha/model/digits/1"]
        assert "fsck" not in damage["reason"], damage
    finally:
        drop_database(target_url)
