"""Many small files in one request: all of them or none, whatever is wrong and whenever the server is killed."""

import hashlib
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from blake3 import blake3

from support.cli import run_lathe as run
from support.http import Http

pytestmark = pytest.mark.lathe_only

FILES = 40


def write_folder(folder: Path, files: int = FILES, size: int = 10_000) -> Path:
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"{number:03}.bin").write_bytes(os.urandom(size))
    return folder


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
        assert entry["size_bytes"] == len(content)
        # Of a batch's file the tag is no MD5, and does not look like one.
        if entry["path"].endswith("large.bin"):
            assert entry["etag"] == hashlib.md5(content).hexdigest()
        else:
            assert re.fullmatch("[0-9a-f]{32}-1", entry["etag"])
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

    def send(folder: Path) -> None:
        files = [(f"{folder.name}/{file.name}", file.read_bytes()) for file in folder.iterdir()]
        lines = [{"path": path, "size_bytes": len(content), "hash": blake3(content).hexdigest()} for path, content in files]
        body = b"".join(json.dumps(line).encode() + b"\n" + content for line, (_, content) in zip(lines, files))
        try:
            answer = requests.post(f"{server.url}/api/v1/repos/many/refs/main/batch", data=body, timeout=60)
        except requests.RequestException:
            return
        if answer.ok:
            acknowledged.append(folder.name)
            if len(acknowledged) >= 6:
                some.set()

    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(send, folder) for folder in folders]
        assert some.wait(60)
        server.kill()
        for done in sent:
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


def read_files(url: str, repository: str, paths: list, ref: str = "main", **options) -> requests.Response:
    return requests.post(f"{url}/api/v1/repos/{repository}/refs/{ref}/batch/read", json={"paths": paths}, timeout=60, **options)


def parse_files(answer: requests.Response) -> list[tuple[str, bytes | str]]:
    """Each file with its bytes, or the code of its error."""
    assert answer.status_code == 200, answer.text
    rest, files = answer.content, []
    while rest:
        line, rest = rest.split(b"\n", 1)
        line = json.loads(line)
        if "error" in line:
            assert line["error"]["message"]
            files.append((line["path"], line["error"]["code"]))
        else:
            files.append((line["path"], rest[: line["size_bytes"]]))
            rest = rest[line["size_bytes"] :]
    return files


def test_many_files_are_read_in_one_answer(http: Http, server_url: str, unique, tmp_path: Path):
    repository = unique("repo")
    http.ok_any(http.post("/api/v1/repos", {"name": repository}))
    folder = write_folder(tmp_path / "many")
    (folder / "empty").write_bytes(b"")
    (folder / "large.bin").write_bytes(os.urandom(1024 * 1024 + 1))
    assert run(server_url, "cp", str(folder), f"data://{repository}/").returncode == 0
    expected = [(f"{number:03}.bin", (folder / f"{number:03}.bin").read_bytes()) for number in range(FILES)]
    asked = [path for path, _ in reversed(expected)] + ["empty", "large.bin", "nothing"]
    refused = [("large.bin", "too_large"), ("nothing", "not_found")]
    assert parse_files(read_files(server_url, repository, asked)) == [*expected, ("empty", b""), *refused]
    assert run(server_url, "commit", repository, "-m", "many").returncode == 0
    assert parse_files(read_files(server_url, repository, asked)) == [*expected, ("empty", b""), *refused]
    for bad in [[], ["../x"], ["a", "a"], ["/etc/passwd"], [1], "a", [str(number) for number in range(1_001)], ["x" * 1_025]]:
        answer = read_files(server_url, repository, bad)
        assert answer.status_code == 400, (bad, answer.text)
        assert answer.json()["message"]
    assert read_files(server_url, repository, ["empty"], "nowhere").status_code == 404
    assert read_files(server_url, unique("other"), ["empty"]).status_code == 404


def test_many_files_are_read_by_members_alone(make_lathe):
    password = "correct horse battery staple"
    server = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": password}).start()
    admin = Http.with_login(server.url, "admin", password)
    admin.ok_any(admin.post("/api/v1/projects", {"name": "other"}))
    admin.ok_any(admin.post("/api/v1/repos", {"name": "many"}))
    url = f"{server.url}/api/v1/repos/many/refs/main/objects/a"
    assert requests.put(url, data=b"a", auth=("admin", password), timeout=30).ok
    secrets = {"outsider": None, "viewer": "viewer"}
    for name, role in secrets.items():
        secrets[name] = admin.ok_any(admin.post("/api/v1/users", {"username": name}))["password"]
        if role:
            admin.ok_any(admin.request("PUT", f"/api/v1/projects/default/members/{name}", {"role": role}))
    assert read_files(server.url, "many", ["a"]).status_code == 401
    assert read_files(server.url, "many", ["a"], auth=("outsider", secrets["outsider"])).status_code == 403
    assert requests.post(f"{server.url}/p/other/api/v1/repos/many/refs/main/batch/read", json={"paths": ["a"]}, auth=("admin", password), timeout=30).status_code == 404
    assert parse_files(read_files(server.url, "many", ["a"], auth=("viewer", secrets["viewer"]))) == [("a", b"a")]


def test_a_checkout_keeps_what_arrived_whole_and_says_what_did_not(make_lathe, tmp_path: Path):
    server = make_lathe().start()
    http = Http(server.url)
    http.ok_any(http.post("/api/v1/repos", {"name": "many"}))
    folder = write_folder(tmp_path / "in")
    assert run(server.url, "cp", str(folder), "data://many/").returncode == 0
    assert run(server.url, "commit", "many", "-m", "many").returncode == 0
    out = tmp_path / "out"
    (out / "005.bin").mkdir(parents=True)
    (out / "007.bin").write_bytes((folder / "007.bin").read_bytes())
    failed = run(server.url, "checkout", "many", str(out))
    assert failed.returncode == 7
    assert "005.bin cannot be written" in failed.stderr
    assert {file.name for file in out.glob("*.bin") if file.is_file()} == {f"{number:03}.bin" for number in range(FILES) if number != 5}
    (out / "005.bin").rmdir()
    done = run(server.url, "checkout", "many", str(out))
    assert "1 file fetched, 39 unchanged" in done.stderr, done.stderr
    assert all((out / file.name).read_bytes() == file.read_bytes() for file in folder.iterdir())
