"""A server with login and two projects: `default`, of Anna, and one of somebody else's that is full of things with telling names."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.cli import run_lathe
from support.databases import drop_database, new_database_url
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

PASSWORD = "correct horse battery staple"
HOUR_MS = 3_600_000
#: A Monday at noon, UTC, long ago.
START_MS = 1_372_680_000_000

#: Knows pandas, S3's environment variables and MLflow.
TRAIN = """
import sys
import mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression

name = lambda what: f"{sys.argv[1]}-{what}"
rows = pd.read_csv(f"s3://{name('repo')}/main/{name('history')}.csv")
inputs = rows[["temp", "wind"]]
fitted = LogisticRegression(max_iter=1000).fit(inputs, rows["late"])
mlflow.log_param(name("param"), name("value"))
mlflow.log_metric(name("metric"), 1.5)
mlflow.set_tag(name("tag"), "1")
mlflow.log_text(name("text"), f"{name('artifact')}.txt")
mlflow.log_input(mlflow.data.from_pandas(rows, name=name("dataset")), context="training")
mlflow.sklearn.log_model(
    fitted, name=name("logged"), registered_model_name=name("model"), input_example=inputs.head(2),
    signature=mlflow.models.infer_signature(inputs, fitted.predict(inputs)),
)
print(name("output"))
"""


def table(rows: int = 200) -> pd.DataFrame:
    temperatures = np.array([(at * 7 % 40) / 2 for at in range(rows)])
    wind = np.array([float(at % 13) for at in range(rows)])
    return pd.DataFrame({"temp": temperatures, "wind": wind, "late": (temperatures > 10).astype(int)})


class Person:
    """A user with a role in one project and a token, and what they do there."""

    def __init__(self, server: LatheServer, folder: Path, name: str, project: str, token: str):
        self.server, self.folder, self.name, self.project, self.token = server, folder, name, project, token
        self.http = Http(f"{server.url}/p/{project}", {"Authorization": f"Bearer {token}"})

    def lathe(self, *words: str) -> subprocess.CompletedProcess:
        """The command line, signed in by the token."""
        who = {"LATHE_PROJECT": self.project, "LATHE_TOKEN": self.token}
        done = run_lathe(self.server.url, *words, cwd=self.folder, timeout=180, HOME=str(self.folder), **who)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        return self.http.ok_any(self.http.request(method, path, body, **options))


class World:
    """The server, its people, and the names of everything in the closed project."""

    def __init__(self, server: LatheServer, folder: Path):
        self.server, self.folder = server, folder
        self.admin = Http.with_login(server.url, "admin", PASSWORD)
        #: Begins the name of everything in the closed project.
        self.mark = f"zebra{uuid.uuid4().hex[:6]}"
        #: What a name stands for, by its kind; those of ids are told apart by no mark.
        self.names: dict[str, str] = {}
        self.admin.ok_any(self.admin.post("/api/v1/projects", {"name": self.named("project"), "description": self.named("about")}))
        self.owner = self.person(self.named("owner"), self.names["project"])
        self.anna = self.person(f"anna{uuid.uuid4().hex[:6]}", "default")

    def named(self, what: str) -> str:
        self.names[what] = f"{self.mark}-{what}"
        return self.names[what]

    def person(self, name: str, project: str) -> Person:
        self.admin.ok_any(self.admin.post("/api/v1/users", {"username": name, "password": PASSWORD}))
        self.admin.ok_any(self.admin.request("PUT", f"/api/v1/projects/{project}/members/{name}", {"role": "admin"}))
        made = Http.with_login(self.server.url, name, PASSWORD).post(f"/p/{project}/api/v1/tokens", {"name": f"{name}-laptop"})
        token = self.admin.ok_any(made)
        folder = self.folder / name
        folder.mkdir()
        return Person(self.server, folder, name, project, token["token"])

    def fill(self) -> None:
        """Something of every kind in the closed project."""
        owner, named = self.owner, self.named
        repo, file = named("repo"), f"{named('history')}.csv"
        table().to_csv(owner.folder / file, index=False)
        (owner.folder / "train.py").write_text(TRAIN)
        owner.lathe("repo", "create", repo)
        owner.lathe("cp", file, f"data://{repo}@main/{file}")
        owner.lathe("commit", repo, "-m", named("message"))
        owner.lathe("run", "-e", named("experiment"), "-n", named("run"), "--", sys.executable, "train.py", self.mark)
        for what in ("param", "value", "metric", "tag", "text", "artifact", "dataset", "logged", "model", "output"):
            named(what)
        self.fill_data(repo)
        self.fill_models()
        self.fill_deployment()
        self.fill_pipeline()
        owner.ok("PUT", f"/api/v1/secrets/{self.names_of_secret()}", {"value": "hidden"})
        made = owner.ok("POST", "/api/v1/tokens", {"name": named("service"), "kind": "service", "role": "viewer"})
        self.names["token_id"] = made["id"]

    def names_of_secret(self) -> str:
        self.names["secret"] = f"{self.mark}_secret"
        return self.names["secret"]

    def fill_data(self, repo: str) -> None:
        owner, named = self.owner, self.named
        self.names["commit"] = owner.ok("GET", f"/api/v1/repos/{repo}/refs/main")["id"]
        owner.ok("POST", f"/api/v1/repos/{repo}/branches", {"name": named("branch"), "from": "main"})
        owner.ok("POST", f"/api/v1/repos/{repo}/tags", {"name": named("release"), "from": "main"})
        place = f"/api/v1/repos/{repo}/refs/{self.names['branch']}/objects"
        owner.ok("PUT", f"{place}/{named('committed')}.txt", data=self.names["text"].encode())
        owner.ok("POST", f"/api/v1/repos/{repo}/branches/{self.names['branch']}/commits", {"message": self.names["message"]})
        owner.ok("PUT", f"{place}/{named('staged')}.txt", data=self.names["text"].encode())

    def fill_models(self) -> None:
        owner, names = self.owner, self.names
        experiment = owner.ok("GET", "experiments/get-by-name", params={"experiment_name": names["experiment"]})["experiment"]
        names["experiment_id"] = experiment["experiment_id"]
        [run] = owner.ok("POST", "runs/search", {"experiment_ids": [names["experiment_id"]]})["runs"]
        names["run_id"] = run["info"]["run_id"]
        names["model_id"] = run["outputs"]["model_outputs"][0]["model_id"]
        owner.ok("POST", "registered-models/alias", {"name": names["model"], "alias": self.named("alias"), "version": "1"})

    def fill_deployment(self) -> None:
        owner, names = self.owner, self.names
        deployment = self.named("deployment")
        owner.ok("POST", "/api/v1/deployments", {"name": deployment, "model": f"models:/{names['model']}@{names['alias']}"})
        place = f"/api/v1/deployments/{deployment}"
        wait_for(f"{deployment} to be ready", lambda: owner.ok("GET", place)["state"] == "ready", 120, pause=0.1)
        owner.ok("PUT", f"{place}/monitoring", {"allows_replay": True})
        rule = {"name": self.named("rule"), "metric": "rows", "threshold": 1e6}
        owner.ok("POST", f"{place}/alert-rules", rule)
        body = {"dataframe_split": json.loads(table()[["temp", "wind"]].to_json(orient="split", index=False))}
        headers = {"x-request-id": self.named("request"), "x-lathe-time": str(START_MS)}
        answer = owner.http.request("POST", f"/serving/{deployment}/invocations", body, headers=headers)
        assert answer.status_code == 200, answer.text
        names["request_id"] = answer.headers["x-request-id"]
        wait_for("the sample", lambda: owner.ok("GET", f"{place}/traffic")["windows"], 30, pause=0.1)
        labels = [{"client_request_id": names["request"], "row": at, "label": int(late)} for at, late in enumerate(table()["late"])]
        owner.ok("POST", f"{place}/labels", {"labels": labels})
        wait_for("the reference", lambda: owner.ok("GET", f"{place}/drift").get("reference"), 60, pause=0.2)
        owner.ok("POST", f"{place}/check")
        assert owner.ok("GET", f"{place}/alerts")["alerts"], "the rule has raised its alert"

    def fill_pipeline(self) -> None:
        owner, job, text = self.owner, self.named("job"), self.named("log")
        file = f"""
name: {self.named("pipeline")}
jobs:
  {job}: {{ run: "echo {text}" }}
  ask: {{ needs: [{job}], approval: {{ min: 1 }} }}
"""
        owner.ok("POST", "/api/v1/pipelines", {"file": file})
        run = owner.ok("POST", f"/api/v1/pipelines/{self.names['pipeline']}/runs", {})["id"]
        self.names["pipeline_run"] = run
        wait_for("the approval to be waited for", lambda: owner.ok("GET", "/api/v1/approvals")["approvals"], 60, pause=0.1)


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("login")
    environment = {"LATHE_ADMIN_PASSWORD": PASSWORD, "LATHE_SERVING_PYTHON": sys.executable}
    server = LatheServer(folder, new_database_url(None), ("--login",), environment).start()
    try:
        made = World(server, folder)
        made.fill()
        yield made
        assert server.is_running(), f"the server ended during the tests:\n{server.log()[-4000:]}"
    finally:
        server.stop()
        drop_database(server.database_url)
