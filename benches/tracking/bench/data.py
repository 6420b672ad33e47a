"""The data both servers hold: made by one rule, so that the same run has the same values in both.

| experiment | runs | of each run |
| --- | --- | --- |
| `runs` | 10,000 | 10 metrics of 10 points, 5 params, 3 tags: a million points in all |
| `many` | 50,000 | the latest values of 3 metrics, 2 params: is search flat? |
| `long` | 11 | one metric of 100,000 points, and ten runs of 10,000 points |

Lathe gets all of it through its REST API. MLflow would take hours that way, so its rows are written into its SQLite file
before it starts, exactly as its own store writes them.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .client import Client

START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Sizes:
    runs: int = 10_000
    many: int = 50_000
    long_points: int = 100_000
    wide_runs: int = 10
    wide_points: int = 10_000


QUICK = Sizes(runs=1_000, many=5_000, long_points=20_000, wide_runs=10, wide_points=2_000)


@dataclass
class Filled:
    """The ids of what was made."""

    runs: str
    many: str
    long: str
    long_run: str
    wide_runs: list[str]


@dataclass
class RunRows:
    name: str
    start_ms: int
    metrics: list[tuple[str, float, int, int]]  # key, value, timestamp, step
    params: list[tuple[str, str]]
    tags: list[tuple[str, str]]


def value(run: int, key: int, step: int) -> float:
    return ((run * 7919 + key * 104729 + step * 31) % 100_000) / 100_000


def rows_of_runs(sizes: Sizes) -> Iterator[RunRows]:
    for run in range(sizes.runs):
        yield RunRows(
            f"run-{run}",
            START_MS + run * 1000,
            [
                ("loss" if key == 0 else f"metric_{key}", value(run, key, step), START_MS + run * 1000 + step, step)
                for key in range(10)
                for step in range(10)
            ],
            [("learning_rate", str(value(run, 1, 0))), *((f"param_{key}", str(run % (key + 2))) for key in range(4))],
            [("team", "abc"[run % 3]), ("mlflow.user", f"user-{run % 7}")],
        )


def rows_of_many(sizes: Sizes) -> Iterator[RunRows]:
    for run in range(sizes.many):
        metrics = [("loss" if key == 0 else f"metric_{key}", value(run, key, 0), START_MS, 0) for key in range(3)]
        yield RunRows(f"many-{run}", START_MS + run * 1000, metrics, [("learning_rate", "0.1"), ("param_0", str(run % 5))], [])


def rows_of_long(sizes: Sizes) -> Iterator[RunRows]:
    for run in range(1 + sizes.wide_runs):
        points = sizes.long_points if run == 0 else sizes.wide_points
        metrics = [("loss", value(run, 0, step), START_MS + step, step) for step in range(points)]
        yield RunRows(f"long-{run}", START_MS + run, metrics, [], [])


def fill_by_rest(base_url: str, sizes: Sizes, threads: int = 6) -> Filled:
    """Through the REST API, several connections at once."""

    def fill_run(client: Client, experiment_id: str, rows: RunRows) -> str:
        tags = [{"key": key, "value": text} for key, text in rows.tags]
        body = {"experiment_id": experiment_id, "run_name": rows.name, "start_time": rows.start_ms, "tags": tags}
        run_id = client.post("runs/create", body)["run"]["info"]["run_id"]
        params = [{"key": key, "value": text} for key, text in rows.params]
        for first in range(0, len(rows.metrics), 900):
            part = rows.metrics[first : first + 900]
            metrics = [{"key": key, "value": number, "timestamp": at, "step": step} for key, number, at, step in part]
            client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params if first == 0 else []})
        return run_id

    def fill(name: str, runs: Iterator[RunRows]) -> tuple[str, list[str]]:
        experiment_id = Client(base_url).post("experiments/create", {"name": name})["experiment_id"]
        parts = [[] for _ in range(threads)]
        for number, rows in enumerate(runs):
            parts[number % threads].append((number, rows))

        def work(part: list[tuple[int, RunRows]]) -> list[tuple[int, str]]:
            client = Client(base_url)
            return [(number, fill_run(client, experiment_id, rows)) for number, rows in part]

        with ThreadPoolExecutor(threads) as pool:
            made = sorted(pair for pairs in pool.map(work, parts) for pair in pairs)
        return experiment_id, [run_id for _, run_id in made]

    runs_id, _ = fill("runs", rows_of_runs(sizes))
    many_id, _ = fill("many", rows_of_many(sizes))
    long_id, long_runs = fill("long", rows_of_long(sizes))
    return Filled(runs_id, many_id, long_id, long_runs[0], long_runs[1:])


def fill_by_sql(database: Path, sizes: Sizes) -> Filled:
    """Straight into MLflow's SQLite file: its server must have made the tables, and must not run."""
    connection = sqlite3.connect(database)
    try:
        made: dict[str, tuple[int, list[str]]] = {}
        for name, runs in (("runs", rows_of_runs), ("many", rows_of_many), ("long", rows_of_long)):
            cursor = connection.execute(
                "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace) "
                "VALUES (?, '', 'active', ?, ?, 'default')",
                (name, START_MS, START_MS),
            )
            experiment_id = cursor.lastrowid
            connection.execute(
                "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                (f"mlflow-artifacts:/{experiment_id}", experiment_id),
            )
            run_ids = []
            for rows in runs(sizes):
                run_ids.append(insert_run(connection, experiment_id, rows))
            made[name] = (experiment_id, run_ids)
        connection.execute("ANALYZE")
        connection.commit()
    finally:
        connection.close()
    long_runs = made["long"][1]
    return Filled(str(made["runs"][0]), str(made["many"][0]), str(made["long"][0]), long_runs[0], long_runs[1:])


def insert_run(connection: sqlite3.Connection, experiment_id: int, rows: RunRows) -> str:
    run_id = uuid.uuid4().hex
    location = f"mlflow-artifacts:/{experiment_id}/{run_id}/artifacts"
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, "
        "source_version, lifecycle_stage, artifact_uri, experiment_id) "
        "VALUES (?, ?, 'UNKNOWN', '', '', '', 'RUNNING', ?, '', 'active', ?, ?)",
        (run_id, rows.name, rows.start_ms, location, experiment_id),
    )
    tags = [*rows.tags, ("mlflow.runName", rows.name)]
    connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", [(*tag, run_id) for tag in tags])
    connection.executemany(
        "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", [(*pair, run_id) for pair in rows.params]
    )
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, step, run_uuid, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
        [(*point, run_id) for point in rows.metrics],
    )
    latest: dict[str, tuple[str, float, int, int]] = {}
    for point in rows.metrics:
        known = latest.get(point[0])
        if known is None or (point[3], point[2], point[1]) > (known[3], known[2], known[1]):
            latest[point[0]] = point
    connection.executemany(
        "INSERT INTO latest_metrics (key, value, timestamp, step, run_uuid, is_nan) VALUES (?, ?, ?, ?, ?, 0)",
        [(*point, run_id) for point in latest.values()],
    )
    return run_id
