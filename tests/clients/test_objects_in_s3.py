"""Artifacts in an S3 bucket instead of local files: the client notices no difference."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import boto3
import mlflow
import pytest
from mlflow import MlflowClient

from support.cli import run_lathe
from support.http import Http
from support.paths import SCRIPTS
from support.servers import LatheServer

pytestmark = pytest.mark.lathe_only


@pytest.fixture(scope="module")
def s3() -> dict[str, str]:
    """The settings of a running S3 server, as environment variables."""
    printed = subprocess.run([str(SCRIPTS / "s3-server.sh"), "start"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split("=", 1) for line in printed.split())


@pytest.fixture(scope="module")
def prefix() -> str:
    return f"clients-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def server(make_lathe, s3: dict[str, str], prefix: str) -> LatheServer:
    place = f"s3://{s3['LATHE_TEST_S3_BUCKET']}/{prefix}"
    # Plain HTTP is what a test's server speaks; the object store client wants to be told.
    environment = s3 | {"AWS_ALLOW_HTTP": "true", "AWS_DEFAULT_REGION": s3["AWS_REGION"]}
    return make_lathe("--objects", place, environment=environment).start()


@pytest.fixture
def s3_client(server: LatheServer, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url, server.url)


def bucket_keys(s3: dict[str, str], prefix: str) -> list[str]:
    bucket = boto3.client(
        "s3",
        endpoint_url=s3["AWS_ENDPOINT_URL"],
        aws_access_key_id=s3["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=s3["AWS_SECRET_ACCESS_KEY"],
        region_name=s3["AWS_REGION"],
    )
    return [
        entry["Key"] for entry in bucket.list_objects_v2(Bucket=s3["LATHE_TEST_S3_BUCKET"], Prefix=prefix).get("Contents", [])
    ]


def test_files_go_up_to_the_bucket_and_come_down(s3_client: MlflowClient, s3, prefix: str, tmp_path: Path) -> None:
    run_id = s3_client.create_run("0").info.run_id
    expected = {"small.txt": b"hello", "folder/large.bin": os.urandom(20_000_000), "folder/sub/empty": b""}
    for path, content in expected.items():
        (tmp_path / "up" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / path).write_bytes(content)
    s3_client.log_artifacts(run_id, str(tmp_path / "up"))
    assert bucket_keys(s3, prefix), "the blobs are in the bucket"
    (tmp_path / "down").mkdir()
    whole = Path(s3_client.download_artifacts(run_id, "", str(tmp_path / "down")))
    found = {str(path.relative_to(whole)): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert found == expected
    assert [entry.path for entry in s3_client.list_artifacts(run_id, "folder")] == ["folder/large.bin", "folder/sub"]


def test_a_range_of_a_file_in_the_bucket_is_answered(server: LatheServer, s3_client: MlflowClient) -> None:
    run = s3_client.create_run("0")
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run.info.run_id}/artifacts/ranged"
    data = os.urandom(1_000_000)
    http = Http(server.url)
    assert http.request("PUT", path, data=data).status_code == 200
    response = http.request("GET", path, headers={"Range": "bytes=500000-500099"})
    assert (response.status_code, response.content) == (206, data[500_000:500_100])


def test_artifacts_are_still_there_after_a_restart(server: LatheServer, s3_client: MlflowClient) -> None:
    run_id = s3_client.create_run("0").info.run_id
    s3_client.log_text(run_id, "kept", "note.txt")
    assert server.stop() == 0
    server.start()
    mlflow.set_tracking_uri(server.url)
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt") == "kept"


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("place", "environment", "said"),
    [
        ("s3://no-such-bucket-of-lathe/x", {}, "its bucket does not exist"),
        ("s3://{bucket}/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer"),
        ("ftp://x", {}, "must start with file:// or s3://"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_at_once(s3: dict[str, str], tmp_path: Path, place: str, environment, said: str) -> None:
    place = place.format(bucket=s3["LATHE_TEST_S3_BUCKET"])
    stores = ("--data-dir", str(tmp_path / "data"), "--objects", place)
    known = {key: value for key, value in (s3 | environment).items() if key.startswith("AWS_")}
    # Nothing listens at port 9: only this machine's stores are examined.
    examined = run_lathe("http://127.0.0.1:9", "doctor", "-o", "json", *stores, **known)
    checks = {check["check"]: check for check in json.loads(examined.stdout)}
    assert examined.returncode == 1 and checks["object store"]["state"] == "fail", examined.stdout
    assert said in checks["object store"]["found"]
    assert checks["object store"]["advice"]
    assert not (tmp_path / "data").exists(), "examining makes nothing"
    ended = run_lathe("http://x", "serve", "--listen", "127.0.0.1:0", "--s3-listen", "off", *stores, **known)
    assert ended.returncode not in (0, 101), ended.stderr
    assert said in ended.stderr and "hint: " in ended.stderr
    assert "listening" not in ended.stderr


@pytest.mark.any_database
def test_credentials_that_a_store_refuses_are_told_at_once(make_lathe, tmp_path: Path) -> None:
    """The S3 door of another Lathe, which looks at signatures, is the store."""
    other = make_lathe().start()
    keys = Http(other.url).ok(Http(other.url).get("/api/v1/s3-credentials"))
    known = {"AWS_ENDPOINT_URL": keys["endpoint_url"], "AWS_REGION": keys["region"], "AWS_ACCESS_KEY_ID": keys["access_key_id"]}
    stores = ("--data-dir", str(tmp_path / "data"), "--objects", "s3://bucket/x")
    for secret, said in (("wrong", "its credentials are refused"), (keys["secret_access_key"], "its bucket does not exist")):
        ended = run_lathe("http://x", "serve", "--listen", "127.0.0.1:0", *stores, **known, AWS_SECRET_ACCESS_KEY=secret)
        assert ended.returncode not in (0, 101) and said in ended.stderr, ended.stderr


@pytest.mark.any_database
def test_doctor_finds_a_store_that_can_be_used(s3: dict[str, str], tmp_path: Path) -> None:
    known = {key: value for key, value in s3.items() if key.startswith("AWS_")}
    place = f"s3://{s3['LATHE_TEST_S3_BUCKET']}/none-yet"
    examined = run_lathe("http://127.0.0.1:9", "doctor", "-o", "json", "--data-dir", str(tmp_path), "--objects", place, **known)
    checks = {check["check"]: check["state"] for check in json.loads(examined.stdout)}
    assert checks["object store"] == "ok", examined.stdout
