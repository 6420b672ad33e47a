"""CPU of a drift report of 100,000 x 30 by Evidently and by Lathe; see README.md."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

NUMBERS, CATEGORIES = 20, 10

TABLES = f"""
import sys
import numpy as np
import pandas as pd

folder, rows = sys.argv[1], int(sys.argv[2])
for name, seed, is_current in (("reference", 1, False), ("current", 2, True)):
    random = np.random.default_rng(seed)
    table = {{}}
    for at in range({NUMBERS}):
        has_drifted = is_current and at % 3 == 0
        table[f"number_{{at}}"] = random.normal(0.5 if has_drifted else 0.0, 1.0, rows)
    for at in range({CATEGORIES}):
        weights = np.arange(1, 9, dtype=float)[:: -1 if is_current and at % 3 == 0 else 1]
        table[f"category_{{at}}"] = random.choice([f"c{{kind}}" for kind in range(8)], rows, p=weights / weights.sum())
    pd.DataFrame(table).to_parquet(f"{{folder}}/{{name}}.parquet", index=False)
"""

EVIDENTLY = """
import json
import sys
import time
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

reference, current = (pd.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in ("reference", "current"))
before = time.process_time()
found = Report([DataDriftPreset()]).run(current, reference).dict()
seconds = time.process_time() - before
drifted = []
for metric in found["metrics"]:
    name = metric["metric_name"] if "metric_name" in metric else metric["metric_id"]
    if name.startswith("ValueDrift"):
        options = dict(part.split("=", 1) for part in name[name.index("(") + 1 : -1].split(",") if "=" in part)
        value, threshold = float(metric["value"]), float(options.get("threshold", 0.1))
        is_p_value = "p_value" in options.get("method", "")
        if (value < threshold) if is_p_value else (value >= threshold):
            drifted.append(options["column"])
print(json.dumps({"drifted": drifted, "cpu_s": seconds}))
"""


def run(*command: str) -> dict:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command[:2])} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}


def best(*command: str) -> dict:
    return min((run(*command) for _ in range(3)), key=lambda found: found["cpu_s"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    peer = os.environ["EVIDENTLY_PYTHON"]
    with tempfile.TemporaryDirectory() as folder:
        run(peer, "-c", TABLES, folder, str(arguments.rows))
        theirs = best(peer, "-c", EVIDENTLY, folder)
        ours = best(os.environ["LATHE_REPORT"], f"{folder}/reference.parquet", f"{folder}/current.parquet")
    if sorted(theirs["drifted"]) != sorted(ours["drifted"]):
        sys.exit(f"bench: the peers do not agree: {sorted(theirs['drifted'])} and {sorted(ours['drifted'])}")
    ratio = theirs["cpu_s"] / ours["cpu_s"]
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    lines = [
        f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load average {load}",
        f"- Evidently {os.environ['EVIDENTLY_VERSION']}; {len(ours['drifted'])} of {NUMBERS + CATEGORIES} columns have drifted, and both name them",
        "",
        f"| drift report of {arguments.rows:,} x {NUMBERS + CATEGORIES} | CPU, s | less CPU | goal | |",
        "| --- | ---: | ---: | ---: | --- |",
        f"| Evidently | {theirs['cpu_s']:.2f} | | | |",
        f"| Lathe | {ours['cpu_s']:.2f} | {ratio:.0f} x | >= 10 x | {'met' if ratio >= 10 else '**missed**'} |",
    ]
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
