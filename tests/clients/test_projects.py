"""Projects: chosen by MLFLOW_WORKSPACE (a header), or by a prefix `/p/<project>` of the tracking URI."""

import uuid
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from support.http import Http

pytestmark = pytest.mark.lathe_only


@pytest.fixture(scope="module")
def project(server_url: str) -> str:
    """A project that is not `default`."""
    name = f"team-{uuid.uuid4().hex[:8]}"
    response = Http(server_url).post("/api/v1/projects", {"name": name, "description": "a test's own"})
    assert response.ok, response.text
    return name


@pytest.fixture(params=["prefix", "workspace"])
def project_client(request, server_url: str, project: str, monkeypatch) -> MlflowClient:
    """A client that works inside the project, by either way of choosing it."""
    uri = server_url
    if request.param == "prefix":
        uri = f"{server_url}/p/{project}"
    else:
        monkeypatch.setenv("MLFLOW_WORKSPACE", project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def test_server_info_says_that_projects_are_there(http: Http) -> None:
    assert http.ok(http.get("/api/3.0/mlflow/server-info"))["workspaces_enabled"] is True


def test_a_project_has_a_default_experiment_of_its_own(project_client: MlflowClient, client, unique) -> None:
    assert project_client.get_experiment_by_name("Default").name == "Default"
    run = project_client.create_run(project_client.get_experiment_by_name("Default").experiment_id)
    found = project_client.search_runs([run.info.experiment_id])
    assert run.info.run_id in {entry.info.run_id for entry in found}


def test_a_whole_training_works_inside_a_project(project_client: MlflowClient, unique, tmp_path: Path) -> None:
    experiment = mlflow.set_experiment(unique("inside"))
    (tmp_path / "note.txt").write_text("inside")
    with mlflow.start_run() as active:
        mlflow.log_param("p", 1)
        mlflow.log_metric("m", 2)
        mlflow.log_artifact(str(tmp_path / "note.txt"), "folder")
    run = project_client.get_run(active.info.run_id)
    assert (run.data.params, run.data.metrics) == ({"p": "1"}, {"m": 2.0})
    assert mlflow.artifacts.load_text(f"runs:/{active.info.run_id}/folder/note.txt") == "inside"
    assert [entry.path for entry in project_client.list_artifacts(active.info.run_id, "folder")] == ["folder/note.txt"]
    assert len(project_client.search_runs([experiment.experiment_id])) == 1
    name = unique("model")
    project_client.create_registered_model(name)
    project_client.create_model_version(name, f"{run.info.artifact_uri}/folder", active.info.run_id)
    project_client.set_registered_model_alias(name, "champion", "1")
    assert project_client.get_model_version_by_alias(name, "champion").run_id == active.info.run_id


def test_the_same_names_live_beside_each_other_in_two_projects(project_client, server_url, unique, monkeypatch) -> None:
    name = unique("same")
    inside = project_client.create_experiment(name)
    project_client.create_registered_model(name, description="inside")
    monkeypatch.delenv("MLFLOW_WORKSPACE", raising=False)
    outside_client = MlflowClient(server_url, server_url)
    outside = outside_client.create_experiment(name)
    outside_client.create_registered_model(name, description="outside")
    assert outside_client.get_registered_model(name).description == "outside"
    assert inside and outside


def test_nothing_of_a_project_is_seen_from_another(project_client: MlflowClient, server_url, unique, monkeypatch) -> None:
    experiment_id = project_client.create_experiment(unique("hidden"))
    name = project_client.get_experiment(experiment_id).name
    run = project_client.create_run(experiment_id)
    project_client.log_text(run.info.run_id, "secret", "secret.txt")
    model = project_client.create_registered_model(unique("hidden")).name
    logged = project_client.create_logged_model(experiment_id)
    monkeypatch.delenv("MLFLOW_WORKSPACE", raising=False)
    outside = MlflowClient(server_url, server_url)
    assert outside.get_experiment_by_name(name) is None
    assert outside.search_experiments(filter_string=f"name = '{name}'") == []
    assert outside.search_registered_models(f"name = '{model}'") == []
    for read in (
        lambda: outside.get_run(run.info.run_id),
        lambda: outside.get_registered_model(model),
        lambda: outside.get_logged_model(logged.model_id),
        lambda: outside.set_tag(run.info.run_id, "k", "v"),
        lambda: outside.delete_run(run.info.run_id),
    ):
        with pytest.raises(MlflowException) as missing:
            read()
        assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    http = Http(server_url)
    assert http.get("/get-artifact", run_id=run.info.run_id, path="secret.txt").status_code == 404
    place = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    assert http.get(f"/api/2.0/mlflow-artifacts/artifacts/{place}/secret.txt").status_code == 404
    by_id = http.post("runs/search", {"experiment_ids": [experiment_id], "filter": f"run_id = '{run.info.run_id}'"})
    assert not by_id.json().get("runs")


def test_an_unknown_project_is_refused(server_url: str) -> None:
    client = MlflowClient(f"{server_url}/p/no-such-project")
    with pytest.raises(MlflowException) as missing:
        client.search_experiments()
    assert missing.value.error_code in ("RESOURCE_DOES_NOT_EXIST", "PERMISSION_DENIED")
