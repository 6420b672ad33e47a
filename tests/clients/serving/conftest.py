"""Models that are deployed and asked."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import mlflow
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for


@pytest.fixture(scope="package")
def serving(make_lathe_package: Callable[..., LatheServer]) -> LatheServer:
    """A server whose models run in the tests' own Python."""
    return make_lathe_package(environment={"LATHE_SERVING_PYTHON": sys.executable}).start()


@pytest.fixture(scope="package")
def make_lathe_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LatheServer]]:
    from support.databases import drop_database, new_database_url

    made: list[LatheServer] = []

    def make(environment: dict[str, str]) -> LatheServer:
        server = LatheServer(tmp_path_factory.mktemp("serving"), new_database_url(None), (), environment)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
        drop_database(server.database_url)


class Deployments:
    """What the tests do with deployments of one server."""

    def __init__(self, url: str):
        self.url, self.http = url, Http(url)

    def log(self, model: str, slope: float, alias: str | None = None) -> int:
        """A version that answers `slope * a + b`."""
        import pandas as pd

        mlflow.set_tracking_uri(self.url)
        rows = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
        fitted = LinearRegression().fit(rows, slope * rows["a"] + rows["b"])
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(
                fitted, name="model", input_example=rows.head(1), registered_model_name=model,
                signature=mlflow.models.infer_signature(rows, fitted.predict(rows)),
            )  # fmt: skip
        return self.named(model, info, alias)

    def log_python(
        self, model: str, python_model: Any, alias: str | None = None, columns: str = "ab", signature: Any = None
    ) -> int:
        """A version of Python code that takes these columns, or what a signature says, and answers a number for each row."""
        import pandas as pd

        mlflow.set_tracking_uri(self.url)
        rows = pd.DataFrame({column: [1.0] for column in columns})
        with mlflow.start_run():
            info = mlflow.pyfunc.log_model(
                name="model", python_model=python_model, registered_model_name=model,
                signature=signature or mlflow.models.infer_signature(rows, np.array([1.0])),
                # MLflow finds them by loading the model, which some of these are not made for.
                pip_requirements=[],
            )  # fmt: skip
        return self.named(model, info, alias)

    def named(self, model: str, info: Any, alias: str | None) -> int:
        version = int(info.registered_model_version)
        if alias:
            mlflow.MlflowClient().set_registered_model_alias(model, alias, version)
        return version

    def create(self, name: str, model: str, **more: Any) -> dict:
        self.http.ok_any(self.http.post("/api/v1/deployments", {"name": name, "model": model, **more}))
        return self.ready(name)

    def get(self, name: str) -> dict:
        return self.http.ok(self.http.get(f"/api/v1/deployments/{name}"))

    def version(self, name: str, role: str) -> dict | None:
        return next((one for one in self.get(name)["versions"] if one["role"] == role), None)

    def ready(self, name: str, role: str = "primary", seconds: float = 90) -> dict:
        def look() -> bool:
            found = self.version(name, role)
            assert found is not None and found["state"] != "failed", self.get(name)
            return found["state"] == "ready"

        wait_for(f"{role} of {name} to be ready", look, seconds, pause=0.1)
        return self.get(name)

    def predict(self, name: str, rows: list[list[float]], **more: Any):
        body = {"dataframe_split": {"columns": ["a", "b"], "data": rows}}
        return self.http.post(f"/serving/{name}/invocations", body, **more)

    def post(self, name: str, verb: str, body: dict | None = None):
        return self.http.post(f"/api/v1/deployments/{name}/{verb}", body or {})

    def answers(self, name: str, times: int) -> list[int]:
        """What a number of requests, none of them refused, are answered to 1 and 0."""
        found = [self.http.ok(self.predict(name, [[1, 0]]))["predictions"][0] for _ in range(times)]
        return [round(one) for one in found]

    def counts(self, name: str, role: str = "primary") -> tuple[int, int]:
        """Requests and errors, as the deployment's page and the gates of a canary count them."""
        total = self.version(name, role)["statistics"]["total"]
        return total["requests"], total["errors"]

    def traffic(self, name: str, requests: int) -> dict:
        """What the windows of a deployment hold together, once so many requests are in them: an hour may end between two requests."""
        look = lambda: self.http.ok(self.http.get(f"/api/v1/deployments/{name}/traffic"))["windows"]
        wait_for(f"{requests} requests of {name}", lambda: sum(window["requests"] for window in look()) == requests, 30, pause=0.1)
        windows, errors = look(), Counter()
        for window in windows:
            errors.update(window["errors"])
        # As in each window: what was asked badly is no request whose answer could fail.
        well = [window["requests"] - window["errors"].get("invalid_argument", 0) for window in windows]
        failed = sum(window["error_rate"] * asked for window, asked in zip(windows, well, strict=True))
        return {"rows": sum(window["rows"] for window in windows), "errors": dict(errors), "error_rate": failed / max(sum(well), 1)}


def tensors_of(module: Any, **columns: list[float]) -> list:
    """A tensor for each column, as one of Triton's clients sends it."""
    made = []
    for name, values in columns.items():
        made.append(module.InferInput(name, [len(values)], "FP64"))
        made[-1].set_data_from_numpy(np.array(values))
    return made


@pytest.fixture
def deployments(serving: LatheServer) -> Deployments:
    return Deployments(serving.url)


@pytest.fixture(scope="package")
def scorer(serving: LatheServer) -> str:
    """A deployment of `2a + b`, by that name."""
    deployments = Deployments(serving.url)
    deployments.log("line", 2.0, "champion")
    deployments.create("scorer", "models:/line@champion")
    return "scorer"
