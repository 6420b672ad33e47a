"""What the nonsense is sent to: one of each thing, and a fingerprint that shows whether any of it changed."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from support.http import Http


@pytest.fixture
def things(client: MlflowClient) -> dict[str, str]:
    """An experiment, a run, a registered model with a version, a logged model; and a name that is free."""
    word = uuid.uuid4().hex[:12]
    experiment_id = client.create_experiment(f"bad-{word}", tags={"a": "1"})
    run_id = client.create_run(experiment_id, run_name="target", start_time=1).info.run_id
    client.log_metric(run_id, "m", 1, timestamp=1)
    client.log_param(run_id, "p", "1")
    client.create_registered_model(f"bad-{word}")
    client.create_model_version(f"bad-{word}", "s3://bucket/x")
    model_id = client.create_logged_model(experiment_id, name="logged").model_id
    return {
        "experiment_id": experiment_id,
        "experiment": f"bad-{word}",
        "run_id": run_id,
        "model": f"bad-{word}",
        "version": "1",
        "model_id": model_id,
        "new": f"bad-{word}-new",
    }


@pytest.fixture
def fingerprint(http: Http, things: dict[str, str]) -> Callable[[], str]:
    """Everything that can be read of the things, as one text: equal texts, nothing was written."""

    def read() -> str:
        name, experiment_id = things["experiment"], things["experiment_id"]
        parts: list[Any] = [
            http.ok(http.get("experiments/get", experiment_id=experiment_id)),
            http.ok(
                http.post("experiments/search", {"max_results": 100, "filter": f"name LIKE '{name}%'", "view_type": "ALL"})
            ),
            http.ok(http.post("runs/search", {"experiment_ids": [experiment_id], "run_view_type": "ALL"})),
            http.ok(http.get("registered-models/search", filter=f"name LIKE '{name}%'")),
            http.ok(http.get("model-versions/search", filter=f"name = '{name}'")),
            http.ok(http.post("logged-models/search", {"experiment_ids": [experiment_id]})),
            http.ok(http.get("artifacts/list", run_id=things["run_id"])),
        ]
        return json.dumps(parts, sort_keys=True)

    return read


def error_code(response: Any, what: object) -> str:
    """The error code of an answer that must be a refusal."""
    assert 400 <= response.status_code < 500, f"{what}: {response.status_code} {response.text[:300]}"
    try:
        code = response.json()["error_code"]
    except (ValueError, KeyError, TypeError):
        raise AssertionError(f"{what}: {response.status_code} without an error_code: {response.text[:300]!r}") from None
    assert isinstance(code, str) and code.isupper(), what
    return code
