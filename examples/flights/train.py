"""Learns which flights will be late, with one kind of model; logs it with MLflow.

Nothing here knows where the data came from or who asks: the data is a file, and the run is the one that the environment
names.

    python train.py --model boosting --train out/train.parquet
"""

import job
import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from features import CATEGORIES, FEATURES, NUMBERS, TARGET
from mlflow.models import infer_signature
from sklearn.calibration import CalibrationDisplay
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Named, so that MLflow does not have to find them out by loading the model in a process of its own.
REQUIREMENTS = ["scikit-learn", "numpy", "pandas"]
# Models are stored in skops' format, which loads no code but that of types it trusts.
TRUSTED_TYPES = [
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.loss.HalfBinomialLoss",
]
KINDS = ["logistic", "boosting", "forest"]


def columns(scaled: bool):
    """Missing weather becomes the median, carriers and airports become columns."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), *([StandardScaler()] if scaled else []))
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((numbers, NUMBERS), (categories, CATEGORIES))


def make_model(kind: str, size: float) -> tuple[Pipeline, dict]:
    """An untrained model and its params; `size` scales the number of trees."""
    trees = max(1, round(size * 90))
    if kind == "logistic":
        params = {"C": 0.1}
        return make_pipeline(columns(scaled=True), LogisticRegression(max_iter=1000, **params)), params
    if kind == "boosting":
        params = {"max_iter": trees, "learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 50}
        estimator = HistGradientBoostingClassifier(random_state=7, **params)
        return make_pipeline(columns(scaled=False), estimator), params
    params = {"n_estimators": max(1, trees // 3), "max_depth": 10, "min_samples_leaf": 20}
    return make_pipeline(columns(scaled=False), RandomForestClassifier(n_jobs=-1, random_state=7, **params)), params


def scores(late: pd.Series, probability: np.ndarray) -> dict[str, float]:
    """How good probabilities are: ranking (AUC), and distance from what happened."""
    return {
        "auc": float(roc_auc_score(late, probability)),
        "brier": float(brier_score_loss(late, probability)),
        "log_loss": float(log_loss(late, probability, labels=[0, 1])),
    }


def log_calibration(late: pd.Series, probability: np.ndarray, name: str) -> None:
    """A figure: of the flights that were given 30 %, are 30 % late?"""
    figure, axes = plt.subplots(figsize=(5, 5))
    CalibrationDisplay.from_predictions(late, probability, n_bins=10, strategy="quantile", ax=axes, name=name)
    mlflow.log_figure(figure, "calibration.png")
    plt.close(figure)


def main() -> None:
    parser = job.arguments_of(__doc__, {"train": "out/train.parquet"}, {})
    parser.add_argument("--model", choices=KINDS, default="boosting")
    parser.add_argument("--size", type=float, default=1.0, help="scales the number of trees (default: 1)")
    arguments = parser.parse_args()
    table = pd.read_parquet(arguments.train)
    # Whole days: flights of one day share their weather and their jams, so single rows would tell too much.
    held_out = table["day"] % 5 == 0
    train, valid = table[~held_out], table[held_out]
    with mlflow.start_run():
        mlflow.set_tag("model", arguments.model)
        model, params = make_model(arguments.model, arguments.size)
        mlflow.log_params({"model": arguments.model, **params, "features": len(FEATURES)})
        model.fit(train[FEATURES], train[TARGET])
        probability = model.predict_proba(valid[FEATURES])[:, 1]
        example = valid[FEATURES].head(5)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(example, model.predict_proba(example)),
            input_example=example,
            pip_requirements=REQUIREMENTS,
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=TRUSTED_TYPES,
        )
        measured = scores(valid[TARGET], probability)
        mlflow.log_metrics({**measured, "train_rows": len(train), "valid_rows": len(valid)}, model_id=logged.model_id)
        log_calibration(valid[TARGET], probability, arguments.model)
    job.give_values(**{name: f"{value:.6f}" for name, value in measured.items()})


if __name__ == "__main__":
    main()
