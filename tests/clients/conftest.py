"""Fixtures that every client test shares.

Which server is tested:

    LATHE_TEST_URL=http://127.0.0.1:4400    one that runs already (local mode)
    LATHE_TEST_PEER=mlflow                  a real MLflow server, to prove the tests on the reference
    otherwise                               `lathe serve` from LATHE_BIN or the newest build, in a temporary folder;
                                            LATHE_TEST_DATABASE_URL=sqlite | postgres | postgres://… chooses its database
"""

import os
import uuid
from collections.abc import Callable, Iterator

# Before mlflow is imported: its client must send nothing anywhere else, and a 5xx must show at once instead of being
# retried for minutes.
os.environ.update(
    {
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "120",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_PRINT_MODEL_URLS_ON_CREATION": "false",
        "MPLBACKEND": "Agg",
    }
)
for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID",
             "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE"):  # fmt: skip
    os.environ.pop(name, None)

import mlflow
import pytest
from mlflow import MlflowClient

from support.databases import database_kind, drop_database, new_database_url
from support.http import Http
from support.servers import LatheServer, MlflowServer

PEER = os.environ.get("LATHE_TEST_PEER", "lathe")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is not about the server and the database under test; nothing is skipped at run time."""

    def is_left_out(item: pytest.Item) -> bool:
        if PEER == "mlflow" and item.get_closest_marker("lathe_only"):
            return True
        if database_kind() == "postgres" and item.get_closest_marker("any_database"):
            return True
        return database_kind() != "postgres" and item.get_closest_marker("postgres") is not None

    left_out = [item for item in items if is_left_out(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_report_header() -> str:
    server = os.environ.get("LATHE_TEST_URL") or PEER
    return f"server under test: {server}; database: {os.environ.get('LATHE_TEST_DATABASE_URL', 'sqlite')}"


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of the server under test, in local mode."""
    given = os.environ.get("LATHE_TEST_URL")
    if given:
        yield given.rstrip("/")
        return
    folder = tmp_path_factory.mktemp("server")
    database_url = None if PEER == "mlflow" else new_database_url()
    server = MlflowServer(folder) if PEER == "mlflow" else LatheServer(folder, database_url)
    try:
        server.start()
        yield server.url
        assert server.is_running(), f"the server ended during the tests:\n{server.log()[-4000:]}"
    finally:
        server.stop()
        drop_database(database_url)


@pytest.fixture(scope="session")
def made_servers() -> Iterator[list[LatheServer]]:
    made: list[LatheServer] = []
    yield made
    end_servers(made)


def end_servers(servers: list[LatheServer]) -> None:
    for server in servers:
        server.stop()
        drop_database(server.database_url)


@pytest.fixture(scope="session")
def make_lathe(made_servers: list[LatheServer], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., LatheServer]:
    """Makes Lathe servers of one's own: `make_lathe("--login", environment={…}, database="postgres")`."""

    def make(*arguments: str, database: str | None = None, environment: dict[str, str] | None = None) -> LatheServer:
        folder = tmp_path_factory.mktemp("lathe")
        server = LatheServer(folder, new_database_url(database), arguments, environment)
        made_servers.append(server)
        return server

    return make


@pytest.fixture(autouse=True)
def servers_of_a_test_end_with_it(made_servers: list[LatheServer]) -> Iterator[None]:
    """Also a server that nobody asks costs something, and a hundred of them cost a core. What a wider fixture made is there before, and stays."""
    before = len(made_servers)
    yield
    end_servers(made_servers[before:])
    del made_servers[before:]


@pytest.fixture(autouse=True)
def fresh_client_state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins with a client that has no active run, no chosen experiment and no autologging."""
    if "server_url" in request.fixturenames:
        url = request.getfixturevalue("server_url")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        mlflow.set_tracking_uri(url)
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.autolog(disable=True)
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    # What was set is remembered by the module and in the environment.
    from mlflow.tracking import fluent

    fluent._active_experiment_id = None
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)
    mlflow.clear_active_model()


@pytest.fixture
def client(server_url: str) -> MlflowClient:
    return MlflowClient(tracking_uri=server_url, registry_uri=server_url)


@pytest.fixture
def http(server_url: str) -> Http:
    """Requests without MLflow's client: for what that client never sends."""
    return Http(server_url)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test uses: `unique("model")`."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def experiment_id(client: MlflowClient, unique: Callable[[str], str]) -> str:
    return client.create_experiment(unique("experiment"))


@pytest.fixture
def run_id(client: MlflowClient, experiment_id: str) -> str:
    return client.create_run(experiment_id).info.run_id


@pytest.fixture
def fluent_experiment(server_url: str, unique: Callable[[str], str]) -> str:
    """A new experiment, chosen for the fluent API; returns its id."""
    return mlflow.set_experiment(unique("fluent")).experiment_id


@pytest.fixture
def model_name(client: MlflowClient, unique: Callable[[str], str]) -> str:
    """The name of a registered model without versions."""
    return client.create_registered_model(unique("model")).name
