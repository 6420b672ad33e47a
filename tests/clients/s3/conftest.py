"""An S3 door, and boto3 clients that reach it with what `lathe env` gives out."""

from collections.abc import Callable
from dataclasses import dataclass

import boto3
import pytest
from botocore.config import Config

from support.http import Http


@dataclass(frozen=True)
class Keys:
    """What an S3 client is told."""

    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def boto3(self, **settings):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(retries={"max_attempts": 1}, **settings),
        )


def keys_of(http: Http, project: str = "default") -> Keys:
    return Keys(**http.ok(http.get(f"/p/{project}/api/v1/s3-credentials")))


@pytest.fixture(scope="session")
def keys(server_url: str) -> Keys:
    return keys_of(Http(server_url))


@pytest.fixture
def s3(keys: Keys):
    return keys.boto3()


@pytest.fixture
def repository(http: Http, unique: Callable[[str], str]) -> str:
    """A repository with the branch `main`, addressed as s3://repository/ref/path."""
    name = unique("repo")
    http.ok_any(http.post("/api/v1/repos", {"name": name}))
    return name


@pytest.fixture
def commit(http: Http) -> Callable[..., str]:
    """Commits a branch; answers the commit's id."""

    def make(repository: str, branch: str = "main", message: str = "a commit") -> str:
        answer = http.post(f"/api/v1/repos/{repository}/branches/{branch}/commits", {"message": message})
        return http.ok_any(answer)["id"]

    return make
