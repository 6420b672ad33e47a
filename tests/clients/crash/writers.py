"""Threads that write without pause and remember, for every write, whether the server acknowledged it.

A write that was sent but not acknowledged may be there or not; whatever is there must be whole.
"""

import hashlib
import threading
from abc import ABC, abstractmethod
from typing import Any

import requests

from support.http import Http

PROXY = "/api/2.0/mlflow-artifacts/artifacts"


class Writer(threading.Thread, ABC):
    """Writes items 0, 1, 2, … until the server goes away."""

    def __init__(self, url: str, experiment_id: str, name: str):
        super().__init__(daemon=True, name=name)
        self.http = Http(url)
        self.experiment_id = experiment_id
        self.acknowledged: dict[int, Any] = {}
        self.sent = 0
        self.trouble: str | None = None

    def run(self) -> None:
        try:
            while True:
                number = self.sent
                self.sent += 1
                response = self.write(number)
                if not response.ok:
                    self.trouble = f"{self.name}, item {number}: {response.status_code} {response.text}"
                    return
                self.acknowledged[number] = self.receipt(response)
        except requests.RequestException:
            # The kill. The last item is the one in flight.
            return

    def receipt(self, response: requests.Response) -> Any:
        return True

    @abstractmethod
    def write(self, number: int) -> requests.Response: ...

    @abstractmethod
    def check(self, http: Http) -> None:
        """Every acknowledged item is there and whole; the one in flight is whole or absent."""


def new_run(http: Http, experiment_id: str) -> str:
    return http.ok(http.post("runs/create", {"experiment_id": experiment_id, "run_name": "crash"}))["run"]["info"]["run_id"]


class BatchWriter(Writer):
    """log-batch: 20 points of a metric, 5 params and 5 tags, all or nothing."""

    POINTS, PARAMS, TAGS = 20, 5, 5

    def __init__(self, url: str, experiment_id: str, name: str):
        super().__init__(url, experiment_id, name)
        self.run_id = new_run(self.http, experiment_id)

    def write(self, number: int) -> requests.Response:
        body = {
            "run_id": self.run_id,
            "metrics": [
                {
                    "key": f"m{number}" if step % 2 else "shared",
                    "value": number + step / 100,
                    "timestamp": number * 100 + step,
                    "step": step,
                }
                for step in range(self.POINTS)
            ],
            "params": [{"key": f"p{number}-{part}", "value": str(part)} for part in range(self.PARAMS)],
            "tags": [{"key": f"t{number}-{part}", "value": str(part)} for part in range(self.TAGS)],
        }
        return self.http.post("runs/log-batch", body)

    def check(self, http: Http) -> None:
        data = http.ok(http.get("runs/get", run_id=self.run_id))["run"]["data"]
        params = {entry["key"] for entry in data.get("params", [])}
        tags = {entry["key"] for entry in data.get("tags", [])}
        latest = {entry["key"]: entry["value"] for entry in data.get("metrics", [])}
        shared = http.ok(http.get("metrics/get-history", run_id=self.run_id, metric_key="shared")).get("metrics", [])
        for number in range(self.sent):
            own = http.ok(http.get("metrics/get-history", run_id=self.run_id, metric_key=f"m{number}")).get("metrics", [])
            parts = [
                len([key for key in params if key.startswith(f"p{number}-")]) / self.PARAMS,
                len([key for key in tags if key.startswith(f"t{number}-")]) / self.TAGS,
                len(own) / (self.POINTS / 2),
                len([point for point in shared if point["timestamp"] // 100 == number]) / (self.POINTS / 2),
                float(f"m{number}" in latest),
            ]
            wanted = ([1.0] * 5,) if number in self.acknowledged else ([1.0] * 5, [0.0] * 5)
            assert parts in wanted, (
                f"batch {number} (acknowledged: {number in self.acknowledged}) is there in these parts: {parts}"
            )
        if shared:
            last = max(shared, key=lambda point: (point["step"], point["timestamp"], point["value"]))
            assert latest["shared"] == last["value"], "the latest value is that of the history"


class RunWriter(Writer):
    """runs/create with tags: the run and all of its tags, or neither."""

    def write(self, number: int) -> requests.Response:
        tags = [{"key": f"part{part}", "value": f"{self.name}-{number}"} for part in range(5)]
        return self.http.post(
            "runs/create", {"experiment_id": self.experiment_id, "run_name": f"{self.name}-{number}", "tags": tags}
        )

    def receipt(self, response: requests.Response) -> str:
        return response.json()["run"]["info"]["run_id"]

    def check(self, http: Http) -> None:
        for number in range(self.sent):
            query = {"experiment_ids": [self.experiment_id], "filter": f"attributes.run_name = '{self.name}-{number}'"}
            found = http.ok(http.post("runs/search", query)).get("runs", [])
            if number in self.acknowledged:
                assert [run["info"]["run_id"] for run in found] == [self.acknowledged[number]], f"run {number}"
            assert len(found) <= 1
            for run in found:
                tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
                assert [tags.get(f"part{part}") for part in range(5)] == [f"{self.name}-{number}"] * 5, f"run {number} is torn"


class ArtifactWriter(Writer):
    """PUT of files: each is whole or absent; a file that is replaced again and again is always one of its versions."""

    SIZE = 300_000

    def __init__(self, url: str, experiment_id: str, name: str):
        super().__init__(url, experiment_id, name)
        self.place = f"{PROXY}/{experiment_id}/{new_run(self.http, experiment_id)}/artifacts"

    def content(self, number: int) -> bytes:
        return hashlib.sha256(f"{self.name}-{number}".encode()).digest() * (self.SIZE // 32)

    def path(self, number: int) -> str:
        return f"{self.place}/files/{number}.bin" if number % 2 else f"{self.place}/replaced.bin"

    def write(self, number: int) -> requests.Response:
        return self.http.request("PUT", self.path(number), data=self.content(number))

    def check(self, http: Http) -> None:
        for number in range(1, self.sent, 2):
            response = http.get(self.path(number))
            if number in self.acknowledged or response.status_code != 404:
                assert response.status_code == 200, f"file {number}: {response.status_code}"
                assert response.content == self.content(number), f"file {number} is torn"
        written = [number for number in self.acknowledged if number % 2 == 0]
        if written:
            response = http.get(self.path(0))
            may_be = [self.content(number) for number in range(max(written), self.sent) if number % 2 == 0]
            assert response.content in may_be, "the replaced file is neither the last acknowledged nor the one in flight"


class VersionWriter(Writer):
    """model-versions/create: numbers count up, none is lost, none is given twice."""

    def __init__(self, url: str, experiment_id: str, name: str, model: str):
        super().__init__(url, experiment_id, name)
        self.model = model
        self.http.post("registered-models/create", {"name": model})

    def write(self, number: int) -> requests.Response:
        body = {"name": self.model, "source": f"s3://bucket/{self.name}/{number}", "tags": [{"key": "n", "value": str(number)}]}
        return self.http.post("model-versions/create", body)

    def receipt(self, response: requests.Response) -> str:
        return str(response.json()["model_version"]["version"])

    def check(self, http: Http) -> None:
        for number, version in self.acknowledged.items():
            found = http.ok(http.get("model-versions/get", name=self.model, version=version))["model_version"]
            assert found["source"] == f"s3://bucket/{self.name}/{number}"
            assert found["tags"] == [{"key": "n", "value": str(number)}]
        versions = list(self.acknowledged.values())
        assert len(set(versions)) == len(versions), "a number was given twice"
        fresh = http.ok(http.post("model-versions/create", {"name": self.model, "source": "s3://bucket/fresh"}))[
            "model_version"
        ]
        assert all(int(fresh["version"]) > int(version) for version in versions)
