"""What a request of the catalogue is.

Strings may hold `${name}`: `suffix` is a random word that makes names unique, the others are saved from earlier answers
(`save={"run": "run.info.run_id"}` keeps that field as `${run}`).
"""

from dataclasses import dataclass, field
from typing import Any

API = "/api/2.0/mlflow/"


@dataclass(frozen=True)
class Step:
    label: str
    method: str
    path: str
    body: Any = None
    raw: str | bytes | None = None
    params: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    save: dict[str, str] = field(default_factory=dict)


def post(label: str, path: str, body: Any = None, **options: Any) -> Step:
    return Step(label, "POST", path, {} if body is None else body, **options)


def get(label: str, path: str, /, save: dict[str, str] | None = None, **params: Any) -> Step:
    """The named arguments are the query."""
    return Step(label, "GET", path, params=params, save=save or {})


def patch(label: str, path: str, body: Any, **options: Any) -> Step:
    return Step(label, "PATCH", path, body, **options)


def delete(label: str, path: str, body: Any = None, **options: Any) -> Step:
    return Step(label, "DELETE", path, body, **options)


def raw(
    label: str,
    path: str,
    text: str | bytes,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    save: dict[str, str] | None = None,
) -> Step:
    """A body that is sent as it is."""
    headers = {"Content-Type": "application/json"} if headers is None else headers
    return Step(label, method, path, raw=text, headers=headers, save=save or {})
