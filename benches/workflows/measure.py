"""`benches/workflows/run.sh [--quick] [--out FILE]`: what a step of a pipeline costs beyond its own process, beside Prefect and DVC."""

import argparse
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.processes import cpu_seconds, process_cpu_seconds, wait_until_idle
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

GOAL_MS = 5.0
FEW = 10


@dataclass
class Cost:
    """Of one step more: milliseconds."""

    cpu: float
    # The server's own process, without the processes that it starts.
    of_scheduler: float
    wall: float


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spawn_ms(steps: int) -> float:
    """What the process of a step costs by itself: a shell that does nothing, started in a loop."""
    before = children_cpu()
    subprocess.run(["/bin/sh", "-c", f"i=0; while [ $i -lt {steps} ]; do /bin/sh -e -c true; i=$((i + 1)); done"], check=True)
    return (children_cpu() - before) * 1000 / steps


def step_cost(run: Callable[[int], None], steps: int, session: int | None) -> Cost:
    """What one step more costs: a pipeline of many steps less one of few, so that neither start nor imports count."""

    def measured(count: int) -> tuple[float, float, float, float]:
        scheduler = process_cpu_seconds(session) if session else 0.0
        server, client, wall = cpu_seconds(session) if session else 0.0, children_cpu(), time.perf_counter()
        run(count)
        wall = time.perf_counter() - wall
        if session:
            wait_until_idle(session, quiet_seconds=1.0, seconds=30)
            scheduler = process_cpu_seconds(session) - scheduler
            server = cpu_seconds(session) - server
        return server, scheduler, children_cpu() - client, wall

    run(FEW)  # so that nothing is done for the first time
    few, many = measured(FEW), measured(FEW + steps)
    server, scheduler, client, wall = ((after - before) * 1000 / steps for before, after in zip(few, many, strict=True))
    return Cost(server + client, scheduler, wall)


def lathe_pipeline(server: LatheServer, count: int) -> None:
    http = Http(server.url)
    cells = ", ".join(str(number) for number in range(count))
    text = f"name: steps\njobs:\n  step:\n    matrix: {{ n: [{cells}] }}\n    run: 'true'\n"
    http.ok_any(http.post("/api/v1/pipelines", {"file": text}))
    run = http.ok_any(http.post("/api/v1/pipelines/steps/runs", {}))["id"]

    def status() -> str | None:
        found = http.ok(http.get("/api/v1/pipeline-runs", pipeline="steps"))["runs"]
        ended = next(one["status"] for one in found if one["id"] == run)
        return ended if ended in ("succeeded", "failed", "canceled") else None

    ended = wait_for("the end of the pipeline run", status, 600, pause=0.5)
    if ended != "succeeded":
        raise SystemExit(f"bench: the pipeline run ended as {ended}")


def start_prefect(folder: Path) -> tuple[subprocess.Popen, dict[str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binaries = Path(os.environ["PREFECT_BIN"])
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")} | {
        "PREFECT_HOME": str(folder), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1", "PATH": f"{binaries}:{os.environ['PATH']}",
    }  # fmt: skip
    process = subprocess.Popen(
        [str(binaries / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def answers() -> bool:
        if process.poll() is not None:
            raise SystemExit("bench: Prefect's server ended")
        try:
            return Http(f"http://127.0.0.1:{port}").get("/api/health").ok
        except OSError:
            return False

    wait_for("Prefect's server", answers, 120, pause=0.5)
    return process, environment


def run_quietly(command: list[str], **options: object) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def dvc_pipeline(folder: Path, count: int) -> None:
    numbers = "".join(f"      - {number}\n" for number in range(count))
    (folder / "dvc.yaml").write_text(f"stages:\n  step:\n    foreach:\n{numbers}    do:\n      cmd: 'true'\n")
    run_quietly(["dvc", "repro"], cwd=folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benches/workflows/run.sh")
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps: to see that it works")
    parser.add_argument("--out", type=Path, help="write the Markdown to this file, too")
    options = parser.parse_args()
    steps = 20 if options.quick else 100
    load_before = os.getloadavg()
    here = Path(__file__).parent
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="lathe-bench-") as name:
        folder = Path(name)
        spawn = spawn_ms(steps * 10)
        say("Lathe")
        lathe = LatheServer(folder / "lathe").start()
        try:
            costs["Lathe"] = step_cost(lambda count: lathe_pipeline(lathe, count), steps, lathe.pid)
        finally:
            lathe.stop()
        say("Prefect")
        prefect, environment = start_prefect(folder / "prefect")
        flow = [str(Path(os.environ["PREFECT_BIN"]) / "python"), str(here / "prefect_flow.py")]
        try:
            costs[f"Prefect {os.environ['PREFECT_VERSION']}"] = step_cost(lambda count: run_quietly([*flow, str(count)], env=environment), steps, prefect.pid)
        finally:
            os.killpg(prefect.pid, signal.SIGKILL)
            prefect.wait()
        say("DVC")
        (folder / "dvc").mkdir()
        run_quietly(["dvc", "init", "--no-scm"], cwd=folder / "dvc")
        costs[f"DVC {machine.version('dvc')}"] = step_cost(lambda count: dvc_pipeline(folder / "dvc", count), steps, None)
    own = costs["Lathe"].cpu - spawn
    lines = [
        *machine.describe(lathe.binary, load_before, os.getloadavg())[:3],
        f"- {steps} steps more than {FEW}; a process of a step alone, `sh -e -c true` in a loop, costs {spawn:.1f} ms of CPU, which is taken off each",
        "",
        "| a step that does nothing | CPU of all processes, ms | of it the scheduler's own, ms | goal | | wall, ms | all, beside Lathe |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for who, cost in costs.items():
        beyond = cost.cpu - spawn
        scheduler = f"{cost.of_scheduler:.1f}" if cost.of_scheduler else ""
        goal = f"<= {GOAL_MS:.0f} ms | {'met' if cost.of_scheduler <= GOAL_MS else '**missed**'}" if who == "Lathe" else " | "
        lines.append(f"| {who} | {beyond:.1f} | {scheduler} | {goal} | {cost.wall:.0f} | {beyond / own:.1f} x |")
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
