"""Many small files in one request: all of them or none, whatever is wrong and whenever the server is killed."""

import hashlib
import json
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from support.http import Http
from support.paths import lathe_binary

pytestmark = pytest.mark.lathe_only

FILES = 40


def write_folder(folder: Path, files: int = FILES, size: int = 10_000) -> Path:
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"{number:03}.bin").write_bytes(os.urandom(size))
    return folder


def run(url: str, *words: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "LATHE_"))}
    return subprocess.run([lathe_binary(), *words], env=kept | {"LATHE_URL": url}, text=True, capture_output=True, timeout=120)


def listed(http: Http, repository: str, prefix: str) -> list[dict]:
    return http.ok(http.get(f"/api/v1/repos/{repository}/refs/main/objects", prefix=prefix))["objects"]


def test_files_of_a_batch_are_files_like_others(http: Http, server_url: str, unique, tmp_path: Path):
    repository = unique("repo")
    http.ok_any(http.post("/api/v1/repos", {"name": repository}))
    folder = write_folder(tmp_path / "many")
    (folder / "small.txt").write_text("small")
    (folder / "large.bin").write_bytes(os.urandom(2 * 1024 * 1024))
    place = f"data://{repository}/many/"
    assert f"{FILES + 2} files" in run(server_url, "cp", str(folder), place).stderr
    assert f"0 files (0 B) copied to {place}, {FILES + 2} unchanged" in run(server_url, "cp", str(folder), place).stderr
    assert run(server_url, "commit", repository, "-m", "many").returncode == 0
    for entry in listed(http, repository, "many/"):
        content = (tmp_path / entry["path"]).read_bytes()
        assert (entry["size_bytes"], entry["etag"]) == (len(content), hashlib.md5(content).hexdigest())
        url = f"{server_url}/api/v1/repos/{repository}/refs/main/objects/{entry['path']}"
        assert requests.get(url, timeout=30).content == content
        part = requests.get(url, headers={"Range": "bytes=3-9"}, timeout=30)
        assert (part.content, len(content) == 5 or part.status_code == 206) == (content[3:10], True)
    assert run(server_url, "checkout", repository, str(tmp_path / "out")).returncode == 0
    assert all((tmp_path / "out" / "many" / file.name).read_bytes() == file.read_bytes() for file in folder.iterdir())


def test_a_batch_with_anything_wrong_stages_nothing(http: Http, server_url: str, unique):
    repository = unique("repo")
    http.ok_any(http.post("/api/v1/repos", {"name": repository}))
    content = os.urandom(10_000)
    objects = f"{server_url}/api/v1/repos/{repository}/refs/main/objects"
    known = requests.put(f"{objects}/known", data=content, timeout=30).json()["hash"]

    def file(path: str = "good", size: int = len(content), hash: str = known, **more) -> bytes:
        return json.dumps({"path": path, "size_bytes": size, "hash": hash, **more}).encode() + b"\n" + content

    def send(body: bytes, ref: str = "main") -> requests.Response:
        return requests.post(f"{server_url}/api/v1/repos/{repository}/refs/{ref}/batch", data=body, timeout=60)

    for bad in [
        file() + file("other", hash="0" * 64), file() + file("../x"), file() + file(), file() + file("x", size=10_001),
        file() + file("x", size=-1), file() + file("x", extra=1), file() + file("x", hash="short"), file() + b"x", b"\n", b"\xff" * 20_000,
        file() + file("x", content_type="a\nb"),
    ]:  # fmt: skip
        answer = send(bad)
        assert answer.status_code == 400, (bad[:100], answer.text)
        assert answer.json()["message"]
    assert send(b"x" * (17 * 1024 * 1024)).status_code == 413
    assert send(file(), "nowhere").status_code == 404
    assert [entry["path"] for entry in listed(http, repository, "")] == ["known"]
    assert send(file() + file("twin")).json() == {"files": 2, "size_bytes": 20_000}
    assert [entry["path"] for entry in listed(http, repository, "")] == ["good", "known", "twin"]


def test_a_killed_server_has_whole_batches_and_no_parts_of_them(make_lathe, tmp_path: Path):
    server = make_lathe().start()
    http = Http(server.url)
    http.ok_any(http.post("/api/v1/repos", {"name": "many"}))
    folders = [write_folder(tmp_path / "in" / f"{number:02}") for number in range(24)]
    acknowledged, some = [], threading.Event()

    def copy(folder: Path) -> None:
        if run(server.url, "cp", str(folder), f"data://many/{folder.name}/").returncode == 0:
            acknowledged.append(folder.name)
            if len(acknowledged) >= 6:
                some.set()

    with ThreadPoolExecutor(4) as pool:
        copies = [pool.submit(copy, folder) for folder in folders]
        assert some.wait(60)
        server.kill()
        for done in copies:
            done.result()
    assert len(acknowledged) < len(folders), "the kill came too late"
    server.start()
    http = Http(server.url)
    for folder in folders:
        entries = listed(http, "many", f"{folder.name}/")
        assert len(entries) in ((FILES,) if folder.name in acknowledged else (0, FILES)), folder.name
        for entry in entries:
            content = requests.get(f"{server.url}/api/v1/repos/many/refs/main/objects/{entry['path']}", timeout=30).content
            assert content == (tmp_path / "in" / entry["path"]).read_bytes()
    assert run(server.url, "cp", str(tmp_path / "in"), "data://many/").returncode == 0
    assert len(listed(http, "many", "")) == len(folders) * FILES
