"""Recognises handwritten digits, and keeps track of everything on the way.

Five models learn from the 1,797 real images that come with scikit-learn. Every training is a run; the best model is
registered, gets the alias `champion`, is loaded back by that alias and reads images it has never seen.

    pip install mlflow scikit-learn pandas matplotlib
    export MLFLOW_TRACKING_URI=http://127.0.0.1:4400
    python train.py

Nothing here knows which server it talks to: this is MLflow's own package, and the server is the one that
MLFLOW_TRACKING_URI names.
"""

import logging
import os
import time
import warnings
from dataclasses import dataclass

# This script prints its own progress; MLflow's notes about every run and model would only hide it.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_PRINT_MODEL_URLS_ON_CREATION", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MPLBACKEND", "Agg")

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, confusion_matrix, f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

EXPERIMENT = "digits"
MODEL = "digits"
ALIAS = "champion"
CLASSES = list(range(10))
EPOCHS = 30
# Named, so that MLflow does not have to find them out by loading every model in a process of its own.
REQUIREMENTS = ["scikit-learn", "numpy"]
# Models are stored in skops' format, which loads no code but that of types it trusts; a network keeps its optimizer.
TRUSTED_TYPES = ["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"]


@dataclass
class Digits:
    """The images, as 64 grey values each, and the digits they show."""

    train_images: np.ndarray
    train_digits: np.ndarray
    test_images: np.ndarray
    test_digits: np.ndarray

    @classmethod
    def load(cls) -> "Digits":
        images, digits = load_digits(return_X_y=True)
        train_images, test_images, train_digits, test_digits = train_test_split(
            images, digits, test_size=0.25, random_state=7, stratify=digits
        )
        return cls(train_images, train_digits, test_images, test_digits)

    def log_as_inputs(self) -> None:
        """Tells the active run which data it learns from and is tested on."""
        train = mlflow.data.from_numpy(self.train_images, targets=self.train_digits, name="digits-train")
        test = mlflow.data.from_numpy(self.test_images, targets=self.test_digits, name="digits-test")
        mlflow.log_input(train, context="training")
        mlflow.log_input(test, context="testing")


@dataclass
class Result:
    name: str
    run_id: str
    model_uri: str
    accuracy: float


def score(model: BaseEstimator, data: Digits, model_id: str | None = None) -> float:
    """Logs how well a model reads the test images, with a figure and a table of what it confuses."""
    predicted = model.predict(data.test_images)
    accuracy = accuracy_score(data.test_digits, predicted)
    mlflow.log_metrics(
        {"test_accuracy": accuracy, "test_f1": f1_score(data.test_digits, predicted, average="macro")}, model_id=model_id
    )
    counts = confusion_matrix(data.test_digits, predicted, labels=CLASSES)
    display = ConfusionMatrixDisplay(counts, display_labels=CLASSES).plot(cmap="Blues", colorbar=False)
    display.ax_.set_title(f"{accuracy:.1%} of {len(predicted)} digits read right")
    mlflow.log_figure(display.figure_, "confusion_matrix.png")
    confused = [
        {"written": truth, "read_as": read, "times": int(counts[truth, read])}
        for truth in CLASSES
        for read in CLASSES
        if truth != read and counts[truth, read]
    ]
    table = pd.DataFrame(confused, columns=["written", "read_as", "times"]).sort_values("times", ascending=False)
    mlflow.log_table(table.reset_index(drop=True), "confusion_table.json")
    mlflow.log_text(table.to_csv(index=False), "confusion_table.csv")
    return accuracy


def train_automatically(name: str, model: BaseEstimator, data: Digits) -> Result:
    """One line, `mlflow.sklearn.autolog()`, records params, metrics, plots, data and the model of a `fit`."""
    mlflow.sklearn.autolog(silent=True, log_input_examples=True)
    with mlflow.start_run(run_name=name, nested=True, tags={"logging": "automatic"}) as run:
        model.fit(data.train_images, data.train_digits)
        mlflow.sklearn.autolog(disable=True)
        accuracy = score(model, data)
    (output,) = mlflow.get_run(run.info.run_id).outputs.model_outputs
    return Result(name, run.info.run_id, f"models:/{output.model_id}", accuracy)


def train_by_hand(name: str, model: BaseEstimator, data: Digits, params: dict) -> Result:
    """The same, said explicitly: what to keep is chosen line by line."""
    with mlflow.start_run(run_name=name, nested=True, tags={"logging": "by hand"}) as run:
        data.log_as_inputs()
        mlflow.log_params(params)
        model.fit(data.train_images, data.train_digits)
        return keep(name, run.info.run_id, model, data)


def train_by_epochs(name: str, data: Digits, width: int, learning_rate: float) -> Result:
    """A neural network that logs its loss and accuracy after every pass over the data: metric curves."""
    scaler = StandardScaler().fit(data.train_images)
    train_images, test_images = scaler.transform(data.train_images), scaler.transform(data.test_images)
    network = MLPClassifier((width,), learning_rate_init=learning_rate, random_state=7)
    with mlflow.start_run(run_name=name, nested=True, tags={"logging": "by hand"}) as run:
        data.log_as_inputs()
        mlflow.log_params({"width": width, "learning_rate": learning_rate, "epochs": EPOCHS, "optimizer": "adam"})
        for epoch in range(EPOCHS):
            network.partial_fit(train_images, data.train_digits, classes=CLASSES)
            curves = {
                "loss": network.loss_,
                "accuracy": network.score(train_images, data.train_digits),
                "validation_loss": log_loss(data.test_digits, network.predict_proba(test_images)),
                "validation_accuracy": network.score(test_images, data.test_digits),
            }
            mlflow.log_metrics(curves, step=epoch)
        return keep(name, run.info.run_id, make_pipeline(scaler, network), data)


def keep(name: str, run_id: str, model: BaseEstimator, data: Digits) -> Result:
    """Logs a trained model with its signature and an example, and scores it."""
    example = data.test_images[:3]
    logged = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(example, model.predict(example)),
        input_example=example,
        pip_requirements=REQUIREMENTS,
        skops_trusted_types=TRUSTED_TYPES,
    )
    return Result(name, run_id, logged.model_uri, score(model, data, logged.model_id))


def train_all(data: Digits) -> list[Result]:
    """One parent run; below it, one run for each model."""
    tries = [
        ("logistic regression", lambda name: train_automatically(name, LogisticRegression(max_iter=3000, C=0.01), data)),
        ("random forest", lambda name: train_automatically(name, RandomForestClassifier(200, random_state=7), data)),
        ("neural network, narrow", lambda name: train_by_epochs(name, data, width=16, learning_rate=0.003)),
        ("neural network, wide", lambda name: train_by_epochs(name, data, width=128, learning_rate=0.003)),
        ("support vectors", lambda name: train_by_hand(name, SVC(C=10, gamma=0.001), data, {"C": 10, "gamma": 0.001})),
    ]
    results: list[Result] = []
    for number, (name, train) in enumerate(tries, start=1):
        started = time.perf_counter()
        result = train(name)
        results.append(result)
        print(
            f"  {number}/{len(tries)}  {name:<24} {result.accuracy:7.1%}   {time.perf_counter() - started:4.1f} s", flush=True
        )
    return results


def register(best: Result) -> str:
    """Makes a new version of the registered model, moves the alias to it, and returns the version's number."""
    client = mlflow.MlflowClient()
    version = mlflow.register_model(best.model_uri, MODEL, tags={"learned_as": best.name.replace(",", "")}).version
    client.update_registered_model(MODEL, description="Reads handwritten digits of 8 x 8 pixels.")
    client.update_model_version(MODEL, version, description=f"{best.name}: {best.accuracy:.1%} of the test digits read right.")
    client.set_model_version_tag(MODEL, version, "test_accuracy", f"{best.accuracy:.4f}")
    client.set_registered_model_alias(MODEL, ALIAS, version)
    return version


def draw(image: np.ndarray) -> list[str]:
    """An image of 8 x 8 grey values as eight lines of text."""
    return ["".join(" .:-=+*#%@"[min(9, int(value * 10 / 17))] * 2 for value in row) for row in image.reshape(8, 8)]


def show_predictions(data: Digits, count: int = 4) -> None:
    """Loads the champion as any other program would, and lets it read some images."""
    champion = mlflow.pyfunc.load_model(f"models:/{MODEL}@{ALIAS}")
    images, digits = data.test_images[:count], data.test_digits[:count]
    read = champion.predict(images)
    for lines in zip(*map(draw, images), strict=True):
        print("    " + "    ".join(lines))
    print("    " + "    ".join(f"read as {digit}, is {truth}".ljust(16) for digit, truth in zip(read, digits, strict=True)))


def main() -> None:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)  # scikit-learn's, about arguments that MLflow passes on
    started = time.perf_counter()
    data = Digits.load()
    experiment = mlflow.set_experiment(EXPERIMENT)
    print(f"{len(data.train_images):,} images to learn from, {len(data.test_images)} to be tested on")
    print(f'tracking to {mlflow.get_tracking_uri()}, experiment "{EXPERIMENT}"\n')
    print("       model                    right   time")
    with mlflow.start_run(run_name="compare models", description="Which model reads digits best?") as parent:
        data.log_as_inputs()
        results = train_all(data)
        best = max(results, key=lambda result: result.accuracy)
        mlflow.log_metric("best_test_accuracy", best.accuracy)
        mlflow.set_tags({"best_model": best.name, "best_run_id": best.run_id})
    found = mlflow.search_runs(
        [experiment.experiment_id],
        filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}' and metrics.test_accuracy > 0.97",
        order_by=["metrics.test_accuracy DESC"],
    )
    print(f"\n{len(found)} of {len(results)} read more than 97 % right; the best: {best.name}")
    version = register(best)
    print(f'registered it as "{MODEL}" version {version}, alias "{ALIAS}"; loaded by models:/{MODEL}@{ALIAS} it reads:\n')
    show_predictions(data)
    print(f"\ndone in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
