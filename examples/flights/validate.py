"""Refuses data that no model should learn from: missing columns, flights twice, months without weather, odd rates."""

import json

import job
import mlflow
import pandas as pd
from features import CATEGORIES, TARGET, WEATHER, arrived, read_months

NEEDED = ["year", "month", "day", "sched_dep_time", "hour", "minute", "distance", "time_hour", "arr_delay", "flight", *CATEGORIES]


def problems_of(flights: pd.DataFrame, weather: pd.DataFrame) -> list[str]:
    """What is wrong, one sentence for each problem."""
    missing = [name for name in NEEDED if name not in flights] + [name for name in WEATHER if name not in weather]
    if missing:
        return [f"columns are missing: {', '.join(missing)}"]
    problems = []
    key = ["year", "month", "day", "carrier", "flight", "origin", "sched_dep_time"]
    if twice := int(flights.duplicated(key).sum()):
        problems.append(f"{twice} flights are there twice")
    if twice := int(weather.duplicated(["origin", "time_hour"]).sum()):
        problems.append(f"{twice} hours of weather are there twice")
    if lost := set(flights["month"]) - set(weather["month"]):
        problems.append(f"months without weather: {sorted(lost)}")
    if not flights["distance"].between(10, 10_000).all():
        problems.append("distances outside 10 to 10,000 miles")
    if not flights["hour"].between(0, 23).all():
        problems.append("hours outside 0 to 23")
    late = arrived(flights)[TARGET].mean()
    if not 0.02 < late < 0.6:
        problems.append(f"{late:.1%} of the flights are late; 2 % to 60 % are plausible")
    return problems


def main() -> None:
    parser = job.arguments_of(__doc__, {"data": "s3://flights/main/raw"}, {"report": "out/report.json"})
    arguments = parser.parse_args()
    flights, weather = read_months(arguments.data, "flights"), read_months(arguments.data, "weather")
    problems = problems_of(flights, weather)
    with mlflow.start_run():
        mlflow.log_metrics({"flights": len(flights), "problems": len(problems)})
        report: dict = {"flights": len(flights), "problems": problems, "months": {}}
        if not problems:
            for month, part in arrived(flights).groupby("month"):
                share = float(part[TARGET].mean())
                report["months"][str(month)] = {"arrived": len(part), "late": round(share, 4)}
                mlflow.log_metric("late_share", share, step=int(month))
                print(f"  2013-{month:02}  {len(part):6,} arrived, {share:5.1%} of them late")
        job.made_folder_of(arguments.report).write_text(json.dumps(report, indent=2) + "\n")
    if problems:
        raise SystemExit("validate.py: " + "; ".join(problems))


if __name__ == "__main__":
    main()
