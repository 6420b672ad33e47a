"""Compares a trained model with the current champion on the newest month, which neither has learnt from.

Without a champion, the rival is the guess that every flight is as late as the average: a first model has to beat that.
"""

import os

import job
import mlflow
import numpy as np
import pandas as pd
from features import FEATURES, MODEL, TARGET
from mlflow.exceptions import MlflowException
from train import log_calibration, scores

CHAMPION = f"models:/{MODEL}@champion"


def champion_version() -> str | None:
    """The version that has the alias; none when there is no such model or alias."""
    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(MODEL, "champion").version)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def probabilities(model_uri: str, table: pd.DataFrame) -> np.ndarray:
    """What a model says about each flight, as the deployment would say it."""
    return np.asarray(mlflow.pyfunc.load_model(model_uri).predict(table[FEATURES]))[:, 1]


def main() -> None:
    parser = job.arguments_of(__doc__, {"train": "out/train.parquet", "test": "out/test.parquet"}, {})
    parser.add_argument("--candidate-run", default=os.environ.get("CANDIDATE_RUN"), help="default: $CANDIDATE_RUN")
    arguments = parser.parse_args()
    if not arguments.candidate_run:
        parser.error("say which run made the candidate: --candidate-run or $CANDIDATE_RUN")
    test = pd.read_parquet(arguments.test)
    version = champion_version()
    with mlflow.start_run():
        mlflow.log_params({"candidate_run": arguments.candidate_run, "champion": version or "none"})
        candidate = probabilities(f"runs:/{arguments.candidate_run}/model", test)
        if version is None:
            average = pd.read_parquet(arguments.train, columns=[TARGET])[TARGET].mean()
            rival = np.full(len(test), average)
        else:
            rival = probabilities(CHAMPION, test)
        new, old = scores(test[TARGET], candidate), scores(test[TARGET], rival)
        gain = old["log_loss"] - new["log_loss"]
        mlflow.log_metrics({**{f"candidate_{k}": v for k, v in new.items()}, **{f"champion_{k}": v for k, v in old.items()}})
        mlflow.log_metrics({"gain": gain, "test_rows": len(test), "late_share": float(test[TARGET].mean())})
        log_calibration(test[TARGET], candidate, "candidate")
    for name in new:
        print(f"  {name:<9} candidate {new[name]:.4f}   {'champion' if version else 'average'} {old[name]:.4f}")
    job.give_values(gain=f"{gain:.6f}", first=str(version is None).lower(), auc=f"{new['auc']:.6f}", log_loss=f"{new['log_loss']:.6f}")


if __name__ == "__main__":
    main()
