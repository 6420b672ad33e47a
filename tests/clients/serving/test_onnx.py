"""ONNX models of skl2onnx, answered without Python: the same answers as ONNX Runtime's and as MLflow's own scoring."""

import io
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import requests
import tritonclient.http as http_client
from mlflow.models import infer_signature
from mlflow.pyfunc.scoring_server import predictions_to_json
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from support.waiting import wait_for

from .conftest import Deployments

pytestmark = [pytest.mark.lathe_only, pytest.mark.any_database]

NAMES = ["a", "b", "c", "d"]


@dataclass
class Served:
    """A deployment of a graph, and the graph itself."""

    name: str
    graph: bytes
    uri: str

    def run(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """What ONNX Runtime answers."""
        session = onnxruntime.InferenceSession(self.graph, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    def scored(self, data) -> str:
        """What MLflow's scoring server would write."""
        out = io.StringIO()
        predictions_to_json(mlflow.pyfunc.load_model(self.uri).predict(data), out)
        return out.getvalue()


@pytest.fixture(scope="module")
def iris() -> tuple[np.ndarray, np.ndarray]:
    rows, kinds = load_iris(return_X_y=True)
    return rows.astype(np.float32), kinds


def log(deployments: Deployments, name: str, graph, **more) -> str:
    mlflow.set_tracking_uri(deployments.url)
    with mlflow.start_run():
        info = mlflow.onnx.log_model(graph, name="model", registered_model_name=name, **more)
    return f"models:/{name}/{info.registered_model_version}"


def deploy(deployments: Deployments, name: str, graph, signature=None) -> Served:
    uri = log(deployments, name, graph, signature=signature)
    deployments.create(name, uri)
    return Served(name, graph.SerializeToString(), uri)


@pytest.fixture(scope="module")
def classifier(serving, iris) -> Served:
    """Columns in, a label and a map of probabilities out."""
    rows, kinds = iris
    words = np.array(["setosa", "versicolor", "virginica"])[kinds]
    fitted = LogisticRegression(max_iter=500).fit(rows, words)
    signature = infer_signature(pd.DataFrame(rows, columns=NAMES))
    return deploy(Deployments(serving.url), "onnx-classifier", to_onnx(fitted, rows[:1]), signature)


@pytest.fixture(scope="module")
def regressor(serving, iris) -> Served:
    """One tensor in, one out."""
    rows, _ = iris
    fitted = RandomForestRegressor(20, random_state=0).fit(rows[:, :3], rows[:, 3])
    graph = to_onnx(fitted, rows[:1, :3])
    signature = infer_signature(rows[:, :3], fitted.predict(rows[:, :3])[:, None].astype(np.float32))
    return deploy(Deployments(serving.url), "onnx-regressor", graph, signature)


def invoke(deployments: Deployments, name: str, body: dict) -> requests.Response:
    return requests.post(f"{deployments.url}/serving/{name}/invocations", json=body, timeout=30)


def test_columns_are_answered_as_mlflow_does(deployments: Deployments, classifier: Served, iris):
    rows, _ = iris
    frame = pd.DataFrame(rows[::30], columns=NAMES)
    expected = json.loads(classifier.scored(frame))["predictions"]
    assert set(expected[0]) == {"output_label", "output_probability"} and expected[0]["output_label"] == "setosa"
    records = frame.to_dict(orient="records")
    for body in (
        {"dataframe_split": frame.to_dict(orient="split")},
        {"dataframe_split": frame[NAMES[::-1]].to_dict(orient="split")},
        {"dataframe_records": records},
        {"instances": records},
        {"inputs": {name: frame[name].tolist() for name in NAMES}},
    ):
        answer = invoke(deployments, classifier.name, body)
        assert (answer.status_code, answer.json()) == (200, {"predictions": expected}), (body, answer.text)
    url = f"{deployments.url}/serving/{classifier.name}/invocations"
    answer = requests.post(url, data=frame.to_csv(index=False), headers={"content-type": "text/csv"}, timeout=30)
    assert answer.json() == {"predictions": expected}


def test_tensors_are_answered_as_mlflow_and_onnxruntime_do(deployments: Deployments, regressor: Served, iris):
    rows = iris[0][::30, :3]
    expected = json.loads(regressor.scored(rows))["predictions"]
    for body in ({"inputs": rows.tolist()}, {"instances": rows.tolist()}):
        answer = invoke(deployments, regressor.name, body)
        assert (answer.status_code, answer.json()) == (200, {"predictions": expected}), answer.text
    [values] = regressor.run(X=rows).values()
    assert np.array_equal(np.array(expected["variable"], dtype=np.float32), values)


def test_answers_stay_the_same_when_requests_are_asked_together(deployments: Deployments, classifier, iris):
    rows, _ = iris
    graph = classifier.run(X=rows)
    wrong: list[str] = []

    def ask(start: int) -> None:
        for at in range(start, len(rows), 8):
            body = {"dataframe_split": {"columns": NAMES, "data": rows[at : at + 1].tolist()}}
            answer = invoke(deployments, classifier.name, body)
            given = answer.json()["predictions"][0] if answer.ok else {"output_label": answer.text}
            if given["output_label"] != graph["output_label"][at]:
                wrong.append(str(given))

    threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def tensor(module, name: str, values: np.ndarray, datatype: str, **more):
    made = module.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **more)
    return made


@pytest.mark.parametrize("binary", [True, False])
def test_tritonclient_over_http(deployments: Deployments, classifier, regressor, iris, binary: bool):
    rows = iris[0][::30]
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        outputs = [http_client.InferRequestedOutput("variable", binary_data=binary)]
        inputs = [tensor(http_client, "X", rows[:, :3].copy(), "FP32", binary_data=binary)]
        answer = client.infer(regressor.name, inputs, outputs=outputs).as_numpy("variable")
        assert np.array_equal(answer, regressor.run(X=rows[:, :3])["variable"])
        columns = [tensor(http_client, name, rows[:, [at]].copy(), "FP32", binary_data=binary) for at, name in enumerate(NAMES)]
        labels = client.infer(classifier.name, columns).as_numpy("output_label")
        assert [label.decode() for label in labels.ravel()] == list(classifier.run(X=rows)["output_label"])
        wrong = [tensor(http_client, "X", rows.copy(), "FP32", binary_data=binary)]
        with pytest.raises(http_client.InferenceServerException, match="shape"):
            client.infer(regressor.name, wrong)


def test_tritonclient_over_grpc(deployments: Deployments, regressor: Served, iris):
    import tritonclient.grpc as grpc_client

    rows = iris[0][::30, :3]
    with grpc_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        # Numbers of 64 bit are narrowed to what the graph takes, as MLflow does.
        answer = client.infer(regressor.name, [tensor(grpc_client, "X", rows.astype(np.float64), "FP64")])
        assert np.array_equal(answer.as_numpy("variable"), regressor.run(X=rows)["variable"])


def test_what_does_not_fit_gets_a_clear_refusal(deployments: Deployments, classifier: Served, regressor: Served):
    for name, body, said in (
        (classifier.name, {"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1, 2, 3]]}}, "`d`"),
        (classifier.name, {"dataframe_split": {"columns": NAMES, "data": [[1, 2, 3, "x"]]}}, "`d`"),
        (classifier.name, {"dataframe_split": {"columns": NAMES, "data": [[1]]}}, "4 columns passed, passed data had 1 columns"),
        (classifier.name, {}, "Received dictionary with input fields: []"),
        (regressor.name, {"inputs": [[1.0, 2.0]]}, "shape"),
        (regressor.name, {"inputs": [["x", "y", "z"]]}, "BYTES"),
    ):
        answer = invoke(deployments, name, body)
        assert (answer.status_code, said in answer.json()["message"]) == (400, True), (body, answer.text)


def test_a_graph_of_several_inputs_and_no_signature(deployments: Deployments, unique):
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "colour": ["red", "blue", "red", "blue"]})
    coded = ColumnTransformer([("colour", OneHotEncoder(), ["colour"])], remainder="passthrough")
    fitted = make_pipeline(coded, LogisticRegression()).fit(frame, [0, 1, 0, 1])
    types = [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))]
    graph = to_onnx(fitted, initial_types=types, options={id(fitted): {"zipmap": False}})
    served = deploy(deployments, unique("onnx"), graph)
    inputs = {"size": frame[["size"]].to_numpy(np.float32), "colour": frame[["colour"]].to_numpy(object)}
    expected = served.run(**inputs)
    answer = invoke(deployments, served.name, {"dataframe_split": frame.to_dict(orient="split")})
    # MLflow itself has no answer here: it sends columns as vectors, and makes no table of a label and two probabilities a row.
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"]["label"] == expected["label"].tolist()
    assert np.array_equal(np.array(answer.json()["predictions"]["probabilities"], np.float32), expected["probabilities"])
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        tensors = [tensor(http_client, "size", inputs["size"], "FP32"), tensor(http_client, "colour", inputs["colour"], "BYTES")]
        answer = client.infer(served.name, tensors)
        assert np.array_equal(answer.as_numpy("probabilities"), expected["probabilities"])
        known = client.get_model_metadata(served.name)["inputs"]
        assert [(one["name"], one["datatype"], one["shape"]) for one in known] == [("size", "FP32", [-1, 1]), ("colour", "BYTES", [-1, 1])]
    # What the graph does not take is the request's fault, and no error of the model.
    counted = deployments.counts(served.name)
    refused = invoke(deployments, served.name, {"dataframe_split": {"columns": ["size"], "data": [[1]]}})
    assert (refused.status_code, refused.json()["error_class"]) == (400, "SCHEMA_ENFORCEMENT_FAILED") and "`colour`" in refused.text
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        with pytest.raises(http_client.InferenceServerException) as refused:
            client.infer(served.name, [tensor(http_client, "size", inputs["size"], "FP32")])
    assert refused.value.status() == "400"
    assert deployments.counts(served.name) == counted


def test_an_input_without_a_name_is_sampled_by_one_name(deployments: Deployments, unique, iris):
    rows, kinds = iris
    fitted = RandomForestRegressor(n_estimators=3, random_state=0).fit(rows[:, :2], kinds)
    served = deploy(deployments, unique("onnx"), to_onnx(fitted, rows[:1, :2]), infer_signature(rows[:, :2]))
    for inputs in (rows[:4, :2].tolist(), {"X": rows[:4, :2].tolist()}, {"z": rows[:4, :2].tolist()}):
        answer = invoke(deployments, served.name, {"inputs": inputs})
        assert answer.status_code == 200, answer.text
    refused = invoke(deployments, served.name, {"inputs": [[1.0, 2.0, 3.0]]})
    assert "the tensor has the shape [1, 3]" in refused.json()["message"], refused.text
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        known = client.get_model_metadata(served.name)
        # The graph knows what the signature does not.
        assert [(one["name"], one["datatype"]) for one in known["outputs"]] == [("variable", "FP32")]
        [given] = known["inputs"]
        answer = client.infer(served.name, [tensor(http_client, given["name"], rows[:4, :2].copy(), "FP32")],
                              outputs=[http_client.InferRequestedOutput("variable")])  # fmt: skip
        assert answer.as_numpy("variable").shape == (4, 1)
    place = f"{deployments.url}/api/v1/deployments/{served.name}"
    windows = lambda: requests.get(f"{place}/traffic", timeout=30).json()["windows"]
    wait_for("the rows", lambda: sum(row["rows"] for row in windows()) == 16, 30)
    start_ms = windows()[0]["start_ms"]
    made = requests.put(f"{place}/reference", json={"from": "window", "window_start_ms": start_ms}, timeout=30)
    assert made.ok, made.text
    rule = {"name": "psi", "metric": "psi", "column": "nope", "threshold": 0.3}
    refused = requests.post(f"{place}/alert-rules", json=rule, timeout=30)
    assert "it has: input.0, input.1, variable.0" in refused.text, refused.text


def test_maps_asked_with_tensors(deployments: Deployments, unique, iris):
    rows, kinds = iris
    graph = to_onnx(LogisticRegression(max_iter=500).fit(rows, kinds), rows[:1])
    served = deploy(deployments, unique("onnx"), graph, infer_signature(rows))
    rows = rows[::30]
    expected = json.loads(served.scored(rows))["predictions"]
    answer = invoke(deployments, served.name, {"inputs": rows.tolist()})
    assert (answer.status_code, answer.json()) == (200, {"predictions": expected}), answer.text
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        answer = client.infer(served.name, [tensor(http_client, "X", rows.copy(), "FP32")])
        assert answer.as_numpy("output_label").tolist() == expected["output_label"]
        maps = [json.loads(text) for text in answer.as_numpy("output_probability").ravel()]
        assert maps == expected["output_probability"]


def deploy_in_python(deployments: Deployments, name: str, served: Served) -> None:
    version = served.uri.rpartition("/")[2]
    mlflow.set_tracking_uri(deployments.url)
    client = mlflow.MlflowClient()
    client.set_model_version_tag(served.name, version, "lathe.runtime", "python")
    try:
        deployments.create(name, served.uri)
    finally:
        client.delete_model_version_tag(served.name, version, "lathe.runtime")


def test_a_tag_lets_a_version_run_in_python(deployments: Deployments, classifier: Served, unique, iris):
    name = unique("onnx")
    deploy_in_python(deployments, name, classifier)
    [pid] = deployments.version(name, "primary")["statistics"]["process_ids"]
    assert b"lathe_worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    body = {"dataframe_split": {"columns": NAMES, "data": iris[0][:3].tolist()}}
    assert invoke(deployments, name, body).json() == invoke(deployments, classifier.name, body).json()


def test_outputs_that_only_the_graph_names_are_not_told_in_python(deployments: Deployments, regressor: Served, unique, iris):
    name, rows = unique("onnx"), iris[0][::30, :3].copy()
    deploy_in_python(deployments, name, regressor)
    with http_client.InferenceServerClient(deployments.url.removeprefix("http://")) as client:
        assert client.get_model_metadata(name)["outputs"] == []
        answer = client.infer(name, [tensor(http_client, "input", rows, "FP32")])
        assert np.array_equal(answer.as_numpy("variable"), regressor.run(X=rows)["variable"])
    # The name that answers have can be chosen for judging them.
    place = f"{deployments.url}/api/v1/deployments/{name}/monitoring"
    chosen = requests.put(place, json={"prediction_column": "variable.0"}, timeout=30)
    assert chosen.ok, chosen.text


def test_a_broken_file_fails_with_its_reason(deployments: Deployments, unique, tmp_path: Path, iris):
    rows, kinds = iris
    name, folder = unique("onnx"), tmp_path / "model"
    mlflow.set_tracking_uri(deployments.url)
    mlflow.onnx.save_model(to_onnx(LogisticRegression(max_iter=500).fit(rows, kinds), rows[:1]), folder)
    (folder / "model.onnx").write_bytes(b"no graph")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "model")
    client = mlflow.MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    deployments.http.ok_any(deployments.http.post("/api/v1/deployments", {"name": name, "model": f"models:/{name}/1"}))
    wait_for("the failure", lambda: deployments.version(name, "primary")["state"] == "failed", 60)
    error = deployments.version(name, "primary")["error"]
    assert "<model>/model.onnx" in error and "protobuf" in error.lower(), error
    assert invoke(deployments, name, {"inputs": rows[:1].tolist()}).status_code == 503


def lookup() -> onnx.ModelProto:
    """A graph of three numbers that are looked up: any other place fails, and zero does not."""
    at = onnx.helper.make_tensor_value_info("at", onnx.TensorProto.INT64, [None])
    found = onnx.helper.make_tensor_value_info("found", onnx.TensorProto.FLOAT, [None])
    numbers = onnx.helper.make_tensor("numbers", onnx.TensorProto.FLOAT, [3], [10.0, 20.0, 30.0])
    node = onnx.helper.make_node("Gather", ["numbers", "at"], ["found"])
    graph = onnx.helper.make_graph([node], "lookup", [at], [found], [numbers])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)


def test_a_graph_that_fails_on_its_input_example_does_not_become_ready(deployments: Deployments, unique):
    signature = infer_signature(np.array([1, 2]), np.array([20.0, 30.0], dtype=np.float32))
    good, bad = unique("onnx"), unique("onnx")
    deployments.create(good, log(deployments, good, lookup(), signature=signature, input_example=np.array([2, 1])))
    assert invoke(deployments, good, {"inputs": [2, 0]}).json() == {"predictions": {"found": [30.0, 10.0]}}
    answer = invoke(deployments, good, {"inputs": [7]})
    assert (answer.status_code, "Gather" in answer.json()["message"]) == (400, True), "a request's own fault"
    uri = log(deployments, bad, lookup(), signature=signature, input_example=np.array([7]))
    deployments.http.ok_any(deployments.http.post("/api/v1/deployments", {"name": bad, "model": uri}))
    wait_for("the failure", lambda: deployments.version(bad, "primary")["state"] == "failed", 60)
    error = deployments.version(bad, "primary")["error"]
    assert "its own input example" in error and "Gather" in error, error
    # A worker in Python says the same.
    version = uri.rpartition("/")[2]
    mlflow.MlflowClient().set_model_version_tag(bad, version, "lathe.runtime", "python")
    in_python = unique("onnx")
    deployments.http.ok_any(deployments.http.post("/api/v1/deployments", {"name": in_python, "model": uri}))
    wait_for("the failure", lambda: deployments.version(in_python, "primary")["state"] == "failed", 90)
    assert "its own input example" in deployments.version(in_python, "primary")["error"]


def test_session_options_are_followed(deployments: Deployments, unique, iris):
    rows = iris[0][::30, :3]
    fitted = RandomForestRegressor(5, random_state=0).fit(rows, iris[0][::30, 3])
    graph = to_onnx(fitted, rows[:1])
    options = {"graph_optimization_level": 0, "intra_op_num_threads": 2, "execution_mode": "sequential"}
    name = unique("onnx")
    deployments.create(name, log(deployments, name, graph, onnx_session_options=options, input_example=rows[:1]))
    served = Served(name, graph.SerializeToString(), f"models:/{name}/1")
    assert invoke(deployments, name, {"inputs": rows.tolist()}).json() == json.loads(served.scored(rows))
    # An option that does not fit the file is said by the session, which shows that it was asked.
    wrong = unique("onnx")
    uri = log(deployments, wrong, graph, onnx_session_options={"extra_session_config": {"session.load_model_format": "ORT"}})
    deployments.http.ok_any(deployments.http.post("/api/v1/deployments", {"name": wrong, "model": uri}))
    wait_for("the failure", lambda: deployments.version(wrong, "primary")["state"] == "failed", 60)


def test_a_killed_worker_harms_nobody_and_comes_back(deployments: Deployments, classifier, regressor, iris):
    rows = iris[0][:1]
    [pid] = deployments.version(classifier.name, "primary")["statistics"]["process_ids"]
    assert b"onnx-worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    body = {"dataframe_split": {"columns": NAMES, "data": rows.tolist()}}
    stop, seen, others = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            answer = invoke(deployments, classifier.name, body)
            seen.append((answer.status_code, answer.headers.get("retry-after")))
            others.append(invoke(deployments, regressor.name, {"inputs": rows[:, :3].tolist()}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for("requests", lambda: len(seen) > 20, 30)
        os.kill(pid, signal.SIGKILL)
        wait_for("a refusal", lambda: any(status != 200 for status, _ in seen), 30)
        wait_for("an answer again", lambda: seen[-1][0] == 200, 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in seen} == {200, 503} and set(others) == {200}
    assert all(after for status, after in seen if status == 503)
    assert deployments.version(classifier.name, "primary")["statistics"]["process_ids"] != [pid]


@pytest.mark.slow
def test_onnx_can_run_in_python_and_a_missing_library_is_said(make_lathe, iris):
    rows, kinds = iris
    graph = to_onnx(LogisticRegression(max_iter=500).fit(rows, kinds), rows[:1])
    signature = infer_signature(pd.DataFrame(rows, columns=NAMES))
    body = {"dataframe_split": {"columns": NAMES, "data": rows[:2].tolist()}}
    server = make_lathe(environment={"LATHE_SERVING_PYTHON": sys.executable, "LATHE_ONNXRUNTIME": "off"}).start()
    served = deploy(Deployments(server.url), "iris", graph, signature)
    [pid] = Deployments(server.url).version("iris", "primary")["statistics"]["process_ids"]
    assert b"lathe_worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    expected = json.loads(served.scored(pd.DataFrame(rows[:2], columns=NAMES)))
    assert invoke(Deployments(server.url), "iris", body).json() == expected
    server.stop()
    server.environment = {"LATHE_ONNXRUNTIME": "/nowhere/libonnxruntime.so"}
    server.start()
    deployments = Deployments(server.url)
    wait_for("the failure", lambda: deployments.version("iris", "primary")["state"] == "failed", 60)
    error = deployments.version("iris", "primary")["error"]
    assert "/nowhere/libonnxruntime.so does not exist" in error and "lathe.runtime = python" in error
