"""The measured requests. Each load sends the same requests to either server and checks that the answer is what was asked."""

from collections.abc import Callable
from dataclasses import dataclass

from .client import Client
from .data import START_MS, Filled, Sizes

Send = Callable[[int], None]


@dataclass(frozen=True)
class Load:
    """`prepare(client, filled, sizes)` makes the function that sends request number n.

    `counts` is how many requests MLflow and Lathe get: Lathe gets more where a single one is too short to be measured by
    the kernel's clock of 10 ms. They are shared out among the `connections`. The result is always CPU time per request.
    """

    name: str
    goal: float | None
    counts: tuple[int, int]
    prepare: Callable[[Client, Filled, Sizes], Send]
    connections: int = 1


def new_run(client: Client, experiment_id: str) -> str:
    return client.post("runs/create", {"experiment_id": experiment_id, "run_name": "bench"})["run"]["info"]["run_id"]


def log_metric(client: Client, filled: Filled, sizes: Sizes) -> Send:
    run_id = new_run(client, "0")

    def send(number: int) -> None:
        client.post(
            "runs/log-metric",
            {"run_id": run_id, "key": "m", "value": number / 7, "timestamp": START_MS + number, "step": number},
        )

    return send


def create_run(client: Client, filled: Filled, sizes: Sizes) -> Send:
    tags = [{"key": "mlflow.user", "value": "bench"}, {"key": "mlflow.source.name", "value": "train.py"}]

    def send(number: int) -> None:
        client.post("runs/create", {"experiment_id": "0", "run_name": f"bench-{number}", "start_time": START_MS, "tags": tags})

    return send


def log_batch(client: Client, filled: Filled, sizes: Sizes) -> Send:
    run_id = new_run(client, "0")

    def send(number: int) -> None:
        metrics = [
            {"key": f"metric_{key}", "value": step / 3 + key, "timestamp": START_MS + step, "step": number * 100 + step}
            for key in range(10)
            for step in range(100)
        ]
        client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})

    return send


def search(experiment: str, **fields: object) -> Callable[[Client, Filled, Sizes], Send]:
    def prepare(client: Client, filled: Filled, sizes: Sizes) -> Send:
        body = {"experiment_ids": [getattr(filled, experiment)], "max_results": 100, **fields}

        def send(number: int) -> None:
            assert len(client.post("runs/search", body)["runs"]) == 100

        return send

    return prepare


def history(client: Client, filled: Filled, sizes: Sizes) -> Send:
    def send(number: int) -> None:
        content = client.send("GET", "metrics/get-history", query={"run_id": filled.long_run, "metric_key": "loss"})
        assert content.count(b'"step"') >= sizes.long_points - 1

    return send


def bulk_interval(client: Client, filled: Filled, sizes: Sizes) -> Send:
    query = {"run_ids": filled.wide_runs, "metric_key": "loss", "max_results": 320}

    def send(number: int) -> None:
        found = client.get("metrics/get-history-bulk-interval", **query)["metrics"]
        assert len(found) >= 320 * len(filled.wide_runs) * 0.9

    return send


FILTER = "metrics.loss < 0.5 and params.param_0 = '1'"
BY_LOSS = ["metrics.loss DESC"]

LOADS = [
    Load("log-metric, one point", 50, (200, 4000), log_metric),
    Load("log-metric, one point, 16 connections", 50, (320, 16000), log_metric, connections=16),
    Load("runs/create", 50, (200, 4000), create_run),
    Load("runs/create, 16 connections", 50, (320, 16000), create_run, connections=16),
    Load("log-batch of 1,000 points", 30, (8, 400), log_batch),
    Load("search page of 100 among {runs:,}: plain", 30, (12, 400), search("runs")),
    Load("search page of 100 among {runs:,}: metric filter", 30, (12, 400), search("runs", filter=FILTER)),
    Load("search page of 100 among {runs:,}: order by metric", 30, (12, 400), search("runs", order_by=BY_LOSS)),
    Load("search page of 100 among {many:,}: plain", 30, (8, 400), search("many")),
    Load("search page of 100 among {many:,}: metric filter", 30, (8, 200), search("many", filter=FILTER)),
    Load("search page of 100 among {many:,}: order by metric", 30, (8, 200), search("many", order_by=BY_LOSS)),
    Load("get-history of {long_points:,} points", 30, (2, 30), history),
    Load("get-history-bulk-interval, {wide_runs} runs of {wide_points:,} points", 20, (8, 100), bulk_interval),
]
