"""Bodies that are no JSON object, too deep, too large, or not in UTF-8."""

import json
from collections.abc import Callable

import pytest

from probe.runner import fill
from support.http import Http

from .conftest import error_code
from .routes import ROUTES, Route
from .values import BODIES, nested

pytestmark = pytest.mark.lathe_only
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_body_that_is_no_object_is_refused(http: Http, things, fingerprint: Callable[[], str], route: Route) -> None:
    before = fingerprint()
    path = fill(route.path, things)
    for what, body in BODIES.items():
        response = http.request(route.method, path, data=body, headers=JSON)
        error_code(response, what)
    assert fingerprint() == before


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_empty_body_is_an_empty_object(http: Http, things, fingerprint: Callable[[], str], route: Route) -> None:
    before = fingerprint()
    path = fill(route.path, things)
    for body in (b"", b"{}", b"null"):
        response = http.request(route.method, path, data=body, headers=JSON)
        assert response.status_code < 500, f"{body!r}: {response.status_code} {response.text}"
    if not route.path.startswith(("runs/create", "logged-models")):
        assert fingerprint() == before


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_right_body_in_200_levels_of_nonsense_changes_nothing(http: Http, things, fingerprint, route: Route) -> None:
    before = fingerprint()
    body = json.dumps(fill(route.body, things) | {"unknown_field": nested(200, dict)})
    response = http.request(route.method, fill(route.path, things), data=body.encode(), headers=JSON)
    error_code(response, "200 levels in an unknown field")
    assert fingerprint() == before


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "POST"], ids=str)
def test_a_body_beyond_five_mebibytes_is_refused(http: Http, things, fingerprint: Callable[[], str], route: Route) -> None:
    before = fingerprint()
    body = json.dumps(fill(route.body, things) | {"filler": "x" * (5 * 1024 * 1024 + 1)})
    response = http.request(route.method, fill(route.path, things), data=body.encode(), headers=JSON)
    assert response.status_code == 413, f"{response.status_code} {response.text[:300]}"
    error_code(response, "a huge body")
    assert fingerprint() == before


def test_a_huge_body_of_unknown_length_is_refused_too(http: Http, things, fingerprint: Callable[[], str]) -> None:
    before = fingerprint()
    blocks = (b'{"run_id": "x", "filler": "' if number == 0 else b"x" * 65536 for number in range(100))
    response = http.request("POST", "runs/log-batch", data=blocks, headers=JSON)
    error_code(response, "a huge body in chunks")
    assert fingerprint() == before


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_another_content_type_is_refused(http: Http, things, fingerprint: Callable[[], str], content_type: str) -> None:
    before = fingerprint()
    for route in ROUTES:
        if route.method == "POST":
            body = json.dumps(fill(route.body, things)).encode()
            response = http.request("POST", fill(route.path, things), data=body, headers={"Content-Type": content_type})
            assert error_code(response, f"{route} as {content_type}") == "INVALID_PARAMETER_VALUE"
    assert fingerprint() == before
