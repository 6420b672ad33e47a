"""Artifacts: the proxy, the list of a run, downloads."""

from ..steps import Step, delete, get, post, raw

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
HERE = PROXY + "/${e}/${r}/artifacts"


def put(label: str, path: str, text: str = "hi") -> Step:
    return raw(label, path, text, method="PUT", headers={})


STEPS = [
    put("put artifact", HERE + "/d/a.txt"),
    put("put artifact with space", HERE + "/d/with%20space.txt"),
    put("put empty artifact", HERE + "/d/empty", ""),
    get("list artifacts", "artifacts/list", run_id="${r}"),
    get("list artifacts by run_uuid", "artifacts/list", run_uuid="${r}"),
    get("list artifacts in folder", "artifacts/list", run_id="${r}", path="d"),
    get("list artifacts in folder with slash", "artifacts/list", run_id="${r}", path="d/"),
    get("list artifacts of file", "artifacts/list", run_id="${r}", path="d/a.txt"),
    get("list artifacts with dots", "artifacts/list", run_id="${r}", path="../x"),
    get("list artifacts with encoded dots", "artifacts/list", run_id="${r}", path="%2e%2e/x"),
    get("list artifacts with twice encoded dots", "artifacts/list", run_id="${r}", path="%252e%252e/x"),
    get("list artifacts with absolute path", "artifacts/list", run_id="${r}", path="/etc"),
    get("list artifacts with file path", "artifacts/list", run_id="${r}", path="file:///etc"),
    get("list artifacts with fragment", "artifacts/list", run_id="${r}", path="d#x"),
    get("list artifacts with backslash", "artifacts/list", run_id="${r}", path="..\\x"),
    get("list artifacts in unknown folder", "artifacts/list", run_id="${r}", path="nope"),
    get("list artifacts of unknown run", "artifacts/list", run_id="nope"),
    get("list artifacts without run", "artifacts/list"),
    get("get artifact of run", "/get-artifact", run_id="${r}", path="d/a.txt"),
    get("get missing artifact of run", "/get-artifact", run_id="${r}", path="nope"),
    get("get artifact that is a folder", "/get-artifact", run_id="${r}", path="d"),
    get("get artifact with dots", "/get-artifact", run_id="${r}", path="../../x"),
    get("get artifact without path", "/get-artifact", run_id="${r}"),
    get("get artifact of unknown run", "/get-artifact", run_id="nope", path="x"),
    get("get artifact by proxy", HERE + "/d/a.txt"),
    get("get missing artifact by proxy", HERE + "/nope"),
    get("get folder by proxy", HERE + "/d"),
    get("list by proxy", PROXY, path="${e}/${r}/artifacts"),
    get("list by proxy in folder", PROXY, path="${e}/${r}/artifacts/d"),
    get("list by proxy with dots", PROXY, path="../x"),
    get("list by proxy in unknown folder", PROXY, path="${e}/nope"),
    put("put with dots", PROXY + "/../../x"),
    put("put with encoded dots", PROXY + "/%2e%2e/x"),
    put("put with dots and encoded slash", PROXY + "/..%2fx"),
    put("put with twice encoded dots", PROXY + "/%252e%252e/x"),
    put("put with backslash", PROXY + "/..%5cx"),
    put("put with dots inside", HERE + "/a/..%2f..%2fb"),
    put("put to file path", PROXY + "/file:///etc/x"),
    post("multipart upload", "/api/2.0/mlflow-artifacts/mpu/create/x", {"path": "x", "num_parts": 2}),
    get("get version artifact", "/model-versions/get-artifact", name="m2-${suffix}", version="3", path="nope"),
    get("get version artifact with dots", "/model-versions/get-artifact", name="m2-${suffix}", version="3", path="../x"),
    get("get version artifact of unknown model", "/model-versions/get-artifact", name="zz", version="1", path="x"),
    get("get version artifact without path", "/model-versions/get-artifact", name="m2-${suffix}", version="3"),
    delete("delete artifact", HERE + "/d/a.txt"),
    delete("delete missing artifact", HERE + "/d/a.txt"),
    delete("delete artifact with dots", PROXY + "/%2e%2e/x"),
    delete("delete folder", HERE + "/d"),
    get("list artifacts after deleting", "artifacts/list", run_id="${r}"),
]
