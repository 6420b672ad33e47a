"""Datasets as inputs, models as inputs and outputs of runs."""

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput


def dataset_input(name: str, digest: str = "d1", **tags: str) -> DatasetInput:
    dataset = Dataset(name, digest, "local", "{}", schema='{"a": "long"}', profile='{"rows": 3}')
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])


def test_a_data_frame_is_logged_as_an_input(client: MlflowClient, fluent_experiment: str) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    dataset = mlflow.data.from_pandas(frame, source=CodeDatasetSource(tags={}), name="points", targets="y")
    with mlflow.start_run() as active:
        mlflow.log_input(dataset, context="training", tags={"origin": "test"})
    (found,) = client.get_run(active.info.run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("points", dataset.digest)
    assert found.dataset.source_type == "code"
    assert "mlflow_colspec" in found.dataset.schema
    assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": "training", "origin": "test"}


def test_arrays_are_inputs_too(client: MlflowClient, fluent_experiment: str) -> None:
    dataset = mlflow.data.from_numpy(np.arange(12).reshape(4, 3), targets=np.arange(4), name="array")
    with mlflow.start_run() as active:
        mlflow.log_input(dataset, context="validation")
    (found,) = client.get_run(active.info.run_id).inputs.dataset_inputs
    assert found.dataset.name == "array"
    assert "mlflow_tensorspec" in found.dataset.schema


def test_the_same_dataset_twice_is_one_input(client: MlflowClient, run_id: str) -> None:
    client.log_inputs(run_id, [dataset_input("a", context="train")])
    client.log_inputs(run_id, [dataset_input("a", context="train"), dataset_input("a", "d2"), dataset_input("b")])
    found = client.get_run(run_id).inputs.dataset_inputs
    assert sorted((entry.dataset.name, entry.dataset.digest) for entry in found) == [("a", "d1"), ("a", "d2"), ("b", "d1")]


def test_runs_share_a_dataset_but_not_its_tags(client: MlflowClient, experiment_id: str) -> None:
    first, second = (client.create_run(experiment_id).info.run_id for _ in range(2))
    client.log_inputs(first, [dataset_input("shared", context="train")])
    client.log_inputs(second, [dataset_input("shared", context="test")])
    for run_id, context in ((first, "train"), (second, "test")):
        (found,) = client.get_run(run_id).inputs.dataset_inputs
        assert [(tag.key, tag.value) for tag in found.tags] == [("context", context)]
        assert found.dataset.profile == '{"rows": 3}'


def test_runs_are_found_by_their_dataset(client: MlflowClient, experiment_id: str) -> None:
    first, second = (client.create_run(experiment_id, start_time=time).info.run_id for time in (1, 2))
    client.log_inputs(first, [dataset_input("alpha", "x1", **{"mlflow.data.context": "training"})])
    client.log_inputs(second, [dataset_input("beta", "x2"), dataset_input("alpha", "x3")])

    def found(filter_string: str) -> list[str]:
        return [run.info.run_id for run in client.search_runs([experiment_id], filter_string, order_by=["start_time"])]

    assert found("datasets.name = 'alpha'") == [first, second]
    assert found("dataset.digest = 'x2'") == [second]
    assert found("datasets.context = 'training'") == [first]
    assert found("datasets.name LIKE 'al%' AND dataset.digest = 'x1'") == [first]
    assert found("datasets.name = 'gamma'") == []
    assert found("datasets.name IN ('beta', 'gamma')") == [second]


def test_found_runs_carry_their_inputs(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    client.log_inputs(run_id, [dataset_input("a", role="train")])
    (run,) = client.search_runs([experiment_id])
    assert run.inputs.dataset_inputs[0].dataset.name == "a"


def test_a_model_is_an_output_of_its_run(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    model = client.create_logged_model(experiment_id, source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=3)])
    (found,) = client.get_run(run_id).outputs.model_outputs
    assert (found.model_id, found.step) == (model.model_id, 3)


def test_a_model_is_an_input_of_a_run(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    from mlflow.entities import LoggedModelInput

    model = client.create_logged_model(experiment_id)
    client.log_inputs(run_id, models=[LoggedModelInput(model.model_id)])
    (found,) = client.get_run(run_id).inputs.model_inputs
    assert found.model_id == model.model_id
