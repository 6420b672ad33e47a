"""What a client asks before it does anything."""

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

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


@pytest.mark.lathe_only
def test_a_path_for_programs_is_no_page(http: Http) -> None:
    for path in ("/api", "/api/v1/nothing", "/v1/traces", "/p/alpha/healthz", "/p/alpha/readyz", "/v2/nothing"):
        response = http.get(path)
        assert response.status_code == 404, path
        assert response.json()["request_id"] == response.headers["X-Request-Id"], path
    unserved = http.get("bogus/endpoint")
    assert unserved.json()["request_id"] == unserved.headers["X-Request-Id"]
    for path in ("/", "/p/default/home", "/p/default/runs/1"):
        assert http.get(path).headers["Content-Type"].startswith("text/html"), path


@pytest.mark.lathe_only
def test_a_log_in_a_file_has_no_colours_and_no_notices(make_lathe) -> None:
    server = make_lathe(environment={"NO_COLOR": ""}).start()
    assert server.stop() == 0
    server.start()
    assert server.stop() == 0
    assert "listening" in server.log()
    assert "\x1b" not in server.log()
    assert "already exists" not in server.log()


@pytest.mark.lathe_only
def test_what_is_not_served_says_so_in_words_that_clients_know(client: MlflowClient, http: Http, server_url: str) -> None:
    for ask in (client.list_webhooks, lambda: client.search_traces(locations=["0"])):
        with pytest.raises(MlflowException) as missing:
            ask()
        assert missing.value.error_code == "ENDPOINT_NOT_FOUND"
        assert "does not serve" in missing.value.message
    assert http.get("/ajax-api/2.0/mlflow/bogus").json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_tracing_without_a_place_for_traces_disturbs_nobody(fluent_experiment: str) -> None:
    @mlflow.trace
    def double(number: int) -> int:
        return 2 * number

    with mlflow.start_run() as run:
        mlflow.log_metric("doubled", double(21))
        mlflow.flush_trace_async_logging()
    assert mlflow.get_run(run.info.run_id).data.metrics == {"doubled": 42}
