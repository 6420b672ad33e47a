"""Autologging of scikit-learn: everything a training leaves without a line of logging."""

import mlflow
import numpy as np
import pytest
import sklearn.metrics
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split

pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, ...]:
    features, target = load_iris(return_X_y=True, as_frame=True)
    return train_test_split(features, target, random_state=0)


def artifact_paths(client: MlflowClient, run_id: str) -> set[str]:
    return {entry.path for entry in client.list_artifacts(run_id)}


def test_a_fit_leaves_params_metrics_plots_data_and_a_model(client: MlflowClient, fluent_experiment: str, iris) -> None:
    features, test_features, target, test_target = iris
    mlflow.sklearn.autolog(log_input_examples=True)
    with mlflow.start_run() as active:
        model = RandomForestClassifier(n_estimators=7, max_depth=3, random_state=1).fit(features, target)
        sklearn.metrics.accuracy_score(test_target, model.predict(test_features))
    run = client.get_run(active.info.run_id)
    assert run.data.params["n_estimators"] == "7"
    assert run.data.params["max_depth"] == "3"
    assert run.data.metrics["training_accuracy_score"] > 0.9
    assert any(key.startswith("accuracy_score") for key in run.data.metrics), "metrics computed after the fit, too"
    assert run.data.tags["estimator_name"] == "RandomForestClassifier"
    assert "training_confusion_matrix.png" in artifact_paths(client, active.info.run_id)
    datasets = [entry.dataset.name for entry in run.inputs.dataset_inputs]
    assert datasets, "the training data is an input"
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert logged.source_run_id == active.info.run_id
    assert {metric.key for metric in logged.metrics} >= {"training_accuracy_score"}
    loaded = mlflow.sklearn.load_model(f"models:/{output.model_id}")
    assert (loaded.predict(test_features) == model.predict(test_features)).all()
    info = mlflow.models.get_model_info(f"models:/{output.model_id}")
    assert info.signature is not None
    assert info.saved_input_example_info is not None


def test_a_grid_search_leaves_a_child_run_for_each_candidate(client: MlflowClient, fluent_experiment: str, iris) -> None:
    features, _, target, _ = iris
    mlflow.sklearn.autolog(max_tuning_runs=None, log_models=False)
    search = GridSearchCV(LogisticRegression(max_iter=200), {"C": [0.01, 0.1, 1.0]}, cv=2)
    with mlflow.start_run() as parent:
        search.fit(features, target)
    children = client.search_runs([fluent_experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {run.data.params["C"] for run in children} == {"0.01", "0.1", "1.0"}
    assert all("mean_test_score" in run.data.metrics for run in children)
    best = client.get_run(parent.info.run_id)
    assert best.data.metrics["best_cv_score"] == pytest.approx(search.best_score_)
    assert best.data.params["best_C"] == str(search.best_params_["C"])
    assert "cv_results.csv" in artifact_paths(client, parent.info.run_id)


def test_autologging_without_a_run_makes_one_and_ends_it(client: MlflowClient, fluent_experiment: str, iris) -> None:
    features, _, target, _ = iris
    mlflow.autolog(log_models=False, silent=True)
    LogisticRegression(max_iter=200).fit(features, target)
    (run,) = client.search_runs([fluent_experiment])
    assert run.info.status == "FINISHED"
    assert "training_score" in run.data.metrics


def test_evaluate_logs_metrics_plots_and_tables(client: MlflowClient, fluent_experiment: str, iris) -> None:
    features, test_features, target, test_target = iris
    model = LogisticRegression(max_iter=200).fit(features, target)
    data = test_features.assign(label=test_target, prediction=model.predict(test_features))
    with mlflow.start_run() as active:
        dataset = mlflow.data.from_pandas(data, targets="label", predictions="prediction", name="iris-test")
        result = mlflow.models.evaluate(data=dataset, model_type="classifier")
    run = client.get_run(active.info.run_id)
    assert run.data.metrics["accuracy_score"] == pytest.approx(result.metrics["accuracy_score"])
    assert artifact_paths(client, active.info.run_id)
    assert run.inputs.dataset_inputs[0].dataset.name == "iris-test"
