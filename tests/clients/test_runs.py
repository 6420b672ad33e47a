"""Runs through MlflowClient."""

import time

import pytest
from mlflow import MlflowClient
from mlflow.entities import RunStatus, RunTag
from mlflow.exceptions import MlflowException


def test_a_new_run_is_running_and_has_a_place_for_artifacts(client: MlflowClient, experiment_id: str) -> None:
    start_time = 1_700_000_000_123
    run = client.create_run(experiment_id, start_time=start_time, tags={"k": "v"}, run_name="named")
    assert len(run.info.run_id) == 32 and int(run.info.run_id, 16) >= 0
    assert run.info.status == "RUNNING"
    assert run.info.start_time == start_time
    assert run.info.end_time is None
    assert run.info.lifecycle_stage == "active"
    assert run.info.run_name == "named"
    assert run.info.artifact_uri == f"mlflow-artifacts:/{experiment_id}/{run.info.run_id}/artifacts"
    assert run.data.tags == {"k": "v", "mlflow.runName": "named"}
    assert client.get_run(run.info.run_id).to_dictionary() == run.to_dictionary()


def test_the_start_time_is_now_unless_given(client: MlflowClient, experiment_id: str) -> None:
    before = int(time.time() * 1000)
    run = client.create_run(experiment_id)
    assert before - 1000 <= run.info.start_time <= int(time.time() * 1000) + 1000


def test_a_run_is_renamed_by_update_and_by_its_tag(client: MlflowClient, run_id: str) -> None:
    client.update_run(run_id, name="by update")
    assert client.get_run(run_id).info.run_name == "by update"
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "by update"
    client.set_tag(run_id, "mlflow.runName", "by tag")
    assert client.get_run(run_id).info.run_name == "by tag"
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "by tag"


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_ending_a_run_sets_status_and_end_time(client: MlflowClient, run_id: str, status: str) -> None:
    client.set_terminated(run_id, status=status, end_time=1_800_000_000_000)
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == (status, 1_800_000_000_000)
    assert RunStatus.is_terminated(RunStatus.from_string(run.info.status))


def test_an_ended_run_can_be_set_running_again(client: MlflowClient, run_id: str) -> None:
    client.set_terminated(run_id)
    client.update_run(run_id, status="RUNNING")
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    client.log_metric(run_id, "m", 1)
    assert client.get_run(run_id).data.metrics == {"m": 1.0}


def test_an_ended_run_still_takes_metrics_params_and_tags(client: MlflowClient, run_id: str) -> None:
    client.set_terminated(run_id)
    client.log_metric(run_id, "m", 1)
    client.log_param(run_id, "p", 1)
    client.set_tag(run_id, "t", 1)
    run = client.get_run(run_id)
    assert (run.data.metrics, run.data.params, run.data.tags["t"]) == ({"m": 1.0}, {"p": "1"}, "1")
    assert run.info.status == "FINISHED"


def test_tags_are_set_replaced_and_deleted(client: MlflowClient, run_id: str) -> None:
    client.set_tag(run_id, "k", "1")
    client.set_tag(run_id, "k", "2")
    client.set_tag(run_id, "other", "multi\nline\tträgt 🚀")
    tags = client.get_run(run_id).data.tags
    assert (tags["k"], tags["other"]) == ("2", "multi\nline\tträgt 🚀")
    client.delete_tag(run_id, "k")
    assert "k" not in client.get_run(run_id).data.tags


def test_deleting_a_tag_that_is_not_there_is_an_error(client: MlflowClient, run_id: str) -> None:
    with pytest.raises(MlflowException, match="No tag with name: nope") as refused:
        client.delete_tag(run_id, "nope")
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_param_may_be_logged_again_with_the_same_value_only(client: MlflowClient, run_id: str) -> None:
    client.log_param(run_id, "p", "1")
    client.log_param(run_id, "p", 1)
    with pytest.raises(MlflowException, match="Changing param values is not allowed") as refused:
        client.log_param(run_id, "p", "2")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).data.params == {"p": "1"}


def test_long_values_are_kept_up_to_the_limits(client: MlflowClient, run_id: str) -> None:
    client.log_param(run_id, "p", "ü" * 6000)
    client.set_tag(run_id, "t", "ü" * 8000)
    client.log_param(run_id, "k" * 250, "v")
    run = client.get_run(run_id)
    assert run.data.params["p"] == "ü" * 6000
    assert run.data.tags["t"] == "ü" * 8000
    assert run.data.params["k" * 250] == "v"


def test_keys_may_hold_every_allowed_character(client: MlflowClient, run_id: str) -> None:
    key = "val/accuracy_top-5 at:1.5 größe"
    client.log_metric(run_id, key, 0.5)
    client.log_param(run_id, key, "x")
    client.set_tag(run_id, key, "y")
    run = client.get_run(run_id)
    assert (run.data.metrics[key], run.data.params[key], run.data.tags[key]) == (0.5, "x", "y")
    assert [point.value for point in client.get_metric_history(run_id, key)] == [0.5]


@pytest.mark.parametrize("key", ["a*b", "../up", "/absolute", "a//b", "./a", "k" * 251, "line\nbreak", "what?", ".."])
def test_a_key_that_is_no_name_is_refused_everywhere(client: MlflowClient, run_id: str, key: str) -> None:
    for log in (client.log_metric, client.log_param, client.set_tag):
        with pytest.raises(MlflowException) as refused:
            log(run_id, key, 1)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    run = client.get_run(run_id)
    assert (run.data.metrics, run.data.params) == ({}, {})
    assert key not in run.data.tags


def test_an_empty_name_leaves_a_run_its_name(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id, run_name="kept").info.run_id
    client.set_tag(run_id, "mlflow.runName", "")
    client.log_batch(run_id, tags=[RunTag("mlflow.runName", "")])
    run = client.get_run(run_id)
    assert (run.info.run_name, run.data.tags["mlflow.runName"]) == ("kept", "kept")
