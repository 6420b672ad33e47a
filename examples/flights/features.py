"""What is known when a flight is due to leave, and whether it arrived late.

The pipeline's steps read their months with `read_months`, the replayed traffic comes from the package; both make features with
`join_weather`, so that a model sees the same columns in training and in production.
"""

from pathlib import Path

import fsspec
import pandas as pd

MODEL = "flights-delay"
LATE_AFTER_MINUTES = 15
TARGET = "late"
CATEGORIES = ["carrier", "origin"]
# dep_time, dep_delay, arr_time, air_time and tailnum are known only after the fact or may still change: none of them is here.
# Nor is the month: a model of January to March could only guess what July means.
NUMBERS = [
    "hour",
    "minute",
    "weekday",
    "distance",
    "temp",
    "humid",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
]
FEATURES = NUMBERS + CATEGORIES
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
KEPT = ["time_hour", "month", "day"]


def read_months(root: str | Path, table: str) -> pd.DataFrame:
    """All months of a table ("flights" or "weather") below a folder or an s3:// address."""
    files, folder = fsspec.core.url_to_fs(str(root))
    paths = sorted(files.glob(f"{folder}/{table}/*.csv"))
    if not paths:
        raise FileNotFoundError(f"no {table}/*.csv in {root}")
    parts = []
    for path in paths:
        with files.open(path, "rb") as file:
            parts.append(pd.read_csv(file))
    return pd.concat(parts, ignore_index=True)


def arrived(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that arrived, with the target; cancelled and diverted ones have no delay."""
    flights = flights[flights["arr_delay"].notna()]
    return flights.assign(**{TARGET: (flights["arr_delay"] > LATE_AFTER_MINUTES).astype("int64")})


def join_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Features of each flight, in the order of time: its plan, and the weather at its origin in the hour of its departure."""
    joined = flights.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left", validate="m:1")
    dates = pd.to_datetime(joined[["year", "month", "day"]])
    joined = joined.assign(weekday=dates.dt.dayofweek)
    joined[NUMBERS] = joined[NUMBERS].astype("float64")
    # Not the hour alone: flights of one hour keep the order of their plan.
    joined = joined.sort_values(["time_hour", "sched_dep_time"], kind="stable")
    return joined[[*KEPT, *FEATURES, *([TARGET] if TARGET in joined else [])]].reset_index(drop=True)
