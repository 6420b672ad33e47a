"""`benches/serving/run.sh [--quick] [--out FILE]`: deployments beside a bare axum + ort server and `mlflow models serve`, in one run."""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime
import requests
from bench import machine
from bench.processes import cpu_seconds, memory_mib, wait_until_idle
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor
from support.http import Http
from support.servers import LatheServer, clean_environment
from support.waiting import wait_for

FEATURES = 10
GOAL_BARE, GOAL_MLFLOW = 3, 10


@dataclass
class Cost:
    """Of one request, in milliseconds; memory in MiB."""

    cpu: float
    wall: float
    memory: float


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def load(address: str, path: str, body: bytes, connections: int, count: int) -> float:
    command = [os.environ["BARE_BIN"], "load", address, path, str(connections), str(count)]
    ended = subprocess.run(command, input=body, capture_output=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"the load failed: {ended.stderr.decode()}")
    seconds, failed = ended.stdout.split()
    if int(failed):
        raise RuntimeError(f"{failed.decode()} of {count} requests to {address}{path} were not answered by 200")
    return float(seconds)


def measure(session: int, address: str, path: str, body: bytes, connections: int, count: int) -> Cost:
    load(address, path, body, connections, max(count // 10, connections))
    wait_until_idle(session)
    before = cpu_seconds(session)
    seconds = load(address, path, body, connections, count)
    used = cpu_seconds(session) - before
    return Cost(1000 * used / count, 1000 * seconds * connections / count, memory_mib(session))


def beside(peer: Callable[[], Cost], ours: Callable[[], Cost]) -> tuple[Cost, Cost]:
    """Both in turn, three times, and the middle one of each: what the machine does besides meets both."""
    rounds = [(peer(), ours()) for _ in range(3)]
    middle = lambda costs: Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))
    return middle([one for one, _ in rounds]), middle([other for _, other in rounds])


@contextmanager
def process(command: list[str], **more) -> Iterator[subprocess.Popen]:
    """A peer in a session of its own, ended with all of its processes."""
    started = subprocess.Popen(command, start_new_session=True, env=clean_environment(), **more)
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/ping", timeout=5).ok
    except requests.ConnectionError:
        return False


def deploy(server: LatheServer, name: str, info) -> str:
    http = Http(server.url)
    http.ok_any(http.post("/api/v1/deployments", {"name": name, "model": f"models:/{name}/{info.registered_model_version}"}))

    def is_ready() -> bool:
        [version] = [one for one in http.ok(http.get(f"/api/v1/deployments/{name}"))["versions"] if one["role"] == "primary"]
        if version["state"] == "failed":
            raise RuntimeError(version["error"])
        return version["state"] == "ready"

    wait_for(f"{name} to be ready", is_ready, 120, pause=0.2)
    return f"/serving/{name}/invocations"


def library() -> str:
    return str(next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.*")))


def row(what: str, peer: Cost, ours: Cost, ratio: float, goal: str, is_met: bool) -> str:
    met = "" if not goal else "met" if is_met else "**missed**"
    return (
        f"| {what} | {peer.cpu:.3f} | {ours.cpu:.3f} | {ratio:.1f} | {goal} | {met} | {peer.wall:.2f} | {ours.wall:.2f} "
        f"| {peer.memory:.0f} | {ours.memory:.0f} |"
    )


def head(first: str, peer: str, ratio: str) -> list[str]:
    return [
        f"| {first} | {peer} CPU, ms | Lathe CPU, ms | {ratio} | goal | | {peer} wall, ms | Lathe wall, ms | {peer} MiB | Lathe MiB |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    scale = 10 if options.quick else 1
    load_before = os.getloadavg()
    data, target = make_regression(2_000, FEATURES, random_state=0)
    data = data.astype(np.float32)
    forest = RandomForestRegressor(100, max_depth=8, random_state=0).fit(data, target)
    graph = to_onnx(forest, data[:1])
    signature = infer_signature(data, forest.predict(data[:5]))
    body = json.dumps({"inputs": data[:1].tolist()}).encode()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        lathe = LatheServer(Path(folder) / "lathe", None, (), {"LATHE_SERVING_PYTHON": sys.executable})
        lathe.start()
        try:
            mlflow.set_tracking_uri(lathe.url)
            address = lathe.url.removeprefix("http://")
            with mlflow.start_run():
                onnx_info = mlflow.onnx.log_model(graph, name="onnx", signature=signature, registered_model_name="forest-onnx")
            path, lines = deploy(lathe, "forest-onnx", onnx_info), head("one row of an ONNX model", "bare", "x of bare")
            file = Path(folder) / "model.onnx"
            file.write_bytes(graph.SerializeToString())
            command = [os.environ["BARE_BIN"], "serve", library(), str(file)]
            with process(command, stdout=subprocess.PIPE, text=True) as bare:
                bare_address = bare.stdout.readline().strip()
                for connections, count in ((1, 10_000), (64, 60_000)):
                    say(f"ONNX, {connections} connections")
                    peer, ours = beside(
                        lambda: measure(bare.pid, bare_address, "/invocations", body, connections, count // scale),
                        lambda: measure(lathe.pid, address, path, body, connections, count // scale),
                    )
                    ratio = ours.cpu / max(peer.cpu, 1e-9)
                    lines.append(row(f"{connections} connections", peer, ours, ratio, f"<= {GOAL_BARE}", ratio <= GOAL_BARE))
            Http(lathe.url).ok_any(Http(lathe.url).request("DELETE", "/api/v1/deployments/forest-onnx"))
            with mlflow.start_run():
                info = mlflow.sklearn.log_model(
                    forest, name="python", signature=signature, registered_model_name="forest-python",
                    skops_trusted_types=["sklearn.tree._tree.Tree"],
                )  # fmt: skip
            path = deploy(lathe, "forest-python", info)
            local = mlflow.artifacts.download_artifacts(artifact_uri=info.model_uri, dst_path=str(Path(folder) / "python"))
            lines += ["", *head("one row of a Python model", "MLflow", "MLflow / Lathe")]
            port = free_port()
            command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", local, "--env-manager", "local", "-p", str(port)]
            with process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as served:
                wait_for("mlflow models serve", lambda: is_healthy(f"http://127.0.0.1:{port}"), 180, pause=0.5)
                for connections, count in ((1, 300), (64, 2_000)):
                    say(f"Python, {connections} connections")
                    peer, ours = beside(
                        lambda: measure(served.pid, f"127.0.0.1:{port}", "/invocations", body, connections, count // scale),
                        lambda: measure(lathe.pid, address, path, body, connections, 5 * count // scale),
                    )
                    ratio = peer.cpu / max(ours.cpu, 1e-9)
                    goal, is_met = (f">= {GOAL_MLFLOW}", ratio >= GOAL_MLFLOW) if connections > 1 else ("", True)
                    lines.append(row(f"{connections} connections", peer, ours, ratio, goal, is_met))
        finally:
            lathe.stop()
    about = machine.describe(Path(os.environ["LATHE_BIN"]), load_before, os.getloadavg())
    text = "\n".join([*about, f"- ONNX Runtime {onnxruntime.__version__}; a random forest of 100 trees, {FEATURES} columns", "", *lines, ""])
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
