"""Deleting and restoring runs and experiments."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import Param
from mlflow.exceptions import MlflowException


def refused_code(action) -> str:
    with pytest.raises(MlflowException) as refused:
        action()
    return refused.value.error_code


def test_a_deleted_run_can_be_read_but_not_written(client: MlflowClient, run_id: str) -> None:
    client.log_metric(run_id, "before", 1)
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert client.get_run(run_id).data.metrics == {"before": 1.0}
    for write in (
        lambda: client.log_metric(run_id, "m", 1),
        lambda: client.log_param(run_id, "p", 1),
        lambda: client.set_tag(run_id, "t", 1),
        lambda: client.log_batch(run_id, params=[Param("p", "1")]),
        lambda: client.update_run(run_id, name="x"),
    ):
        assert refused_code(write) == "INVALID_PARAMETER_VALUE"


def test_a_restored_run_is_as_before(client: MlflowClient, run_id: str) -> None:
    client.log_param(run_id, "p", 1)
    before = client.get_run(run_id).to_dictionary()
    client.delete_run(run_id)
    client.restore_run(run_id)
    assert client.get_run(run_id).to_dictionary() == before
    client.log_param(run_id, "q", 2)
    assert client.get_run(run_id).data.params == {"p": "1", "q": "2"}


def test_deleting_and_restoring_twice_is_fine(client: MlflowClient, run_id: str) -> None:
    client.delete_run(run_id)
    client.delete_run(run_id)
    client.restore_run(run_id)
    client.restore_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def test_a_deleted_experiment_takes_its_runs_out_of_sight(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert client.search_runs([experiment_id]) == []
    assert refused_code(lambda: client.create_run(experiment_id)) == "INVALID_PARAMETER_VALUE"
    assert refused_code(lambda: client.log_metric(run_id, "m", 1)) == "INVALID_PARAMETER_VALUE"
    assert refused_code(lambda: client.set_experiment_tag(experiment_id, "k", "v")) == "INVALID_PARAMETER_VALUE"


def test_a_restored_experiment_brings_its_runs_back(client: MlflowClient, experiment_id: str, run_id: str) -> None:
    client.delete_experiment(experiment_id)
    client.restore_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "active"
    assert [run.info.run_id for run in client.search_runs([experiment_id])] == [run_id]
    client.log_metric(run_id, "m", 1)
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def test_the_name_of_a_deleted_experiment_stays_taken(client: MlflowClient, unique) -> None:
    name = unique("exp")
    experiment_id = client.create_experiment(name)
    client.delete_experiment(experiment_id)
    assert refused_code(lambda: client.create_experiment(name)) == "RESOURCE_ALREADY_EXISTS"
    assert client.get_experiment_by_name(name).lifecycle_stage == "deleted"


def test_an_experiment_is_deleted_and_restored_once(client: MlflowClient, experiment_id: str) -> None:
    client.delete_experiment(experiment_id)
    assert refused_code(lambda: client.delete_experiment(experiment_id)) == "RESOURCE_DOES_NOT_EXIST"
    client.restore_experiment(experiment_id)
    assert refused_code(lambda: client.restore_experiment(experiment_id)) == "RESOURCE_DOES_NOT_EXIST"


def test_set_experiment_refuses_a_deleted_one(client: MlflowClient, unique) -> None:
    import mlflow

    name = unique("exp")
    client.delete_experiment(client.create_experiment(name))
    assert refused_code(lambda: mlflow.set_experiment(name)) == "INVALID_PARAMETER_VALUE"
