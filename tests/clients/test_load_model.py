"""Models logged, registered and loaded back by every kind of address."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

# Named requirements: else the client finds them out by loading each model in a new process, which takes seconds.
REQUIREMENTS = ["scikit-learn"]
FEATURES = np.array([[0.0], [1.0], [2.0]])


def log_model(slope: float, registered_model_name: str | None = None):
    model = LinearRegression().fit(FEATURES, FEATURES[:, 0] * slope)
    signature = infer_signature(FEATURES, model.predict(FEATURES))
    return mlflow.sklearn.log_model(
        model,
        name="line",
        signature=signature,
        input_example=FEATURES[:2],
        registered_model_name=registered_model_name,
        pip_requirements=REQUIREMENTS,
    )


def answer(uri: str) -> float:
    return float(mlflow.pyfunc.load_model(uri).predict(np.array([[10.0]]))[0])


@pytest.fixture
def registered(client: MlflowClient, fluent_experiment: str, unique) -> str:
    """A registered model with two versions: slope 1 and slope 2."""
    name = unique("line")
    for slope in (1, 2):
        with mlflow.start_run():
            log_model(slope, name)
    return name


def test_a_logged_model_is_loaded_by_its_id_and_by_its_run(fluent_experiment: str) -> None:
    with mlflow.start_run() as active:
        info = log_model(3)
    assert answer(f"models:/{info.model_id}") == pytest.approx(30)
    assert answer(info.model_uri) == pytest.approx(30)
    assert answer(f"runs:/{active.info.run_id}/line") == pytest.approx(30)


def test_a_model_is_loaded_by_version_alias_stage_and_latest(client: MlflowClient, registered: str) -> None:
    client.set_registered_model_alias(registered, "champion", "1")
    client.transition_model_version_stage(registered, "1", "Production")
    assert answer(f"models:/{registered}/1") == pytest.approx(10)
    assert answer(f"models:/{registered}/2") == pytest.approx(20)
    assert answer(f"models:/{registered}/latest") == pytest.approx(20)
    assert answer(f"models:/{registered}@champion") == pytest.approx(10)
    assert answer(f"models:/{registered}/Production") == pytest.approx(10)
    client.set_registered_model_alias(registered, "champion", "2")
    assert answer(f"models:/{registered}@champion") == pytest.approx(20)


def test_a_registered_version_points_at_its_model_and_run(client: MlflowClient, registered: str) -> None:
    version = client.get_model_version(registered, "1")
    assert version.source.startswith("models:/m-")
    model_id = version.source.removeprefix("models:/")
    assert version.run_id == client.get_logged_model(model_id).source_run_id
    assert client.get_model_version_download_uri(registered, "1").startswith("mlflow-artifacts:/")


def test_a_model_is_registered_after_it_was_logged(client: MlflowClient, fluent_experiment: str, unique) -> None:
    with mlflow.start_run() as active:
        info = log_model(4)
    by_model = mlflow.register_model(info.model_uri, unique("later"))
    assert answer(f"models:/{by_model.name}/1") == pytest.approx(40)
    by_run = mlflow.register_model(f"runs:/{active.info.run_id}/line", unique("by-run"), tags={"k": "v"})
    assert answer(f"models:/{by_run.name}/1") == pytest.approx(40)
    assert client.get_model_version(by_run.name, "1").tags == {"k": "v"}


def test_a_registered_model_is_listed_with_its_logged_model(client: MlflowClient, registered: str) -> None:
    version = client.get_model_version(registered, "2")
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert registered in str(logged.tags.get("mlflow.modelVersions", "")), "the model knows the version made of it"


def test_a_model_carries_signature_example_and_environment(fluent_experiment: str, tmp_path) -> None:
    with mlflow.start_run():
        info = log_model(5)
    found = mlflow.models.get_model_info(info.model_uri)
    assert found.signature.inputs is not None
    model = mlflow.pyfunc.load_model(info.model_uri)
    assert model.input_example is not None
    requirements = mlflow.pyfunc.get_model_dependencies(info.model_uri)
    assert "scikit-learn" in Path(requirements).read_text()


def test_a_python_model_of_ones_own_is_loaded(fluent_experiment: str, tmp_path) -> None:
    class AddTag(mlflow.pyfunc.PythonModel):
        def load_context(self, context) -> None:
            with open(context.artifacts["tag"]) as file:
                self.tag = file.read()

        def predict(self, context, model_input: list[str]) -> list[str]:
            return [f"{text}{self.tag}" for text in model_input]

    tag = tmp_path / "tag.txt"
    tag.write_text("!")
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="tagger", python_model=AddTag(), artifacts={"tag": str(tag)}, pip_requirements=["mlflow"]
        )
    assert mlflow.pyfunc.load_model(info.model_uri).predict(["a", "b"]) == ["a!", "b!"]


def test_steps_of_a_model_are_models_of_their_own(client: MlflowClient, fluent_experiment: str) -> None:
    model = LinearRegression().fit(FEATURES, FEATURES[:, 0])
    with mlflow.start_run() as active:
        logged = [
            mlflow.sklearn.log_model(model, name="checkpoint", step=step, pip_requirements=REQUIREMENTS) for step in range(3)
        ]
        ids = [info.model_id for info in logged]
        mlflow.log_metric("loss", 0.1, step=2, model_id=ids[2])
    outputs = {output.model_id: output.step for output in client.get_run(active.info.run_id).outputs.model_outputs}
    assert outputs == {model_id: step for step, model_id in enumerate(ids)}
    best = mlflow.search_logged_models(
        experiment_ids=[fluent_experiment], filter_string="metrics.loss < 1", output_format="list"
    )
    assert [found.model_id for found in best] == [ids[2]]
