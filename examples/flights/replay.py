"""Replays months of flights as traffic of the deployment, in minutes instead of months; the labels come later.

    python replay.py --months 5 --seconds 10

Each request holds flights of one day, as they would be asked about before their departure. Whether they were late is
sent as labels once the replay is `--delay-days` days further, joined by the request's id.
"""

import argparse
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pandas as pd
import requests
from features import FEATURES, MODEL, TARGET, arrived, join_weather
from load import parse_months, read_package
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

MILLISECONDS_OF_DAY = 86_400_000
# Batches whose labels go into one request.
BATCHES_AT_ONCE = 20
TRIES = 20
# From then on, what the server does not know is asked again: it has ended without keeping it.
TRIES_OF_KNOWN = 5


def patient_session(token: str | None) -> requests.Session:
    """A session that asks again, for about a minute, while a server is away or starts."""
    retry = Retry(
        total=60, read=10, backoff_factor=0.1, backoff_max=1, status_forcelist=[502, 503, 504], allowed_methods=None, raise_on_status=False
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=16, max_retries=retry))
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def was_asked_again(answer: requests.Response) -> bool:
    """Whether the answer did not come at once."""
    return bool(answer.raw.retries and answer.raw.retries.history)


@dataclass(frozen=True)
class Batch:
    """Flights of one request, and what became of them."""

    request_id: str
    time_ms: int
    features: pd.DataFrame
    late: list[int]


@dataclass
class Outcome:
    """What a replay did."""

    requests: int = 0
    rows: int = 0
    failed: int = 0
    labels: int = 0
    again: int = 0
    last_request_id: str | None = None
    errors: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        """Counts what another replay did, too."""
        self.requests += other.requests
        self.rows += other.rows
        self.failed += other.failed
        self.labels += other.labels
        self.again += other.again
        self.last_request_id = other.last_request_id or self.last_request_id
        self.errors += other.errors


@dataclass
class Server:
    """The edges of a project of a Lathe server that a replay uses. Sessions are shared by threads: only their pool is used."""

    # http://<server>/p/<project>
    root: str
    deployment: str = MODEL
    token: str | None = None

    def __post_init__(self) -> None:
        self.session = patient_session(self.token)

    def predict(self, batch: Batch) -> requests.Response:
        """Asks about the flights of a batch, at their own time."""
        split = batch.features.astype(object).where(batch.features.notna(), None).to_dict(orient="split", index=False)
        return self.session.post(
            f"{self.root}/serving/{self.deployment}/invocations",
            json={"dataframe_split": split},
            headers={"x-request-id": batch.request_id, "x-lathe-time": str(batch.time_ms)},
            timeout=60,
        )

    def send_labels(self, batches: list[Batch]) -> int:
        """Tells what became of the flights of some requests, and returns how many labels that were."""
        for first in range(0, len(batches), BATCHES_AT_ONCE):
            self.send_some_labels(batches[first : first + BATCHES_AT_ONCE])
        return sum(len(batch.late) for batch in batches)

    def send_some_labels(self, batches: list[Batch]) -> None:
        """Sends labels until the server knows all requests that they are for: it keeps a request about a second after its answer."""
        labels = [
            {"client_request_id": batch.request_id, "row": row, "label": late}
            for batch in batches
            for row, late in enumerate(batch.late)
        ]
        for attempt in range(1, TRIES + 1):
            answer = self.session.post(
                f"{self.root}/api/v1/deployments/{self.deployment}/labels", json={"labels": labels}, timeout=60
            )
            if not answer.ok:
                raise RuntimeError(f"labels were refused with {answer.status_code}: {answer.text[:500]}")
            unknown = answer.json()["unknown"]
            if not unknown:
                return
            if attempt % TRIES_OF_KNOWN == 0:
                for batch in batches:
                    if batch.request_id in unknown:
                        self.predict(batch)
            time.sleep(1)
        raise RuntimeError(f"labels are of requests that the server does not know: {unknown[:3]}")


def flights_of(months: list[int], sample: float = 1.0) -> pd.DataFrame:
    """The flights of some months, with features and target, in the order of time."""
    flights, weather = read_package(sample)
    return join_weather(arrived(flights[flights["month"].isin(months)]), weather)


def batches_of(table: pd.DataFrame, rows: int) -> Iterator[Batch]:
    """Requests of at most `rows` flights of one day each, in the order of time."""
    replay = uuid.uuid4().hex[:8]
    for (month, day), flights in table.groupby(["month", "day"], sort=True):
        for number, first in enumerate(range(0, len(flights), rows)):
            part = flights.iloc[first : first + rows]
            time_ms = int(pd.Timestamp(part["time_hour"].iloc[0]).timestamp() * 1000)
            yield Batch(f"{replay}-2013{month:02}{day:02}-{number:03}", time_ms, part[FEATURES], part[TARGET].tolist())


def replay(
    server: Server,
    table: pd.DataFrame,
    *,
    rows: int = 50,
    seconds: float = 0,
    delay_days: float = 3,
    threads: int = 4,
    is_over: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Sends the flights in `threads` requests at a time, over `seconds`; labels follow `delay_days` replayed days later."""
    batches, outcome, waiting = list(batches_of(table, rows)), Outcome(), deque[Batch]()
    started, said = time.monotonic(), time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(batches), threads):
            if is_over():
                break
            group = batches[first : first + threads]
            # An even pace; when the server is slower than that, as fast as it goes.
            time.sleep(max(0.0, started + seconds * first / len(batches) - time.monotonic()))
            for batch, answer in zip(group, pool.map(server.predict, group), strict=True):
                note(outcome, batch, answer)
                if answer.ok:
                    waiting.append(batch)
            due: list[Batch] = []
            while waiting and group[-1].time_ms - waiting[0].time_ms >= delay_days * MILLISECONDS_OF_DAY:
                due.append(waiting.popleft())
            outcome.labels += server.send_labels(due)
            if time.monotonic() - said > 2:
                said = time.monotonic()
                day = group[-1].request_id.split("-")[1]
                say(f"    {day[:4]}-{day[4:6]}-{day[6:]}  {outcome.rows:6,} flights asked about, {outcome.labels:6,} labels")
    outcome.labels += server.send_labels(list(waiting))
    return outcome


def note(outcome: Outcome, batch: Batch, answer: requests.Response) -> None:
    """Counts an answer."""
    outcome.requests += 1
    outcome.rows += len(batch.late)
    outcome.again += was_asked_again(answer)
    if answer.ok:
        outcome.last_request_id = answer.headers.get("x-request-id", batch.request_id)
        return
    outcome.failed += 1
    if len(outcome.errors) < 3:
        outcome.errors.append(f"{answer.status_code}: {answer.text[:300]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("LATHE_URL", "http://127.0.0.1:4400"), help="default: $LATHE_URL")
    parser.add_argument("--project", default=os.environ.get("LATHE_PROJECT", "default"), help="default: $LATHE_PROJECT")
    parser.add_argument("--deployment", default=MODEL)
    parser.add_argument("--months", type=parse_months, default=[5])
    parser.add_argument("--sample", type=float, default=1.0, help="share of the flights (default: all)")
    parser.add_argument("--rows", type=int, default=50, help="flights in a request (default: 50)")
    parser.add_argument("--seconds", type=float, default=0, help="how long the replay takes (default: as fast as it goes)")
    parser.add_argument("--delay-days", type=float, default=3, help="replayed days until the labels come (default: 3)")
    arguments = parser.parse_args()
    token = os.environ.get("LATHE_TOKEN") or os.environ.get("MLFLOW_TRACKING_TOKEN")
    server = Server(f"{arguments.url.rstrip('/')}/p/{arguments.project}", arguments.deployment, token)
    table = flights_of(arguments.months, arguments.sample)
    outcome = replay(server, table, rows=arguments.rows, seconds=arguments.seconds, delay_days=arguments.delay_days)
    print(f"{outcome.rows:,} flights in {outcome.requests} requests, {outcome.failed} failed; {outcome.labels:,} labels")
    if outcome.errors:
        raise SystemExit("replay.py: " + "; ".join(outcome.errors))


if __name__ == "__main__":
    main()
