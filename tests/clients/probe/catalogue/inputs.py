"""Inputs and outputs of runs."""

from ..steps import get, post

DATASET = {"name": "d", "digest": "g1", "source_type": "local", "source": "{}", "schema": "{}", "profile": "{}"}


def inputs(label: str, *datasets: object, **more: object):
    return post(label, "runs/log-inputs", {"run_id": "${r}", "datasets": list(datasets), **more})


def odd_inputs(label: str, *datasets: object):
    return inputs(label, *datasets, run_id="${odd}")


STEPS = [
    inputs("log input", {"dataset": DATASET, "tags": [{"key": "mlflow.data.context", "value": "train"}]}),
    inputs("log input again", {"dataset": DATASET, "tags": [{"key": "mlflow.data.context", "value": "train"}]}),
    inputs("log input without schema", {"dataset": {"name": "d", "digest": "g2", "source_type": "local", "source": "{}"}}),
    inputs("log no inputs"),
    odd_inputs("log input without dataset", {"tags": []}),
    odd_inputs("log input without name", {"dataset": {"digest": "g", "source_type": "local", "source": "{}"}}),
    odd_inputs("log input without digest", {"dataset": {"name": "d", "source_type": "local", "source": "{}"}}),
    inputs("log input without source", {"dataset": {"name": "d", "digest": "g", "source_type": "local"}}),
    inputs("log input with long name", {"dataset": DATASET | {"name": "n" * 501}}),
    inputs("log input with long digest", {"dataset": DATASET | {"digest": "n" * 37}}),
    inputs("log input with long tag key", {"dataset": DATASET, "tags": [{"key": "k" * 256, "value": "v"}]}),
    inputs("log input with long tag value", {"dataset": DATASET, "tags": [{"key": "k", "value": "v" * 501}]}),
    odd_inputs("log input that is no object", "dataset"),
    post("log inputs of unknown run", "runs/log-inputs", {"run_id": "nope", "datasets": [{"dataset": DATASET}]}),
    post("log inputs without run", "runs/log-inputs", {"datasets": [{"dataset": DATASET}]}),
    get("get run with inputs", "runs/get", run_id="${r}"),
    get("get run with odd inputs", "runs/get", run_id="${odd}"),
    post(
        "search runs by dataset",
        "runs/search",
        {"experiment_ids": ["${e}"], "filter": "datasets.name = 'd' AND dataset.digest = 'g1'"},
    ),
    post("search runs by dataset context", "runs/search", {"experiment_ids": ["${e}"], "filter": "datasets.context = 'train'"}),
    post(
        "log model of the 2.x client",
        "runs/log-model",
        {
            "run_id": "${r}",
            "model_json": '{"artifact_path": "model", "flavors": {}, "utc_time_created": "2026-01-01", "run_id": "${r}"}',
        },
    ),
    post("log model that is no JSON", "runs/log-model", {"run_id": "${r}", "model_json": "no json"}),
    post("log model without fields", "runs/log-model", {"run_id": "${r}", "model_json": "{}"}),
    post(
        "log model of unknown run",
        "runs/log-model",
        {"run_id": "nope", "model_json": '{"artifact_path": "m", "flavors": {}, "utc_time_created": "x"}'},
    ),
]
