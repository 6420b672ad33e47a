"""What an answer of S3 says, by the words that tests ask for."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        action()
    return refused.value.response["Error"]["Code"]


def keys_in(answer: dict) -> list[str]:
    return [entry["Key"] for entry in answer.get("Contents", [])]


def prefixes_in(answer: dict) -> list[str]:
    return [entry["Prefix"] for entry in answer.get("CommonPrefixes", [])]
