"""Every dialect of the inference door, with the clients that speak it."""

import io

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import tritonclient.http as http_client

from .conftest import Deployments, tensors_of

pytestmark = [pytest.mark.lathe_only, pytest.mark.any_database]

ROWS = [[1.0, 1.0], [2.0, 0.5]]
EXPECTED = pytest.approx([3.0, 4.5])
PARQUET = "application/vnd.apache.parquet"


def test_mlflows_scoring_formats(deployments: Deployments, scorer: str):
    records = [{"a": a, "b": b} for a, b in ROWS]
    url = f"{deployments.url}/serving/{scorer}/invocations"
    for body in (
        {"dataframe_split": {"columns": ["a", "b"], "data": ROWS}},
        {"dataframe_split": {"columns": ["b", "a"], "data": [[b, a] for a, b in ROWS]}},
        {"dataframe_records": records},
        {"instances": records},
        {"inputs": {"a": [1.0, 2.0], "b": [1.0, 0.5]}},
        {"dataframe_records": records, "params": {}},
    ):
        answer = requests.post(url, json=body, timeout=30)
        assert (answer.status_code, answer.json()) == (200, {"predictions": EXPECTED}), (body, answer.text)
    answer = requests.post(url, data="b,a\n1,1\n0.5,2\n", headers={"content-type": "text/csv"}, timeout=30)
    assert answer.json() == {"predictions": EXPECTED}
    answer = requests.post(url, data=pd.DataFrame(records).to_parquet(), headers={"content-type": PARQUET}, timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"predictions": EXPECTED}), answer.text
    for path in ("ping", "health", "version"):
        assert requests.get(f"{deployments.url}/serving/{scorer}/{path}", timeout=30).status_code == 200


def test_what_does_not_fit_gets_a_clear_refusal(deployments: Deployments, scorer: str):
    url = f"{deployments.url}/serving/{scorer}/invocations"
    for body, code, said in (
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "INVALID_PARAMETER_VALUE", "`b`"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"]]}}, "INVALID_PARAMETER_VALUE", "`b`"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "BAD_REQUEST", "2 columns passed, passed data had 1 columns"),
        ({"dataframe_records": [], "instances": []}, "BAD_REQUEST", "['dataframe_records', 'instances']"),
        ({}, "BAD_REQUEST", "Received dictionary with input fields: []"),
        ([1, 2], "BAD_REQUEST", "Received a list"),
    ):
        answer = requests.post(url, json=body, timeout=30)
        assert (answer.status_code, answer.json()["error_code"]) == (400, code), (body, answer.text)
        assert said in answer.json()["message"], (body, answer.text)
    assert requests.post(url, data="{", headers={"content-type": "application/json"}, timeout=30).status_code == 400
    assert requests.post(url, data="x", headers={"content-type": "image/png"}, timeout=30).status_code == 415


def teller() -> mlflow.pyfunc.PythonModel:
    """Answers what it was given, as texts: each column with its values."""

    # Made in a function, so that its code travels with it.
    class Teller(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            def plain(value) -> str:
                if value is None or value != value:
                    return "missing"
                if hasattr(value, "isoformat"):
                    return value.isoformat()
                return repr(value.item() if hasattr(value, "item") else value)

            return [[name, *(plain(value) for value in model_input[name])] for name in model_input.columns]

    return Teller()


def scaler() -> mlflow.pyfunc.PythonModel:
    """Answers with what its params say."""

    class Scaler(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return [f"{value * params['scale']} {','.join(params['words'])} {params['limit']}" for value in model_input["a"]]

    return Scaler()


def test_parquet_is_read_as_pandas_reads_it(deployments: Deployments, unique):
    """A model that tells what it was given: the same as pandas reads from the file."""
    frame = pd.DataFrame(
        {
            "real": [0.5, None],
            "whole": [1, -(2**53) - 1],
            "small": np.array([1, 2], dtype="int8"),
            "flag": [True, False],
            "text": ["é", None],
            "kind": pd.Categorical(["x", "y"]),
            "raw": [b"\xff", b""],
            "at": pd.to_datetime(["2026-01-02T03:04:05.678", None]),
        },
        index=pd.Index(["first", "second"], name="key"),
    )
    mlflow.set_tracking_uri(deployments.url)
    model, name = unique("teller"), unique("dep")
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=teller(), registered_model_name=model)
    deployments.create(name, f"models:/{model}/1")
    url = f"{deployments.url}/serving/{name}/invocations"

    def told(data: bytes) -> requests.Response:
        return requests.post(url, data=data, headers={"content-type": PARQUET}, timeout=30)

    for options in ({}, {"compression": None}, {"row_group_size": 1}, {"index": False}):
        answer = told(frame.to_parquet(**options))
        assert answer.status_code == 200, answer.text
        expected = teller().predict(None, pd.read_parquet(io.BytesIO(frame.to_parquet(**options))))
        assert answer.json()["predictions"] == expected
    file = frame.to_parquet()
    nested = pd.DataFrame({"nested": [[1], [2]]}).to_parquet()
    brotli = frame.to_parquet(compression="brotli")
    for data, said in ((b"", "Parquet"), (b"a,b\n1,2\n", "Parquet"), (file[: len(file) // 2], "Parquet"), (nested, "`nested`"), (brotli, "brotli")):
        answer = told(data)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST"), answer.text
        assert said in answer.json()["message"], answer.text
    many = pd.DataFrame({"a": np.zeros(100_001)}).to_parquet()
    assert told(many).status_code == 413
    large = pd.DataFrame({"a": ["x" * 100_000] * 5_000}).to_parquet()
    assert len(large) < 1_000_000 and told(large).status_code == 413, "a small file with large texts"
    assert told(file).status_code == 200


def test_params_reach_the_model(deployments: Deployments, unique):
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    signature = mlflow.models.infer_signature(frame, [1.0], params={"scale": 1.0, "words": ["x"], "limit": 3})
    mlflow.set_tracking_uri(deployments.url)
    model, name = unique("scaler"), unique("dep")
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=scaler(), signature=signature, registered_model_name=model)
    deployments.create(name, f"models:/{model}/1")
    url = f"{deployments.url}/serving/{name}/invocations"

    def ask(params, **more) -> requests.Response:
        return requests.post(url, json={"dataframe_records": [{"a": 1.0}, {"a": 2.0}], "params": params, **more}, timeout=30)

    for params, expected in (
        ({"scale": 3.0}, ["3.0 x 3", "6.0 x 3"]),
        ({"scale": 2, "words": ["y", "z"], "limit": 1}, ["2.0 y,z 1", "4.0 y,z 1"]),
        ({}, ["1.0 x 3", "2.0 x 3"]),
        (None, ["1.0 x 3", "2.0 x 3"]),
    ):
        answer = ask(params)
        assert (answer.status_code, answer.json()) == (200, {"predictions": expected}), (params, answer.text)
        assert answer.json()["predictions"] == list(mlflow.pyfunc.load_model(f"models:/{model}/1").predict(frame, params=params))
    for params, said in (({"scale": "much"}, "`scale`"), ({"limit": 1.5}, "`limit`"), ({"words": "y"}, "`words`"), ([1], "dictionary")):
        answer = ask(params)
        assert (answer.status_code, said in answer.json()["message"]) == (400, True), (params, answer.text)
    tensors = [http_client.InferInput("a", [2], "FP64")]
    tensors[0].set_data_from_numpy(np.array([1.0, 2.0]))
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        answer = client.infer(name, tensors, parameters={"scale": 3.0}).as_numpy("predictions")
        assert [text.decode() for text in answer.ravel()] == ["3.0 x 3", "6.0 x 3"]


def tensors(module, binary: bool | None = None) -> list:
    made = []
    for at, name in enumerate("ab"):
        column = np.array([[row[at]] for row in ROWS], dtype=np.float64)
        tensor = module.InferInput(name, list(column.shape), "FP64")
        if binary is None:
            tensor.set_data_from_numpy(column)
        else:
            tensor.set_data_from_numpy(column, binary_data=binary)
        made.append(tensor)
    return made


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_over_http(deployments: Deployments, scorer: str, binary: bool):
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(scorer)
        assert client.get_server_metadata()["name"] == "lathe"
        known = client.get_model_metadata(scorer)
        assert [(one["name"], one["datatype"]) for one in known["inputs"]] == [("a", "FP64"), ("b", "FP64")]
        outputs = [http_client.InferRequestedOutput("predictions", binary_data=binary)]
        answer = client.infer(scorer, tensors(http_client, binary), outputs=outputs, request_id="mine")
        assert answer.as_numpy("predictions").ravel().tolist() == EXPECTED
        assert answer.get_response()["id"] == "mine"
        assert scorer in [row["name"] for row in client.get_model_repository_index()]
        assert client.get_inference_statistics(scorer)["model_stats"][0]["inference_count"] >= 1
        for wrong in (
            lambda: client.infer("nothing", tensors(http_client, binary)),
            lambda: client.infer(scorer, tensors(http_client, binary)[:1]),
            lambda: client.load_model(scorer),
        ):
            with pytest.raises(http_client.InferenceServerException):
                wrong()


def test_tritonclient_over_grpc(deployments: Deployments, scorer: str):
    import tritonclient.grpc as grpc_client

    with grpc_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(scorer)
        assert client.get_server_metadata().name == "lathe"
        assert [one.name for one in client.get_model_metadata(scorer).inputs] == ["a", "b"]
        answer = client.infer(scorer, tensors(grpc_client), request_id="mine")
        assert answer.as_numpy("predictions").ravel().tolist() == EXPECTED
        assert answer.get_response().id == "mine"
        with pytest.raises(grpc_client.InferenceServerException) as refused:
            client.infer("nothing", tensors(grpc_client))
        assert "NOT_FOUND" in str(refused.value)
        with pytest.raises(grpc_client.InferenceServerException) as refused:
            client.infer(scorer, tensors(grpc_client)[:1])
        assert "INVALID_ARGUMENT" in str(refused.value)


def test_a_request_has_an_id(deployments: Deployments, scorer: str):
    answer = deployments.predict(scorer, ROWS, headers={"x-request-id": "mine"})
    assert len(answer.headers["x-request-id"]) == 32


def test_columns_of_unequal_length_do_not_reach_the_model(deployments: Deployments, unique):
    """Each door refuses them in its own words, and nothing of it counts as the model's."""
    name, model = unique("dep"), unique("model")
    deployments.log(model, 1.0)
    deployments.create(name, f"models:/{model}/1")
    said = "the columns of the request are not equally long: `a` has 2 rows, `b` has 1"
    refused = deployments.http.post(f"/serving/{name}/invocations", {"inputs": {"a": [1.0, 2.0], "b": [1.0]}})
    assert refused.status_code == 400 and refused.json()["error_class"] == "SCHEMA_ENFORCEMENT_FAILED", refused.text
    assert refused.json()["message"] == said
    import tritonclient.grpc as grpc_client

    address = deployments.url.removeprefix("http://")
    with http_client.InferenceServerClient(address) as client, pytest.raises(http_client.InferenceServerException) as refused:
        client.infer(name, tensors_of(http_client, a=[1.0, 2.0], b=[1.0]))
    assert refused.value.status() == "400" and said in str(refused.value)
    with grpc_client.InferenceServerClient(address) as client, pytest.raises(grpc_client.InferenceServerException) as refused:
        client.infer(name, tensors_of(grpc_client, a=[1.0, 2.0], b=[1.0]))
    assert "INVALID_ARGUMENT" in str(refused.value) and said in str(refused.value)
    assert deployments.predict(name, [[1, 1]]).status_code == 200
    assert deployments.counts(name) == (1, 0)
    traffic = deployments.traffic(name, 4)
    assert (traffic["rows"], traffic["errors"], traffic["error_rate"]) == (1, {"invalid_argument": 3}, 0.0)
