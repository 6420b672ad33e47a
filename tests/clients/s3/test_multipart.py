"""Uploads in parts through the S3 door, by an unmodified boto3."""

import base64
import hashlib
import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from support.waiting import wait_for

from .answers import code_of, keys_in, prefixes_in
from .conftest import Keys
from .signing import signed

pytestmark = pytest.mark.lathe_only

MIB = 1024 * 1024


def test_large_files_go_up_and_down_in_parts(s3, repository):
    body = bytes(range(256)) * (17 * 1024 * 4)  # 17 MiB
    settings = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(body), repository, "main/big", ExtraArgs={"Metadata": {"a": "b"}}, Config=settings)
    head = s3.head_object(Bucket=repository, Key="main/big")
    parts = [hashlib.md5(body[at : at + 5 * MIB]).digest() for at in range(0, len(body), 5 * MIB)]
    assert head["ETag"] == f'"{hashlib.md5(b"".join(parts)).hexdigest()}-4"'
    assert (head["ContentLength"], head["Metadata"]) == (len(body), {"a": "b"})
    back = io.BytesIO()
    s3.download_fileobj(repository, "main/big", back, Config=settings)
    assert back.getvalue() == body
    assert s3.list_multipart_uploads(Bucket=repository).get("Uploads", []) == []


def test_uploads_in_parts_step_by_step(s3, repository):
    where = {"Bucket": repository, "Key": "main/parts"}
    upload = s3.create_multipart_upload(**where, ContentType="text/parts")["UploadId"]
    name = where | {"UploadId": upload}
    part = lambda number, body: s3.upload_part(**name, PartNumber=number, Body=body)["ETag"]
    two = part(2, b"tail")
    part(1, b"replaced" * MIB)
    one = part(1, b"x" * (5 * MIB))
    listed = s3.list_parts(**name)["Parts"]
    assert [(entry["PartNumber"], entry["Size"], entry["ETag"]) for entry in listed] == [(1, 5 * MIB, one), (2, 4, two)]
    none = s3.list_parts(**name, MaxParts=0)
    assert (none.get("Parts", []), none["IsTruncated"]) == ([], False)
    page = s3.list_parts(**name, MaxParts=1)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 1)
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=repository)["Uploads"]] == ["main/parts"]
    complete = lambda *parts: s3.complete_multipart_upload(
        **name, MultipartUpload={"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in parts]}
    )
    assert code_of(lambda: complete((2, two), (1, one))) == "InvalidPartOrder"
    assert code_of(lambda: complete((1, two))) == "InvalidPart"
    assert code_of(lambda: complete((1, one), (3, two))) == "InvalidPart"
    assert code_of(lambda: s3.head_object(**where)) == "404"
    done = complete((1, one), (2, two))
    got = s3.get_object(**where)
    assert (got["Body"].read(), got["ContentType"]) == (b"x" * (5 * MIB) + b"tail", "text/parts")
    # A client whose answer got lost asks again; for anything else the upload has ended.
    assert complete((1, one), (2, two))["ETag"] == done["ETag"]
    assert code_of(lambda: complete((1, one))) == "NoSuchUpload"
    # Given up, too small, and a part that is a copy.
    gone = s3.create_multipart_upload(**where)["UploadId"]
    s3.abort_multipart_upload(**where, UploadId=gone)
    assert code_of(lambda: s3.upload_part(**where, UploadId=gone, PartNumber=1, Body=b"x")) == "NoSuchUpload"
    name = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    source = {"CopySource": f"{repository}/main/parts", "CopySourceRange": "bytes=0-9"}
    small = s3.upload_part_copy(**name, PartNumber=1, **source)["CopyPartResult"]["ETag"]
    assert code_of(lambda: complete((1, small), (2, part(2, b"y")))) == "EntityTooSmall"
    complete((1, small))
    assert s3.get_object(**where)["Body"].read() == b"x" * 10


def test_a_completion_with_other_bytes_than_it_says_publishes_nothing(s3, repository):
    where, bodies = {"Bucket": repository, "Key": "main/parts"}, [b"x" * (5 * MIB), b"tail"]
    name = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    put = [s3.upload_part(**name, PartNumber=number, Body=body) for number, body in enumerate(bodies, 1)]
    crc = lambda body: zlib.crc32(body).to_bytes(4, "big")
    text = lambda digest: base64.b64encode(digest).decode()
    named = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(put, 1)]
    summed = [part | {"ChecksumCRC32": text(crc(body))} for part, body in zip(named, bodies, strict=True)]
    full, composite = text(crc(b"".join(bodies))), text(crc(b"".join(map(crc, bodies)))) + "-2"
    sha = text(hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).digest())
    assert [part["ChecksumCRC32"] for part in put] == [part["ChecksumCRC32"] for part in summed]
    complete = lambda parts, **more: s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}, **more)
    for parts, more, code in [
        (named, {"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        (named, {"ChecksumCRC32": full, "ChecksumType": "COMPOSITE"}, "BadDigest"),
        (named, {"ChecksumCRC32": composite.removesuffix("-2"), "ChecksumType": "FULL_OBJECT"}, "BadDigest"),
        (named, {"ChecksumCRC32": composite.removesuffix("-2") + "-3"}, "BadDigest"),
        (named, {"ChecksumSHA256": text(bytes(32))}, "BadDigest"),
        (named, {"ChecksumSHA256": sha, "ChecksumType": "FULL_OBJECT"}, "InvalidRequest"),
        (named, {"ChecksumCRC64NVME": text(bytes(8)), "ChecksumType": "COMPOSITE"}, "InvalidRequest"),
        (named, {"ChecksumCRC32": "nonsense"}, "InvalidRequest"),
        ([summed[0] | {"ChecksumCRC32": "AAAAAA=="}, summed[1]], {}, "BadDigest"),
        ([summed[0], summed[1] | {"ChecksumSHA1": text(bytes(20))}], {}, "BadDigest"),
        (named, {"MpuObjectSize": 5}, "InvalidRequest"),
    ]:  # fmt: skip
        assert code_of(lambda parts=parts, more=more: complete(parts, **more)) == code, (parts, more)
        assert code_of(lambda: s3.head_object(**where)) == "404", "nothing is there"
    again = lambda: s3.create_multipart_upload(**where)["UploadId"]
    for parts, more, answered in [
        (named, {"ChecksumCRC32": full}, (full, "FULL_OBJECT")),
        (named, {"ChecksumCRC32": full, "ChecksumType": "FULL_OBJECT", "MpuObjectSize": 5 * MIB + 4}, (full, "FULL_OBJECT")),
        (named, {"ChecksumCRC32": composite}, (composite, "COMPOSITE")),
        (summed, {}, (composite, "COMPOSITE")),
        (named, {"ChecksumSHA256": sha}, (None, "COMPOSITE")),
        (named, {}, (None, None)),
    ]:  # fmt: skip
        done = complete(parts, **more)
        assert (done.get("ChecksumCRC32"), done.get("ChecksumType")) == answered, (parts, more)
        assert s3.get_object(**where)["Body"].read() == b"".join(bodies)
        s3.delete_object(**where)
        name = where | {"UploadId": again()}
        for number, body in enumerate(bodies, 1):
            s3.upload_part(**name, PartNumber=number, Body=body)


@pytest.fixture
def large(s3, repository) -> Callable[..., tuple[dict, list[dict], str]]:
    """Sends the parts of a file whose completion is answered before it is done; answers where, the parts, and their tag."""

    def send(key: str) -> tuple[dict, list[dict], str]:
        where = {"Bucket": repository, "Key": key}
        name = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
        bodies = [bytes([number]) * (22 * MIB) for number in (1, 2, 3)]
        parts = [{"PartNumber": at, "ETag": s3.upload_part(**name, PartNumber=at, Body=body)["ETag"]} for at, body in enumerate(bodies, 1)]
        tag = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
        return name, parts, f'"{tag}-3"'

    return send


def test_the_completion_of_a_large_upload_says_at_its_end_how_it_went(s3, large):
    name, parts, tag = large("main/large")
    where = {"Bucket": name["Bucket"], "Key": name["Key"]}
    complete = lambda **more: s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}, **more)
    # What can be known at once is said at once.
    assert code_of(lambda: complete(MpuObjectSize=5)) == "InvalidRequest"
    with pytest.raises(ClientError) as refused:
        complete(ChecksumCRC32="AAAAAA==")
    assert refused.value.response["Error"]["Code"] == "BadDigest"
    assert code_of(lambda: s3.head_object(**where)) == "404", "nothing is there"
    done = complete()
    assert (done["ETag"], done["Key"], s3.head_object(**where)["ETag"]) == (tag, "main/large", tag)


def test_a_large_upload_is_completed_once_however_often_it_is_asked_for(s3, large):
    name, parts, tag = large("main/large")
    complete = lambda: s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})["ETag"]
    with ThreadPoolExecutor(4) as pool:
        # Whether they come while the file is made or when it is there already.
        answers = [pool.submit(complete) for _ in range(4)]
        assert [answer.result() for answer in answers] == [tag] * 4
    assert complete() == tag


def test_a_completion_outlives_who_asked_for_it(s3, keys: Keys, large):
    name, parts, tag = large("main/large")
    named = "".join(f"<Part><PartNumber>{part['PartNumber']}</PartNumber><ETag>{part['ETag']}</ETag></Part>" for part in parts)
    request = signed(
        keys, "POST", f"{name['Bucket']}/{name['Key']}?uploadId={name['UploadId']}",
        body=f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode(),
    ).prepare()  # fmt: skip
    with requests.post(request.url, data=request.body, headers=dict(request.headers), stream=True, timeout=30) as answer:
        assert answer.status_code == 200
    where = {"Bucket": name["Bucket"], "Key": name["Key"]}
    wait_for("the file", lambda: keys_in(s3.list_objects_v2(Bucket=name["Bucket"])) == [name["Key"]])
    assert s3.head_object(**where)["ETag"] == tag


def test_an_upload_keeps_to_the_checksum_that_it_announces(s3, repository):
    where, bodies = {"Bucket": repository, "Key": "main/parts"}, [b"x" * (5 * MIB), b"tail"]
    begin = lambda **announced: s3.create_multipart_upload(**where, **announced)
    for refused in ({"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}, {"ChecksumType": "FULL_OBJECT"},
                    {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"}, {"ChecksumAlgorithm": "MD5"}):  # fmt: skip
        assert code_of(lambda refused=refused: begin(**refused)) == "InvalidRequest", refused
    crc = lambda body: zlib.crc32(body).to_bytes(4, "big")
    text = lambda digest: base64.b64encode(digest).decode()
    full, composite = text(crc(b"".join(bodies))), text(crc(b"".join(map(crc, bodies)))) + "-2"
    sha = text(hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).digest())
    for kind, right, wrong in (("COMPOSITE", composite, full), ("FULL_OBJECT", full, composite.removesuffix("-2"))):
        begun = begin(ChecksumAlgorithm="CRC32", ChecksumType=kind)
        assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == ("CRC32", kind)
        name = where | {"UploadId": begun["UploadId"]}
        listed = s3.list_parts(**name)
        assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ("CRC32", kind)
        parts = [{"PartNumber": number, "ETag": s3.upload_part(**name, PartNumber=number, Body=body)["ETag"]} for number, body in enumerate(bodies, 1)]
        complete = lambda named=parts, name=name, **more: s3.complete_multipart_upload(**name, MultipartUpload={"Parts": named}, **more)
        other = "FULL_OBJECT" if kind == "COMPOSITE" else "COMPOSITE"
        for more, code in [
            ({"ChecksumType": other}, "BadDigest"),
            ({"ChecksumCRC32": wrong}, "BadDigest"),
            ({"ChecksumSHA256": sha}, "InvalidRequest"),
            ({"named": [parts[0], parts[1] | {"ChecksumSHA256": text(bytes(32))}]}, "InvalidRequest"),
        ]:
            assert code_of(lambda more=more, complete=complete: complete(**more)) == code, (kind, more)
        done = complete(ChecksumCRC32=right, ChecksumType=kind)
        assert (done["ChecksumCRC32"], done["ChecksumType"]) == (right, kind)
        assert s3.get_object(**where)["Body"].read() == b"".join(bodies)


def test_uploads_under_way_are_listed_in_pages(s3, repository):
    begin = lambda key: (key, s3.create_multipart_upload(Bucket=repository, Key=key)["UploadId"])
    begun = sorted(begin(f"main/{name}") for name in ("a", "a", "b/1", "b/2", "c", "c", "c"))
    listed = lambda page: [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", [])]
    for size in (1, 2, 3, 7, 1000):
        pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket=repository, PaginationConfig={"PageSize": size}))
        assert [upload for page in pages for upload in listed(page)] == begun, size
        assert all(len(listed(page)) <= size for page in pages)
    page = s3.list_multipart_uploads(Bucket=repository, MaxUploads=3)
    assert (page["IsTruncated"], page["NextKeyMarker"], page["MaxUploads"]) == (True, "main/b/1", 3)
    assert listed(s3.list_multipart_uploads(Bucket=repository, Prefix="main/b/")) == begun[2:4]
    folders = s3.list_multipart_uploads(Bucket=repository, Prefix="main/", Delimiter="/")
    assert (listed(folders), prefixes_in(folders)) == (begun[:2] + begun[4:], ["main/b/"])
