"""The fluent API: what most training scripts use."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from support.waiting import wait_for


def test_a_run_keeps_params_metrics_and_tags(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run(run_name="first", description="what it is", tags={"team": "vision"}) as active:
        mlflow.log_param("learning_rate", 0.01)
        mlflow.log_params({"depth": 3, "kind": "forest", "empty": ""})
        mlflow.log_metric("loss", 0.5, step=0)
        mlflow.log_metric("loss", 0.25, step=1)
        mlflow.log_metrics({"accuracy": 0.9, "f1": 0.8}, step=1)
        mlflow.set_tag("note", "größer – 大")
    run = client.get_run(active.info.run_id)
    assert run.info.run_name == "first"
    assert run.info.status == "FINISHED"
    assert run.info.experiment_id == fluent_experiment
    assert run.info.end_time >= run.info.start_time > 0
    assert run.data.params == {"learning_rate": "0.01", "depth": "3", "kind": "forest", "empty": ""}
    assert run.data.metrics == {"loss": 0.25, "accuracy": 0.9, "f1": 0.8}
    assert run.data.tags["team"] == "vision"
    assert run.data.tags["note"] == "größer – 大"
    assert run.data.tags["mlflow.runName"] == "first"
    assert run.data.tags["mlflow.note.content"] == "what it is"
    assert run.data.tags["mlflow.source.name"]


def test_a_run_without_a_name_gets_one(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run() as active:
        pass
    name = client.get_run(active.info.run_id).info.run_name
    assert name and client.get_run(active.info.run_id).data.tags["mlflow.runName"] == name


def test_a_failing_block_leaves_a_failed_run(client: MlflowClient, fluent_experiment: str) -> None:
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as active:
        1 / 0  # noqa: B018
    assert client.get_run(active.info.run_id).info.status == "FAILED"


def test_a_run_can_be_resumed_by_its_id(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run() as first:
        mlflow.log_metric("m", 1, step=0)
    with mlflow.start_run(run_id=first.info.run_id):
        mlflow.log_metric("m", 2, step=1)
    run = client.get_run(first.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"m": 2.0}
    assert [point.value for point in client.get_metric_history(first.info.run_id, "m")] == [1.0, 2.0]


def test_set_experiment_makes_it_once(client: MlflowClient, server_url: str, unique) -> None:
    name = unique("chosen")
    made = mlflow.set_experiment(name)
    assert mlflow.set_experiment(name).experiment_id == made.experiment_id
    assert mlflow.set_experiment(experiment_id=made.experiment_id).name == name
    mlflow.set_experiment_tag("purpose", "test")
    mlflow.set_experiment_tags({"a": "1", "b": "2"})
    assert (
        client.get_experiment(made.experiment_id).tags | {"purpose": "test", "a": "1", "b": "2"}
        == client.get_experiment(made.experiment_id).tags
    )
    assert mlflow.get_experiment_by_name(name).experiment_id == made.experiment_id
    assert mlflow.get_experiment_by_name(unique("unknown")) is None


def test_text_dicts_figures_images_and_tables_become_artifacts(fluent_experiment: str, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    table = pd.DataFrame({"truth": [1, 2], "predicted": [1, 3], "word": ["ä", "b"]})
    with mlflow.start_run() as active:
        mlflow.log_text("hello\nwörld", "notes/hello.txt")
        mlflow.log_dict({"a": [1, 2], "b": None}, "config.json")
        mlflow.log_dict({"a": 1}, "config.yaml")
        mlflow.log_figure(figure, "plots/line.png")
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
        mlflow.log_table(table, "confusion.json")
        mlflow.log_table(table, "confusion.json")  # a second call appends to the table: it reads, then writes
    run_id = active.info.run_id
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "hello\nwörld"
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/config.json") == {"a": [1, 2], "b": None}
    assert mlflow.artifacts.load_image(f"runs:/{run_id}/black.png").size == (8, 8)
    loaded = mlflow.load_table("confusion.json", run_ids=[run_id])
    assert loaded["truth"].tolist() == [1, 2, 1, 2]
    assert loaded["word"].tolist() == ["ä", "b", "ä", "b"]
    figure_path = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/plots/line.png", dst_path=str(tmp_path))
    assert Path(figure_path).read_bytes().startswith(b"\x89PNG")


def test_steps_of_images_are_logged_beside_each_other(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run() as active:
        for step in range(2):
            mlflow.log_image(np.full((4, 4), step * 255, dtype=np.uint8), key="weights", step=step, synchronous=True)
    names = [entry.path for entry in client.list_artifacts(active.info.run_id, "images")]
    assert len([name for name in names if name.endswith(".png")]) == 2
    assert len([name for name in names if name.endswith(".webp")]) == 2


def test_search_runs_answers_a_data_frame(fluent_experiment: str) -> None:
    for value in (1, 2, 3):
        with mlflow.start_run(run_name=f"run {value}"):
            mlflow.log_param("p", value)
            mlflow.log_metric("m", value * 1.5)
    frame = mlflow.search_runs([fluent_experiment], filter_string="metrics.m > 2", order_by=["metrics.m ASC"])
    assert frame["metrics.m"].tolist() == [3.0, 4.5]
    assert frame["params.p"].tolist() == ["2", "3"]
    assert frame["tags.mlflow.runName"].tolist() == ["run 2", "run 3"]
    assert mlflow.search_runs([fluent_experiment], filter_string="metrics.m > 99").empty


def test_asynchronous_logging_arrives_before_the_run_ends(client: MlflowClient, fluent_experiment: str) -> None:
    with mlflow.start_run() as active:
        for step in range(500):
            mlflow.log_metric("m", step, step=step, synchronous=False)
        mlflow.log_params({f"p{i}": i for i in range(20)}, synchronous=False)
        mlflow.flush_async_logging()
    run = client.get_run(active.info.run_id)
    assert run.data.metrics == {"m": 499.0}
    assert len(run.data.params) == 20
    assert len(client.get_metric_history(active.info.run_id, "m")) == 500


def test_delete_run_and_experiment_through_the_fluent_api(client: MlflowClient, unique) -> None:
    experiment_id = mlflow.create_experiment(unique("short-lived"), tags={"k": "v"})
    with mlflow.start_run(experiment_id=experiment_id) as active:
        pass
    mlflow.delete_run(active.info.run_id)
    assert client.get_run(active.info.run_id).info.lifecycle_stage == "deleted"
    mlflow.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"


def test_system_metrics_are_logged_when_asked_for(client: MlflowClient, fluent_experiment: str) -> None:
    mlflow.set_system_metrics_sampling_interval(0.1)
    mlflow.set_system_metrics_samples_before_logging(1)

    def system_metrics() -> list[str]:
        return [key for key in client.get_run(active.info.run_id).data.metrics if key.startswith("system/")]

    try:
        with mlflow.start_run(log_system_metrics=True) as active:
            wait_for("a system metric", system_metrics)
    finally:
        mlflow.set_system_metrics_sampling_interval(None)
        mlflow.set_system_metrics_samples_before_logging(None)
    assert "system/cpu_utilization_percentage" in system_metrics()
