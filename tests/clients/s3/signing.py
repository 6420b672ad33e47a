"""Requests to the S3 door, signed by hand."""

import botocore.auth
import requests
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .conftest import Keys


def signed(keys: Keys, method: str, path: str, secret: str | None = None, body: bytes = b"") -> AWSRequest:
    request = AWSRequest(method=method, url=f"{keys.endpoint_url}/{path}", data=body)
    credentials = Credentials(keys.access_key_id, secret or keys.secret_access_key)
    botocore.auth.S3SigV4Auth(credentials, "s3", keys.region).add_auth(request)
    return request


def send(request: AWSRequest, body: bytes | None = None) -> tuple[int, str]:
    prepared = request.prepare()
    answer = requests.request(
        prepared.method, prepared.url, data=prepared.body if body is None else body, headers=dict(prepared.headers), timeout=30
    )
    return answer.status_code, answer.text
