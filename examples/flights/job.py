"""How the steps of this example are told what to read and write: by environment variables, or by hand with arguments."""

import argparse
import logging
import os
import warnings
from pathlib import Path

# The steps print their own progress; MLflow's notes about every run and model would only hide it.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_PRINT_MODEL_URLS_ON_CREATION", "false")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MPLBACKEND", "Agg")


def arguments_of(description: str, inputs: dict[str, str], outputs: dict[str, str]) -> argparse.ArgumentParser:
    """A parser with an option for each input and output, whose default is $IN_<NAME> or $OUT_<NAME> when that is set."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    parser = argparse.ArgumentParser(description=description)
    for prefix, options in (("IN_", inputs), ("OUT_", outputs)):
        for name, otherwise in options.items():
            variable = prefix + name.upper()
            default = os.environ.get(variable, otherwise)
            parser.add_argument(f"--{name}", default=default, help=f"default: ${variable}, or {otherwise}")
    return parser


def made_folder_of(path: str) -> Path:
    """The path of an output, whose folder exists."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


def give_values(**values: object) -> None:
    """Hands values to the pipeline: lines of key=value in the file that $LATHE_VALUES names; prints them in any case."""
    lines = [f"{key}={value}" for key, value in values.items()]
    print("\n".join(lines))
    if path := os.environ.get("LATHE_VALUES"):
        with open(path, "a") as file:
            file.writelines(line + "\n" for line in lines)
