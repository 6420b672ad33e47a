"""What the tests of `lathe run` look at: the runs that came of it, and programs that stand in for others."""

import os
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def runs_of(client: MlflowClient, experiment: str) -> list:
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id]) if found else []


def artifact(run_id: str, name: str) -> str:
    return mlflow.artifacts.load_text(f"runs:/{run_id}/lathe/{name}")


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder
