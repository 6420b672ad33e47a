"""`python -m bench [--quick] [--out FILE]`: starts both servers, fills them, measures, prints Markdown."""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from support.servers import LatheServer, MlflowServer, Server

from . import data, machine
from .client import Client
from .loads import LOADS, Load, Send
from .processes import cpu_seconds, memory_mib, wait_until_idle


@dataclass
class Figures:
    """CPU and wall milliseconds of one request, one value for each round."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def typical(self) -> tuple[float, float]:
        return statistics.median(self.cpu), statistics.median(self.wall)


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure(server: Server, load: Load, filled: data.Filled, sizes: data.Sizes, count: int, figures: Figures) -> None:
    sends = [load.prepare(Client(server.url), filled, sizes) for _ in range(load.connections)]
    for send in sends:
        send(0)  # warm: statements prepared, pages read
    each = count // load.connections

    def run(send: Send) -> None:
        for number in range(1, each + 1):
            send(number)

    with ThreadPoolExecutor(load.connections) as clients:
        cpu, wall = cpu_seconds(server.pid), time.perf_counter()
        list(clients.map(run, sends))
        figures.wall.append((time.perf_counter() - wall) / each * 1000)
        figures.cpu.append((cpu_seconds(server.pid) - cpu) / (each * load.connections) * 1000)


def time_to_ready(server: Server, times: int) -> list[float]:
    """Milliseconds from exec to the first answer, on the filled data."""
    found = []
    for _ in range(times):
        server.stop()
        began = time.perf_counter()
        server.start()
        found.append((time.perf_counter() - began) * 1000)
    return found


def table(sizes: data.Sizes, results: dict[str, dict[str, Figures]]) -> list[str]:
    lines = [
        "| request | MLflow CPU, ms | Lathe CPU, ms | ratio | goal | | MLflow wall, ms | Lathe wall, ms |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for load in LOADS:
        (peer_cpu, peer_wall), (own_cpu, own_wall) = (results[load.name][name].typical() for name in ("mlflow", "lathe"))
        ratio = peer_cpu / own_cpu if own_cpu else float("inf")
        met = "" if load.goal is None else ("met" if ratio >= load.goal else "**missed**")
        name = load.name.format(**asdict(sizes))
        lines.append(
            f"| {name} | {peer_cpu:,.1f} | {own_cpu:,.3f} | {ratio:,.0f} | {load.goal:g} | {met} | {peer_wall:,.1f} | {own_wall:,.2f} |"
        )
    return lines


def flatness(sizes: data.Sizes, results: dict[str, dict[str, Figures]]) -> list[str]:
    """How much dearer a page is among 50,000 runs than among 10,000."""
    lines = []
    for kind in ("plain", "metric filter", "order by metric"):
        small, large = (
            results[f"search page of 100 among {{{size}:,}}: {kind}"]["lathe"].typical()[0] for size in ("runs", "many")
        )
        lines.append(
            f"- search, {kind}: {small:.2f} ms among {sizes.runs:,} runs, {large:.2f} ms among {sizes.many:,}: x {large / small if small else 0:.2f}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="benches/tracking/run.sh")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, one round: to see that it works")
    parser.add_argument("--rounds", type=int, default=3, help="each load is measured so often, in turn; the median counts")
    parser.add_argument("--out", type=Path, help="write the Markdown to this file, too")
    parser.add_argument("--only", help="measure only the loads whose name holds this text")
    options = parser.parse_args()
    sizes = data.QUICK if options.quick else data.Sizes()
    rounds = 1 if options.quick else options.rounds
    loads = [load for load in LOADS if not options.only or options.only in load.name]
    load_before = os.getloadavg()

    with tempfile.TemporaryDirectory(prefix="lathe-bench-") as folder:
        lathe, mlflow = LatheServer(Path(folder) / "lathe"), MlflowServer(Path(folder) / "mlflow")
        try:
            say("MLflow: making its tables, then filling them by SQL (its REST API would take hours)")
            mlflow.start()
            mlflow.stop()
            mlflow_data = data.fill_by_sql(mlflow.folder / "mlflow.db", sizes)
            say("Lathe: filling through its REST API")
            lathe.start()
            began, cpu = time.perf_counter(), cpu_seconds(lathe.pid)
            lathe_data = data.fill_by_rest(lathe.url, sizes)
            fill_wall, fill_cpu = time.perf_counter() - began, cpu_seconds(lathe.pid) - cpu
            say(f"Lathe: filled in {fill_wall:.0f} s with {fill_cpu:.0f} s of CPU")

            say("time to ready, and idle memory")
            ready = {"lathe": time_to_ready(lathe, 2 if options.quick else 5)}
            mlflow.start()
            ready["mlflow"] = time_to_ready(mlflow, 1 if options.quick else 2)
            memory = {}
            for server in (lathe, mlflow):
                wait_until_idle(server.pid)
                memory[server.name] = memory_mib(server.pid)

            results = {load.name: {"mlflow": Figures(), "lathe": Figures()} for load in LOADS}
            for number in range(rounds):
                for load in loads:
                    say(f"round {number + 1} of {rounds}: {load.name.format(**asdict(sizes))}")
                    for server, filled, count in ((mlflow, mlflow_data, load.counts[0]), (lathe, lathe_data, load.counts[1])):
                        measure(
                            server,
                            load,
                            filled,
                            sizes,
                            max(2, load.connections, count // 4) if options.quick else count,
                            results[load.name][server.name],
                        )
            memory_after = {server.name: memory_mib(server.pid) for server in (lathe, mlflow)}
            sizes_on_disk = {
                "lathe": sum(path.stat().st_size for path in (lathe.folder / "data").rglob("*") if path.is_file()),
                "mlflow": (mlflow.folder / "mlflow.db").stat().st_size,
            }
        finally:
            lathe.stop()
            mlflow.stop()

    measured = {name: figures for name, figures in results.items() if figures["lathe"].cpu}
    LOADS[:] = [load for load in LOADS if load.name in measured]
    lines = [
        "CPU is user and system time of the server and all of its processes, per request; wall is what a client waits, with",
        f"one connection if nothing else is said. Median of {rounds} round{'s' if rounds > 1 else ''}; both servers get the same requests in the same run.",
        "",
        *machine.describe(lathe.binary, load_before, os.getloadavg()),
        f"- {sizes.runs:,} runs with {sizes.runs * 100:,} points, {sizes.many:,} runs more, {sizes.long_points + sizes.wide_runs * sizes.wide_points:,} points in long series; "
        f"on disk Lathe {sizes_on_disk['lathe'] / 2**20:,.0f} MiB, MLflow {sizes_on_disk['mlflow'] / 2**20:,.0f} MiB",
        "",
        *table(sizes, measured),
        "",
    ]
    if len(measured) == len(results):
        lines += [*flatness(sizes, measured), ""]
    lines += [
        "| | MLflow | Lathe | goal |",
        "| --- | ---: | ---: | --- |",
        f"| idle memory after start (PSS), MiB | {memory['mlflow']:,.0f} | {memory['lathe']:,.0f} | <= 100 |",
        f"| memory after the load (PSS), MiB | {memory_after['mlflow']:,.0f} | {memory_after['lathe']:,.0f} | |",
        f"| ready after exec, ms (median) | {statistics.median(ready['mlflow']):,.0f} | {statistics.median(ready['lathe']):,.0f} | <= 1,000 |",
        "",
        f"Lathe was filled through its REST API by six clients: {fill_wall:.0f} s, {fill_cpu:.0f} s of CPU. MLflow's rows were written into its SQLite file.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)
        say(f"written to {options.out}")


if __name__ == "__main__":
    main()
