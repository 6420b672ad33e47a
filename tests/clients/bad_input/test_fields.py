"""Wrong and odd values in every field of every route."""

import json
from collections.abc import Callable

import pytest

from probe.runner import fill
from support.http import Http

from .conftest import error_code
from .routes import READS, ROUTES, Route
from .values import ODD, WORDS, WRONG, WRONG_WORDS

pytestmark = pytest.mark.lathe_only

FIELDS = [(route, field) for route in ROUTES for field in route.types]
ODD_FIELDS = [(route, field) for route in ROUTES for field in route.body]
JSON = {"Content-Type": "application/json"}


def send(http: Http, things: dict[str, str], route: Route, field: str, value: object):
    body = fill(route.body, things) | {field: value}
    return http.request(route.method, fill(route.path, things), data=json.dumps(body).encode(), headers=JSON)


def name_of(item: object) -> str | None:
    return str(item) if isinstance(item, (Route, str)) else None


@pytest.mark.parametrize(("route", "field"), FIELDS, ids=name_of)
def test_a_value_of_the_wrong_type_is_refused(http: Http, things, fingerprint: Callable[[], str], route, field) -> None:
    before = fingerprint()
    for value in WRONG_WORDS if field in WORDS else WRONG[route.types[field]]:
        error_code(send(http, things, route, field, value), f"{field} = {str(value)[:60]}")
    assert fingerprint() == before


@pytest.mark.parametrize(("route", "field"), ODD_FIELDS, ids=name_of)
def test_an_odd_value_is_never_a_failure_of_the_server(http: Http, things, route: Route, field: str) -> None:
    for value in ODD:
        response = send(http, things, route, field, value)
        assert response.status_code < 500, f"{field} = {str(value)[:60]!r}: {response.status_code} {response.text[:300]}"
        if response.status_code >= 400:
            error_code(response, f"{field} = {str(value)[:60]!r}")
        else:
            assert isinstance(response.json(), dict)
    # Whatever was taken, what is there can still be read.
    for path, query in (("runs/get", "run_id"), ("experiments/get", "experiment_id")):
        assert http.get(path, **{query: things[query]}).status_code == 200
    assert http.post("runs/search", {"experiment_ids": [things["experiment_id"]], "run_view_type": "ALL"}).status_code == 200


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in READS.items() for field in fields])
def test_an_odd_query_is_never_a_failure_of_the_server(http: Http, things, path: str, field: str) -> None:
    query = fill(READS[path], things)
    for value in ODD:
        if isinstance(value, str):
            response = http.get(fill(path, things), **(query | {field: value.encode("utf-8", "surrogatepass")[:20_000]}))
            assert response.status_code < 500, f"{field} = {value[:60]!r}: {response.status_code} {response.text[:300]}"


@pytest.mark.parametrize("path", READS)
def test_a_query_that_is_no_query_is_never_a_failure_of_the_server(http: Http, things, path: str) -> None:
    for tail in (
        "?",
        "?&&",
        "?=",
        "?a",
        "?%",
        "?%zz=%zz",
        "?run_id=%ff%fe&name=%ff",
        "?run_id=a&run_id=b",
        "?" + "a=b&" * 2000,
    ):
        response = http.request("GET", fill(path, things) + tail)
        assert response.status_code < 500, f"{tail[:40]}: {response.status_code} {response.text[:300]}"


@pytest.mark.parametrize(
    ("key", "value"), [("a\0b", "1"), ("a", "1\0"), ("a\nb", "1"), ("..", "1"), ("a/../b", "1"), ("k" * 251, "1")]
)
def test_one_bad_entry_spoils_the_whole_batch(http: Http, things, fingerprint: Callable[[], str], key, value) -> None:
    before = fingerprint()
    good = {"key": "good", "value": "1"}
    for part in ("params", "tags", "metrics"):
        bad = {"key": key, "value": value}
        if part == "metrics":
            if "\0" in value:
                continue
            bad = {"key": key, "value": 1, "timestamp": 1, "step": 0}
        entries = [{"key": "good", "value": 1, "timestamp": 1, "step": 0} if part == "metrics" else good, bad]
        response = http.post("runs/log-batch", {"run_id": things["run_id"], part: entries})
        assert error_code(response, f"{part} with {key!r}") == "INVALID_PARAMETER_VALUE"
    response = http.post("experiments/create", {"name": things["new"], "tags": [good, {"key": key, "value": value}]})
    if response.status_code == 200:
        assert key in ("..", "a/../b", "a\nb"), f"a tag {key!r} = {value!r} of an experiment"
    else:
        assert fingerprint() == before
