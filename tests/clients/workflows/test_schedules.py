"""Schedules: a pipeline starts by the clock, and what passed while no server ran is made up for as its file says."""

import json
import time
from collections.abc import Callable

import pytest

from support.cli import run_lathe
from support.databases import change_rows
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

from .conftest import Pipelines

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]

MINUTE, HOUR = 60, 3600


def schedule(name: str, cron: str, catchup: str) -> str:
    return f'name: {name}\non: {{ schedule: {{ cron: "{cron}", catchup: {catchup} }} }}\njobs: {{ a: {{ run: echo }} }}\n'


def check_next_runs(pipelines: Pipelines, url: str, minute: int) -> None:
    """The next time of each schedule is told by the API and by the command line; a paused pipeline has none."""
    http = pipelines.http
    before = time.time()
    listed = {one["name"]: one for one in http.ok(http.get("/api/v1/pipelines"))["pipelines"]}
    soon, later = listed["every-minute"]["next_run_at_ms"] / 1000, listed["hourly-all"]["next_run_at_ms"] / 1000
    assert before < soon <= time.time() + MINUTE and soon % MINUTE == 0
    assert before < later <= time.time() + HOUR and later % HOUR == minute * MINUTE
    shown = json.loads(run_lathe(url, "pipeline", "list", "-o", "json").stdout)
    assert {one["name"]: one["next_run_at_ms"] for one in shown}["hourly-all"] == later * 1000
    paused = http.ok(http.post("/api/v1/pipelines/hourly-all/pause"))
    assert "next_run_at_ms" not in paused
    resumed = http.ok(http.post("/api/v1/pipelines/hourly-all/resume"))
    assert resumed["next_run_at_ms"] == later * 1000
    by_hand = pipelines.push("name: by-hand\njobs: { a: { run: echo } }\n")
    assert "next_run_at_ms" not in http.ok(http.get(f"/api/v1/pipelines/{by_hand}"))["pipeline"]


def test_a_pipeline_starts_by_the_clock_and_makes_up_for_what_it_missed(make_lathe: Callable[..., LatheServer]):
    server = make_lathe().start()
    pipelines = Pipelines(Http(server.url))
    pipelines.push(schedule("every-minute", "* * * * *", "none"))
    # Each hour, half an hour from now: nothing of it happens while this test runs.
    minute = (time.gmtime().tm_min + 30) % 60
    for catchup in ("none", "latest", "all"):
        pipelines.push(schedule(f"hourly-{catchup}", f"{minute} * * * *", catchup))
    check_next_runs(pipelines, server.url, minute)
    wait_for("the first minute to begin", lambda: pipelines.runs("every-minute"), 90, pause=0.2)
    [run, *_] = pipelines.runs("every-minute")
    assert pipelines.wait(run["id"])["run"]["status"] == "succeeded"
    scheduled = run["trigger_detail"]["scheduled_at_ms"]
    assert (run["trigger"], scheduled % (MINUTE * 1000)) == ("schedule", 0)
    assert scheduled <= run["created_at_ms"] < scheduled + MINUTE * 1000
    server.stop()
    # As if the server had been away for three and a half hours.
    next_at_ms = (int(time.time()) // HOUR * HOUR + minute * MINUTE - 4 * HOUR) * 1000
    while next_at_ms < (time.time() - 3 * HOUR - 45 * MINUTE) * 1000:
        next_at_ms += HOUR * 1000
    move = "UPDATE schedules SET next_at_ms = ? WHERE pipeline LIKE 'hourly-%'"
    change_rows(server.database_url, server.folder / "data", [(move, (next_at_ms,))])
    server.start()
    pipelines = Pipelines(Http(server.url))
    expected = [next_at_ms + hours * HOUR * 1000 for hours in range(4) if next_at_ms / 1000 + hours * HOUR <= time.time()]
    wait_for("all of them", lambda: len(pipelines.runs("hourly-all")) == len(expected), 30)
    wait_for("the latest", lambda: pipelines.runs("hourly-latest"), 30)
    times = lambda name: sorted(run["trigger_detail"]["scheduled_at_ms"] for run in pipelines.runs(name))
    assert len(expected) > 2
    assert (times("hourly-all"), times("hourly-latest"), times("hourly-none")) == (expected, expected[-1:], [])
    # Once is enough: a second start finds nothing to make up for.
    server.kill()
    server.start()
    pipelines = Pipelines(Http(server.url))
    done = pipelines.start(pipelines.push("name: by-hand\njobs: { a: { run: echo } }\n"))
    assert pipelines.wait(done)["run"]["status"] == "succeeded"
    assert (times("hourly-all"), times("hourly-latest"), times("hourly-none")) == (expected, expected[-1:], [])


def test_a_schedule_that_cannot_be_looked_at_says_so_and_keeps_no_other_pipeline_from_starting(make_lathe: Callable[..., LatheServer]):
    server = make_lathe().start()
    http = Http(server.url)
    http.ok_any(http.post("/api/v1/repos", {"name": "data"}))
    pipelines = Pipelines(http)
    pipelines.push(schedule("by-clock", "0 0 1 1 *", "none"))
    pipelines.push("name: on-data\non: { data_commit: { repo: data } }\njobs: { a: { run: echo } }\n")
    server.stop()
    change_rows(server.database_url, server.folder / "data", [("ALTER TABLE schedules RENAME TO schedules_of_another_time", ())])
    server.start()
    http = Http(server.url)
    pipelines = Pipelines(http)
    http.ok_any(http.request("PUT", "/api/v1/repos/data/refs/main/objects/x", data=b"x"))
    http.ok_any(http.post("/api/v1/repos/data/branches/main/commits", {"message": "x"}))
    started = wait_for("the other pipeline to start", lambda: pipelines.runs("on-data"), 30)
    assert pipelines.wait(started[0]["id"])["run"]["status"] == "succeeded"
    about = {"subject": "default/pipeline/by-clock", "action": "pipeline.not_started"}
    [event] = wait_for("the event", lambda: http.ok(http.get("/api/v1/activity", **about))["events"], 30)
    assert event["detail"]["trigger"] == "schedule" and "went wrong inside Lathe" in event["detail"]["reason"], event
    assert server.log().count("a trigger did not start its pipeline") == 1, server.log()
    assert "not started by schedule at " in run_lathe(server.url, "pipeline", "show", "by-clock").stderr
