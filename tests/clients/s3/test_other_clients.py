"""The S3 door, judged by awscli, s3fs with pandas, and DVC: each as its users run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pytest
import s3fs

from .conftest import Keys

pytestmark = pytest.mark.lathe_only

BIN = Path(sys.executable).parent


@pytest.fixture
def run(keys: Keys, tmp_path: Path) -> Callable[..., str]:
    """Runs a program of the Python environment with the variables that `lathe env` prints."""
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8", "DVC_NO_ANALYTICS": "1"}
    environment |= keys.environment()

    def call(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    return call


def test_awscli_copies_lists_and_syncs(run, repository, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "b.bin").write_bytes(os.urandom(9 * 1024 * 1024))
    root = f"s3://{repository}/main"
    run("aws", "s3", "cp", "--recursive", str(source), f"{root}/data")
    assert [line.split()[-1] for line in run("aws", "s3", "ls", "--recursive", f"s3://{repository}").splitlines()] == [
        "main/data/a.txt",
        "main/data/deep/b.bin",
    ]
    assert run("aws", "s3", "ls", f"s3://{repository}/").split() == ["PRE", "main/"]
    back = tmp_path / "back"
    run("aws", "s3", "sync", f"{root}/data", str(back))
    assert (back / "deep" / "b.bin").read_bytes() == (source / "deep" / "b.bin").read_bytes()
    assert run("aws", "s3", "sync", str(source), f"{root}/data") == "", "nothing has changed"
    (source / "a.txt").unlink()
    assert "delete" in run("aws", "s3", "sync", "--delete", str(source), f"{root}/data")
    run("aws", "s3", "mv", f"{root}/data/deep/b.bin", f"{root}/moved.bin")
    assert run("aws", "s3", "ls", f"{root}/").split()[-1] == "moved.bin"
    run("aws", "s3", "rm", "--recursive", root)
    assert run("aws", "s3api", "list-objects-v2", "--bucket", repository, "--query", "length(Contents || `[]`)").strip() == "0"


@pytest.fixture
def storage(keys: Keys) -> dict:
    return {
        "key": keys.access_key_id,
        "secret": keys.secret_access_key,
        "client_kwargs": {"endpoint_url": keys.endpoint_url, "region_name": keys.region},
    }


def test_pandas_reads_and_writes_through_s3fs(storage, repository, commit):
    frame = pd.DataFrame({"n": range(100_000), "text": [f"row {n}" for n in range(100_000)]})
    root = f"s3://{repository}/main"
    frame.to_parquet(f"{root}/table.parquet", storage_options=storage)
    frame.to_csv(f"{root}/table.csv", index=False, storage_options=storage)
    first = commit(repository)
    assert pd.read_parquet(f"{root}/table.parquet", storage_options=storage).equals(frame)
    assert pd.read_parquet(f"{root}/table.parquet", columns=["n"], storage_options=storage)["n"].sum() == frame["n"].sum()
    frame.head(10).to_csv(f"{root}/table.csv", index=False, storage_options=storage)
    assert len(pd.read_csv(f"{root}/table.csv", storage_options=storage)) == 10
    assert len(pd.read_csv(f"s3://{repository}/{first}/table.csv", storage_options=storage)) == 100_000


def test_s3fs_walks_and_changes_files(storage, repository):
    files = s3fs.S3FileSystem(**storage, use_listings_cache=False, skip_instance_cache=True)
    root = f"{repository}/main"
    for name in ("a/1.txt", "a/2.txt", "b.txt"):
        with files.open(f"{root}/{name}", "wb") as file:
            file.write(name.encode())
    assert files.find(root) == [f"{root}/a/1.txt", f"{root}/a/2.txt", f"{root}/b.txt"]
    assert sorted(files.ls(root, detail=False)) == [f"{root}/a", f"{root}/b.txt"]
    assert files.ls(repository, detail=False) == [root]
    assert files.isdir(f"{root}/a") and files.isfile(f"{root}/b.txt") and not files.exists(f"{root}/c")
    assert files.glob(f"{root}/a/*.txt") == [f"{root}/a/1.txt", f"{root}/a/2.txt"]
    files.mv(f"{root}/b.txt", f"{root}/c.txt")
    files.rm(f"{root}/a", recursive=True)
    assert files.find(root) == [f"{root}/c.txt"]
    assert files.cat(f"{root}/c.txt") == b"b.txt"


def test_pyarrow_writes_and_reads_datasets(keys: Keys, repository):
    files = pyarrow.fs.S3FileSystem(
        access_key=keys.access_key_id, secret_key=keys.secret_access_key, region=keys.region, scheme="http",
        endpoint_override=keys.endpoint_url.removeprefix("http://"),
    )  # fmt: skip
    root = f"{repository}/main"
    files.create_dir(root)
    with files.open_output_stream(f"{root}/x.bin") as file:
        file.write(b"x" * 100_000)
    with files.open_input_stream(f"{root}/x.bin") as file:
        assert file.read() == b"x" * 100_000
    table = pa.table({"month": [1, 1, 2], "delay": [5, 7, 9]})
    pyarrow.dataset.write_dataset(table, f"{root}/flights", filesystem=files, format="parquet", partitioning=["month"])
    read = pyarrow.dataset.dataset(f"{root}/flights", filesystem=files, format="parquet", partitioning=["month"]).to_table()
    assert sorted(read["delay"].to_pylist()) == [5, 7, 9]
    kind = lambda path: files.get_file_info(path).type
    types = pyarrow.fs.FileType
    assert [kind(f"{root}/flights"), kind(f"{root}/x.bin"), kind(root), kind(f"{root}/none")] == [
        types.Directory, types.File, types.Directory, types.NotFound,
    ]  # fmt: skip
    files.delete_dir(f"{root}/flights")
    files.delete_file(f"{root}/x.bin")
    assert kind(f"{root}/x.bin") == types.NotFound
    with pytest.raises(OSError):
        files.open_output_stream(f"{repository}/nowhere/x").close()


def test_dvc_pushes_to_and_pulls_from_a_repository(run, s3, unique, tmp_path):
    bucket = unique("dvc")
    s3.create_bucket(Bucket=bucket)
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    for number in range(20):
        (project / "data" / f"{number}.txt").write_text(f"file {number}\n" * 100)
    run("dvc", "init", "--no-scm", folder=project)
    run("dvc", "remote", "add", "-d", "lathe", f"s3://{bucket}/cache", folder=project)
    run("dvc", "add", "data", folder=project)
    assert "21 files pushed" in run("dvc", "push", folder=project)
    assert "up to date" in run("dvc", "push", folder=project)
    for path in (project / "data").iterdir():
        path.unlink()
    run("rm", "-rf", ".dvc/cache", "data", folder=project)
    run("dvc", "pull", folder=project)
    assert (project / "data" / "7.txt").read_text() == "file 7\n" * 100
