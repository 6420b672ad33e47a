"""Fills the server that MLFLOW_TRACKING_URI names with what the browser tests look at, through MLflow's own client."""

import logging
import math
import os
import random
import struct
import time
import zlib
from collections.abc import Callable

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"

import mlflow
import numpy as np
import pandas as pd
import requests
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import infer_signature
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression

client = mlflow.MlflowClient()
rng = random.Random(7)
NOW_MS = int(time.time() * 1000)
WAIT_SECONDS = 180
LONG_RUNS, LONG_POINTS, BATCH = 10, 10_000, 1000


def curve(key: str, progress: float, skill: float) -> float:
    fall = math.exp(-5 * progress)
    noise = (rng.random() - 0.5) * 0.03
    return {"loss": 0.2 + 2 * fall * (1 - skill) + noise, "val_loss": 0.3 + 2 * fall * (1 - skill) + noise}.get(
        key, skill * (1 - fall) + noise
    )


def log_run(experiment_id: str, index: int, steps: int = 60) -> str:
    """A finished run (each ninth failed) with params, tags and the histories of four metrics."""
    skill = 0.75 + 0.2 * rng.random()
    start_ms = NOW_MS - (index + 1) * 600_000
    run = client.create_run(experiment_id, start_time=start_ms, run_name=f"run-{index:02d}")
    params = {
        "learning_rate": rng.choice(["0.1", "0.01", "0.001"]),
        "max_depth": str(2 + index % 7),
        "solver": rng.choice(["adam", "lbfgs", "sgd"]),
        "random_state": "42",
    }
    tags = {"team": rng.choice(["vision", "risk"]), "mlflow.user": rng.choice(["ada", "grace"])}
    points = [
        Metric(key, curve(key, step / steps, skill), start_ms + step * 1000, step)
        for key in ("accuracy", "loss", "val_accuracy", "val_loss")
        for step in range(steps)
    ]
    client.log_batch(
        run.info.run_id, points, [Param(*pair) for pair in params.items()], [RunTag(*pair) for pair in tags.items()]
    )
    client.set_terminated(run.info.run_id, "FAILED" if index % 9 == 8 else "FINISHED", start_ms + 90_000 + index * 1000)
    return run.info.run_id


def log_long_run(experiment_id: str, index: int) -> None:
    run = client.create_run(experiment_id, run_name=f"long-{index:02d}")
    skill = 0.75 + 0.02 * index
    for start in range(0, LONG_POINTS, BATCH):
        steps = range(start, start + BATCH)
        client.log_batch(
            run.info.run_id, [Metric("loss", curve("loss", step / LONG_POINTS, skill), NOW_MS + step, step) for step in steps]
        )
    client.set_terminated(run.info.run_id)


def png(width: int = 64, height: int = 64) -> bytes:
    rows = b"".join(b"\0" + bytes(value for x in range(width) for value in (4 * x % 256, 4 * y % 256, 128)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def train_model(experiment_id: str, strength: float) -> None:
    """A run with data, files of each kind that has a preview, and a model that becomes a version of digit-reader."""
    images, digits = load_digits(return_X_y=True)
    with mlflow.start_run(experiment_id=experiment_id, run_name=f"logistic-{strength}"):
        mlflow.log_input(mlflow.data.from_numpy(images, targets=digits, name="digits-train"), context="training")
        mlflow.log_params({"C": strength, "solver": "lbfgs"})
        model = LogisticRegression(C=strength, max_iter=200).fit(images[:500], digits[:500])
        for step in range(20):
            mlflow.log_metrics({"accuracy": model.score(images[:500], digits[:500]) * (1 - math.exp(-step - 1)), "loss": 1 / (step + 1)}, step=step)
        mlflow.log_text("index,label,predicted\n" + "".join(f"{at},{digits[at]},{digits[at]}\n" for at in range(50)), "predictions.csv")
        mlflow.log_text("Trained on 500 images.\n", "notes.txt")
        mlflow.log_dict({"accuracy": 0.9, "classes": list(range(10))}, "report/summary.json")
        path = os.path.join(os.environ["LATHE_E2E_FOLDER"], "picture.png")
        with open(path, "wb") as file:
            file.write(png())
        mlflow.log_artifact(path)
        example = images[:2].astype(np.float64)
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(example, model.predict(example)),
            input_example=example,
            pip_requirements=["scikit-learn", "numpy"],
            registered_model_name="digit-reader",
        )


def make_repository() -> None:
    """`flights`: a commit with the tag v1, another one after it, a change that is not committed, and a branch that mends it."""
    api = f"{os.environ['MLFLOW_TRACKING_URI']}/api/v1/repos"

    def send(method: str, path: str, **options: object) -> None:
        requests.request(method, api + path, timeout=30, **options).raise_for_status()

    def put(path: str, text: str, branch: str = "main") -> None:
        send("PUT", f"/flights/refs/{branch}/objects/{path}", data=text.encode())

    send("POST", "", json={"name": "flights", "description": "Flights of 2013."})
    put("2013/jan.csv", "day,carrier,delay\n1,UA,11\n2,AA,-3\n")
    put("schema.json", '{"columns": ["day", "carrier", "delay"]}')
    send("POST", "/flights/branches/main/commits", json={"message": "January"})
    send("POST", "/flights/tags", json={"name": "v1", "from": "main"})
    put("added.txt", "added")
    send("POST", "/flights/branches/main/commits", json={"message": "A note"})
    put("2013/feb.csv", "day,carrier,delay\n32,UA,0\n")
    send("POST", "/flights/branches", json={"name": "mend", "from": "main"})
    put("2013/jan.csv", "day,carrier,delay,gate\n1,UA,11,A4\n2,AA,3,B1\n3,DL,0,C2\n", "mend")
    put("schema.json", '{"columns": ["day", "carrier", "delay", "gate"]}', "mend")
    send("POST", "/flights/branches/mend/commits", json={"message": "Gates, and the sign of a delay"})


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    """Waits as long as a machine under load may need. What never comes is said here, and not by a test that misses it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_SECONDS} s for {what}")
        time.sleep(0.1)


class Unloadable(mlflow.pyfunc.PythonModel):
    def load_context(self, context: object) -> None:
        raise RuntimeError("the vocabulary file is missing")

    def predict(self, context: object, model_input: list[str]) -> list[str]:
        return model_input


HOUR_MS = 3_600_000
RETRAIN = """
name: retrain
on:
  drift_alert: { deployment: scorer }
jobs:
  train: { run: "true" }
"""


def deploy_models() -> None:
    """In a project of its own: `scorer` with a canary, hours of traffic that drifts, labels and an alert; `broken`, which cannot start."""
    server = os.environ["MLFLOW_TRACKING_URI"]
    requests.post(f"{server}/api/v1/projects", json={"name": "serving"}, timeout=30).raise_for_status()
    root = f"{server}/p/serving"
    mlflow.set_tracking_uri(root)
    inputs = pd.DataFrame({"age": [20.0, 40.0, 60.0, 80.0], "income": [4.0, 3.0, 2.0, 1.0]})
    for slope in (1.0, 2.0):
        model = LinearRegression().fit(inputs, slope * inputs["age"] + inputs["income"])
        with mlflow.start_run(run_name=f"slope-{slope}"):
            mlflow.sklearn.log_model(
                model,
                name="model",
                signature=infer_signature(inputs, model.predict(inputs)),
                input_example=inputs.head(2),
                pip_requirements=["scikit-learn", "pandas"],
                registered_model_name="line",
            )
    with mlflow.start_run(run_name="unloadable"):
        mlflow.pyfunc.log_model(python_model=Unloadable(), name="model", pip_requirements=[], registered_model_name="unloadable")

    def send(method: str, path: str, body: object = None, **options: object) -> requests.Response:
        answer = requests.request(method, root + path, json=body, timeout=60, **options)
        answer.raise_for_status()
        return answer

    def wait_ready(role: str) -> None:
        def is_ready() -> bool:
            versions = send("GET", "/api/v1/deployments/scorer").json()["versions"]
            return any(version["role"] == role and version["state"] == "ready" for version in versions)

        wait_for(f"the {role} of scorer to start", is_ready)

    send("POST", "/api/v1/deployments", {"name": "broken", "model": "models:/unloadable/1"})
    send("POST", "/api/v1/deployments", {"name": "scorer", "model": "models:/line/1"})
    wait_ready("primary")
    send("POST", "/api/v1/deployments/scorer/canary", {"model": "models:/line/2", "weight": 25})
    wait_ready("canary")
    send("PUT", "/api/v1/deployments/scorer/monitoring", {"window_ms": HOUR_MS, "allows_replay": True})
    send("POST", "/api/v1/deployments/scorer/alert-rules", {"name": "inputs drift", "metric": "drift_share", "threshold": 0.5})
    first_ms = NOW_MS // HOUR_MS * HOUR_MS - 6 * HOUR_MS
    labels = []
    for hour in range(6):
        for index in range(8):
            rows = [[rng.uniform(20, 80) + 60 * max(0, hour - 3), rng.uniform(1, 4)] for _ in range(10)]
            body = {"dataframe_split": {"columns": ["age", "income"], "data": rows}}
            at_ms = first_ms + hour * HOUR_MS + index * 60_000
            answer = send("POST", "/serving/scorer/invocations", body, headers={"x-lathe-time": str(at_ms)})
            if hour < 4:
                known = enumerate(answer.json()["predictions"])
                labels += [{"request_id": answer.headers["x-request-id"], "row": row, "label": value + rng.gauss(0, 1)} for row, value in known]

    def are_all_rows_there() -> bool:
        windows = send("GET", "/api/v1/deployments/scorer/quality").json()["windows"]
        return sum(window["rows"] for window in windows) == 6 * 8 * 10

    wait_for("the rows of scorer's traffic", are_all_rows_there)
    send("PUT", "/api/v1/deployments/scorer/reference", {"from": "window", "window_start_ms": first_ms})
    send("POST", "/api/v1/deployments/scorer/labels", {"labels": labels})
    send("POST", "/api/v1/pipelines", {"file": RETRAIN})
    send("POST", "/api/v1/deployments/scorer/check")


def main() -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    names = ["digits", "fraud-scoring", "ranking"]
    experiments = [client.create_experiment(name, tags={"mlflow.note.content": f"About {name}."}) for name in names]
    for index in range(60):
        log_run(experiments[index % 3], index)
    long = client.create_experiment("long-curves")
    for index in range(LONG_RUNS):
        log_long_run(long, index)
    for strength in (0.01, 0.1, 1.0):
        train_model(experiments[0], strength)
    client.set_registered_model_alias("digit-reader", "champion", "1")
    client.set_registered_model_alias("digit-reader", "challenger", "2")
    client.update_registered_model("digit-reader", description="Reads one handwritten digit.")
    client.set_model_version_tag("digit-reader", "1", "validated", "yes")
    client.create_registered_model("empty-model")
    make_repository()
    deploy_models()


if __name__ == "__main__":
    main()
