"""Every dialect of the inference door, with the clients that speak it."""

import numpy as np
import pytest
import requests
import tritonclient.http as http_client

from .conftest import Deployments

pytestmark = [pytest.mark.lathe_only, pytest.mark.any_database]

ROWS = [[1.0, 1.0], [2.0, 0.5]]
EXPECTED = pytest.approx([3.0, 4.5])


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
    for path in ("ping", "health", "version"):
        assert requests.get(f"{deployments.url}/serving/{scorer}/{path}", timeout=30).status_code == 200


def test_what_does_not_fit_gets_a_clear_refusal(deployments: Deployments, scorer: str):
    url = f"{deployments.url}/serving/{scorer}/invocations"
    for body, said in (
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "b"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"]]}}, "b"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, ""),
        ({"dataframe_records": [], "instances": []}, ""),
        ({}, ""),
        ([1, 2], ""),
    ):
        answer = requests.post(url, json=body, timeout=30)
        assert (answer.status_code, said in answer.json()["message"]) == (400, True), (body, answer.text)
        assert answer.json()["error_code"]
    assert requests.post(url, data="{", headers={"content-type": "application/json"}, timeout=30).status_code == 400
    assert requests.post(url, data="x", headers={"content-type": "image/png"}, timeout=30).status_code == 415


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
