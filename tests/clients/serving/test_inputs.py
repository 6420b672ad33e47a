"""Inputs of every kind in every form: what MLflow takes is taken, and what the model cannot take is refused before it counts as the model's."""

import base64
import json

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import tritonclient.grpc as grpc_client
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from .conftest import Deployments

pytestmark = [pytest.mark.lathe_only, pytest.mark.any_database]

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
KINDS = {"amount": "double", "flag": "boolean", "note": "string", "raw": "binary", "at": "datetime", "small": "float"}
NOTHING = dict.fromkeys(KINDS) | {"amount": 1.0}
NOTHING_TOLD = {"amount": "1.0"} | dict.fromkeys(["flag", "note", "raw", "at", "small"], "missing")


def teller() -> mlflow.pyfunc.PythonModel:
    """Answers each column as text, and what its params say; raises an error of its own when it is told to."""

    # Made in a function, so that its code travels with it.
    class Teller(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            import json

            from mlflow.exceptions import MlflowException

            def plain(value) -> str:
                if value is None or (not isinstance(value, list) and value != value):
                    return "missing"
                if hasattr(value, "isoformat"):
                    return value.isoformat()
                return repr(value.item() if hasattr(value, "item") else value)

            columns = {str(name): list(values) for name, values in model_input.items()}
            if "raise" in columns.get("note", []):
                raise MlflowException.invalid_parameter_value("an error of the model's own")
            rows = [{name: plain(values[at]) for name, values in columns.items()} for at in range(len(model_input))]
            said = {name: value for name, value in (params or {}).items() if value is not None}
            return [json.dumps(row | {"params": said} if said else row) for row in rows]

    return Teller()


def deploy(deployments: Deployments, name: str, signature: ModelSignature) -> str:
    mlflow.set_tracking_uri(deployments.url)
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=teller(), signature=signature, registered_model_name=name)
    deployments.create(name, f"models:/{name}/1")
    return name


@pytest.fixture(scope="module")
def kinds(serving) -> str:
    columns = [ColSpec(kind, name) for name, kind in KINDS.items()]
    columns += [ColSpec(Array(DataType.long), "items", required=False), ColSpec("string", "zip", required=False)]
    params = ParamSchema([ParamSpec("timeout", DataType.long, None), ParamSpec("headers", DataType.string, None)])
    return deploy(Deployments(serving.url), "kinds", ModelSignature(Schema(columns), params=params))


def ask(deployments: Deployments, name: str, body, content_type: str = "application/json") -> requests.Response:
    data = json.dumps(body) if content_type == "application/json" else body
    url = f"{deployments.url}/serving/{name}/invocations"
    return requests.post(url, data=data, headers={"content-type": content_type}, timeout=30)


def told(answer: requests.Response) -> dict[str, str]:
    """The only row, as the model was given it."""
    assert answer.status_code == 200, answer.text
    [row] = answer.json()["predictions"]
    return json.loads(row)


def infer(deployments: Deployments, name: str, body, **headers: str) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return requests.post(f"{deployments.url}/v2/models/{name}/infer", data=data, headers=headers, timeout=30)


def tensor(name: str, datatype: str, data: list, **more) -> dict:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data, **more}


def test_a_single_row_may_lack_every_value_that_can_be_missing(deployments: Deployments, kinds: str):
    frame = pd.DataFrame([NOTHING]).astype({"note": object, "small": "float64"})
    csv = "amount,flag,note,raw,at,small\n1.0,,,,,\n"
    for body, content_type in (
        ({"dataframe_records": [NOTHING]}, "application/json"),
        ({"dataframe_records": [NOTHING | {"note": float("nan"), "flag": float("nan")}]}, "application/json"),
        ({"dataframe_split": {"columns": list(NOTHING), "data": [list(NOTHING.values())]}}, "application/json"),
        ({"instances": [NOTHING]}, "application/json"),
        (csv, CSV),
        (frame.to_parquet(), PARQUET),
    ):
        assert told(ask(deployments, kinds, body, content_type)) == NOTHING_TOLD, (body, content_type)
    two = [NOTHING | {"flag": True, "note": "x"}, NOTHING]
    rows = f"{csv}1.0,True,x,,,\n"
    for body, content_type, expected in (
        ({"dataframe_records": two}, "application/json", ["True", "missing"]),
        (rows, CSV, ["missing", "True"]),
    ):
        answer = ask(deployments, kinds, body, content_type)
        assert answer.status_code == 200, answer.text
        assert [json.loads(row)["flag"] for row in answer.json()["predictions"]] == expected, answer.text


def test_whole_numbers_cannot_be_missing(deployments: Deployments, unique):
    name = deploy(deployments, unique("whole"), ModelSignature(Schema([ColSpec("long", "a"), ColSpec("string", "b")])))
    frame = pd.DataFrame({"a": [None], "b": ["x"]})
    for body, content_type in (
        ({"dataframe_records": [{"a": None, "b": "x"}]}, "application/json"),
        ("a,b\n,x\n", CSV),
        (frame.to_parquet(), PARQUET),
    ):
        answer = ask(deployments, name, body, content_type)
        assert (answer.status_code, "`a` has a missing value" in answer.json()["message"]) == (400, True), answer.text


def test_bytes_of_a_data_frame_are_base64(deployments: Deployments, kinds: str):
    row = NOTHING | {"raw": base64.b64encode(b"\xff\x00").decode()}
    for body in (
        {"dataframe_records": [row]},
        {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}},
    ):
        assert told(ask(deployments, kinds, body))["raw"] == repr(b"\xff\x00")
    # Here MLflow takes a text as its own bytes.
    assert told(ask(deployments, kinds, {"instances": [row]}))["raw"] == repr(row["raw"].encode())
    answer = ask(deployments, kinds, {"dataframe_records": [NOTHING | {"raw": "YWJ"}]})
    assert answer.status_code == 400 and "`raw`" in answer.json()["message"] and "base64" in answer.json()["message"], answer.text


def test_a_text_of_digits_stays_a_text_in_csv(deployments: Deployments, kinds: str):
    given = told(ask(deployments, kinds, "amount,flag,note,raw,at,small,zip\n7,True,1.50,,2026-01-02,0.5,02134\n", CSV))
    expected = {"amount": "7.0", "flag": "True", "note": "'1.50'", "raw": "missing", "small": "0.5", "zip": "'02134'"}
    assert given == expected | {"at": "2026-01-02T00:00:00"}


def test_a_time_is_read_as_mlflow_reads_it(deployments: Deployments, kinds: str):
    for text in ("2026-01-02T03:04:05", "2026-01-02 03:04:05", "2026-01-02T03:04:05.000"):
        assert told(ask(deployments, kinds, {"dataframe_records": [NOTHING | {"at": text}]}))["at"] == "2026-01-02T03:04:05"


def test_what_mlflow_refuses_is_no_error_of_the_model(deployments: Deployments, unique):
    columns = [ColSpec("string", "note"), ColSpec("datetime", "at", required=False), ColSpec(Array(DataType.long), "items", required=False)]
    name = deploy(deployments, unique("refusing"), ModelSignature(Schema(columns)))
    for row in ({"note": "x", "at": "soon"}, {"note": "x", "items": 7}, {"note": "x", "items": ["a"]}):
        answer = ask(deployments, name, {"dataframe_records": [row]})
        assert (answer.status_code, answer.json()["error_class"]) == (400, "SCHEMA_ENFORCEMENT_FAILED"), (row, answer.text)
    body = {"inputs": [tensor("note", "BYTES", ["x"]), tensor("at", "BYTES", ["soon"])]}
    assert infer(deployments, name, body).status_code == 400
    inputs = [grpc_client.InferInput(column, [1], "BYTES") for column in ("note", "at")]
    for one in inputs:
        one.set_data_from_numpy(np.array([b"soon"], dtype=object))
    with grpc_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        with pytest.raises(grpc_client.InferenceServerException) as refused:
            client.infer(name, inputs)
    assert "INVALID_ARGUMENT" in str(refused.value)
    assert deployments.counts(name) == (0, 0)
    # The same error of MLflow's, raised by the model itself.
    raised = ask(deployments, name, {"dataframe_records": [{"note": "raise"}]})
    assert (raised.status_code, raised.json()["error_class"]) == (400, "BAD_REQUEST") and "of the model's own" in raised.text
    assert infer(deployments, name, {"inputs": [tensor("note", "BYTES", ["raise"])]}).status_code == 500
    assert deployments.counts(name) == (2, 2)


@pytest.mark.parametrize("column", ["text", None])
def test_a_model_of_one_column_takes_a_list_of_its_values(deployments: Deployments, unique, column: str | None):
    name = deploy(deployments, unique("one"), ModelSignature(Schema([ColSpec("string", column)])))
    shown = column or "0"
    for body in ({"inputs": ["hello"]}, {"instances": ["hello"]}, {"inputs": "hello"}, {"inputs": [["hello"]]}):
        assert told(ask(deployments, name, body)) == {shown: "'hello'"}, body
    described = requests.get(f"{deployments.url}/serving/{name}/openapi.json", timeout=30).json()
    [path] = described["paths"].values()
    schema = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"required": ["inputs"]} in schema["oneOf"] and {"type": "string"} in schema["properties"]["inputs"]["anyOf"]
    known = requests.get(f"{deployments.url}/v2/models/{name}", timeout=30).json()["inputs"]
    answer = infer(deployments, name, {"inputs": [tensor(known[0]["name"], "BYTES", ["hello"])]})
    assert answer.status_code == 200 and json.loads(answer.json()["outputs"][0]["data"][0]) == {shown: "'hello'"}, answer.text


def test_parameters_that_the_model_has_reach_it(deployments: Deployments, kinds: str):
    inputs = [
        tensor("amount", "FP64", [1]), tensor("flag", "BOOL", [True]), tensor("note", "BYTES", ["x"]), tensor("raw", "BYTES", ["x"]),
        tensor("at", "BYTES", ["2026-01-02"]), tensor("small", "FP32", [1]),
    ]  # fmt: skip
    parameters = {"timeout": 3, "headers": "mine", "priority": 1, "sequence_id": 7}
    answer = infer(deployments, kinds, {"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.json()["outputs"][0]["data"][0])["params"] == {"timeout": 3, "headers": "mine"}


def test_the_open_inference_protocol_refuses_what_contradicts_itself(deployments: Deployments, scorer: str):
    a, b = tensor("a", "FP64", [1.0]), tensor("b", "FP64", [1.0])
    twice = [{"name": "predictions"}] * 2
    for body, said in (
        ({"inputs": [a, b], "outputs": twice}, "output `predictions` stands twice"),
        ({"inputs": [a, b, a]}, "input `a` stands twice"),
        ({"inputs": [a | {"datatype": "FP32", "data": [1e300]}, b]}, "1e300 is not a value of type FP32"),
        ({"inputs": [a | {"shape": [1, 2], "data": [[1.0], [2.0]]}, b]}, "nested as [2, 1]"),
        ({"inputs": [a]}, "the request has: a"),
    ):
        answer = infer(deployments, scorer, body)
        assert (answer.status_code, said in answer.json()["error"]) == (400, True), (body, answer.text)
    raw = infer(deployments, scorer, b"\0" * 8, **{"Inference-Header-Content-Length": "0"})
    assert (raw.status_code, "raw binary request" in raw.json()["error"]) == (400, True), raw.text
    large = {"inputs": [a, b], "id": "x" * (17 << 20)}
    assert infer(deployments, scorer, large).status_code == 413
    with grpc_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        one = grpc_client.InferInput("a", [1], "FP64")
        one.set_data_from_numpy(np.array([1.0]))
        other = grpc_client.InferInput("b", [1], "FP64")
        other.set_data_from_numpy(np.array([1.0]))
        wanted = [grpc_client.InferRequestedOutput("predictions")] * 2
        for inputs, outputs, said in (
            ([one, other, one], None, "input `a` stands twice"),
            ([one, other], wanted, "output `predictions` stands twice"),
            ([one], None, "the request has: a"),
        ):
            with pytest.raises(grpc_client.InferenceServerException) as refused:
                client.infer(scorer, inputs, outputs=outputs)
            assert "INVALID_ARGUMENT" in str(refused.value) and said in str(refused.value)


def test_a_tensor_may_be_flat_or_nested(deployments: Deployments, scorer: str):
    for shape, data in (([2, 1], [[1.0], [2.0]]), ([2, 1], [1.0, 2.0]), ([2], [1.0, 2.0])):
        body = {"inputs": [tensor(name, "FP64", data) | {"shape": shape} for name in "ab"]}
        answer = infer(deployments, scorer, body)
        assert answer.status_code == 200 and answer.json()["outputs"][0]["data"] == pytest.approx([3.0, 6.0]), answer.text
