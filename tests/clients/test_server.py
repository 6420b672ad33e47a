"""What a client asks before it does anything."""

import mlflow

from support.http import Http


def test_health_answers_ok(http: Http) -> None:
    response = http.get("/health")
    assert (response.status_code, response.text) == (200, "OK")


def test_version_is_the_one_of_the_client_it_imitates(http: Http) -> None:
    response = http.get("/version")
    assert (response.status_code, response.text) == (200, mlflow.__version__)


def test_server_info_names_what_the_server_can_do(http: Http) -> None:
    for prefix in ("/api", "/ajax-api"):
        info = http.ok(http.get(f"{prefix}/3.0/mlflow/server-info"))
        assert isinstance(info["workspaces_enabled"], bool)
        assert isinstance(info["multipart_uploads_enabled"], bool)
        assert isinstance(info["multipart_downloads_enabled"], bool)
        assert isinstance(info["store_type"], str)


def test_every_route_answers_below_ajax_api_too(http: Http) -> None:
    found = http.ok(http.get("/ajax-api/2.0/mlflow/experiments/get", experiment_id="0"))
    assert found == http.ok(http.get("/api/2.0/mlflow/experiments/get", experiment_id="0"))
    assert found["experiment"]["name"] == "Default"


def test_an_unknown_route_is_404_and_a_wrong_method_405(http: Http) -> None:
    assert http.get("bogus/endpoint").status_code == 404
    assert http.get("runs/create").status_code == 405
