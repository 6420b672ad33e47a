"""No name of a project reaches somebody without a role in it: a walk over every route of every door.

The walk over the native API is made from its OpenAPI description: a new route is walked too, or fails the test until it is told
what to put into its captures. The owner walks the same way first, and must find the names: a walk that sees nothing proves nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import requests
import tritonclient.grpc as grpc_client
from botocore.exceptions import ClientError

from bad_input.routes import READS, ROUTES
from s3.conftest import Keys, keys_of
from support.http import API, Http

from .conftest import World

pytestmark = pytest.mark.lathe_only


#: Less than the 15 seconds after which a silent stream says that it is alive.
SILENT_SECONDS = 10


@dataclass
class Ask:
    """A request, and the route it stands for."""

    route: str
    method: str
    path: str
    body: Any = None

    def send(self, http: Http) -> str:
        """The status and all that is answered, headers too."""
        answer = http.request(self.method, self.path, self.body, stream=True, timeout=(30, 60), allow_redirects=False)
        is_stream = answer.ok and self.path.split("?")[0].endswith("/stream")
        if is_stream:
            # It never ends: what it has to say comes before it is silent for a while, and only that wait is short.
            answer.raw.connection.sock.settimeout(SILENT_SECONDS)
        content = b""
        try:
            for chunk in answer.iter_content(None):
                content += chunk
        except requests.ConnectionError:
            assert is_stream, self
        finally:
            answer.close()
        return f"{answer.status_code} {dict(answer.headers)} {content.decode(errors='replace')}"

    def said(self) -> str:
        return f"{self.path} {json.dumps(self.body)}"


def fill(template: str, values: dict[str, str]) -> str:
    def value(found: re.Match) -> str:
        assert found[1] in values, f"say in `captures` what {{{found[1]}}} of {template} stands for"
        return values[found[1]]

    return re.sub(r"\{([^}]+)\}", value, template)


#: Reads whose questions are bodies; of every other POST, PUT and DELETE nothing is asked but whether it refuses.
BODIES = {
    "POST /api/v1/runs/search": lambda names: {"experiment_ids": [names["experiment_id"]], "columns": [f"params.{names['param']}"]},
    "POST /api/v1/metrics/series": lambda names: {"run_ids": [names["run_id"]], "metric_keys": [names["metric"]]},
    "POST /api/v1/repos/{repo}/refs/{ref}/batch/read": lambda names: {"paths": [f"{names['history']}.csv"]},
}
#: What is about the caller, and makes, ends or changes something of theirs: not walked.
OF_THE_CALLER = {"POST /api/v1/login", "POST /api/v1/logout", "PUT /api/v1/password"}


def captures(names: dict[str, str], route: str) -> dict[str, str]:
    """What stands in the captures of a route's path."""
    history = f"{names['history']}.csv"
    ids = {"tokens": names["token_id"], "pipeline-runs": names["pipeline_run"], "run-credentials": names["token_id"]}
    return {
        "project": names["project"], "username": names["owner"], "deployment": names["deployment"], "rule": names["rule"],
        "repo": names["repo"], "branch": names["branch"], "tag": names["release"], "ref": "main", "path": history,
        "pipeline": names["pipeline"], "job": names["job"], "run_id": names["run_id"], "name": names["secret"],
        "id": next((value for noun, value in ids.items() if f"/{noun}/" in route), ""),
    }  # fmt: skip


def queries(names: dict[str, str], route: str, project: str) -> list[dict[str, str]]:
    """The queries with which a route is asked, one after the other."""
    if route == "GET /api/v1/lineage":
        things = [
            f"run/{names['run_id']}", f"model/{names['model']}/1", f"data/{names['repo']}@{names['commit']}", f"deployment/{names['deployment']}",
            f"prediction/{names['request_id']}", f"pipeline/{names['pipeline']}", f"pipeline-run/{names['pipeline_run']}",
            f"logged-model/{names['model_id']}", f"project/{names['project']}",
        ]  # fmt: skip
        return [{"name": f"{of}/{thing}", "depth": "20"} for of in (names["project"], project) for thing in things]
    if route in ("GET /api/v1/activity", "GET /api/v1/audit"):
        subjects = [f"{names['project']}/run/{names['run_id']}", f"{names['project']}/project/{names['project']}", f"default/user/{names['owner']}"]
        return [{"max_results": "1000"}, {"actor": names["owner"]}, {"action": "project."}, *({"subject": subject} for subject in subjects)]
    return {
        "GET /api/v1/events/stream": [{"after": "0"}],
        "GET /api/v1/code-bundles": [{"repository": names["repo"], "commit": names["commit"]}],
        "GET /api/v1/runs/columns": [{"experiment_ids": names["experiment_id"]}],
        "GET /api/v1/repos/{repo}/diff": [{"from": "main", "to": names["branch"]}],
        "GET /api/v1/repos/{repo}/diff/summary": [{"from": "main", "to": names["branch"]}],
        "GET /api/v1/tokens": [{}, {"all": "true"}],
        "GET /api/v1/pipeline-runs": [{}, {"pipeline": names["pipeline"]}],
    }.get(route, [{}])  # fmt: skip


def native(world: World, project: str) -> Iterator[Ask]:
    """Every route that the OpenAPI description knows."""
    described = Http(world.server.url).get("/api/v1/openapi.json").json()["paths"]
    assert len(described) > 70, "the description is whole"
    for template, methods in described.items():
        for method, operation in methods.items():
            route = f"{method.upper()} {template}"
            if route in OF_THE_CALLER:
                continue
            path = fill(template, captures(world.names, route))
            if method == "get":
                needed = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")}
                for query in queries(world.names, route, project):
                    assert needed <= query.keys(), f"say in `queries` what {needed} of {route} may be"
                    yield Ask(route, "GET", requests.Request("GET", f"http://x{path}", params=query).prepare().url.removeprefix("http://x"))
            elif route in BODIES:
                yield Ask(route, method.upper(), path, BODIES[route](world.names))
            else:
                yield Ask(route, method.upper(), path, {})


def mlflow(world: World) -> Iterator[Ask]:
    """Every read of MLflow's API, and every search as it stands and without a filter."""
    names = world.names
    values = {
        "run_id": names["run_id"], "experiment_id": names["experiment_id"], "experiment": names["experiment"], "model": names["model"],
        "model_id": names["model_id"], "version": "1",
    }  # fmt: skip

    def fill_in(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)

    def ask(method: str, path: str, query: dict[str, str] | None, body: Any = None) -> Ask:
        path = fill_in(path) if path.startswith("/") else API + fill_in(path)
        url = requests.Request(method, f"http://x{path}", params=query).prepare().url.removeprefix("http://x")
        return Ask(f"{method} {path}", method, url, body)

    for path, query in READS.items():
        query = {key: fill_in(value) for key, value in query.items()}
        query |= {"metric_key": names["metric"]} if "metric_key" in query else {}
        query |= {"alias": names["alias"]} if "alias" in query else {}
        query |= {"path": f"{names['artifact']}.txt"} if path == "/get-artifact" else {}
        yield ask("GET", path, query)
        yield ask("GET", path, {key: value for key, value in query.items() if key not in ("filter", "page_token", "path")})
    for route in ROUTES:
        if not route.path.endswith(("search", "get-latest-versions")):
            continue
        body = json.loads(fill_in(json.dumps(route.body)))
        unbounded = {key: value for key, value in body.items() if key in ("experiment_ids", "name")}
        for one in (body, unbounded | {"max_results": 100} if route.path.endswith("search") else unbounded):
            yield ask(route.method, route.path, None, one)
    place = f"{names['experiment_id']}/{names['run_id']}/artifacts"
    proxied = "/api/2.0/mlflow-artifacts/artifacts"
    yield ask("GET", proxied, None)
    yield ask("GET", proxied, {"path": place})
    yield ask("GET", f"{proxied}/{place}/{names['artifact']}.txt", None)
    yield ask("GET", f"logged-models/{names['model_id']}/artifacts/files", {"artifact_file_path": "MLmodel"})
    yield ask("GET", "/model-versions/get-artifact", {"name": names["model"], "version": "1", "path": "MLmodel"})


def inference(world: World) -> Iterator[Ask]:
    """Every route of the inference door's HTTP dialects."""
    name, model = world.names["deployment"], world.names["model"]
    rows = {"dataframe_records": [{"temp": 1.0, "wind": 2.0}]}
    tensors = {"inputs": [{"name": one, "shape": [1], "datatype": "FP64", "data": [1.0]} for one in ("temp", "wind")]}
    for path in ("ping", "health", "version", "openapi.json", "v2", "v2/health/live", "v2/health/ready", f"v2/models/{model}", f"v2/models/{model}/ready"):  # fmt: skip
        yield Ask(f"GET /serving/…/{path}", "GET", f"/serving/{name}/{path}")
    yield Ask("POST /serving/…/invocations", "POST", f"/serving/{name}/invocations", rows)
    yield Ask("POST /serving/…/infer", "POST", f"/serving/{name}/v2/models/{model}/infer", tensors)
    for path in ("/v2", "/v2/health/live", "/v2/health/ready"):
        yield Ask(f"GET {path}", "GET", path)
    for version in ("", "/versions/1"):
        for path in ("", "/ready", "/config", "/stats"):
            yield Ask(f"GET /v2/models/…{version}{path}", "GET", f"/v2/models/{name}{version}{path}")
        yield Ask(f"POST /v2/models/…{version}/infer", "POST", f"/v2/models/{name}{version}/infer", tensors)
    yield Ask("POST /v2/repository/index", "POST", "/v2/repository/index", {"ready": True})
    for verb in ("load", "unload"):
        yield Ask(f"POST /v2/repository/models/…/{verb}", "POST", f"/v2/repository/models/{name}/{verb}", {})


def server_pages(world: World) -> Iterator[Ask]:
    for path in ("/metrics", "/healthz", "/readyz", "/health", "/version", "/api/3.0/mlflow/server-info", "/"):
        yield Ask(f"GET {path}", "GET", path)


def reads(asks: Iterator[Ask]) -> Iterator[Ask]:
    """Those that change nothing."""
    return (ask for ask in asks if ask.method == "GET" or ask.route in BODIES or ask.body not in (None, {}))


#: What of the closed project is no name, yet tells of it.
IDS = ("run_id", "model_id", "commit", "request_id", "pipeline_run", "token_id")


def leaks(world: World, ask: Ask, answer: str, project: str = "") -> list[str]:
    """Names and ids of the closed project that the answer holds although the request did not, nor chose the project."""
    said, answer = f"{ask.said()} {project}", answer.lower()
    found = [world.names[kind] for kind in IDS if world.names[kind] in answer and world.names[kind] not in said]
    known = sorted(set(re.findall(rf"{world.mark}[\w.-]*", answer)))
    return found + [name for name in known if not any(name.startswith(one) or one.startswith(name) for one in re.findall(rf"{world.mark}[\w.-]*", said))]


def test_the_owner_sees_on_the_same_walk_what_nobody_else_may(world: World):
    seen, blind = set(), []
    asks = [*reads(native(world, world.owner.project)), *reads(mlflow(world)), *reads(inference(world)), *server_pages(world)]
    for ask in asks:
        answer = ask.send(world.owner.http)
        if answer.startswith("2") and leaks(world, ask, answer):
            seen.add(ask.route)
        elif not answer.startswith("2"):
            blind.append((ask.route, ask.path, answer[:300]))
    telling = {
        "GET /metrics", "GET /api/v1/activity", "GET /api/v1/audit", "GET /api/v1/events/stream", "GET /api/v1/lineage", "GET /api/v1/home",
        "GET /api/v1/projects", "GET /api/v1/projects/{project}/members", "GET /api/v1/tokens", "GET /api/v1/alerts", "GET /api/v1/approvals",
        "GET /api/v1/secrets", "GET /api/v1/deployments", "GET /api/v1/deployments/{deployment}/drift", "GET /api/v1/deployments/{deployment}/alert-rules",
        "GET /api/v1/pipelines", "GET /api/v1/pipeline-runs", "GET /api/v1/pipeline-runs/{id}/jobs/{job}/logs", "GET /api/v1/repos",
        "GET /api/v1/repos/{repo}/refs/{ref}/log", "GET /api/v1/repos/{repo}/refs/{ref}/objects", "GET /api/v1/repos/{repo}/diff",
        "GET /api/v1/repos/{repo}/branches", "GET /api/v1/repos/{repo}/tags", "POST /api/v1/runs/search", "GET /api/v1/runs/columns",
        "GET /api/v1/runs/{run_id}/uses", "GET /api/v1/whoami", "POST /v2/repository/index",
        f"GET {API}experiments/search", f"POST {API}experiments/search", f"POST {API}runs/search", f"POST {API}logged-models/search",
        f"GET {API}registered-models/search", f"GET {API}model-versions/search", f"GET {API}runs/get", f"GET {API}artifacts/list",
        "GET /get-artifact",
    }  # fmt: skip
    assert telling <= seen, (telling - seen, blind)
    # A request that is refused shows nothing of its route: each such route is one that refuses its owner, too.
    # How the server is is no question about a project.
    refused = {route for route, *_ in blind} - seen
    assert refused == {"GET /api/v1/users", "GET /healthz", "GET /readyz"}, [one for one in blind if one[0] in refused]


def test_nobody_else_is_shown_a_name_through_http(world: World):
    inside = Http(world.server.url, {"Authorization": f"Bearer {world.anna.token}"})
    reaching = Http(f"{world.server.url}/p/{world.owner.project}", {"Authorization": f"Bearer {world.anna.token}"})
    by_header = Http(world.server.url, {"Authorization": f"Bearer {world.anna.token}", "X-MLFLOW-WORKSPACE": world.owner.project})
    walked = 0
    for where, http, project in (("inside", inside, "default"), ("reaching", reaching, world.owner.project), ("by header", by_header, world.owner.project)):
        for ask in (*native(world, project), *mlflow(world), *inference(world), *server_pages(world)):
            answer = ask.send(http)
            walked += 1
            assert leaks(world, ask, answer, project) == [], (where, ask, answer[:2000])
            assert not answer.startswith("5"), (where, ask, answer[:500])
            # Whatever names something of the closed project finds nothing, and changes nothing.
            if ask.method != "GET" and ask.route not in BODIES and world.mark in ask.path:
                assert answer.startswith("4"), (where, ask, answer[:500])
    assert walked > 500


def test_nobody_else_is_shown_a_name_through_s3(world: World):
    names = world.names
    keys = lambda person, project: keys_of(Http(world.server.url, {"Authorization": f"Bearer {person.token}"}), project)
    s3, own = keys(world.anna, "default").boto3(), keys(world.owner, world.owner.project).boto3()
    bucket, key = {"Bucket": names["repo"]}, f"main/{names['history']}.csv"
    asks = {
        "list_buckets": lambda client: client.list_buckets(),
        "head_bucket": lambda client: client.head_bucket(**bucket),
        "get_bucket_location": lambda client: client.get_bucket_location(**bucket),
        "list_objects": lambda client: client.list_objects(**bucket),
        "list_objects_v2": lambda client: client.list_objects_v2(**bucket),
        "list_multipart_uploads": lambda client: client.list_multipart_uploads(**bucket),
        "head_object": lambda client: client.head_object(**bucket, Key=key),
        "get_object": lambda client: client.get_object(**bucket, Key=key)["Body"].read(),
        "copy_object": lambda client: client.copy_object(Bucket="anything", Key="x", CopySource=f"{names['repo']}/{key}"),
    }

    def said(name: str, client) -> str:
        try:
            return f"200 {asks[name](client)}"
        except ClientError as refused:
            return f"{refused.response['ResponseMetadata']['HTTPStatusCode']} {refused}"

    assert names["repo"] in said("list_buckets", own) and names["history"] in said("list_objects_v2", own)
    for name in asks:
        answer = said(name, s3)
        assert name == "list_buckets" or answer.startswith("404"), (name, answer)
        assert leaks(world, Ask(name, "GET", f"{names['repo']}/{key}" if name != "list_buckets" else ""), answer) == [], (name, answer)
    # A key that names a project in which its token has no role.
    own_keys = keys(world.anna, "default")
    reaching = Keys(own_keys.endpoint_url, own_keys.region, f"{own_keys.access_key_id}.{names['project']}", own_keys.secret_access_key)
    for name in asks:
        answer = said(name, reaching.boto3())
        assert answer.startswith("403"), (name, answer)


def test_nobody_else_is_shown_a_name_through_grpc(world: World):
    name = world.names["deployment"]
    tensors = []
    for column in ("temp", "wind"):
        tensors.append(grpc_client.InferInput(column, [1], "FP64"))
        tensors[-1].set_data_from_numpy(np.array([1.0]))
    asks = {
        "ServerMetadata": lambda client, headers: client.get_server_metadata(headers=headers),
        "ModelReady": lambda client, headers: client.is_model_ready(name, headers=headers),
        "ModelMetadata": lambda client, headers: client.get_model_metadata(name, headers=headers),
        "ModelConfig": lambda client, headers: client.get_model_config(name, headers=headers),
        "ModelStatistics": lambda client, headers: client.get_inference_statistics(name, headers=headers),
        "RepositoryIndex": lambda client, headers: client.get_model_repository_index(headers=headers),
        "ModelInfer": lambda client, headers: client.infer(name, tensors, headers=headers).get_response(),
        "RepositoryModelLoad": lambda client, headers: client.load_model(name, headers=headers),
    }
    with grpc_client.InferenceServerClient(world.server.url.removeprefix("http://")) as client:

        def said(method: str, token: str, project: str) -> str:
            try:
                return str(asks[method](client, {"authorization": f"Bearer {token}", "x-mlflow-workspace": project}))
            except grpc_client.InferenceServerException as refused:
                return str(refused)

        for method in ("ModelMetadata", "RepositoryIndex", "ModelStatistics", "ModelInfer"):
            assert name in said(method, world.owner.token, world.owner.project), method
        for project in ("default", world.owner.project):
            for method in asks:
                answer = said(method, world.anna.token, project)
                ask = Ask(method, "POST", "" if method in ("ServerMetadata", "RepositoryIndex") else name)
                assert leaks(world, ask, answer, project) == [], (project, method, answer)
