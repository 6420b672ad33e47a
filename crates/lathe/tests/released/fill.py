"""Logs the small project that every released database holds: what the upgrade test looks for."""

import json
import os
import urllib.request

API = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/"


def post(path: str, body: dict) -> dict:
    request = urllib.request.Request(API + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


experiment_id = post("experiments/create", {"name": "upgrade"})["experiment_id"]
run_id = post("runs/create", {"experiment_id": experiment_id, "start_time": 1_700_000_000_000})["run"]["info"]["run_id"]
points = [{"key": "loss", "value": 1 / 2**step, "timestamp": step, "step": step} for step in range(3)]
params, tags = [{"key": "lr", "value": "0.1"}], [{"key": "team", "value": "a"}]
post("runs/log-batch", {"run_id": run_id, "metrics": points, "params": params, "tags": tags})
dataset = {"name": "train", "digest": "1a2b", "source_type": "local", "source": "{}"}
post("runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset, "tags": []}]})
post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 1_700_000_060_000})
post("registered-models/create", {"name": "net", "tags": [{"key": "a", "value": "b"}]})
source = f"mlflow-artifacts:/{experiment_id}/{run_id}/artifacts/model"
post("model-versions/create", {"name": "net", "source": source, "run_id": run_id})
post("registered-models/alias", {"name": "net", "alias": "champion", "version": "1"})
