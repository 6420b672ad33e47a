"""What a client sees when something is wrong: the exception's class, its code, and words that help."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from support.http import Http

UNKNOWN_RUN = "0" * 32


def unknown_things(client: MlflowClient) -> dict[str, object]:
    return {
        "get_experiment": lambda: client.get_experiment("987654321"),
        "delete_experiment": lambda: client.delete_experiment("987654321"),
        "restore_experiment": lambda: client.restore_experiment("987654321"),
        "rename_experiment": lambda: client.rename_experiment("987654321", "x"),
        "set_experiment_tag": lambda: client.set_experiment_tag("987654321", "k", "v"),
        "create_run": lambda: client.create_run("987654321"),
        "get_run": lambda: client.get_run(UNKNOWN_RUN),
        "update_run": lambda: client.set_terminated(UNKNOWN_RUN),
        "delete_run": lambda: client.delete_run(UNKNOWN_RUN),
        "restore_run": lambda: client.restore_run(UNKNOWN_RUN),
        "log_metric": lambda: client.log_metric(UNKNOWN_RUN, "m", 1),
        "log_param": lambda: client.log_param(UNKNOWN_RUN, "p", 1),
        "set_tag": lambda: client.set_tag(UNKNOWN_RUN, "t", 1),
        "delete_tag": lambda: client.delete_tag(UNKNOWN_RUN, "t"),
        "list_artifacts": lambda: client.list_artifacts(UNKNOWN_RUN),
        "get_registered_model": lambda: client.get_registered_model("no such model"),
        "update_registered_model": lambda: client.update_registered_model("no such model", "words"),
        "set_registered_model_tag": lambda: client.set_registered_model_tag("no such model", "k", "v"),
        "create_model_version": lambda: client.create_model_version("no such model", "s3://bucket/x"),
        "get_model_version": lambda: client.get_model_version("no such model", "1"),
        "set_alias": lambda: client.set_registered_model_alias("no such model", "a", "1"),
        "get_latest_versions": lambda: client.get_latest_versions("no such model"),
        "get_logged_model": lambda: client.get_logged_model("m-" + UNKNOWN_RUN),
        "finalize_logged_model": lambda: client.finalize_logged_model("m-" + UNKNOWN_RUN, "READY"),
        "delete_logged_model": lambda: client.delete_logged_model("m-" + UNKNOWN_RUN),
    }


@pytest.mark.parametrize("name", unknown_things(None))
def test_what_does_not_exist_is_said_to_not_exist(client: MlflowClient, name: str) -> None:
    with pytest.raises(MlflowException) as missing:
        unknown_things(client)[name]()
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST", str(missing.value)
    assert missing.value.get_http_status_code() == 404


def test_errors_of_the_server_are_rest_exceptions(client: MlflowClient) -> None:
    with pytest.raises(RestException) as missing:
        client.get_run(UNKNOWN_RUN)
    assert missing.value.json["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert UNKNOWN_RUN in str(missing.value)


REQUIRED = {
    "experiments/create": "name",
    "experiments/delete": "experiment_id",
    "runs/log-metric": "run_id",
    "runs/log-parameter": "run_id",
    "runs/set-tag": "run_id",
    "registered-models/create": "name",
    "registered-models/rename": "name",
    "registered-models/alias": "name",
    "model-versions/create": "name",
    "model-versions/transition-stage": "name",
}


@pytest.mark.parametrize(("route", "field"), REQUIRED.items())
def test_a_missing_field_is_named(http: Http, route: str, field: str) -> None:
    response = http.post(route, {})
    assert response.status_code == 400
    body = response.json()
    assert body["error_code"] == "INVALID_PARAMETER_VALUE"
    assert body["message"].startswith(f"Missing value for required parameter '{field}'")


def test_a_body_of_another_type_is_refused(http: Http) -> None:
    response = http.request("POST", "experiments/create", data='{"name": "x"}', headers={"Content-Type": "text/plain"})
    assert response.status_code == 400
    assert "Content-Type" in response.json()["message"]


# MLflow's messages hold SQL, file names and links to its database library; ours never.
@pytest.mark.lathe_only
def test_messages_show_nothing_from_inside(http: Http, client: MlflowClient, unique) -> None:
    name = unique("exp")
    client.create_experiment(name)
    other = client.create_experiment(unique("exp"))
    for response in (
        http.post("experiments/create", {"name": name}),
        http.post("experiments/update", {"experiment_id": other, "new_name": name}),
        http.post("runs/search", {"experiment_ids": ["0"], "filter": "metrics.x = 'y'"}),
        http.post("registered-models/create", {"name": "a/b"}),
    ):
        assert response.status_code == 400, response.text
        for word in ("sqlite", "UNIQUE", "INSERT", "SELECT", "postgres", "sqlx", ".rs", "panicked"):
            assert word.lower() not in response.text.lower()
