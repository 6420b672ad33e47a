"""log-batch: limits, and all or nothing."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from support.http import Http

METRIC = {"key": "m", "value": 1, "timestamp": 1, "step": 0}


def is_untouched(client: MlflowClient, run_id: str) -> bool:
    data = client.get_run(run_id).data
    return not data.metrics and not data.params and set(data.tags) <= {"mlflow.runName"}


def test_one_batch_carries_metrics_params_and_tags(client: MlflowClient, run_id: str) -> None:
    client.log_batch(
        run_id,
        metrics=[Metric("a", 1, 1, 0), Metric("a", 2, 2, 1), Metric("b", 3, 1, 0)],
        params=[Param("p", "1"), Param("q", "2")],
        tags=[RunTag("t", "x")],
    )
    data = client.get_run(run_id).data
    assert (data.metrics, data.params, data.tags["t"]) == ({"a": 2.0, "b": 3.0}, {"p": "1", "q": "2"}, "x")


def test_an_empty_batch_is_fine(client: MlflowClient, run_id: str) -> None:
    client.log_batch(run_id)
    assert is_untouched(client, run_id)


def test_a_batch_may_be_as_large_as_the_limits(http: Http, client: MlflowClient, run_id: str) -> None:
    body = {
        "run_id": run_id,
        "metrics": [{"key": f"m{number}", "value": number, "timestamp": 1, "step": 0} for number in range(800)],
        "params": [{"key": f"p{number}", "value": "v"} for number in range(100)],
        "tags": [{"key": f"t{number}", "value": "v"} for number in range(100)],
    }
    http.ok(http.post("runs/log-batch", body))
    data = client.get_run(run_id).data
    assert (len(data.metrics), len(data.params), len(data.tags)) == (800, 100, 101)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"metrics": [METRIC] * 1001}, "at most 1000 metrics"),
        ({"params": [{"key": f"p{n}", "value": "1"} for n in range(101)]}, "at most 100 params"),
        ({"tags": [{"key": f"t{n}", "value": "1"} for n in range(101)]}, "at most 100 tags"),
        ({"metrics": [METRIC] * 950, "params": [{"key": f"p{n}", "value": "1"} for n in range(51)]}, "at most 1000"),
        ({"params": [{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]}, "Duplicate parameter keys"),
    ],
)
def test_a_batch_beyond_the_limits_is_refused_whole(client: MlflowClient, http: Http, run_id: str, body, message) -> None:
    response = http.post("runs/log-batch", {"run_id": run_id, **body})
    assert response.status_code == 400
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert message in response.json()["message"]
    assert is_untouched(client, run_id)


def test_a_clashing_param_is_refused_and_named(client: MlflowClient, run_id: str) -> None:
    client.log_param(run_id, "p", "1")
    with pytest.raises(MlflowException, match="Changing param values is not allowed") as refused:
        client.log_batch(run_id, params=[Param("p", "9")])
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert "'p'" in str(refused.value) and "9" in str(refused.value)
    client.log_batch(run_id, params=[Param("p", "1"), Param("new", "2")])
    assert client.get_run(run_id).data.params == {"p": "1", "new": "2"}


# MLflow stores the parts of a batch in separate transactions, so what stands before the clash stays. Ours is one.
@pytest.mark.lathe_only
@pytest.mark.parametrize(
    "clash",
    [
        {"params": [{"key": "fine", "value": "1"}, {"key": "taken", "value": "other"}]},
        {"metrics": [METRIC, {"key": "bad*key", "value": 1, "timestamp": 1, "step": 0}]},
        {"metrics": [METRIC, {"key": "m", "value": "word", "timestamp": 1, "step": 0}]},
        {"metrics": [METRIC, {"key": "m", "value": 1, "timestamp": -1, "step": 0}]},
        {"tags": [{"key": "fine", "value": "1"}, {"key": "../bad", "value": "1"}]},
        {"params": [{"key": "fine", "value": "1"}, {"key": "k" * 251, "value": "1"}]},
    ],
)
def test_a_batch_with_one_wrong_part_leaves_nothing(client: MlflowClient, http: Http, run_id: str, clash) -> None:
    client.log_param(run_id, "taken", "1")
    before = client.get_run(run_id).to_dictionary()
    whole = {"metrics": [METRIC], "params": [{"key": "p", "value": "1"}], "tags": [{"key": "t", "value": "1"}]} | clash
    response = http.post("runs/log-batch", {"run_id": run_id, **whole})
    assert response.status_code == 400, response.text
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).to_dictionary() == before
    assert client.get_metric_history(run_id, "m") == []


def test_the_last_of_two_equal_tags_in_a_batch_stays(client: MlflowClient, run_id: str) -> None:
    client.log_batch(run_id, tags=[RunTag("t", "1"), RunTag("t", "2")])
    assert client.get_run(run_id).data.tags["t"] == "2"


def test_batches_sent_at_once_all_arrive(client: MlflowClient, run_id: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def log(worker: int) -> None:
        for batch in range(5):
            steps = range(batch * 20, batch * 20 + 20)
            client.log_batch(run_id, metrics=[Metric(f"w{worker}", step, step, step) for step in steps])
            client.log_param(run_id, f"w{worker}-b{batch}", batch)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))
    run = client.get_run(run_id)
    assert len(run.data.params) == 40
    for worker in range(8):
        assert [point.step for point in client.get_metric_history(run_id, f"w{worker}")] == list(range(100))
        assert run.data.metrics[f"w{worker}"] == 99.0
