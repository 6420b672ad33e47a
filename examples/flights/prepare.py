"""Joins flights with the weather at their origin, and sets the newest month aside for the evaluation."""

import job
import mlflow
from features import arrived, join_weather, read_months


def main() -> None:
    outputs = {"train": "out/train.parquet", "test": "out/test.parquet"}
    arguments = job.arguments_of(__doc__, {"data": "s3://flights/main/raw"}, outputs).parse_args()
    flights, weather = read_months(arguments.data, "flights"), read_months(arguments.data, "weather")
    table = join_weather(arrived(flights), weather)
    newest = table["month"].max()
    train, test = table[table["month"] < newest], table[table["month"] == newest]
    if train.empty:
        raise SystemExit("prepare.py: the data has one month only; one is to learn from and a newer one to be tested on")
    with mlflow.start_run():
        mlflow.log_params({"first_month": table["month"].min(), "test_month": newest})
        mlflow.log_metrics({"train_rows": len(train), "test_rows": len(test), "without_weather": float(table["temp"].isna().mean())})
    train.to_parquet(job.made_folder_of(arguments.train), index=False)
    test.to_parquet(job.made_folder_of(arguments.test), index=False)
    print(f"{len(train):,} flights to learn from, {len(test):,} of month {newest} to be tested on")


if __name__ == "__main__":
    main()
