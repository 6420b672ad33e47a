"""Data under version control on the command line: `lathe repo`, `cp`, `commit`, `diff`, `merge`, `checkout`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cli import run_lathe
from support.http import Http

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"


@pytest.fixture(params=["local", "login"])
def lathe(request, server_url: str, make_lathe, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs the program; `ok=False` answers whatever happened, otherwise it must succeed."""
    url, token = server_url, ""
    if request.param == "login":
        server = make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()
        http = Http.with_login(server.url, "admin", PASSWORD)
        url, token = server.url, http.ok_any(http.post("/api/v1/tokens", {"name": "cli"}))["token"]

    def call(*words: str, ok: bool = True) -> subprocess.CompletedProcess:
        signed = {"LATHE_TOKEN": token} if token else {}
        done = run_lathe(url, *words, cwd=tmp_path, HOME=str(tmp_path), **signed)
        assert not ok or done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def repository(lathe, unique) -> str:
    name = unique("repo")
    lathe("repo", "create", name, "-d", "flights of 2013")
    return name


def rows(done: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "raw"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "a.csv").write_text("a,b\n1,2\n")
    (made / "deep" / "b ü+&.txt").write_text("odd name")
    (made / "deep" / "er" / "large.bin").write_bytes(os.urandom(3 * 1024 * 1024))
    (made / "empty").write_text("")
    (made / "link").symlink_to("a.csv")
    (made / "out").symlink_to(tmp_path)
    (made / "broken").symlink_to("nowhere")
    return made


def test_a_folder_goes_in_and_comes_out(lathe, repository, folder: Path, tmp_path: Path):
    place = f"data://{repository}@main/raw/"
    first = lathe("cp", str(folder), place).stderr
    assert "5 files" in first and "2 left out (links" in first, first
    assert "0 files (0 B) copied" in lathe("cp", str(folder), place).stderr, "nothing has changed"
    listed = rows(lathe("ls", "-r", f"{repository}@main", "-o", "jsonl"))
    assert [row["path"] for row in listed] == ["raw/a.csv", "raw/deep/b ü+&.txt", "raw/deep/er/large.bin", "raw/empty", "raw/link"]
    assert lathe("cat", f"{repository}/raw/link").stdout == "a,b\n1,2\n"
    top = rows(lathe("ls", f"{repository}/raw", "-o", "jsonl"))
    assert [row["path"] for row in top] == ["raw/deep/", "raw/a.csv", "raw/empty", "raw/link"]
    assert lathe("cat", f"{repository}/raw/a.csv").stdout == "a,b\n1,2\n"
    commit = lathe("commit", repository, "-m", "January").stdout.strip()
    assert len(commit) == 64
    (folder / "a.csv").write_text("a,b\n3,4\n")
    (folder / "link").unlink()
    assert "1 file (8 B) copied" in lathe("cp", str(folder), place).stderr
    lathe("cp", f"data://{repository}@{commit}/raw", str(tmp_path / "back"))
    for name in ("a.csv", "deep/b ü+&.txt", "deep/er/large.bin", "empty"):
        back = (tmp_path / "back" / name).read_bytes()
        assert back == (b"a,b\n1,2\n" if name == "a.csv" else (folder / name).read_bytes()), name
    lathe("cp", f"data://{repository}/raw/a.csv", str(tmp_path / "one.csv"))
    assert (tmp_path / "one.csv").read_text() == "a,b\n3,4\n"
    lathe("cp", str(tmp_path / "one.csv"), f"data://{repository}/")
    assert lathe("cat", f"{repository}/one.csv").stdout == "a,b\n3,4\n"


def test_branches_diffs_merges_and_their_conflicts(lathe, repository, tmp_path: Path):
    def write(ref: str, name: str, text: str) -> None:
        (tmp_path / "file").write_text(text)
        lathe("cp", str(tmp_path / "file"), f"data://{repository}@{ref}/{name}")

    write("main", "both", "base")
    base = lathe("commit", f"{repository}@main", "-m", "base").stdout.strip()
    lathe("branch", "create", repository, "work")
    lathe("tag", "create", f"{repository}@{base}", "v1")
    write("work", "both", "theirs")
    write("work", "new", "n")
    assert [(row["kind"], row["path"]) for row in rows(lathe("diff", f"{repository}@work", "-o", "jsonl"))] == [
        ("changed", "both"), ("added", "new"),
    ]  # fmt: skip
    lathe("commit", f"{repository}@work", "-m", "work")
    write("main", "both", "ours")
    lathe("commit", f"{repository}@main", "-m", "ours")
    compared = rows(lathe("diff", f"{repository}@work", "--from", "main", "-o", "jsonl"))
    assert [(row["kind"], row["path"]) for row in compared] == [("changed", "both"), ("added", "new")]
    refused = lathe("merge", f"{repository}@work", ok=False)
    assert (refused.returncode, "both" in refused.stdout, "--prefer" in refused.stderr) == (5, True, True)
    assert "error: both sides changed 1 file; nothing was merged" in refused.stderr
    lathe("merge", f"{repository}@work", "--prefer", "source", "-m", "merged")
    assert lathe("cat", f"{repository}/both").stdout == "theirs"
    log = rows(lathe("log", repository, "-o", "jsonl"))
    messages = [row["message"] for row in log]
    assert (messages[0], sorted(messages[1:3]), messages[3:]) == ("merged", ["ours", "work"], ["base", "Repository created"])
    write("main", "mistake", "m")
    lathe("commit", repository, "-m", "a mistake")
    mistake = lathe("log", repository, "-o", "jsonl", "-n", "1")
    reverted = lathe("revert", f"{repository}@main", "main").stderr
    assert reverted.startswith("reverted: ") and "\\n" not in reverted, reverted
    assert json.loads(mistake.stdout)["id"][:12] in reverted
    assert lathe("cat", f"{repository}/mistake", ok=False).returncode == 3
    assert [row["name"] for row in rows(lathe("tag", "list", repository, "-o", "jsonl"))] == ["v1"]
    assert lathe("cat", f"{repository}@v1/both").stdout == "base"
    assert lathe("cp", str(tmp_path / "file"), f"data://{repository}@v1/x", ok=False).returncode == 2
    lathe("branch", "delete", repository, "work", "--yes")
    assert [row["name"] for row in rows(lathe("branch", "list", repository, "-o", "jsonl"))] == ["main"]
    nothing = lathe("commit", repository, "-m", "nothing", ok=False)
    assert (nothing.returncode, "nothing to commit" in nothing.stderr) == (5, True)


def test_a_checkout_follows_a_ref_and_leaves_other_files_alone(lathe, repository, folder: Path, tmp_path: Path):
    lathe("cp", str(folder), f"data://{repository}/")
    lathe("commit", repository, "-m", "first")
    out = tmp_path / "out"
    assert "5 files fetched" in lathe("checkout", f"{repository}@main", str(out)).stderr
    assert "0 files fetched, 5 unchanged" in lathe("checkout", f"{repository}@main", str(out)).stderr
    (out / "own.txt").write_text("mine")
    (out / "empty").write_text("changed here")
    lathe("rm", f"{repository}/a.csv")
    lathe("rm", "-r", f"{repository}/deep", "--yes")
    lathe("rm", f"{repository}/empty")
    assert "removed 1 file;" in lathe("rm", f"{repository}/link").stderr
    (folder / "new.csv").write_text("n")
    lathe("cp", str(folder / "new.csv"), f"data://{repository}/")
    lathe("commit", repository, "-m", "second")
    again = lathe("checkout", f"{repository}@main", str(out)).stderr
    assert "1 file fetched" in again and "empty was changed here and is kept" in again
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == [".lathe-checkout.json", "empty", "new.csv", "own.txt"]
    assert lathe("checkout", f"{repository}@main/deep", str(out), ok=False).returncode == 5


def test_a_commit_is_found_in_the_lineage_graph_by_what_is_printed_of_it(lathe, repository, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    lathe("cp", str(tmp_path / "file"), f"data://{repository}/x")
    commit = lathe("commit", repository, "-m", "x").stdout.strip()
    for name in (f"data/{repository}@{commit}", f"data/{repository}@{commit[:12]}", f"data/{repository}@main"):
        for way in ("why", "impact"):
            assert commit in lathe("lineage", way, name).stdout, (way, name)
    for unknown in (f"data/{repository}@{'0' * 12}", f"data/{repository}@{'0' * 64}", f"data/{repository}@nowhere", "data/no-such-repository@main"):
        for way in ("why", "impact"):
            assert lathe("lineage", way, unknown, ok=False).returncode == 3, (way, unknown)
    assert "pipeline-run/" in lathe("lineage", "why", "--help").stdout


def test_a_checkout_never_overwrites_what_is_only_here(lathe, repository, tmp_path: Path):
    def publish(**files: str) -> None:
        for name, content in files.items():
            (tmp_path / "file").write_text(content)
            lathe("cp", str(tmp_path / "file"), f"data://{repository}/{name}")
        lathe("commit", repository, "-m", "files")

    publish(a="1", b="1", c="1")
    out = tmp_path / "out"
    out.mkdir()
    checkout = lambda *options, ok=True: lathe("checkout", f"{repository}@main", str(out), *options, ok=ok)
    contents = lambda: {name: (out / name).read_text() for name in "abc" if (out / name).exists()}
    # A file that no checkout wrote: with the same bytes it is taken, with others refused.
    (out / "a").write_text("1")
    (out / "b").write_text("mine")
    refused = checkout(ok=False)
    assert (refused.returncode, str(out / "b") in refused.stderr, "--force" in refused.stderr) == (5, True, True), refused.stderr
    assert str(out / "a") not in refused.stderr
    assert contents() == {"a": "1", "b": "mine"}, "nothing was fetched"
    checkout("--force")
    assert contents() == {"a": "1", "b": "1", "c": "1"}
    # A file that was changed since: whether or not the ref has another one by now.
    (out / "a").write_text("changed")
    (out / "c").write_text("changed")
    publish(b="2", c="2")
    refused = checkout(ok=False)
    assert (refused.returncode, "2 files" in refused.stderr) == (5, True), refused.stderr
    assert contents() == {"a": "changed", "b": "1", "c": "changed"}
    (out / "a").unlink()
    (out / "c").write_text("2")
    assert "2 files fetched, 1 unchanged" in checkout().stderr, "what is here as it will be is no change"
    assert contents() == {"a": "1", "b": "2", "c": "2"}
    # A file that becomes a folder, and back.
    lathe("rm", f"{repository}/a")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    lathe("cp", str(tmp_path / "a"), f"data://{repository}/a/")
    lathe("commit", repository, "-m", "a folder")
    checkout()
    assert (out / "a" / "x").read_text() == "x"
    lathe("rm", f"{repository}/a/x")
    publish(a="3")
    checkout()
    assert contents() == {"a": "3", "b": "2", "c": "2"}


def test_a_checkout_goes_back_without_what_it_keeps_of_itself(lathe, repository, tmp_path: Path):
    (tmp_path / "file").write_text("1")
    lathe("cp", str(tmp_path / "file"), f"data://{repository}/a/file")
    lathe("commit", repository, "-m", "1")
    out = tmp_path / "out"
    lathe("checkout", f"{repository}@main", str(out))
    (out / "a" / "file").write_text("2")
    told = lathe("cp", str(out), f"data://{repository}/")
    assert "left out" in told.stderr, told.stderr
    lathe("commit", repository, "-m", "2")
    assert lathe("ls", repository, "-o", "jsonl").stdout.count('"path"') == 1
    # One that got there otherwise is in nobody's way.
    (tmp_path / "other").write_text("{}")
    lathe("cp", str(tmp_path / "other"), f"data://{repository}/.lathe-checkout.json")
    lathe("cp", str(tmp_path / "other"), f"data://{repository}/a/.lathe-checkout.json")
    lathe("commit", repository, "-m", "3")
    for _ in range(2):
        assert "nothing" not in lathe("checkout", f"{repository}@main", str(out)).stderr
    lathe("checkout", f"{repository}@main/a", str(tmp_path / "below"))
    lathe("cp", f"data://{repository}", str(tmp_path / "copied"))
    files = lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert (files(out), files(tmp_path / "copied")) == ([".lathe-checkout.json", "a/file"], ["a/file"])
    assert json.loads((out / ".lathe-checkout.json").read_text())["files"].keys() == {"a/file"}


def test_an_interrupted_checkout_is_not_taken_for_changes(lathe, repository, tmp_path: Path):
    def publish(content: str) -> None:
        (tmp_path / "file").write_text(content)
        lathe("cp", str(tmp_path / "file"), f"data://{repository}/a")
        lathe("commit", repository, "-m", content)

    publish("1")
    out = tmp_path / "out"
    lathe("checkout", f"{repository}@main", str(out))
    publish("2")
    # As it is left when the checkout of 2 ends before its last line: the file is there, and is known to be on its way.
    manifest = out / ".lathe-checkout.json"
    before = json.loads(manifest.read_text())
    lathe("checkout", f"{repository}@main", str(out))
    manifest.write_text(json.dumps(before | {"arriving": json.loads(manifest.read_text())["files"]}))
    publish("3")
    lathe("checkout", f"{repository}@main", str(out))
    assert (out / "a").read_text() == "3"


def test_what_is_wrong_is_said(lathe, repository, tmp_path: Path):
    for words, code in [
        (("ls", "no-such-repo"), 3), (("ls", f"{repository}@nowhere"), 3), (("ls", f"{repository}/nothing"), 3),
        (("cat", f"{repository}/nothing"), 3), (("cat", repository), 2), (("rm", f"{repository}/nothing"), 3), (("ls", "/x"), 2),
        (("cp", "a", "b"), 2), (("cp", "data://a", "data://b"), 2), (("cp", "nothing-here", f"data://{repository}/"), 3),
        (("cp", f"data://{repository}/nothing", "x"), 3), (("repo", "create", "No_Name"), 2), (("repo", "create", repository), 5),
        (("branch", "create", repository, "a b"), 2), (("branch", "delete", repository, "main", "--yes"), 5),
    ]:  # fmt: skip
        done = lathe(*words, ok=False)
        assert (done.returncode, done.stderr.startswith("error: "), "/api/" in done.stderr) == (code, True, False), (words, done.stderr)
    (tmp_path / "in.txt").write_text("x")
    lathe("cp", str(tmp_path / "in.txt"), f"data://{repository}/raw/in.txt")
    done = lathe("cat", f"{repository}/raw", ok=False)
    assert (done.returncode, f"raw is a folder\nhint: lathe ls data://{repository}/raw" in done.stderr) == (2, True), done.stderr
    lathe("commit", repository, "-m", "in")
    lathe("tag", "create", repository, "v1")
    done = lathe("diff", f"{repository}@v1", ok=False)
    assert (done.returncode, "only branches have uncommitted changes" in done.stderr, "--from REF" in done.stderr) == (2, True, True), done.stderr
    done = lathe("diff", f"{repository}@main~1", ok=False)
    assert (done.returncode, "--from REF" in done.stderr) == (2, True), done.stderr
    done = lathe("diff", f"{repository}@typo", ok=False)
    assert (done.returncode, "branch `typo` does not exist" in done.stderr, "--from" in done.stderr) == (3, True, False), done.stderr
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a\\b").write_text("x")
    assert lathe("cp", str(tmp_path / "bad"), f"data://{repository}/", ok=False).returncode == 2
    lathe("repo", "delete", repository, "--yes")
    assert repository not in lathe("repo", "list", "-o", "jsonl").stdout
