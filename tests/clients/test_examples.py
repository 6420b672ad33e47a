"""The example and its tutorial, run as a reader would."""

import os
import re
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from support.paths import ROOT

DIGITS = ROOT / "examples" / "digits"

pytestmark = [pytest.mark.slow, pytest.mark.any_database]


def run_python(server_url: str, *arguments: str) -> str:
    # Nothing but the variable that the tutorial names chooses the server.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment |= {"MLFLOW_TRACKING_URI": server_url, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONIOENCODING": "utf-8"}
    ended = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def trained(server_url: str) -> list[str]:
    """What the example printed, twice: running it again must work."""
    return [run_python(server_url, str(DIGITS / "train.py")) for _ in range(2)]


def test_the_example_registers_a_new_version_each_time(client: MlflowClient, trained: list[str]) -> None:
    versions = [re.search(r'registered it as "digits" version (\d+), alias "champion"', text).group(1) for text in trained]
    assert int(versions[1]) == int(versions[0]) + 1
    assert str(client.get_model_version_by_alias("digits", "champion").version) == versions[1]
    for text in trained:
        assert text.count("read as ") == 4
        assert "5/5" in text and "done in" in text


def test_the_example_leaves_a_parent_run_with_five_children(client: MlflowClient, trained: list[str]) -> None:
    experiment = client.get_experiment_by_name("digits")
    parents = client.search_runs([experiment.experiment_id], "attributes.run_name = 'compare models'")
    assert len(parents) >= 2
    children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parents[0].info.run_id}'")
    assert len(children) == 5
    assert all(run.info.status == "FINISHED" and run.data.metrics["test_accuracy"] > 0.9 for run in children)
    assert all(run.inputs.dataset_inputs and run.outputs.model_outputs for run in children)
    wide = next(run for run in children if run.info.run_name == "neural network, wide")
    assert len(client.get_metric_history(wide.info.run_id, "validation_loss")) == 30
    assert {entry.path for entry in client.list_artifacts(wide.info.run_id)} >= {
        "confusion_matrix.png",
        "confusion_table.csv",
        "confusion_table.json",
    }


def test_the_snippet_of_the_tutorial_reads_digits(server_url: str, trained: list[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (DIGITS / "README.md").read_text(), flags=re.DOTALL)
    read, digits = run_python(server_url, "-c", snippet).strip().strip("[]").split("] [")
    assert read.split() == digits.split() == ["0", "1", "2", "3", "4"]
