"""Runs: create, get, update, delete, restore.

`odd` is the run of values that not both servers take: what is logged to the others can be compared as a whole.
"""

from ..steps import get, post

STEPS = [
    post(
        "create run",
        "runs/create",
        {
            "experiment_id": "${e}",
            "start_time": "1700000000000",
            "run_name": "r1",
            "tags": [{"key": "mlflow.user", "value": "u"}],
        },
        save={"r": "run.info.run_id"},
    ),
    post(
        "create run without name",
        "runs/create",
        {"experiment_id": "${e}", "start_time": 1700000000001, "user_id": "zz"},
        save={"r2": "run.info.run_id"},
    ),
    post(
        "create run with name as tag",
        "runs/create",
        {"experiment_id": "${e_location}", "start_time": 5, "tags": [{"key": "mlflow.runName", "value": "tagged"}]},
    ),
    post(
        "create run with name and another name as tag",
        "runs/create",
        {"experiment_id": "${e_location}", "start_time": 5, "run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]},
    ),
    post(
        "create run for odd values",
        "runs/create",
        {"experiment_id": "${e_location}", "start_time": 6, "run_name": "odd"},
        save={"odd": "run.info.run_id"},
    ),
    post("create run without start time", "runs/create", {"experiment_id": "${e_location}", "run_name": "no start"}),
    post("create run without experiment", "runs/create", {"start_time": 1, "run_name": "in default"}),
    post("create run in unknown experiment", "runs/create", {"experiment_id": "987654321"}),
    post("create run in a word", "runs/create", {"experiment_id": "abc"}),
    post("create run with number as experiment", "runs/create", {"experiment_id": 0}),
    post("create run with word as start time", "runs/create", {"experiment_id": "${e}", "start_time": "soon"}),
    post("create run with fraction as start time", "runs/create", {"experiment_id": "${e_location}", "start_time": 1.5}),
    post("create run with number as run name", "runs/create", {"experiment_id": "${e}", "run_name": 5}),
    post(
        "create run with long tag key",
        "runs/create",
        {"experiment_id": "${e_location}", "tags": [{"key": "k" * 251, "value": "v"}]},
    ),
    get("get run", "runs/get", run_id="${r}"),
    get("get run by run_uuid", "runs/get", run_uuid="${r}"),
    get("get unknown run", "runs/get", run_id="nope"),
    get("get run of well-formed unknown id", "runs/get", run_id="0" * 32),
    get("get run without id", "runs/get"),
    get("get run of long id", "runs/get", run_id="f" * 300),
    post("update run", "runs/update", {"run_id": "${r2}", "status": "FINISHED", "end_time": 1700000001000, "run_name": "r2"}),
    post("update run by run_uuid", "runs/update", {"run_uuid": "${r2}", "status": "FAILED"}),
    post("update run with nothing", "runs/update", {"run_id": "${r2}"}),
    post("update run with bogus status", "runs/update", {"run_id": "${r2}", "status": "BOGUS"}),
    post("update run with number as status", "runs/update", {"run_id": "${r2}", "status": 3}),
    post("update run with empty name", "runs/update", {"run_id": "${r2}", "run_name": ""}),
    post("update unknown run", "runs/update", {"run_id": "nope", "status": "FINISHED"}),
    post("update run without id", "runs/update", {"status": "FINISHED"}),
    get("get updated run", "runs/get", run_id="${r2}"),
]

LIFECYCLE = [
    post("delete run", "runs/delete", {"run_id": "${r}"}),
    post("delete run twice", "runs/delete", {"run_id": "${r}"}),
    post("delete unknown run", "runs/delete", {"run_id": "nope"}),
    post("log metric on deleted run", "runs/log-metric", {"run_id": "${r}", "key": "q", "value": 1, "timestamp": 1}),
    post("log param on deleted run", "runs/log-parameter", {"run_id": "${r}", "key": "q", "value": "1"}),
    post("log batch on deleted run", "runs/log-batch", {"run_id": "${r}", "tags": [{"key": "q", "value": "1"}]}),
    post("set tag on deleted run", "runs/set-tag", {"run_id": "${r}", "key": "q", "value": "1"}),
    post("delete tag on deleted run", "runs/delete-tag", {"run_id": "${r}", "key": "x"}),
    post("update deleted run", "runs/update", {"run_id": "${r}", "run_name": "z"}),
    post("search deleted runs", "runs/search", {"experiment_ids": ["${e}"], "run_view_type": "DELETED_ONLY"}),
    post("restore run", "runs/restore", {"run_id": "${r}"}),
    post("restore active run", "runs/restore", {"run_id": "${r}"}),
    post("restore unknown run", "runs/restore", {"run_id": "nope"}),
    post("restore run without id", "runs/restore", {}),
]
