"""Logged models (`m-…`): what every log_model of a 3.x client makes."""

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Metric
from mlflow.exceptions import MlflowException


def test_a_new_model_is_pending_and_belongs_to_its_run(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    model = client.create_logged_model(
        experiment_id, name="net", source_run_id=run_id, tags={"t": "1"}, params={"layers": "3"}, model_type="classifier"
    )
    found = client.get_logged_model(model.model_id)
    assert found.model_id.startswith("m-") and len(found.model_id) == 34
    assert (found.name, found.experiment_id, found.source_run_id) == ("net", experiment_id, run_id)
    assert (found.tags["t"], found.params, found.model_type) == ("1", {"layers": "3"}, "classifier")
    assert found.status == LoggedModelStatus.PENDING
    assert found.artifact_location == f"mlflow-artifacts:/{experiment_id}/models/{model.model_id}/artifacts"
    assert found.creation_timestamp == model.creation_timestamp


def test_a_model_without_a_name_gets_one(client: MlflowClient, experiment_id: str) -> None:
    assert client.create_logged_model(experiment_id).name


@pytest.mark.parametrize("status", ["READY", "FAILED"])
def test_finalizing_sets_the_status(client: MlflowClient, experiment_id: str, status: str) -> None:
    model = client.create_logged_model(experiment_id)
    finalized = client.finalize_logged_model(model.model_id, status)
    assert finalized.status == LoggedModelStatus(status)
    assert client.get_logged_model(model.model_id).status == LoggedModelStatus(status)
    assert finalized.last_updated_timestamp >= model.last_updated_timestamp


def test_tags_and_params_are_added_and_tags_deleted(client: MlflowClient, experiment_id: str) -> None:
    model_id = client.create_logged_model(experiment_id, tags={"a": "1"}, params={"p": "1"}).model_id
    client.set_logged_model_tags(model_id, {"a": "2", "b": "3", "with space/and slash": "ü"})
    client.log_model_params(model_id, {"q": "2"})
    found = client.get_logged_model(model_id)
    assert {"a": "2", "b": "3", "with space/and slash": "ü"}.items() <= found.tags.items()
    assert found.params == {"p": "1", "q": "2"}
    client.delete_logged_model_tag(model_id, "b")
    assert "b" not in client.get_logged_model(model_id).tags


def test_metrics_of_a_run_can_belong_to_a_model(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    model_id = client.create_logged_model(experiment_id, source_run_id=run_id).model_id
    client.log_metric(run_id, "acc", 0.5, timestamp=1, step=1, model_id=model_id)
    client.log_batch(run_id, metrics=[Metric("acc", 0.75, 2, 2, model_id=model_id, run_id=run_id)])
    found = {(metric.key, metric.value, metric.step) for metric in client.get_logged_model(model_id).metrics}
    assert ("acc", 0.75, 2) in found
    assert client.get_run(run_id).data.metrics == {"acc": 0.75}


def test_deleted_models_are_gone(client: MlflowClient, experiment_id: str) -> None:
    model_id = client.create_logged_model(experiment_id).model_id
    client.delete_logged_model(model_id)
    with pytest.raises(MlflowException) as missing:
        client.get_logged_model(model_id)
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert [model for model in client.search_logged_models([experiment_id]) if model.model_id == model_id] == []


def test_an_unknown_model_is_404(client: MlflowClient) -> None:
    with pytest.raises(MlflowException) as missing:
        client.get_logged_model("m-" + "0" * 32)
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_artifacts_of_a_model_go_up_and_come_down(client: MlflowClient, experiment_id: str, tmp_path) -> None:
    model_id = client.create_logged_model(experiment_id).model_id
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "notes.txt").write_text("notes")
    client.log_model_artifacts(model_id, str(tmp_path))
    listed = client.list_logged_model_artifacts(model_id)
    assert [(entry.path, entry.is_dir) for entry in listed] == [("more", True), ("weights.bin", False)]
    assert [entry.path for entry in client.list_logged_model_artifacts(model_id, "more")] == ["more/notes.txt"]
    location = client.get_logged_model(model_id).artifact_location
    target = tmp_path / "down"
    target.mkdir()
    mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=str(target))
    assert (target / "artifacts" / "weights.bin").read_bytes() == bytes(range(256))
    assert (target / "artifacts" / "more" / "notes.txt").read_text() == "notes"


@pytest.fixture
def three_models(client: MlflowClient, experiment_id: str, run_id: str) -> dict[str, str]:
    made = {}
    for number, name in enumerate("xyz"):
        model = client.create_logged_model(
            experiment_id, name=f"model-{name}", source_run_id=run_id, tags={"n": str(number)}, params={"p": str(number)}
        )
        client.log_metric(run_id, "acc", number / 10, timestamp=number + 1, step=number, model_id=model.model_id)
        made[name] = model.model_id
    client.finalize_logged_model(made["z"], "READY")
    return made


SEARCHES = {
    None: "xyz",
    "name = 'model-x'": "x",
    "name LIKE 'model-%'": "xyz",
    "name != 'model-x'": "yz",
    "tags.n = '1'": "y",
    "params.p = '2'": "z",
    "params.p != '2'": "xy",
    "params.p IN ('0', '2')": "xz",
    "tags.n NOT IN ('1')": "xz",
    "metrics.acc > 0.05": "yz",
    "metrics.acc >= 0.1 AND name = 'model-z'": "z",
    "creation_timestamp > 0": "xyz",
    "name = 'nothing'": "",
}


# MLflow compares a status with the number it stores and finds nothing.
STATUS = pytest.param("status = 'READY'", "z", marks=pytest.mark.lathe_only)


@pytest.mark.parametrize(("filter_string", "names"), [*SEARCHES.items(), STATUS])
def test_models_are_found_by_a_filter(client, experiment_id: str, three_models, filter_string, names: str) -> None:
    found = client.search_logged_models([experiment_id], filter_string=filter_string)
    back = {model_id: name for name, model_id in three_models.items()}
    assert "".join(sorted(back[model.model_id] for model in found)) == names


def test_models_are_ordered_and_paged(client: MlflowClient, experiment_id: str, three_models) -> None:
    back = {model_id: name for name, model_id in three_models.items()}
    for order, expected in (
        ([{"field_name": "metrics.acc", "ascending": False}], "zyx"),
        ([{"field_name": "metrics.acc", "ascending": True}], "xyz"),
        ([{"field_name": "creation_timestamp", "ascending": True}], "xyz"),
        ([{"field_name": "name", "ascending": False}], "zyx"),
    ):
        joined = ""
        token = None
        for _ in range(5):
            page = client.search_logged_models([experiment_id], max_results=2, order_by=order, page_token=token)
            joined += "".join(back[model.model_id] for model in page)
            token = page.token
            if not token:
                break
        assert joined == expected, order


@pytest.mark.parametrize(
    "filter_string",
    ["bogus.x = '1'", "name =", "name = 'a' OR name = 'b'", pytest.param("metrics.acc > 'a'", marks=pytest.mark.lathe_only)],
)
def test_a_wrong_filter_is_refused(client: MlflowClient, experiment_id: str, filter_string: str) -> None:
    with pytest.raises(MlflowException) as refused:
        client.search_logged_models([experiment_id], filter_string=filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_the_fluent_api_makes_and_finds_models(client: MlflowClient, fluent_experiment: str) -> None:
    model = mlflow.initialize_logged_model(name="external", params={"lr": "0.1"}, tags={"k": "v"})
    mlflow.finalize_logged_model(model.model_id, "READY")
    external = mlflow.create_external_model(name="elsewhere", tags={"k": "w"})
    assert client.get_logged_model(external.model_id).name == "elsewhere"
    frame = mlflow.search_logged_models(experiment_ids=[fluent_experiment], output_format="list")
    assert {found.name for found in frame} == {"external", "elsewhere"}
    with mlflow.start_run():
        mlflow.set_active_model(model_id=model.model_id)
        mlflow.log_metric("acc", 0.9)
    assert [metric.value for metric in client.get_logged_model(model.model_id).metrics] == [0.9]


def test_params_of_a_model_are_kept_whole(client: MlflowClient, experiment_id: str) -> None:
    long = "v" * 7_000
    model_id = client.create_logged_model(experiment_id, params={"long": long}).model_id
    assert client.get_logged_model(model_id).params == {"long": long}


def test_a_model_may_name_a_run_of_another_server_and_be_deleted_twice(client: MlflowClient, experiment_id: str) -> None:
    model = client.create_logged_model(experiment_id, source_run_id="run-of-another-server")
    assert client.get_logged_model(model.model_id).source_run_id == "run-of-another-server"
    client.delete_logged_model(model.model_id)
    client.delete_logged_model(model.model_id)
