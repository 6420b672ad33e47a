"""Metric points: history, latest value, special numbers, many of them."""

import math

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from support.http import Http


def points(client: MlflowClient, run_id: str, key: str) -> list[tuple[float, int, int]]:
    return [(point.value, point.timestamp, point.step) for point in client.get_metric_history(run_id, key)]


def test_history_is_ordered_by_timestamp_step_and_value(client: MlflowClient, run_id: str) -> None:
    for value, timestamp, step in [(3, 30, 0), (1, 10, 2), (2, 10, 1), (0.5, 10, 1), (9, 20, -5)]:
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
    assert points(client, run_id, "m") == [(0.5, 10, 1), (2, 10, 1), (1, 10, 2), (9, 20, -5), (3, 30, 0)]


def test_the_latest_value_is_that_of_the_largest_step_then_time_then_value(client: MlflowClient, run_id: str) -> None:
    client.log_metric(run_id, "m", 1, timestamp=50, step=5)
    client.log_metric(run_id, "m", 2, timestamp=99, step=4)  # later, but an older step
    assert client.get_run(run_id).data.metrics == {"m": 1.0}
    client.log_metric(run_id, "m", 0.5, timestamp=51, step=5)
    assert client.get_run(run_id).data.metrics == {"m": 0.5}
    client.log_metric(run_id, "m", 0.75, timestamp=51, step=5)
    assert client.get_run(run_id).data.metrics == {"m": 0.75}
    client.log_metric(run_id, "m", 0.25, timestamp=51, step=5)
    assert client.get_run(run_id).data.metrics == {"m": 0.75}


def test_an_exact_duplicate_is_one_point(client: MlflowClient, run_id: str) -> None:
    for _ in range(3):
        client.log_metric(run_id, "m", 1, timestamp=1, step=1)
    client.log_batch(run_id, metrics=[Metric("m", 1, 1, 1)] * 5)
    assert points(client, run_id, "m") == [(1, 1, 1)]


def test_nan_and_the_infinities_are_kept(client: MlflowClient, run_id: str) -> None:
    client.log_metric(run_id, "nan", math.nan, timestamp=1, step=0)
    client.log_metric(run_id, "inf", math.inf, timestamp=1, step=0)
    client.log_metric(run_id, "-inf", -math.inf, timestamp=1, step=0)
    metrics = client.get_run(run_id).data.metrics
    assert math.isnan(metrics["nan"])
    # MLflow stores the largest double for an infinity; a server may keep the infinity itself.
    assert metrics["inf"] >= 1.7976931348623157e308
    assert metrics["-inf"] <= -1.7976931348623157e308
    assert math.isnan(client.get_metric_history(run_id, "nan")[0].value)
    assert client.get_metric_history(run_id, "inf")[0].value >= 1.7976931348623157e308


def test_a_nan_between_numbers_does_not_disturb_them(client: MlflowClient, run_id: str) -> None:
    client.log_batch(run_id, metrics=[Metric("m", value, 10 + step, step) for step, value in enumerate([1.0, math.nan, 3.0])])
    values = [point.value for point in client.get_metric_history(run_id, "m")]
    assert values[0] == 1.0 and math.isnan(values[1]) and values[2] == 3.0
    assert client.get_run(run_id).data.metrics == {"m": 3.0}


def test_numbers_survive_bit_for_bit(client: MlflowClient, run_id: str) -> None:
    values = [0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.1, 123456789.123456789, 1e22, 0.0]
    client.log_batch(run_id, metrics=[Metric("m", value, step, step) for step, value in enumerate(values)])
    assert [point.value for point in client.get_metric_history(run_id, "m")] == values


def test_large_and_negative_steps_and_times_are_kept(client: MlflowClient, run_id: str) -> None:
    for step in (-(2**62), -1, 0, 2**62):
        client.log_metric(run_id, "m", 1.0, timestamp=2**52, step=step)
    assert [step for _, _, step in points(client, run_id, "m")] == [-(2**62), -1, 0, 2**62]
    assert {timestamp for _, timestamp, _ in points(client, run_id, "m")} == {2**52}


def test_a_metric_that_was_never_logged_has_no_history(client: MlflowClient, run_id: str) -> None:
    assert client.get_metric_history(run_id, "unknown") == []


def test_history_of_more_than_one_page_comes_whole(client: MlflowClient, run_id: str) -> None:
    count = 26_000  # the client asks for pages of 25,000
    for first in range(0, count, 1000):
        client.log_batch(
            run_id, metrics=[Metric("m", step * 0.5, 1_000_000 + step, step) for step in range(first, first + 1000)]
        )
    history = client.get_metric_history(run_id, "m")
    assert [point.step for point in history] == list(range(count))
    assert [point.value for point in history[-3:]] == [12998.5, 12999.0, 12999.5]


def test_history_pages_join_without_gap_or_repetition(client: MlflowClient, http: Http, run_id: str) -> None:
    client.log_batch(run_id, metrics=[Metric("m", step, 5, step) for step in range(10)])
    steps: list[int] = []
    token = None
    for _ in range(10):
        page = http.ok(http.get("metrics/get-history", run_id=run_id, metric_key="m", max_results=3, page_token=token))
        steps += [point["step"] for point in page.get("metrics", [])]
        token = page.get("next_page_token")
        if not token:
            break
    assert steps == list(range(10))


def test_bulk_history_answers_many_runs_at_once(client: MlflowClient, http: Http, experiment_id: str) -> None:
    runs = sorted(client.create_run(experiment_id).info.run_id for _ in range(3))
    for number, run_id in enumerate(runs):
        client.log_batch(run_id, metrics=[Metric("m", number, step, step) for step in range(4)])
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    found = http.ok(http.get(path, run_id=runs, metric_key="m", max_results=1000))["metrics"]
    assert [(point["run_id"], point["step"], point["value"]) for point in found] == [
        (run_id, step, float(number)) for number, run_id in enumerate(runs) for step in range(4)
    ]


def test_bulk_interval_thins_out_a_long_history(client: MlflowClient, http: Http, experiment_id: str) -> None:
    runs = [client.create_run(experiment_id).info.run_id for _ in range(2)]
    for run_id in runs:
        for first in (0, 1000):
            client.log_batch(run_id, metrics=[Metric("m", step, step, step) for step in range(first, first + 1000)])
    path = "metrics/get-history-bulk-interval"
    found = http.ok(http.get(path, run_ids=runs, metric_key="m", max_results=20))["metrics"]
    for run_id in runs:
        steps = [point["step"] for point in found if point["run_id"] == run_id]
        assert steps == sorted(steps)
        assert 20 <= len(steps) <= 25, "about as many as asked for"
        assert steps[0] == 0 and steps[-1] == 1999, "the ends are always there"
    part = http.ok(http.get(path, run_ids=runs[:1], metric_key="m", max_results=10, start_step=100, end_step=200))["metrics"]
    assert all(100 <= point["step"] <= 200 for point in part) and part
    whole = http.ok(http.get(path, run_ids=runs[:1], metric_key="m", max_results=2500))["metrics"]
    assert len(whole) == 2000


# MLflow itself answers 500 to a list and to an object.
@pytest.mark.parametrize(
    "value",
    ["abc", "", None, pytest.param([1], marks=pytest.mark.lathe_only), pytest.param({}, marks=pytest.mark.lathe_only)],
)
def test_what_is_no_number_is_refused(client: MlflowClient, http: Http, run_id: str, value: object) -> None:
    response = http.post("runs/log-metric", {"run_id": run_id, "key": "m", "value": value, "timestamp": 1})
    assert response.status_code == 400, response.text
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert client.get_run(run_id).data.metrics == {}


def test_numbers_may_come_as_strings(client: MlflowClient, http: Http, run_id: str) -> None:
    body = {"run_id": run_id, "key": "m", "value": "1.5", "timestamp": "17", "step": "3"}
    http.ok(http.post("runs/log-metric", body))
    assert points(client, run_id, "m") == [(1.5, 17, 3)]
