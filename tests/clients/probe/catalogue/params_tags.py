"""Params, tags and log-batch."""

from ..steps import get, post, raw


def param(label: str, **fields: object):
    return post(label, "runs/log-parameter", {"run_id": "${r}", **fields})


def tag(label: str, **fields: object):
    return post(label, "runs/set-tag", {"run_id": "${r}", **fields})


def batch(label: str, **fields: object):
    return post(label, "runs/log-batch", {"run_id": "${r}", **fields})


POINT = {"key": "mm", "value": 1, "timestamp": 1, "step": 0}

STEPS = [
    param("param", key="p", value="1"),
    param("param again", key="p", value="1"),
    param("param changed", key="p", value="2"),
    param("param of 6000", key="long", value="x" * 6000),
    param("param of 6001", key="long2", value="x" * 6001),
    param("param with empty value", key="empty", value=""),
    param("param without value", key="noval"),
    param("param with number as value", key="num", value=5),
    param("param with null value", key="nullval", value=None),
    param("param with star in key", key="a*b", value="1"),
    param("param with long key", key="k" * 251, value="1"),
    param("param without key", value="1"),
    post("param of unknown run", "runs/log-parameter", {"run_id": "nope", "key": "p", "value": "1"}),
    tag("tag", key="t", value="1"),
    tag("tag changed", key="t", value="2"),
    tag("tag of 8001", key="long", value="x" * 8001),
    tag("tag with name of the run", key="mlflow.runName", value="renamed"),
    tag("tag with empty name of the run", key="mlflow.runName", value=""),
    tag("tag with empty value", key="emptytag", value=""),
    tag("tag without value", key="novalue"),
    tag("tag without key", value="1"),
    tag("tag with empty key", key="", value="1"),
    tag("tag with long key", key="k" * 251, value="1"),
    tag("tag with dots in key", key="a/../b", value="1"),
    post("tag of unknown run", "runs/set-tag", {"run_id": "nope", "key": "t", "value": "1"}),
    post("delete tag", "runs/delete-tag", {"run_id": "${r}", "key": "t"}),
    post("delete tag that is not there", "runs/delete-tag", {"run_id": "${r}", "key": "none"}),
    post("delete tag without key", "runs/delete-tag", {"run_id": "${r}"}),
    post("delete tag of unknown run", "runs/delete-tag", {"run_id": "nope", "key": "t"}),
    batch("batch of nothing"),
    batch(
        "batch",
        metrics=[{"key": "bm", "value": 2, "timestamp": 3, "step": 1}],
        params=[{"key": "bp", "value": "x"}],
        tags=[{"key": "bt", "value": "y"}],
    ),
    batch("batch of 101 params", params=[{"key": f"b{i}", "value": "1"} for i in range(101)]),
    batch("batch of 101 tags", tags=[{"key": f"b{i}", "value": "1"} for i in range(101)]),
    batch("batch of 1001 metrics", metrics=[POINT] * 1001),
    batch("batch of 1001 entities", metrics=[POINT] * 950, params=[{"key": f"e{i}", "value": "1"} for i in range(51)]),
    batch("batch with a param twice", params=[{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]),
    batch("batch with a param twice the same", params=[{"key": "d", "value": "1"}, {"key": "d", "value": "1"}]),
    batch("batch with changed param", params=[{"key": "p", "value": "9"}]),
    batch("batch with changed params", params=[{"key": "p", "value": "9"}, {"key": "bp", "value": "9"}]),
    batch("batch with long param", params=[{"key": "bl", "value": "x" * 6001}]),
    batch(
        "batch with NaN and a tag twice",
        metrics=[{"key": "m", "value": "NaN", "timestamp": 1, "step": 0}],
        tags=[{"key": "x", "value": "1"}, {"key": "x", "value": "2"}],
    ),
    batch("batch with bad metric key", metrics=[{"key": "a*b", "value": 1, "timestamp": 1, "step": 0}]),
    batch("batch with bad second metric key", metrics=[POINT, {"key": "../up", "value": 1, "timestamp": 1, "step": 0}]),
    batch("batch with word as metric", run_id="${odd}", metrics=[{"key": "w", "value": "word", "timestamp": 1, "step": 0}]),
    batch("batch with negative time", metrics=[{"key": "w", "value": 1, "timestamp": -5, "step": 0}]),
    batch("batch with metric without time", metrics=[{"key": "w", "value": 1}]),
    batch("batch with metric without key", metrics=[{"value": 1, "timestamp": 1}]),
    batch("batch with metrics that are no list", metrics={"key": "w"}),
    batch("batch with metric that is no object", metrics=["w"]),
    batch("batch with param without key", params=[{"value": "1"}]),
    batch("batch with tag without key", tags=[{"value": "1"}]),
    batch("batch with null lists", metrics=None, params=None, tags=None),
    batch("batch with steps as text", metrics=[{"key": "st", "value": "2.5", "timestamp": "7", "step": "4"}]),
    post("batch of unknown run", "runs/log-batch", {"run_id": "nope", "params": [{"key": "p", "value": "1"}]}),
    post("batch without run", "runs/log-batch", {"params": [{"key": "p", "value": "1"}]}),
    raw("batch of bad JSON", "runs/log-batch", '{"run_id": "${r}", "metrics": [{]}'),
    get("get run with everything", "runs/get", run_id="${r}"),
    get("get run with odd values", "runs/get", run_id="${odd}"),
]
