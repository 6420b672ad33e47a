"""The whole story on real data: data -> pipeline -> model -> deployment -> traffic -> drift -> the next model.

    python demo.py            all flights, a few minutes
    python demo.py --quick    a tenth of them, for a first look and for tests

It talks to a running server as anybody would: with the command line, with S3 and over HTTP. Each function is one step.
Where the server has a login, it is whoever `lathe login` signed in (or LATHE_TOKEN, or what `lathe env` printed), in the project
of LATHE_PROJECT or --project, and needs the role of a maintainer there.
It can be run again: it then begins again with January to March, and what was learnt before stays in the history.
A server that goes away and comes back within a minute is waited for.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests
from botocore.exceptions import BotoCoreError, ClientError
from features import MODEL
from load import write_months
from replay import Outcome, Server, batches_of, flights_of, patient_session, replay, was_asked_again

FOLDER = Path(__file__).resolve().parent
REPOSITORY = "flights"
PIPELINE = "flights-delay"
T = TypeVar("T")
EVERY_FIFTH_OF_A_SECOND = 0.2
# The months that the first model learns from and is tested on, and those that are there when it has to be replaced.
FIRST_MONTHS = [1, 2, 3]
NEWER_MONTHS = [4, 5, 6, 7]
# May is as punctual as the winter; in July 31 % of the flights are late.
CALM_MONTH, DRIFTING_MONTH, NEXT_MONTH = 5, 7, 8
# The Brier score of the first model by week: at most 0.18 in May (0.2 in a tenth of the flights), up to 0.25 in July (0.29).
# The first days of a week say little about it: bad weather stays for days.
ALERT_ABOVE_BRIER = 0.22
WEEK_MS = 7 * 86_400_000
END_STATES = ("succeeded", "failed", "canceled")
# Who may change deployments and move aliases.
ROLES = ("maintainer", "admin")
# Exit codes of the command line.
NOT_FOUND, UNAVAILABLE = 3, 7
# How long a server may be away, for instance because it is started anew.
SECONDS_AWAY = 60


class DemoError(Exception):
    """A step did not do what the story says."""


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    sample: float
    rows: int
    rows_of_canary: int
    seconds: float
    patience: float
    rows_to_judge: int


FULL = Size(sample=1.0, rows=50, rows_of_canary=25, seconds=20, patience=600, rows_to_judge=4000)
QUICK = Size(sample=0.1, rows=20, rows_of_canary=5, seconds=5, patience=600, rows_to_judge=400)


def run_binary(binary: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Calls the `lathe` binary and waits for its end."""
    environment = os.environ | {"NO_COLOR": "1"} | environment
    try:
        return subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, cwd=FOLDER)
    except OSError as error:
        raise DemoError(f"{binary} cannot be started ({error.strerror}): name the binary with --lathe") from error


@dataclass
class Lathe:
    """A server, by its public edges."""

    url: str
    binary: str
    project: str = "default"
    token: str | None = None

    def __post_init__(self) -> None:
        self.root = f"{self.url}/p/{self.project}"
        self.session = patient_session(self.token)

    def check(self) -> None:
        """Fails at once when there is no server, or nobody who may do all of this: one that goes away later is waited for."""
        try:
            server = requests.get(f"{self.url}/api/v1/server", timeout=60)
            server.raise_for_status()
        except requests.RequestException as error:
            raise DemoError(f"no Lathe answers at {self.url}: start it with lathe serve, or name its address with --url") from error
        if server.json()["mode"] == "login" and self.token is None:
            raise DemoError(f"the server {self.url} has a login: sign in first, with lathe login --url {self.url}")
        who = self.api("GET", "whoami")
        if not who["is_admin"] and who.get("role") not in ROLES:
            name, role = who["actor"]["name"], who.get("role") or "no member"
            raise DemoError(f"{name} is {role} of the project {self.project}, and who deploys models has to be a maintainer")

    def try_command(self, *arguments: str, missing_ok: bool = False) -> str | None:
        """What a command of the `lathe` binary printed, None when the server was away; `missing_ok` takes "not found" as nothing printed."""
        environment = {"LATHE_URL": self.url, "LATHE_PROJECT": self.project} | ({"LATHE_TOKEN": self.token} if self.token else {})
        ended = run_binary(self.binary, *arguments, **environment)
        if ended.returncode == UNAVAILABLE:
            return None
        if ended.returncode == NOT_FOUND and missing_ok:
            return ""
        if ended.returncode:
            raise DemoError(f"lathe {' '.join(arguments)} ended with {ended.returncode}: {(ended.stderr or ended.stdout).strip()}")
        return ended.stdout

    def command(self, *arguments: str, missing_ok: bool = False) -> str:
        """The same for a command that may be given twice: it is, until the server is there."""
        return wait_for(f"the server {self.url}", SECONDS_AWAY, lambda: self.try_command(*arguments, missing_ok=missing_ok))

    def json(self, *arguments: str) -> dict:
        return json.loads(self.command(*arguments, "-o", "json"))

    def api(self, method: str, path: str, body: dict | None = None, expected: int | None = None) -> dict:
        """The answer of /api/v1/<path> in the project; an `expected` status is taken as an empty one."""
        answer = self.session.request(method, f"{self.root}/api/v1/{path}", json=body, timeout=60)
        if answer.status_code == expected:
            return {}
        if answer.status_code == 409 and was_asked_again(answer):
            # Done, only that its answer was lost.
            return {}
        if not answer.ok:
            raise DemoError(f"{method} {path} was answered with {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else {}

    def use_s3(self) -> None:
        """Lets S3 clients of this process reach the server, as `eval "$(lathe env)"` does in a shell."""
        keys = self.api("GET", "s3-credentials")
        os.environ["AWS_ENDPOINT_URL"] = keys["endpoint_url"]
        os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = keys["region"]
        os.environ["AWS_ACCESS_KEY_ID"] = keys["access_key_id"]
        os.environ["AWS_SECRET_ACCESS_KEY"] = keys["secret_access_key"]
        os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ |= {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "10"}


def connect(url: str, project: str | None, binary: str) -> Lathe:
    """The server as the command line knows it: the project, and the token that it was given or keeps."""
    words = ["env", "-o", "json", "--url", url] + (["--project", project] if project else [])
    ended = run_binary(binary, *words)
    if ended.returncode:
        raise DemoError(ended.stderr.strip().removeprefix("error: "))
    found = json.loads(ended.stdout)
    token = found.get("MLFLOW_TRACKING_TOKEN")
    # As `lathe env` prints it on another machine; it is that server's only.
    if token is None and os.environ.get("MLFLOW_TRACKING_URI", "").partition("/p/")[0] == found["LATHE_URL"]:
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return Lathe(found["LATHE_URL"], binary, found["LATHE_PROJECT"], token)


@dataclass
class Progress:
    """Headings and lines with the time since the start."""

    started: float

    def step(self, text: str) -> None:
        print(f"\n[{time.monotonic() - self.started:4.0f} s] {text}", flush=True)

    def say(self, text: str) -> None:
        print(text if text.startswith(" ") else f"  {text}", flush=True)


def wait_for(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    """What `look` gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(EVERY_FIFTH_OF_A_SECOND)
    raise DemoError(f"{what} did not come within {seconds:.0f} seconds")


# ---- 1. the data


def begin_again(lathe: Lathe, size: Size) -> None:
    """Ends and takes down what an earlier demo left. Its runs, versions and commits stay."""
    cancel_pipeline_runs(lathe, size)
    lathe.api("DELETE", f"deployments/{MODEL}", expected=404)
    lathe.command("model", "alias", MODEL, "champion", "--remove", missing_ok=True)
    if lathe.api("GET", f"repos/{REPOSITORY}", expected=404):
        for table in ("flights", "weather"):
            for month in NEWER_MONTHS:
                lathe.command("rm", f"{REPOSITORY}/raw/{table}/2013-{month:02}.csv", missing_ok=True)
    else:
        lathe.api("POST", "repos", {"name": REPOSITORY})


def cancel_pipeline_runs(lathe: Lathe, size: Size) -> None:
    """Cancels what an interrupted demo left running or queued: the first run of this one would wait for it."""

    def look() -> bool | None:
        alive = [run for run in pipeline_runs(lathe) if run["status"] not in END_STATES]
        for run in alive:
            if not run["is_canceled"]:
                # A conflict: it has ended just now.
                lathe.api("POST", f"pipeline-runs/{run['id']}/cancel", expected=409)
        return None if alive else True

    wait_for("the end of an earlier demo's pipeline", size.patience, look)


def commit_months(lathe: Lathe, months: list[int], message: str, size: Size, progress: Progress) -> str:
    """Writes months through S3 and commits them; returns the commit that the branch has then."""
    lathe.use_s3()
    try:
        count = write_months(months, f"s3://{REPOSITORY}/main/raw", size.sample)
    except (OSError, BotoCoreError, ClientError) as error:
        raise DemoError(f"the flights cannot be written through S3 at {os.environ['AWS_ENDPOINT_URL']}: {error}") from error
    commit = commit_changes(lathe, message)
    progress.say(f"{count:,} flights, {message}: commit {commit[:12]}")
    return commit


def commit_changes(lathe: Lathe, message: str) -> str:
    """Commits what is not committed, if anything; returns the commit that the branch has then."""

    def look() -> str | None:
        if not lathe.api("GET", f"repos/{REPOSITORY}/branches/main/changes")["changes"]:
            return lathe.api("GET", f"repos/{REPOSITORY}/refs/main")["id"]
        # Also when its answer is lost, the commit may be there: it is looked for.
        lathe.try_command("commit", REPOSITORY, "-m", message)
        return None

    return wait_for("the commit", SECONDS_AWAY, look)


# ---- 2. the pipeline


def pipeline_runs(lathe: Lathe) -> list[dict]:
    """The runs of the pipeline, newest first."""
    return lathe.api("GET", f"pipeline-runs?pipeline={PIPELINE}", expected=404).get("runs", [])


def newest_pipeline_run(lathe: Lathe, other_than: str | None) -> str | None:
    """The newest run of the pipeline, when it is another one."""
    newest = next((run["id"] for run in pipeline_runs(lathe)), None)
    return None if newest == other_than else newest


def start_pipeline(lathe: Lathe) -> str:
    """Starts the pipeline of lathe.yaml by hand; returns the id of its run."""
    before = newest_pipeline_run(lathe, other_than=None)

    def look() -> str | None:
        started = lathe.try_command("pipeline", "run", "lathe.yaml")
        # Also when its answer is lost, the run may have begun.
        return started.strip() if started else newest_pipeline_run(lathe, other_than=before)

    return wait_for("the pipeline's start", SECONDS_AWAY, look)


def follow_pipeline(lathe: Lathe, run_id: str, size: Size, progress: Progress) -> dict:
    """Says how each job ends; returns the run once it has succeeded."""
    said: set[str] = set()

    def look() -> dict | None:
        found = lathe.api("GET", f"pipeline-runs/{run_id}")
        run = found["run"]
        for job in found["jobs"]:
            if job["status"] in (*END_STATES, "cached", "skipped") and job["job"] not in said:
                said.add(job["job"])
                progress.say(f"{job['job']:<18} {job['status']}")
        return run if run["status"] in END_STATES else None

    run = wait_for("the end of the pipeline", size.patience, look)
    if run["status"] != "succeeded":
        raise DemoError(f"the pipeline run {run_id} {run['status']}; read: lathe pipeline logs {run_id}")
    return run


# ---- 3. the deployment, and what is watched


def deployment_of(lathe: Lathe) -> dict:
    """The deployment as `lathe deploy show -o json` prints it."""
    return lathe.json("deploy", "show", MODEL)


def primary_version(lathe: Lathe) -> int:
    """The version that has the deployment's name."""
    (primary,) = [version for version in deployment_of(lathe)["versions"] if version["role"] == "primary"]
    return int(primary["version"])


def ask_once(server: Server, month: int, sample: float) -> str:
    """One request about three flights, as any client sends it; returns its id."""
    batch = next(batches_of(flights_of([month], sample), rows=3))
    answer = server.predict(batch)
    if not answer.ok:
        raise DemoError(f"a prediction was answered with {answer.status_code}: {answer.text[:500]}")
    return answer.headers["x-request-id"]


def watch_quality(lathe: Lathe, size: Size) -> None:
    """Lets the replay bring its own time, and raises an alert when the late labels say that the model got worse."""
    path = f"deployments/{MODEL}"
    settings = {"allows_replay": True, "window_ms": WEEK_MS, "score_column": "predictions.1"}
    lathe.api("PUT", f"{path}/monitoring", settings)
    # Temperatures drift with every spring. That is worth a look and no reason to learn anew: what counts is the quality.
    temperature = {"name": "temperature", "metric": "psi", "column": "temp", "threshold": 0.25, "severity": "info"}
    lathe.api("POST", f"{path}/alert-rules", temperature)
    # From one week to the next the quality crosses the threshold again and again: the first alert of a summer is enough.
    quality = {"metric": "quality", "measure": "brier", "threshold": ALERT_ABOVE_BRIER, "min_rows": size.rows_to_judge, "cool_down_ms": 10 * WEEK_MS}
    lathe.api("POST", f"{path}/alert-rules", {"name": "quality", "severity": "warning", **quality})


def alert_of(lathe: Lathe) -> dict | None:
    """The first alert about the quality."""
    alerts = lathe.api("GET", f"deployments/{MODEL}/alerts")["alerts"]
    return next((alert for alert in alerts if alert["severity"] != "info"), None)


# ---- 4. traffic, drift, the next model


def check_replay(outcome: Outcome) -> Outcome:
    if outcome.failed:
        raise DemoError(f"{outcome.failed} of {outcome.requests} requests failed: {'; '.join(outcome.errors)}")
    return outcome


def replay_month(server: Server, month: int, size: Size, progress: Progress, is_over=lambda: False) -> Outcome:
    """A month of traffic in some seconds."""
    table = flights_of([month], size.sample)
    outcome = replay(server, table, rows=size.rows, seconds=size.seconds, is_over=is_over, say=progress.say)
    check_replay(outcome)
    progress.say(f"2013-{month:02}: {outcome.rows:,} flights in {outcome.requests} requests, {outcome.labels:,} labels")
    return outcome


def follow_with_traffic(lathe: Lathe, server: Server, run_id: str, size: Size, progress: Progress) -> None:
    """A canary is judged by its traffic: August is replayed in the background, again and again, until the pipeline has ended."""
    table, over, done = flights_of([NEXT_MONTH], size.sample), threading.Event(), Outcome()

    def ask() -> None:
        while not over.is_set():
            more = replay(server, table, rows=size.rows_of_canary, seconds=20, is_over=over.is_set, say=lambda _: None)
            done.add(more)

    with ThreadPoolExecutor(1) as background:
        asking = background.submit(ask)
        try:
            follow_pipeline(lathe, run_id, size, progress)
        finally:
            over.set()
        asking.result()
    check_replay(done)
    again = f", {done.again:,} were asked again while the server was away" if done.again else ""
    progress.say(f"meanwhile, August: {done.rows:,} flights in {done.requests:,} requests, none of them failed{again}")


# ---- 5. where to look


def say_where(lathe: Lathe, first_run: str, second_run: str, request_id: str, size: Size, progress: Progress) -> None:
    """Addresses of what was made, and where one prediction came from."""
    root = lathe.root
    second = lathe.api("GET", f"pipeline-runs/{second_run}")
    trained = [job["run_id"] for job in second["jobs"] if job["name"] == "train" and job.get("run_id")]
    for what, url in (
        ("first pipeline run", f"{root}/pipeline-runs/{first_run}"),
        ("the one that the alert started", f"{root}/pipeline-runs/{second_run}"),
        ("its models, compared", f"{root}/compare?runs={','.join(trained)}"),
        ("model version", f"{root}/models/{MODEL}/versions/{primary_version(lathe)}"),
        ("deployment", f"{root}/deployments/{MODEL}"),
        ("drift", f"{root}/deployments/{MODEL}?tab=drift"),
    ):
        progress.say(f"{what:<32} {url}")
    # A request is kept about a second after its answer.
    why = ("lineage", "why", request_id, "--depth", "7")
    answer = wait_for("the prediction's origin", size.patience, lambda: lathe.command(*why, missing_ok=True) or None)
    print(f"\n$ lathe {' '.join(why)}\n{answer}", end="")


def tell(lathe: Lathe, size: Size, progress: Progress) -> None:
    """The story."""
    server = Server(lathe.root, MODEL, lathe.token)
    progress.step("1/5  January to March are committed through S3")
    begin_again(lathe, size)
    commit_months(lathe, FIRST_MONTHS, "January to March", size, progress)
    progress.step("2/5  The pipeline trains three kinds of models and deploys the best")
    first_run = start_pipeline(lathe)
    follow_pipeline(lathe, first_run, size, progress)
    before = primary_version(lathe)
    progress.step(f"3/5  Version {before} answers; May is replayed as traffic")
    watch_quality(lathe, size)
    progress.say(f"first prediction: {ask_once(server, CALM_MONTH, size.sample)}")
    replay_month(server, CALM_MONTH, size, progress)
    if alert := alert_of(lathe):
        raise DemoError(f"May is a calm month, yet there is an alert: {alert}")
    progress.step("4/5  July drifts: an alert starts the pipeline, a canary becomes the new version")
    commit_months(lathe, NEWER_MONTHS, "April to July", size, progress)
    replay_month(server, DRIFTING_MONTH, size, progress, lambda: alert_of(lathe) is not None)
    alert = wait_for("an alert about July", size.patience, lambda: alert_of(lathe))
    progress.say(f"alert: {alert['rule']} is {alert['value']:.3f}, above {alert['threshold']}")
    second_run = wait_for("the pipeline run of the alert", size.patience, lambda: newest_pipeline_run(lathe, first_run))
    follow_with_traffic(lathe, server, second_run, size, progress)
    if (after := primary_version(lathe)) == before:
        raise DemoError(f"version {before} still has all traffic: the new one was not promoted")
    progress.say(f"version {after} took over from version {before}")
    progress.step("5/5  Look around")
    request_id = ask_once(server, NEXT_MONTH, size.sample)
    say_where(lathe, first_run, second_run, request_id, size, progress)


def main() -> None:
    parser = argparse.ArgumentParser(description="Data, pipeline, model, deployment, drift, and the next model.")
    parser.add_argument("--url", default=os.environ.get("LATHE_URL", "http://127.0.0.1:4400"), help="default: $LATHE_URL")
    parser.add_argument("--project", help="default: $LATHE_PROJECT, or the one called default")
    parser.add_argument("--lathe", default=os.environ.get("LATHE_BIN", "lathe"), help="the binary (default: $LATHE_BIN)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the flights")
    arguments = parser.parse_args()
    progress = Progress(time.monotonic())
    try:
        lathe = connect(arguments.url, arguments.project, arguments.lathe)
        lathe.check()
        tell(lathe, QUICK if arguments.quick else FULL, progress)
    except KeyboardInterrupt:
        sys.exit(130)
    except (DemoError, RuntimeError, requests.RequestException) as error:
        sys.exit(f"demo.py: {error}")
    print(f"\ndone in {time.monotonic() - progress.started:.0f} s")


if __name__ == "__main__":
    main()
