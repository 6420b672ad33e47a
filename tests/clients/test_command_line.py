"""MLflow's own command line (`mlflow runs …`), run inside this process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.cli import cli


@pytest.fixture
def mlflow_cli(server_url: str):
    """Runs a command and answers what it prints; it must succeed."""

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, (arguments, result.output, result.exception)
        return result.output

    return run


def test_experiments_are_made_renamed_found_deleted_and_restored(client: MlflowClient, mlflow_cli, unique) -> None:
    name = unique("cli")
    mlflow_cli("experiments", "create", "--experiment-name", name)
    experiment_id = client.get_experiment_by_name(name).experiment_id
    assert name in mlflow_cli("experiments", "search")
    mlflow_cli("experiments", "rename", "--experiment-id", experiment_id, "--new-name", f"{name}-2")
    assert f"{name}-2" in mlflow_cli("experiments", "get", "--experiment-id", experiment_id)
    mlflow_cli("experiments", "delete", "--experiment-id", experiment_id)
    assert f"{name}-2" not in mlflow_cli("experiments", "search", "--view", "active_only")
    mlflow_cli("experiments", "restore", "--experiment-id", experiment_id)
    assert f"{name}-2" in mlflow_cli("experiments", "search", "--view", "active_only")


def test_runs_are_listed_described_deleted_and_restored(
    client: MlflowClient, mlflow_cli, experiment_id: str, run_id: str
) -> None:
    client.log_metric(run_id, "loss", 0.5)
    assert run_id in mlflow_cli("runs", "list", "--experiment-id", experiment_id)
    assert json.loads(mlflow_cli("runs", "describe", "--run-id", run_id))["data"]["metrics"] == {"loss": 0.5}
    table = mlflow_cli("experiments", "csv", "--experiment-id", experiment_id).splitlines()
    assert "metrics.loss" in table[0] and table[1].startswith(run_id)
    mlflow_cli("runs", "delete", "--run-id", run_id)
    assert run_id not in mlflow_cli("runs", "list", "--experiment-id", experiment_id)
    mlflow_cli("runs", "restore", "--run-id", run_id)
    assert run_id in mlflow_cli("runs", "list", "--experiment-id", experiment_id)


def test_artifacts_go_up_and_come_down(mlflow_cli, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    mlflow_cli("artifacts", "log-artifact", "--run-id", run_id, "--local-file", str(tmp_path / "a.txt"), "-a", "deep/er")
    listed = json.loads(mlflow_cli("artifacts", "list", "--run-id", run_id, "--artifact-path", "deep/er"))
    assert listed == [{"path": "deep/er/a.txt", "is_dir": False, "file_size": 5}]
    mlflow_cli("artifacts", "download", "--run-id", run_id, "--dst-path", str(tmp_path / "down"))
    assert (tmp_path / "down" / "deep" / "er" / "a.txt").read_text() == "hello"
