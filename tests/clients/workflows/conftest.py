"""Pipelines through the API: pushed, run, and waited for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.http import Http
from support.waiting import wait_for

ENDED = {"succeeded", "failed", "canceled"}
# The programs of the tests' own Python.
BIN = Path(sys.executable).parent


class Pipelines:
    """What the tests do with pipelines of one server."""

    def __init__(self, http: Http):
        self.http = http

    def push(self, text: str, **more: Any) -> str:
        return self.http.ok_any(self.http.post("/api/v1/pipelines", {"file": text, **more}))["name"]

    def start(self, name: str, **body: Any) -> str:
        return self.http.ok_any(self.http.post(f"/api/v1/pipelines/{name}/runs", body))["id"]

    def get(self, run: str) -> dict[str, Any]:
        return self.http.ok(self.http.get(f"/api/v1/pipeline-runs/{run}"))

    def status(self, run: str) -> str:
        return self.get(run)["run"]["status"]

    def job(self, run: str, job: str) -> dict[str, Any]:
        return next(one for one in self.get(run)["jobs"] if one["job"] == job)

    def jobs(self, run: str) -> dict[str, str]:
        return {one["job"]: one["status"] for one in self.get(run)["jobs"]}

    def wait(self, run: str, seconds: float = 60) -> dict[str, Any]:
        wait_for(f"the end of pipeline run {run}", lambda: self.status(run) in ENDED, seconds, pause=0.05)
        return self.get(run)

    def wait_job(self, run: str, job: str, status: str, seconds: float = 60) -> None:
        wait_for(f"{job} to be {status}", lambda: self.job(run, job)["status"] == status, seconds, pause=0.05)

    def log(self, run: str, job: str, **query: Any) -> str:
        return self.http.ok(self.http.get(f"/api/v1/pipeline-runs/{run}/jobs/{job}/logs", **query))["text"]

    def attempts(self, run: str, job: str) -> list[dict[str, Any]]:
        return self.http.ok(self.http.get(f"/api/v1/pipeline-runs/{run}/jobs/{job}/attempts"))["attempts"]

    def runs(self, pipeline: str) -> list[dict[str, Any]]:
        return self.http.ok(self.http.get("/api/v1/pipeline-runs", pipeline=pipeline))["runs"]

    def run(self, text: str, **body: Any) -> dict[str, Any]:
        return self.wait(self.start(self.push(text), **body))


@pytest.fixture
def pipelines(http: Http) -> Pipelines:
    return Pipelines(http)


@pytest.fixture
def name(unique: Callable[[str], str]) -> str:
    return unique("pipe")


def git_repository(folder: Path, files: dict[str, str]) -> Path:
    """A git repository with one commit that has these files."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.email=a@example.org", "-c", "user.name=a", *words], cwd=folder, check=True)
    return folder
