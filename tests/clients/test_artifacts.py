"""Artifacts through MLflow's client: files and folders up and down, listing, odd names, large files."""

import hashlib
import os
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

ODD_NAMES = [
    "with space.txt",
    "größe-实验-🚀.txt",
    "a+b&c=d.txt",
    "comma,semi;colon.txt",
    "per%20cent.txt",
    "quote'.txt",
    "(brackets)[square]{curly}.txt",
    "~tilde^caret`tick.txt",
    "no_extension",
    ".hidden",
    "trailing.dot.",
    "UPPER.TXT",
    "tar.gz.b64.json.html",
    "x" * 200 + ".txt",
]


def names(client: MlflowClient, run_id: str, path: str | None = None) -> list[tuple[str, bool, int | None]]:
    return [(entry.path, entry.is_dir, entry.file_size) for entry in client.list_artifacts(run_id, path)]


def download(run_id: str, path: str, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=str(target)))


def test_a_file_goes_up_and_comes_down(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    source = tmp_path / "data.bin"
    source.write_bytes(os.urandom(100_000))
    client.log_artifact(run_id, str(source))
    client.log_artifact(run_id, str(source), "some/folder")
    assert names(client, run_id) == [("data.bin", False, 100_000), ("some", True, None)]
    assert names(client, run_id, "some") == [("some/folder", True, None)]
    assert names(client, run_id, "some/folder") == [("some/folder/data.bin", False, 100_000)]
    assert download(run_id, "some/folder/data.bin", tmp_path / "down").read_bytes() == source.read_bytes()


def test_an_empty_file_stays_an_empty_file(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    client.log_artifact(run_id, str(tmp_path / "empty.txt"))
    (found,) = client.list_artifacts(run_id)
    assert (found.path, found.is_dir, found.file_size or 0) == ("empty.txt", False, 0)
    assert download(run_id, "empty.txt", tmp_path / "down").read_bytes() == b""


def test_a_folder_tree_goes_up_and_comes_down(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    expected: dict[str, bytes] = {}
    for path in ("top.txt", "a/one.txt", "a/b/two.bin", "a/b/c/d/e/deep.txt", "z/last"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        expected[path] = os.urandom(1000)
        (source / path).write_bytes(expected[path])
    client.log_artifacts(run_id, str(source), "kept")
    assert names(client, run_id, "kept") == [("kept/a", True, None), ("kept/top.txt", False, 1000), ("kept/z", True, None)]
    whole = download(run_id, "kept", tmp_path / "down")
    found = {str(path.relative_to(whole)): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert found == expected
    part = download(run_id, "kept/a/b", tmp_path / "part")
    assert (part / "c/d/e/deep.txt").read_bytes() == expected["a/b/c/d/e/deep.txt"]


def test_everything_of_a_run_is_downloaded_at_once(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    client.log_text(run_id, "1", "one.txt")
    client.log_text(run_id, "2", "folder/two.txt")
    whole = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    assert (whole / "one.txt").read_text() == "1"
    assert (whole / "folder/two.txt").read_text() == "2"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_file_names_survive(client: MlflowClient, run_id: str, tmp_path: Path, name: str) -> None:
    source = tmp_path / "up" / name
    source.parent.mkdir()
    source.write_text(f"I am {name}")
    client.log_artifact(run_id, str(source), "odd")
    listed = [entry.path for entry in client.list_artifacts(run_id, "odd")]
    # MLflow's client does not quote what it puts into the URL: `%20` in a name arrives as a space, at every server.
    expected = "per cent.txt" if name == "per%20cent.txt" else name
    assert listed == [f"odd/{expected}"]
    assert download(run_id, "odd", tmp_path / "down").joinpath(expected).read_text() == f"I am {name}"


def test_a_second_upload_replaces_the_first(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    client.log_text(run_id, "first, and longer", "note.txt")
    client.log_text(run_id, "second", "note.txt")
    assert names(client, run_id) == [("note.txt", False, 6)]
    assert download(run_id, "note.txt", tmp_path).read_text() == "second"


def test_a_large_file_goes_up_and_comes_down(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    source = tmp_path / "large.bin"
    block = os.urandom(1024 * 1024)
    with source.open("wb") as file:
        for number in range(100):
            file.write(number.to_bytes(4, "big") + block[4:])
    client.log_artifact(run_id, str(source))
    assert names(client, run_id) == [("large.bin", False, 100 * 1024 * 1024)]
    found = download(run_id, "large.bin", tmp_path / "down")
    with source.open("rb") as sent, found.open("rb") as received:
        assert hashlib.file_digest(sent, "sha256").digest() == hashlib.file_digest(received, "sha256").digest()


def test_an_empty_run_lists_nothing(client: MlflowClient, run_id: str) -> None:
    assert client.list_artifacts(run_id) == []
    assert client.list_artifacts(run_id, "nothing/here") == []


def test_listing_a_file_answers_nothing(client: MlflowClient, run_id: str) -> None:
    client.log_text(run_id, "x", "folder/file.txt")
    assert client.list_artifacts(run_id, "folder/file.txt") == []


def test_a_similar_prefix_is_another_folder(client: MlflowClient, run_id: str) -> None:
    client.log_text(run_id, "x", "model/a.txt")
    client.log_text(run_id, "x", "model-2/b.txt")
    client.log_text(run_id, "x", "model.txt")
    assert [path for path, _, _ in names(client, run_id, "model")] == ["model/a.txt"]
    assert [path for path, _, _ in names(client, run_id)] == ["model", "model-2", "model.txt"]


def test_a_missing_artifact_is_an_error(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    with pytest.raises(MlflowException):
        download(run_id, "nothing.txt", tmp_path)


@pytest.mark.parametrize("path", ["..", "../..", "a/../../b", "/etc", "..%2f.."])
def test_paths_that_leave_the_run_are_refused(client: MlflowClient, run_id: str, path: str) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        client.list_artifacts(run_id, path)
    assert refused.value.response.status_code == 400
    assert refused.value.response.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_many_small_files_are_all_listed(client: MlflowClient, run_id: str, tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / f"{number:03}.txt").write_text(str(number))
    client.log_artifacts(run_id, str(tmp_path), "many")
    listed = client.list_artifacts(run_id, "many")
    assert [entry.path for entry in listed] == [f"many/{number:03}.txt" for number in range(150)]


def test_artifacts_of_two_runs_do_not_mix(client: MlflowClient, experiment_id: str) -> None:
    first, second = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.log_text(first, "1", "a.txt")
    client.log_text(second, "2", "b.txt")
    assert [path for path, _, _ in names(client, first)] == ["a.txt"]
    assert mlflow.artifacts.load_text(f"runs:/{second}/b.txt") == "2"


def test_artifacts_are_deleted_through_the_repository(client: MlflowClient, run_id: str, server_url: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client.log_text(run_id, "1", "folder/a.txt")
    client.log_text(run_id, "2", "folder/b.txt")
    client.log_text(run_id, "3", "kept.txt")
    repository = get_artifact_repository(client.get_run(run_id).info.artifact_uri, tracking_uri=server_url)
    repository.delete_artifacts("folder/a.txt")
    assert [path for path, _, _ in names(client, run_id, "folder")] == ["folder/b.txt"]
    repository.delete_artifacts("folder")
    assert names(client, run_id) == [("kept.txt", False, 1)]
