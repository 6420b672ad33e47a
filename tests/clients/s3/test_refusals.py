"""Requests that the S3 door must refuse, each in S3's own dialect; and who may do what in login mode."""

import base64
import datetime
import http.client
import zlib
from collections.abc import Callable

import botocore.auth
import pytest
import requests
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from support.http import Http
from support.servers import LatheServer

from .answers import code_of, keys_in
from .conftest import Keys, keys_of
from .signing import send, signed

pytestmark = pytest.mark.lathe_only

PASSWORD = "correct horse battery staple"


def test_a_request_must_be_signed_freshly_and_rightly(keys: Keys, s3, repository, monkeypatch):
    path = f"{repository}/main/x"
    status, text = send(signed(keys, "PUT", path, body=b"good"))
    assert status == 200, text
    for method in ("GET", "PUT", "DELETE"):
        answer = requests.request(method, f"{keys.endpoint_url}/{path}", timeout=30)
        assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True), (method, answer.text)
    status, text = send(signed(keys, "PUT", path, secret="wrong", body=b"bad"))
    assert (status, "SignatureDoesNotMatch" in text, "<Message>the signature" in text) == (403, True, True), text
    status, text = send(signed(keys, "PUT", path, body=b"signed"), body=b"forged")
    assert (status, "XAmzContentSHA256Mismatch" in text) == (400, True), text
    unknown = Keys(keys.endpoint_url, keys.region, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    status, text = send(signed(unknown, "GET", path))
    assert (status, "InvalidAccessKeyId" in text) == (403, True), text
    old = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(hours=2)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: old)
    status, text = send(signed(keys, "GET", path))
    assert (status, "RequestTimeTooSkewed" in text) == (403, True), text
    monkeypatch.undo()
    assert s3.get_object(Bucket=repository, Key="main/x")["Body"].read() == b"good"


def test_a_presigned_url_ends(keys: Keys, repository, monkeypatch):
    where, week = {"Bucket": repository, "Key": "main/signed"}, 7 * 24 * 3600
    s3, s3_of_old = keys.boto3(), keys.boto3(signature_version="s3")
    s3.put_object(**where, Body=b"kept")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)

    def signed_at(offset: datetime.timedelta, method: str, seconds: int) -> str:
        request = AWSRequest(method=method, url=f"{keys.endpoint_url}/{repository}/main/signed")
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: now + offset)
        credentials = Credentials(keys.access_key_id, keys.secret_access_key)
        botocore.auth.S3SigV4QueryAuth(credentials, "s3", keys.region, expires=seconds).add_auth(request)
        monkeypatch.undo()
        return request.url

    ago, at_once = datetime.timedelta(hours=-1), datetime.timedelta()
    assert requests.get(signed_at(ago, "GET", 2 * 3600), timeout=30).content == b"kept"
    assert requests.get(signed_at(at_once, "GET", week), timeout=30).content == b"kept"
    for method, operation in (("GET", "get_object"), ("HEAD", "head_object"), ("PUT", "put_object"), ("DELETE", "delete_object")):
        ended = signed_at(ago, method, 3500)
        # Boto3's own choice for URLs is the older signature, which says when it ends.
        for url in (ended, s3_of_old.generate_presigned_url(operation, Params=where, ExpiresIn=-1)):
            answer = requests.request(method, url, data=b"late" if method == "PUT" else None, timeout=30)
            assert answer.status_code == 403, (method, url, answer.text)
            assert method == "HEAD" or ("<Code>AccessDenied</Code>" in answer.text and "expired" in answer.text), answer.text
        # Whoever writes a longer life into it breaks the signature.
        longer = requests.request(method, ended.replace("X-Amz-Expires=3500", "X-Amz-Expires=36000"), timeout=30)
        assert longer.status_code == 403, (method, longer.text)
    for url, code in (
        (signed_at(at_once, "GET", week + 1), "AuthorizationQueryParametersError"),
        (s3_of_old.generate_presigned_url("get_object", Params=where, ExpiresIn=week + 60), "AuthorizationQueryParametersError"),
        (signed_at(datetime.timedelta(hours=2), "GET", 60), "RequestTimeTooSkewed"),
    ):
        answer = requests.get(url, timeout=30)
        assert answer.status_code in (400, 403) and f"<Code>{code}</Code>" in answer.text, (url, answer.text)
    assert s3.get_object(**where)["Body"].read() == b"kept"


def test_a_form_is_refused_before_it_is_read(keys: Keys, s3, repository):
    """Whoever sends one: the library would read up to 5 GB of it into memory before it looks at the key."""
    host = keys.endpoint_url.removeprefix("http://")
    for path in (repository, f"{repository}/main/x", ""):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.putrequest("POST", f"/{path}")
        connection.putheader("Content-Type", "Multipart/Form-Data; boundary=x")
        connection.putheader("Content-Length", str(4 * 1024**3))
        connection.endheaders(
            b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nmain/x\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nthe beginning'
        )
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (501, "close"), path
        assert b"<Code>NotImplemented</Code>" in answer.read()
        connection.close()
    form = s3.generate_presigned_post(repository, "main/x")
    answer = requests.post(form["url"], data=form["fields"], files={"file": b"by form"}, timeout=30)
    assert (answer.status_code, "<Code>NotImplemented</Code>" in answer.text) == (501, True), answer.text
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == []


def test_an_announced_checksum_must_come(keys: Keys, s3, repository):
    right = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big")).decode()
    for trailer, status, code in (("", 400, "MalformedTrailerError"), ("x-amz-checksum-crc32:AAAAAA==\r\n", 400, "BadDigest"),
                                  (f"x-amz-checksum-crc32:{right}\r\n", 200, "")):  # fmt: skip
        request = AWSRequest(method="PUT", url=f"{keys.endpoint_url}/{repository}/main/x", data=f"3\r\nabc\r\n0\r\n{trailer}\r\n".encode())
        for name, value in {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": "3", "content-encoding": "aws-chunked"}.items():
            request.headers[name] = value
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        botocore.auth.S3SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key), "s3", keys.region).add_auth(request)
        found, text = send(request)
        assert (found, code in text) == (status, True), (trailer, text)
        assert keys_in(s3.list_objects_v2(Bucket=repository)) == (["main/x"] if status == 200 else [])


def test_odd_requests_get_a_clear_answer(keys: Keys, repository):
    for method, path in [
        ("GET", "%ff%fe"), ("GET", "UPPER_case!"), ("PUT", f"{repository}?policy"), ("POST", f"{repository}?delete"),
        ("GET", f"{repository}?list-type=2&max-keys=-1"), ("GET", f"{repository}?list-type=2&continuation-token=%21"),
        ("PUT", f"{repository}/main/%00"), ("POST", f"{repository}/main/x?uploadId=nothing"),
        ("PUT", f"{repository}/main/x?uploadId=nothing&partNumber=0"), ("PUT", f"{repository}/main/" + "k" * 1100),
        ("GET", f"{repository}/main/x?versionId=../.."), ("PATCH", repository),
    ]:  # fmt: skip
        status, text = send(signed(keys, method, path))
        assert 400 <= status < 500 or status == 501, (method, path, status, text)
    for path, code, message in [
        (f"{repository}/main/" + "k" * 1100, "KeyTooLongError", "a key has at most 1024 bytes"),
        ("UPPER_case!", "InvalidBucketName", "a bucket is a repository"),
    ]:
        status, text = send(signed(keys, "PUT", path))
        assert (status, f"<Code>{code}</Code><Message>{message}" in text) == (400, True), text
    headers = {"x-amz-copy-source": "nonsense", "range": "bytes=9-1"}
    request = signed(keys, "PUT", f"{repository}/main/x")
    for name, value in headers.items():
        request.headers[name] = value
    status, text = send(request)
    assert 400 <= status < 500, text


def test_a_clients_mistakes_are_no_errors_of_the_server(make_lathe):
    server = make_lathe().start()
    keys = keys_of(Http(server.url))
    for method, path in [("GET", "UPPER_case!"), ("GET", "nothing-here/main/x"), ("PUT", "nothing-here?policy"), ("PUT", "a/" + "k" * 1100)]:
        assert send(signed(keys, method, path))[0] in (400, 404, 501)
    server.stop()
    assert "listening" in server.log() and "ERROR" not in server.log(), server.log()


@pytest.fixture(scope="module")
def secured(make_lathe) -> LatheServer:
    return make_lathe("--login", environment={"LATHE_ADMIN_PASSWORD": PASSWORD}).start()


@pytest.fixture(scope="module")
def admin(secured: LatheServer) -> Http:
    return Http.with_login(secured.url, "admin", PASSWORD)


@pytest.fixture
def make_keys(secured: LatheServer, admin: Http) -> Callable[..., Keys]:
    """The key pair of a service token with a role in a project."""

    def make(name: str, role: str, project: str = "default", **more) -> Keys:
        body = {"name": name, "kind": "service", "role": role, **more}
        made = admin.ok_any(admin.post(f"/p/{project}/api/v1/tokens", body))
        http = Http(secured.url, {"Authorization": f"Bearer {made['token']}"})
        keys = keys_of(http, project)
        assert made["s3"] == {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        return keys

    return make


def test_keys_do_what_their_token_may(admin: Http, make_keys, unique):
    repository = unique("repo")
    admin.ok_any(admin.post("/api/v1/repos", {"name": repository}))
    writer, reader = make_keys(unique("w"), "contributor").boto3(), make_keys(unique("r"), "viewer").boto3()
    narrow = make_keys(unique("n"), "contributor", scope="read").boto3()
    writer.put_object(Bucket=repository, Key="main/x", Body=b"x")
    for client in (reader, narrow):
        assert client.get_object(Bucket=repository, Key="main/x")["Body"].read() == b"x"
        assert code_of(lambda: client.put_object(Bucket=repository, Key="main/x", Body=b"y")) == "AccessDenied"
        assert code_of(lambda: client.delete_object(Bucket=repository, Key="main/x")) == "AccessDenied"
        assert code_of(lambda: client.create_bucket(Bucket=unique("b"))) == "AccessDenied"
    assert code_of(lambda: writer.delete_bucket(Bucket=repository)) == "AccessDenied"


def test_another_projects_repository_does_not_exist(admin: Http, make_keys, unique):
    project, repository = unique("fraud"), unique("secret")
    admin.ok_any(admin.post("/api/v1/projects", {"name": project}))
    insider = make_keys(unique("in"), "contributor", project)
    assert insider.access_key_id.endswith(f".{project}")
    insider.boto3().create_bucket(Bucket=repository)
    insider.boto3().put_object(Bucket=repository, Key="x", Body=b"x")
    outsider = make_keys(unique("out"), "admin").boto3()
    assert repository not in [entry["Name"] for entry in outsider.list_buckets()["Buckets"]]
    for action in (
        lambda: outsider.list_objects_v2(Bucket=repository),
        lambda: outsider.get_object(Bucket=repository, Key="x"),
        lambda: outsider.put_object(Bucket=repository, Key="x", Body=b"y"),
        lambda: outsider.list_objects_v2(Bucket=unique("never-made")),
    ):
        assert code_of(action) == "NoSuchBucket"
    # Nor does a name tell: another project may have a repository of the same one.
    outsider.create_bucket(Bucket=repository)
    outsider.put_object(Bucket=repository, Key="x", Body=b"y")
    assert insider.boto3().get_object(Bucket=repository, Key="x")["Body"].read() == b"x"
    # A key that names a project in which its token has no role.
    reaching = Keys(insider.endpoint_url, insider.region, insider.access_key_id.split(".")[0], insider.secret_access_key)
    assert code_of(lambda: reaching.boto3().list_buckets()) == "AccessDenied"


def test_keys_end_with_their_token(admin: Http, secured: LatheServer, unique):
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": unique("t"), "kind": "service", "role": "viewer"}))
    keys = keys_of(Http(secured.url, {"Authorization": f"Bearer {made['token']}"}))
    keys.boto3().list_buckets()
    admin.ok_any(admin.request("DELETE", f"/api/v1/tokens/{made['id']}"))
    assert code_of(lambda: keys.boto3().list_buckets()) == "InvalidAccessKeyId"


def test_a_password_has_no_keys_and_nobody_has_none(admin: Http, secured: LatheServer):
    assert admin.get("/api/v1/s3-credentials").status_code == 400
    assert Http(secured.url).get("/api/v1/s3-credentials").status_code == 401
    local = Keys(keys_of_endpoint(secured, admin), "us-east-1", "LTHKlocal", "x" * 43)
    with pytest.raises(ClientError) as refused:
        local.boto3().list_buckets()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def keys_of_endpoint(secured: LatheServer, admin: Http) -> str:
    made = admin.ok_any(admin.post("/api/v1/tokens", {"name": "endpoint", "kind": "service", "role": "viewer"}))
    return keys_of(Http(secured.url, {"Authorization": f"Bearer {made['token']}"})).endpoint_url


def test_a_killed_server_keeps_every_part_and_every_file(make_lathe, unique):
    server = make_lathe()
    server.start()
    http = Http(server.url)
    repository = unique("repo")
    http.ok_any(http.post("/api/v1/repos", {"name": repository}))
    s3 = keys_of(http).boto3()
    s3.put_object(Bucket=repository, Key="main/before", Body=b"before")
    name = {"Bucket": repository, "Key": "main/parts"}
    name |= {"UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    one = s3.upload_part(**name, PartNumber=1, Body=b"x" * (5 * 1024 * 1024))["ETag"]
    server.kill()
    server.start()
    keys = keys_of(Http(server.url))
    s3 = keys.boto3()
    two = s3.upload_part(**name, PartNumber=2, Body=b"tail")["ETag"]
    parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
    server.kill()
    server.start()
    s3 = keys_of(Http(server.url)).boto3()
    assert s3.get_object(Bucket=repository, Key="main/parts")["Body"].read() == b"x" * (5 * 1024 * 1024) + b"tail"
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == ["main/before", "main/parts"]


def test_in_local_mode_other_peoples_tokens_say_nothing(server_url: str, keys: Keys):
    for token in ("lth_" + "x" * 43, "nonsense"):
        assert keys_of(Http(server_url, {"Authorization": f"Bearer {token}"})) == keys
