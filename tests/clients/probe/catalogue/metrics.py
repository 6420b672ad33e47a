"""Metrics: values, history, bulk history."""

import json

from ..steps import get, post, raw

# What MLflow reads as a number without a word: sent to the run of odd values.
ODD_VALUES = ["nan"]
VALUES = [1.5, "NaN", "Infinity", "-Infinity", "1.5", None, True, "abc", "", [1], {}, "nan", "1e3", 1e308]
BULK = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
INTERVAL = "metrics/get-history-bulk-interval"


def metric(label: str, **fields: object):
    return post(label, "runs/log-metric", {"run_id": "${r}", **fields})


def odd_metric(label: str, **fields: object):
    return metric(label, run_id="${odd}", **fields)


STEPS = [
    *(
        raw(
            f"metric value {json.dumps(value)}",
            "runs/log-metric",
            json.dumps({
                "run_id": "${odd}" if value in ODD_VALUES else "${r}",
                "key": f"m_{n}",
                "value": value,
                "timestamp": 1700000000000,
            }),
        )
        for n, value in enumerate(VALUES)
    ),
    raw(
        "metric value bare Infinity",
        "runs/log-metric",
        '{"run_id": "${odd}", "key": "m_bare", "value": Infinity, "timestamp": 1}',
    ),
    raw("metric value bare NaN", "runs/log-metric", '{"run_id": "${odd}", "key": "m_barenan", "value": NaN, "timestamp": 1}'),
    raw("metric value 1e400", "runs/log-metric", '{"run_id": "${odd}", "key": "m_400", "value": 1e400, "timestamp": 1}'),
    metric("metric", key="s", value=1, timestamp=1, step="5"),
    metric("metric of an older step", key="s", value=2, timestamp=9, step=3),
    metric("metric of the same step and time", key="s", value=0.5, timestamp=1, step=5),
    metric("metric again", key="s", value=1, timestamp=1, step=5),
    metric("metric with negative time", key="neg", value=1, timestamp=-1),
    odd_metric("metric with huge time", key="huge", value=1, timestamp=2**63),
    odd_metric("metric with fraction as time", key="frac", value=1, timestamp=1.5),
    odd_metric("metric with fraction as step", key="frac", value=1, timestamp=1, step=1.5),
    metric("metric with word as step", key="word", value=1, timestamp=1, step="one"),
    metric("metric with null step", key="nullstep", value=1, timestamp=1, step=None),
    metric("metric with negative step", key="negstep", value=1, timestamp=1, step=-3),
    metric("metric with dots in key", key="../x", value=1, timestamp=1),
    metric("metric with absolute key", key="/x", value=1, timestamp=1),
    metric("metric with double slash in key", key="a//b", value=1, timestamp=1),
    metric("metric with star in key", key="a*b", value=1, timestamp=1),
    metric("metric with newline in key", key="a\nb", value=1, timestamp=1),
    metric("metric with empty key", key="", value=1, timestamp=1),
    metric("metric with number as key", key=5, value=1, timestamp=1),
    metric("metric without key", value=1, timestamp=1),
    metric("metric without value", key="nv", timestamp=1),
    metric("metric with long key", key="k" * 251, value=1, timestamp=1),
    metric("metric without time", key="nots", value=1),
    post("metric of unknown run", "runs/log-metric", {"run_id": "nope", "key": "s", "value": 1, "timestamp": 1}),
    post("metric without run", "runs/log-metric", {"key": "s", "value": 1, "timestamp": 1}),
    post("metric by run_uuid", "runs/log-metric", {"run_uuid": "${r}", "key": "uuid", "value": 1, "timestamp": 1}),
    get("history", "metrics/get-history", run_id="${r}", metric_key="s"),
    get("history by run_uuid", "metrics/get-history", run_uuid="${r}", metric_key="s"),
    get("history of NaN", "metrics/get-history", run_id="${r}", metric_key="m_1"),
    get("history of Infinity", "metrics/get-history", run_id="${r}", metric_key="m_2"),
    get("history of unknown metric", "metrics/get-history", run_id="${r}", metric_key="zz"),
    get("history of unknown run", "metrics/get-history", run_id="nope", metric_key="s"),
    get("history without key", "metrics/get-history", run_id="${r}"),
    get("history without run", "metrics/get-history", metric_key="s"),
    get(
        "history, first page",
        "metrics/get-history",
        run_id="${r}",
        metric_key="s",
        max_results=2,
        save={"history_token": "next_page_token"},
    ),
    get(
        "history, second page",
        "metrics/get-history",
        run_id="${r}",
        metric_key="s",
        max_results=2,
        page_token="${history_token}",
    ),
    get("history, page of exactly all", "metrics/get-history", run_id="${r}", metric_key="s", max_results=3),
    get("history, page of 0", "metrics/get-history", run_id="${r}", metric_key="s", max_results=0),
    get("history, page of -1", "metrics/get-history", run_id="${r}", metric_key="s", max_results=-1),
    get("history, page of a word", "metrics/get-history", run_id="${r}", metric_key="s", max_results="x"),
    get("history, bad token", "metrics/get-history", run_id="${r}", metric_key="s", max_results=1, page_token="!!!"),
    get("bulk history", BULK, run_id=["${r}", "${r2}"], metric_key="s", max_results=10),
    get("bulk history, short", BULK, run_id="${r}", metric_key="s", max_results=1),
    get("bulk history without run", BULK, metric_key="s"),
    get("bulk history without key", BULK, run_id="${r}"),
    get("bulk history of 101 runs", BULK, run_id=["${r}"] * 101, metric_key="s"),
    get("bulk history of unknown run", BULK, run_id="nope", metric_key="s"),
    get("bulk history, page of a word", BULK, run_id="${r}", metric_key="s", max_results="x"),
    get("interval", INTERVAL, run_ids=["${r}"], metric_key="s", max_results=10),
    get("interval of two runs", INTERVAL, run_ids=["${r}", "${r2}"], metric_key="s"),
    get("interval of steps", INTERVAL, run_ids=["${r}"], metric_key="s", start_step=4, end_step=6, max_results=10),
    get("interval with start only", INTERVAL, run_ids=["${r}"], metric_key="s", start_step=4),
    get("interval upside down", INTERVAL, run_ids=["${r}"], metric_key="s", start_step=6, end_step=4),
    get("interval without runs", INTERVAL, metric_key="s"),
    get("interval without key", INTERVAL, run_ids=["${r}"]),
    get("interval of 101 runs", INTERVAL, run_ids=["${r}"] * 101, metric_key="s"),
    get("interval of 0", INTERVAL, run_ids=["${r}"], metric_key="s", max_results=0),
    get("interval of 2501", INTERVAL, run_ids=["${r}"], metric_key="s", max_results=2501),
    get("interval for the UI", "/ajax-api/2.0/mlflow/" + INTERVAL, run_ids=["${r}"], metric_key="s"),
]
