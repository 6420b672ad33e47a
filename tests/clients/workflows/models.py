"""Small models for pipelines that deploy: logged as files of code, so that the worker needs nothing of the tests."""

from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from support.http import Http
from support.waiting import wait_for

SIGNATURE = ModelSignature(inputs=Schema([ColSpec("double", "a")]))
CODE = """
import os
import mlflow

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        {body}

mlflow.models.set_model(Model())
"""


def log_model(url: str, folder: Path, body: str) -> str:
    """Logs a model whose `predict` is `body`; returns the id of the run that logged it."""
    file = folder / f"model_{len(list(folder.glob('model_*.py')))}.py"
    file.write_text(CODE.format(body=body))
    mlflow.set_tracking_uri(url)
    with mlflow.start_run() as run:
        mlflow.pyfunc.log_model(name="model", python_model=str(file), signature=SIGNATURE, pip_requirements=[])
    return run.info.run_id


def answers(number: float) -> str:
    """The body of a model that answers this number for each row."""
    return f"return [{number}] * len(model_input)"


def register(url: str, name: str, run_id: str) -> int:
    """Registers the model of a run; returns its version."""
    mlflow.set_tracking_uri(url)
    return int(mlflow.register_model(f"runs:/{run_id}/model", name).version)


def predict(http: Http, deployment: str):
    return http.post(f"/serving/{deployment}/invocations", {"dataframe_split": {"columns": ["a"], "data": [[1.0]]}})


def versions(http: Http, deployment: str) -> dict[str, int]:
    """The version in each role of a deployment."""
    return {one["role"]: one["version"] for one in deployed(http, deployment)}


def deployed(http: Http, deployment: str) -> list[dict[str, Any]]:
    """The versions of a deployment, with their states."""
    return http.ok(http.get(f"/api/v1/deployments/{deployment}"))["versions"]


def deploy_and_wait(http: Http, deployment: str, model: str) -> None:
    """Makes a deployment and waits until it is ready."""
    http.ok_any(http.post("/api/v1/deployments", {"name": deployment, "model": model}))

    def is_ready() -> bool:
        [version] = http.ok(http.get(f"/api/v1/deployments/{deployment}"))["versions"]
        assert version["state"] != "failed", version
        return version["state"] == "ready"

    wait_for(f"{deployment} to be ready", is_ready, 90, pause=0.1)


def count_events(http: Http, action: str, subject: str) -> int:
    """How often something happened to a thing or a part of it, as far as the ledger says."""
    return len(http.ok(http.get("/api/v1/audit", action=action, subject=subject, max_results=1000))["events"])


def wait_for_ledger(http: Http, model: str) -> None:
    """Waits until readers of the ledger see all that happened so far: what is committed is seen a little later, and in its order."""
    subject = f"default/model/{model}"
    seen = count_events(http, "model.tagged", subject)
    http.ok(http.post("registered-models/set-tag", {"name": model, "key": "seen", "value": str(seen)}))
    wait_for("the ledger to be read", lambda: count_events(http, "model.tagged", subject) > seen)
