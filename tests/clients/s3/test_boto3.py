"""The S3 door, judged by an unmodified boto3."""

import datetime
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import pytest
import requests
from botocore.exceptions import ClientError

from support.http import Http

from .answers import code_of, keys_in, prefixes_in
from .conftest import Keys
from .signing import send, signed

pytestmark = pytest.mark.lathe_only

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 10, 4096, 4097, 3 * MIB])
def test_a_file_comes_back_with_type_and_metadata(s3, repository, size):
    body = bytes(index % 251 for index in range(size))
    put = s3.put_object(Bucket=repository, Key="main/a/b.bin", Body=body, ContentType="text/x-test", Metadata={"who": "me"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=repository, Key="main/a/b.bin")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"], got["ContentLength"], got["ETag"]) == ("text/x-test", {"who": "me"}, size, put["ETag"])
    head = s3.head_object(Bucket=repository, Key="main/a/b.bin")
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (size, put["ETag"], got["LastModified"])


def test_ranges(s3, repository):
    s3.put_object(Bucket=repository, Key="main/x", Body=b"0123456789")
    get = lambda text: s3.get_object(Bucket=repository, Key="main/x", Range=text)
    assert get("bytes=2-4")["Body"].read() == b"234"
    assert get("bytes=-3")["Body"].read() == b"789"
    last = get("bytes=8-100")
    assert (last["Body"].read(), last["ContentRange"], last["ResponseMetadata"]["HTTPStatusCode"]) == (b"89", "bytes 8-9/10", 206)
    assert code_of(lambda: get("bytes=10-")) == "InvalidRange"
    # What HTTP says to ignore: several ranges, another unit, and what is no range.
    for ignored in ("bytes=0-1,3-4", "lines=1-2", "bytes=9-1"):
        whole = get(ignored)
        assert (whole["Body"].read(), whole["ResponseMetadata"]["HTTPStatusCode"]) == (b"0123456789", 200), ignored
        head = s3.head_object(Bucket=repository, Key="main/x", Range=ignored)
        assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (10, 200), ignored
    missing = lambda: s3.get_object(Bucket=repository, Key="main/missing", Range="lines=1-2")
    assert code_of(missing) == "NoSuchKey"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": repository, "Key": "main/x"}, ExpiresIn=60)
    ignored = {"Range": "bytes=0-1,3-4"}
    answer = requests.get(url, headers=ignored, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert requests.get(url.replace("main/x", "main/y"), headers=ignored, timeout=30).status_code == 403
    assert requests.get(url.split("?")[0], headers=ignored, timeout=30).status_code == 403
    # A file has one part, whatever it came in.
    part = lambda number, **more: s3.get_object(Bucket=repository, Key="main/x", PartNumber=number, **more)
    assert (part(1)["Body"].read(), part(1)["ContentRange"]) == (b"0123456789", "bytes 0-9/10")
    assert code_of(lambda: part(2)) == "InvalidPartNumber"
    assert code_of(lambda: part(1, Range="bytes=0-1")) == "InvalidRequest"


def test_conditions_of_reads_and_writes(s3, repository):
    put = lambda **conditions: s3.put_object(Bucket=repository, Key="main/x", Body=b"1", **conditions)
    tag = put(IfNoneMatch="*")["ETag"]
    assert code_of(lambda: put(IfNoneMatch="*")) == "PreconditionFailed"
    put(IfMatch=tag)
    assert code_of(lambda: put(IfMatch='"0123456789abcdef0123456789abcdef"')) == "PreconditionFailed"
    get = lambda **conditions: s3.get_object(Bucket=repository, Key="main/x", **conditions)
    assert get(IfMatch=tag)["Body"].read() == b"1"
    assert code_of(lambda: get(IfMatch='"0123456789abcdef0123456789abcdef"')) == "PreconditionFailed"
    modified = get()["LastModified"]
    for same in ({"IfNoneMatch": tag}, {"IfModifiedSince": modified}):
        with pytest.raises(ClientError) as unchanged:
            get(**same)
        answer = unchanged.value.response
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert (answer["Error"]["Code"], headers["etag"]) == ("304", tag), same
        assert parsedate_to_datetime(headers["last-modified"]) == modified, same
    assert get(IfUnmodifiedSince=modified)["Body"].read() == b"1"


def test_refs_are_the_first_part_of_a_key(s3, http: Http, repository, commit):
    s3.put_object(Bucket=repository, Key="main/data.csv", Body=b"first")
    first = commit(repository)
    s3.put_object(Bucket=repository, Key="main/data.csv", Body=b"second")
    http.ok_any(http.post(f"/api/v1/repos/{repository}/tags", {"name": "v1", "from": first}))
    read = lambda key, **more: s3.get_object(Bucket=repository, Key=key, **more)["Body"].read()
    assert read("main/data.csv") == b"second"
    assert read(f"{first}/data.csv") == read("v1/data.csv") == read(f"{first[:10]}/data.csv") == b"first"
    assert read("main/data.csv", VersionId=first) == b"first"
    for unfixed in ("main", "v1", f"{first}~1", "null"):
        assert code_of(lambda unfixed=unfixed: read("main/data.csv", VersionId=unfixed)) == "NoSuchVersion", unfixed
    commit(repository)
    assert read("main~1/data.csv") == b"first"
    listed = s3.list_objects_v2(Bucket=repository, Delimiter="/")
    assert prefixes_in(listed) == ["main/", "v1/"]
    for key in ("v1/data.csv", f"{first}/data.csv", "main~1/data.csv"):
        assert code_of(lambda key=key: s3.put_object(Bucket=repository, Key=key, Body=b"x")) == "MethodNotAllowed", key
        assert code_of(lambda key=key: s3.delete_object(Bucket=repository, Key=key)) == "MethodNotAllowed", key
    assert code_of(lambda: s3.put_object(Bucket=repository, Key="nowhere/x", Body=b"x")) == "NoSuchKey"
    assert code_of(lambda: read("nowhere/x")) == "NoSuchKey"
    # A bucket that is one ref of the repository.
    assert keys_in(s3.list_objects_v2(Bucket=f"{repository}--v1")) == ["data.csv"]
    s3.put_object(Bucket=f"{repository}--main", Key="more/x", Body=b"x")
    assert code_of(lambda: s3.list_objects_v2(Bucket=f"{repository}--nowhere")) == "NoSuchBucket"
    assert read("main/more/x") == b"x"


def test_a_bucket_that_s3_made_needs_no_refs(s3, http: Http, unique):
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    assert code_of(lambda: s3.create_bucket(Bucket=bucket)) == "BucketAlreadyOwnedByYou"
    assert code_of(lambda: s3.create_bucket(Bucket=f"{bucket}--x")) == "InvalidBucketName"
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.put_object(Bucket=bucket, Key="folder/", Body=b"")
    s3.put_object(Bucket=bucket, Key="folder/x.txt", Body=b"x")
    assert keys_in(s3.list_objects_v2(Bucket=bucket)) == ["folder/", "folder/x.txt"]
    assert http.ok(http.get(f"/api/v1/repos/{bucket}"))["layout"] == "flat"
    assert code_of(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "folder/"}, {"Key": "folder/x.txt"}]})
    s3.delete_bucket(Bucket=bucket)
    assert code_of(lambda: s3.list_objects_v2(Bucket=bucket)) == "NoSuchBucket"


def test_a_bucket_with_history_or_uploads_is_not_deleted(s3, http: Http, unique, commit):
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="x")["UploadId"]
    assert code_of(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    s3.abort_multipart_upload(Bucket=bucket, Key="x", UploadId=upload)
    # History that a tag alone names.
    http.ok_any(http.post(f"/api/v1/repos/{bucket}/branches", {"name": "side", "from": "main"}))
    s3.put_object(Bucket=f"{bucket}--side", Key="x", Body=b"x")
    commit(bucket, "side")
    http.ok_any(http.post(f"/api/v1/repos/{bucket}/tags", {"name": "v1", "from": "side"}))
    http.ok_any(http.request("DELETE", f"/api/v1/repos/{bucket}/branches/side"))
    assert code_of(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    assert s3.get_object(Bucket=f"{bucket}--v1", Key="x")["Body"].read() == b"x"


def test_buckets_are_listed_in_pages(s3, keys: Keys, unique):
    start = unique("page")
    names = [f"{start}-{letter}" for letter in "abc"]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    listed = lambda page: [entry["Name"] for entry in page.get("Buckets", [])]
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=start, PaginationConfig={"PageSize": 2}))
    assert [listed(page) for page in pages] == [names[:2], names[2:]]
    assert listed(s3.list_buckets(Prefix=f"{start}-b")) == names[1:2]
    assert set(names) <= set(listed(s3.list_buckets()))
    for size in (0, 10_001, -1):
        status, text = send(signed(keys, "GET", f"?max-buckets={size}"))
        assert (status, "<Code>InvalidArgument</Code>" in text) == (400, True), (size, text)


@pytest.mark.parametrize("is_committed", [False, True])
def test_listings_of_both_versions(s3, repository, commit, is_committed):
    names = ["a.txt", "a/1", "a/2", "a-b/1", "b c+ü.txt", "z/deep/er/x"]
    for name in names:
        s3.put_object(Bucket=repository, Key=f"main/{name}", Body=name.encode())
    if is_committed:
        commit(repository)
    expected = sorted(f"main/{name}" for name in names)
    for list_page, token, after in (
        (s3.list_objects_v2, ("ContinuationToken", "NextContinuationToken"), "StartAfter"),
        (s3.list_objects, ("Marker", "NextMarker"), "Marker"),
    ):
        assert keys_in(list_page(Bucket=repository)) == expected
        assert keys_in(list_page(Bucket=repository, Prefix="main/a/")) == ["main/a/1", "main/a/2"]
        top = list_page(Bucket=repository, Prefix="main/", Delimiter="/")
        assert keys_in(top) == ["main/a.txt", "main/b c+ü.txt"]
        assert prefixes_in(top) == ["main/a-b/", "main/a/", "main/z/"]
        seen, more = [], {}
        for _ in range(20):
            page = list_page(Bucket=repository, Prefix="main/", Delimiter="/", MaxKeys=1, **more)
            seen += keys_in(page) + prefixes_in(page)
            if not page["IsTruncated"]:
                break
            more = {token[0]: page[token[1]]}
        assert seen == sorted(["main/a.txt", "main/b c+ü.txt", "main/a-b/", "main/a/", "main/z/"])
        assert keys_in(list_page(Bucket=repository, Prefix="main/a/", **{after: "main/a/1"})) == ["main/a/2"]
        assert keys_in(list_page(Bucket=repository, Prefix="nowhere/")) == []
        assert list_page(Bucket=repository, MaxKeys=0)["IsTruncated"] is False
    entry = s3.list_objects_v2(Bucket=repository, Prefix="main/a.txt")["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (5, f'"{hashlib.md5(b"a.txt").hexdigest()}"')


def test_a_long_listing_in_pages(s3, repository):
    names = [f"main/many/{number:04}" for number in range(0, 2100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: s3.put_object(Bucket=repository, Key=name, Body=b""), names))
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=repository, Prefix="main/many/"))
    assert [len(page["Contents"]) for page in pages] == [1000, 1000, 100]
    assert [key for page in pages for key in keys_in(page)] == names


def test_copies(s3, repository, commit):
    s3.put_object(Bucket=repository, Key="main/a", Body=b"a", Metadata={"k": "v"}, ContentType="text/a")
    first = commit(repository)
    s3.copy_object(Bucket=repository, Key="main/b", CopySource=f"{repository}/main/a")
    copied = s3.get_object(Bucket=repository, Key="main/b")
    assert (copied["Body"].read(), copied["Metadata"], copied["ContentType"]) == (b"a", {"k": "v"}, "text/a")
    s3.copy_object(Bucket=repository, Key="main/b", CopySource={"Bucket": repository, "Key": "main/a", "VersionId": first},
                   MetadataDirective="REPLACE", Metadata={"k": "w"}, ContentType="text/b")  # fmt: skip
    copied = s3.head_object(Bucket=repository, Key="main/b")
    assert (copied["Metadata"], copied["ContentType"]) == ({"k": "w"}, "text/b")
    missing = lambda: s3.copy_object(Bucket=repository, Key="main/c", CopySource=f"{repository}/main/nothing")
    assert code_of(missing) == "NoSuchKey"
    unwanted = lambda: s3.copy_object(Bucket=repository, Key="main/c", CopySource=f"{repository}/main/a", CopySourceIfNoneMatch="*")
    assert code_of(unwanted) == "PreconditionFailed"


def test_a_copy_looks_at_both_ends(s3, repository):
    put = lambda key, body: s3.put_object(Bucket=repository, Key=f"main/{key}", Body=body)["ETag"]
    one, two = put("a", b"a"), put("taken", b"kept")
    modified = s3.head_object(Bucket=repository, Key="main/a")["LastModified"]
    before, after = modified - datetime.timedelta(hours=1), modified + datetime.timedelta(hours=1)
    where = {"Bucket": repository, "CopySource": f"{repository}/main/a"}
    copy = lambda key, **conditions: s3.copy_object(**where, Key=f"main/{key}", **conditions)
    for refused in ({"IfNoneMatch": "*"}, {"IfMatch": one}, {"CopySourceIfModifiedSince": after}, {"CopySourceIfUnmodifiedSince": before},
                    {"CopySourceIfMatch": two}, {"CopySourceIfNoneMatch": one}):  # fmt: skip
        assert code_of(lambda refused=refused: copy("taken", **refused)) == "PreconditionFailed", refused
    assert code_of(lambda: copy("free", IfMatch="*")) == "PreconditionFailed"
    assert s3.get_object(Bucket=repository, Key="main/taken")["Body"].read() == b"kept"
    copy("free", IfNoneMatch="*", CopySourceIfModifiedSince=before, CopySourceIfUnmodifiedSince=after)
    # As S3 says it: a tag that is right outweighs a date that is not.
    copy("taken", IfMatch=two, CopySourceIfMatch=one, CopySourceIfUnmodifiedSince=before)
    assert [s3.get_object(Bucket=repository, Key=f"main/{key}")["Body"].read() for key in ("free", "taken")] == [b"a", b"a"]
    upload = {"Bucket": repository, "Key": "main/parts"}
    upload |= {"UploadId": s3.create_multipart_upload(**upload)["UploadId"]}
    part = lambda **conditions: s3.upload_part_copy(**upload, CopySource=f"{repository}/main/a", PartNumber=1, **conditions)
    for refused in ({"CopySourceIfModifiedSince": after}, {"CopySourceIfUnmodifiedSince": before}, {"CopySourceIfNoneMatch": one}):
        assert code_of(lambda refused=refused: part(**refused)) == "PreconditionFailed", refused
    part(CopySourceIfModifiedSince=before, CopySourceIfMatch=one)


def test_a_copy_is_of_what_its_condition_was_asked_of(s3, repository):
    bodies = [b"one" * 5000, b"two" * 5000]
    put = lambda body: s3.put_object(Bucket=repository, Key="main/a", Body=body)["ETag"]
    tags = [put(body) for body in bodies]
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for body in bodies:
                put(body)

    writer = threading.Thread(target=write)
    writer.start()
    copied = 0
    try:
        for _ in range(200):
            try:
                s3.copy_object(Bucket=repository, Key="main/b", CopySource=f"{repository}/main/a", CopySourceIfMatch=tags[0])
            except ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed", error
                continue
            copied += 1
            assert s3.get_object(Bucket=repository, Key="main/b")["Body"].read() == bodies[0]
    finally:
        done.set()
        writer.join()
    assert copied > 0


def test_deletes(s3, repository):
    for name in "abc":
        s3.put_object(Bucket=repository, Key=f"main/{name}", Body=b"x")
    s3.delete_object(Bucket=repository, Key="main/a")
    s3.delete_object(Bucket=repository, Key="main/was-never-there")
    objects = [{"Key": "main/b"}, {"Key": "main/was-never-there"}, {"Key": "main/../x"}]
    answer = s3.delete_objects(Bucket=repository, Delete={"Objects": objects})
    assert [entry["Key"] for entry in answer["Deleted"]] == ["main/b", "main/was-never-there"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("main/../x", "InvalidArgument")]
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == ["main/c"]


def test_files_have_no_tags_and_say_so(s3, repository):
    where = {"Bucket": repository, "Key": "main/x"}
    s3.put_object(**where, Body=b"x")
    assert s3.get_object_tagging(**where)["TagSet"] == []
    s3.put_object_tagging(**where, Tagging={"TagSet": []})
    s3.delete_object_tagging(**where)
    tagged = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert code_of(lambda: s3.put_object_tagging(**where, Tagging=tagged)) == "NotImplemented"
    missing = where | {"Key": "main/missing"}
    for call in (s3.get_object_tagging, s3.delete_object_tagging, lambda **key: s3.put_object_tagging(**key, Tagging={"TagSet": []})):
        assert code_of(lambda call=call: call(**missing)) == "NoSuchKey"


def test_the_folder_of_a_branch_is_there_and_holds_nothing(s3, http: Http, repository):
    http.ok_any(http.post(f"/api/v1/repos/{repository}/tags", {"name": "v1", "from": "main"}))
    folder = {"Bucket": repository, "Key": "main/"}
    s3.put_object(**folder, Body=b"")
    head = s3.head_object(**folder)
    assert (head["ContentLength"], head["ContentType"]) == (0, "application/x-directory")
    got = s3.get_object(**folder)
    assert got["Body"].read() == b""
    assert [got[field] == head[field] for field in ("ContentLength", "ContentType", "ETag")] == [True] * 3
    s3.delete_object(**folder)
    assert s3.delete_objects(Bucket=repository, Delete={"Objects": [{"Key": "main/"}]})["Deleted"] == [{"Key": "main/"}]
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == []
    assert code_of(lambda: s3.put_object(**folder, Body=b"bytes")) == "InvalidArgument"
    put = lambda key: s3.put_object(Bucket=repository, Key=key, Body=b"")
    assert (code_of(lambda: put("nowhere/")), code_of(lambda: put("v1/")), code_of(lambda: put("main~1/"))) == (
        "NoSuchKey", "MethodNotAllowed", "MethodNotAllowed",
    )  # fmt: skip
    assert code_of(lambda: s3.head_object(Bucket=repository, Key="nowhere/")) == "404"
    assert code_of(lambda: s3.get_object(Bucket=repository, Key="nowhere/")) == "NoSuchKey"
    assert code_of(lambda: s3.delete_object(Bucket=repository, Key="nowhere/")) == "NoSuchKey"
    assert s3.head_object(Bucket=repository, Key="v1/")["ContentLength"] == 0


def test_words_that_s3_does_not_have_are_refused(s3, keys: Keys, repository):
    s3.put_object(Bucket=repository, Key="main/x", Body=b"x")
    copy = {"Bucket": repository, "Key": "main/y", "CopySource": f"{repository}/main/x"}
    assert code_of(lambda: s3.copy_object(**copy, MetadataDirective="FOO")) == "InvalidArgument"
    for query in ("list-type=2&encoding-type=foo", "encoding-type=foo", "uploads&encoding-type=foo"):
        status, text = send(signed(keys, "GET", f"{repository}?{query}"))
        assert (status, "<Code>InvalidArgument</Code>" in text) == (400, True), (query, text)
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == ["main/x"]


def test_a_file_of_which_clients_say_that_it_is_compressed_is_stored_as_it_is(s3, repository):
    # MLflow's store of artifacts says so of every `.tar.gz`.
    s3.put_object(Bucket=repository, Key="main/x.tar.gz", Body=b"\x1f\x8b", ContentEncoding="gzip")
    assert s3.get_object(Bucket=repository, Key="main/x.tar.gz")["Body"].read() == b"\x1f\x8b"


def test_presigned_urls_need_no_client(s3, repository):
    where = {"Bucket": repository, "Key": "main/signed"}
    put = s3.generate_presigned_url("put_object", Params=where, ExpiresIn=60)
    assert requests.put(put, data=b"by url", timeout=30).status_code == 200
    get = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
    assert requests.get(get, timeout=30).content == b"by url"
    other = get.replace("main/signed", "main/other")
    answer = requests.get(other, timeout=30)
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"])
def test_checksums_are_verified_before_anything_is_published(s3, repository, algorithm):
    s3.put_object(Bucket=repository, Key="main/sum", Body=b"abc" * 5000, ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket=repository, Key="main/sum")["Body"].read() == b"abc" * 5000


def test_wrong_checksums_store_nothing(s3, repository):
    for wrong in ({"ChecksumSHA256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, {"ChecksumCRC32": "AAAAAA=="},
                  {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}):  # fmt: skip
        for body in (b"abc", b"abc" * 5000):
            assert code_of(lambda: s3.put_object(Bucket=repository, Key="main/bad", Body=body, **wrong)) == "BadDigest", wrong
    assert code_of(lambda: s3.put_object(Bucket=repository, Key="main/bad", Body=b"x", ContentMD5="x")) == "InvalidDigest"
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == []
    name = {"Bucket": repository, "Key": "main/bad"}
    name |= {"UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    assert code_of(lambda: s3.upload_part(**name, PartNumber=1, Body=b"abc", ChecksumCRC32="AAAAAA==")) == "BadDigest"
    assert s3.list_parts(**name).get("Parts", []) == []


def test_paths_that_escape_are_refused(s3, repository):
    for path in ("../x", "a/../../x", "a//b", "./a", "a\nb"):
        assert code_of(lambda path=path: s3.put_object(Bucket=repository, Key=f"main/{path}", Body=b"x")) == "InvalidArgument", path
    # Client and server write a backslash differently into what is signed.
    with pytest.raises(ClientError):
        s3.put_object(Bucket=repository, Key="main/a\\b", Body=b"x")
    assert keys_in(s3.list_objects_v2(Bucket=repository)) == []


def test_what_would_be_stored_otherwise_is_refused(s3, repository):
    put = lambda **more: s3.put_object(Bucket=repository, Key="main/x", Body=b"secret", **more)
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    day = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    for more in (
        key, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}, {"Tagging": "a=b"}, {"ACL": "public-read"},
        {"GrantRead": "id=1"}, {"WebsiteRedirectLocation": "/y"}, {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": day},
        {"ObjectLockLegalHoldStatus": "ON"},
    ):  # fmt: skip
        assert code_of(lambda more=more: put(**more)) == "NotImplemented", more
        assert keys_in(s3.list_objects_v2(Bucket=repository)) == []
    for ignored in ({"ACL": "private"}, {"ACL": "bucket-owner-full-control"}, {"StorageClass": "STANDARD"}):
        put(**ignored)
    assert code_of(lambda: s3.get_object(Bucket=repository, Key="main/x", **key)) == "NotImplemented"
    copy = {"Bucket": repository, "Key": "main/y", "CopySource": f"{repository}/main/x"}
    assert code_of(lambda: s3.copy_object(**copy, Tagging="a=b", TaggingDirective="REPLACE")) == "NotImplemented"
    s3.copy_object(**copy, TaggingDirective="COPY")
    begin = lambda **more: s3.create_multipart_upload(Bucket=repository, Key="main/z", **more)
    assert code_of(lambda: begin(**key)) == "NotImplemented"
    assert code_of(lambda: begin(Tagging="a=b")) == "NotImplemented"
    assert code_of(lambda: s3.create_bucket(Bucket=f"{repository}-locked", ObjectLockEnabledForBucket=True)) == "NotImplemented"


def test_what_is_not_served_says_so(s3, repository):
    assert code_of(lambda: s3.put_bucket_policy(Bucket=repository, Policy="{}")) == "NotImplemented"
    assert code_of(lambda: s3.get_bucket_tagging(Bucket=repository)) == "NotImplemented"
    assert code_of(lambda: s3.list_objects_v2(Bucket="no-such-bucket")) == "NoSuchBucket"
