"""Every route that changes or searches something, with a body that is right and the type of each of its fields.

`${…}` names a thing that the fixture `things` made. A field's type says which values are certainly wrong for it.
"""

from dataclasses import dataclass
from typing import Any

TAGS = [{"key": "k", "value": "v"}]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    body: dict[str, Any]
    types: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def post(path: str, body: dict[str, Any], **types: str) -> Route:
    return Route("POST", path, body, types)


RUN = {"run_id": "${run_id}"}
EXPERIMENT = {"experiment_id": "${experiment_id}"}
MODEL = {"name": "${model}"}
VERSION = MODEL | {"version": "${version}"}
LOGGED = "logged-models/${model_id}"

ROUTES = [
    post("experiments/create", {"name": "${new}", "tags": TAGS}, name="text", tags="list"),
    post(
        "experiments/search",
        {"max_results": 5, "filter": "name = 'x'", "order_by": ["name"]},
        max_results="integer",
        filter="text",
        order_by="list",
    ),
    post("experiments/update", EXPERIMENT | {"new_name": "${new}"}, experiment_id="text", new_name="text"),
    post("experiments/delete", EXPERIMENT, experiment_id="text"),
    post("experiments/restore", EXPERIMENT, experiment_id="text"),
    post(
        "experiments/set-experiment-tag",
        EXPERIMENT | {"key": "k", "value": "v"},
        experiment_id="text",
        key="text",
        value="text",
    ),
    post("experiments/delete-experiment-tag", EXPERIMENT | {"key": "k"}, experiment_id="text", key="text"),
    post(
        "runs/create",
        EXPERIMENT | {"start_time": 1, "run_name": "x", "tags": TAGS},
        experiment_id="text",
        start_time="integer",
        run_name="text",
        tags="list",
    ),
    post("runs/update", RUN | {"run_name": "x", "end_time": 2}, run_id="text", run_name="text", end_time="integer"),
    post("runs/delete", RUN, run_id="text"),
    post("runs/restore", RUN, run_id="text"),
    post(
        "runs/search",
        {"experiment_ids": ["${experiment_id}"], "filter": "metrics.m > 1", "max_results": 5, "order_by": ["start_time"]},
        experiment_ids="list",
        filter="text",
        max_results="integer",
        order_by="list",
    ),
    post(
        "runs/log-metric",
        RUN | {"key": "k", "value": 1.5, "timestamp": 1, "step": 1},
        run_id="text",
        key="text",
        value="number",
        timestamp="integer",
        step="integer",
    ),
    post("runs/log-parameter", RUN | {"key": "k", "value": "v"}, run_id="text", key="text", value="text"),
    post("runs/set-tag", RUN | {"key": "k", "value": "v"}, run_id="text", key="text", value="text"),
    post("runs/delete-tag", RUN | {"key": "k"}, run_id="text", key="text"),
    post(
        "runs/log-batch",
        RUN | {"metrics": [{"key": "k", "value": 1, "timestamp": 1, "step": 0}], "params": TAGS, "tags": TAGS},
        run_id="text",
        metrics="list",
        params="list",
        tags="list",
    ),
    post(
        "runs/log-inputs",
        RUN | {"datasets": [{"dataset": {"name": "d", "digest": "g", "source_type": "t", "source": "s"}}]},
        run_id="text",
        datasets="list",
    ),
    post("runs/outputs", RUN | {"models": [{"model_id": "${model_id}", "step": 0}]}, run_id="text", models="list"),
    post(
        "runs/log-model",
        RUN | {"model_json": '{"artifact_path": "m", "flavors": {}, "utc_time_created": "x"}'},
        run_id="text",
        model_json="text",
    ),
    post(
        "registered-models/create",
        {"name": "${new}", "tags": TAGS, "description": "d"},
        name="text",
        tags="list",
        description="text",
    ),
    post("registered-models/rename", MODEL | {"new_name": "${new}"}, name="text", new_name="text"),
    Route("PATCH", "registered-models/update", MODEL | {"description": "d"}, {"name": "text", "description": "text"}),
    Route("DELETE", "registered-models/delete", MODEL, {"name": "text"}),
    post("registered-models/set-tag", MODEL | {"key": "k", "value": "v"}, name="text", key="text", value="text"),
    Route("DELETE", "registered-models/delete-tag", MODEL | {"key": "k"}, {"name": "text", "key": "text"}),
    post("registered-models/get-latest-versions", MODEL | {"stages": ["None"]}, name="text", stages="list"),
    post("registered-models/alias", VERSION | {"alias": "a"}, name="text", version="text", alias="text"),
    Route("DELETE", "registered-models/alias", MODEL | {"alias": "a"}, {"name": "text", "alias": "text"}),
    post("model-versions/create", MODEL | {"source": "s3://bucket/x", "tags": TAGS}, name="text", source="text", tags="list"),
    Route(
        "PATCH",
        "model-versions/update",
        VERSION | {"description": "d"},
        {"name": "text", "version": "text", "description": "text"},
    ),
    Route("DELETE", "model-versions/delete", VERSION, {"name": "text", "version": "text"}),
    post("model-versions/transition-stage", VERSION | {"stage": "Staging"}, name="text", version="text", stage="text"),
    post("model-versions/set-tag", VERSION | {"key": "k", "value": "v"}, name="text", version="text", key="text", value="text"),
    Route("DELETE", "model-versions/delete-tag", VERSION | {"key": "k"}, {"name": "text", "version": "text", "key": "text"}),
    post(
        "logged-models",
        EXPERIMENT | {"name": "x", "tags": TAGS, "params": TAGS},
        experiment_id="text",
        name="text",
        tags="list",
        params="list",
    ),
    post(
        "logged-models/search",
        {"experiment_ids": ["${experiment_id}"], "filter": "name = 'x'", "max_results": 5},
        experiment_ids="list",
        filter="text",
        max_results="integer",
    ),
    Route("PATCH", LOGGED, {"model_id": "${model_id}", "status": "LOGGED_MODEL_READY"}, {}),
    Route("PATCH", LOGGED + "/tags", {"tags": TAGS}, {"tags": "list"}),
    post(LOGGED + "/params", {"model_id": "${model_id}", "params": TAGS}, params="list"),
]

# Reads: every parameter of their query is a text.
READS = {
    "experiments/get": {"experiment_id": "${experiment_id}"},
    "experiments/get-by-name": {"experiment_name": "${experiment}"},
    "experiments/search": {"max_results": "5", "filter": "name = 'x'"},
    "runs/get": {"run_id": "${run_id}"},
    "metrics/get-history": {"run_id": "${run_id}", "metric_key": "m", "max_results": "5", "page_token": ""},
    "/ajax-api/2.0/mlflow/metrics/get-history-bulk": {"run_id": "${run_id}", "metric_key": "m", "max_results": "5"},
    "metrics/get-history-bulk-interval": {
        "run_ids": "${run_id}",
        "metric_key": "m",
        "max_results": "5",
        "start_step": "0",
        "end_step": "5",
    },
    "artifacts/list": {"run_id": "${run_id}", "path": "a", "page_token": ""},
    "/api/2.0/mlflow-artifacts/artifacts": {"path": "${experiment_id}"},
    "/get-artifact": {"run_id": "${run_id}", "path": "a"},
    "/model-versions/get-artifact": {"name": "${model}", "version": "1", "path": "a"},
    "registered-models/get": {"name": "${model}"},
    "registered-models/search": {"filter": "name = 'x'", "max_results": "5", "order_by": "name", "page_token": ""},
    "registered-models/alias": {"name": "${model}", "alias": "a"},
    "registered-models/get-latest-versions": {"name": "${model}"},
    "model-versions/get": {"name": "${model}", "version": "1"},
    "model-versions/get-download-uri": {"name": "${model}", "version": "1"},
    "model-versions/search": {"filter": "name = 'x'", "max_results": "5", "order_by": "name", "page_token": ""},
    LOGGED: {},
    LOGGED + "/artifacts/directories": {"artifact_directory_path": "a"},
}
