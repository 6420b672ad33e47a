"""`benches/data/run.sh [--quick] [--out FILE]`: the S3 door and `lathe cp` beside their peers, in one run."""

import argparse
import io
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from bench import machine
from bench.processes import cpu_seconds
from support.http import Http
from support.servers import LatheServer
from support.waiting import wait_for

MIB = 1024 * 1024


@dataclass
class Cost:
    """Seconds of one measurement."""

    wall: float
    server_cpu: float
    client_cpu: float = 0.0


class Zeros(io.RawIOBase):
    """A file of so many bytes that costs the client next to nothing."""

    def __init__(self, size: int):
        self.size, self.at, self.block = size, 0, os.urandom(MIB)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = {0: 0, 1: self.at, 2: self.size}[whence] + offset
        return self.at

    def readinto(self, buffer) -> int:
        length = min(len(buffer), self.size - self.at, MIB)
        buffer[:length] = self.block[:length]
        self.at += length
        return length


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(session: int, work: Callable[[], object]) -> Cost:
    cpu, wall = cpu_seconds(session), time.perf_counter()
    work()
    return Cost(time.perf_counter() - wall, cpu_seconds(session) - cpu)


def client_of(url: str, key: str, secret: str):
    settings = Config(signature_version="s3v4", s3={"payload_signing_enabled": False}, request_checksum_calculation="when_required",
                      response_checksum_validation="when_required", read_timeout=600, retries={"max_attempts": 1})  # fmt: skip
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret, config=settings)


def large_file(client, session: int, bucket: str, prefix: str, size: int) -> dict[str, Cost]:
    parts = TransferConfig(multipart_threshold=64 * MIB, multipart_chunksize=64 * MIB, max_concurrency=4)

    def download() -> None:
        body = client.get_object(Bucket=bucket, Key=f"{prefix}one")["Body"]
        while body.read(MIB):
            pass

    return {
        "PUT in one request": measured(session, lambda: client.put_object(Bucket=bucket, Key=f"{prefix}one", Body=Zeros(size), ContentLength=size)),
        "PUT in parts of 64 MiB": measured(session, lambda: client.upload_fileobj(io.BufferedReader(Zeros(size), MIB), bucket, f"{prefix}parts", Config=parts)),
        "GET": measured(session, download),
    }  # fmt: skip


def start_peer(folder: Path) -> tuple[subprocess.Popen, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "bucket").mkdir(parents=True)
    process = subprocess.Popen(
        [os.environ["S3S_FS_BIN"], "--host", "127.0.0.1", "--port", str(port), "--access-key", "key", "--secret-key", "secret", str(folder)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=os.environ | {"RUST_LOG": "error"},
    )  # fmt: skip

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    wait_for("s3s-fs", answers, 20)
    return process, f"http://127.0.0.1:{port}"


def many_files(folder: Path, count: int, size: int) -> Path:
    for number in range(count):
        file = folder / f"{number // 100:03}" / f"{number:05}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(size))
    return folder


def run(command: list[str], folder: Path, **environment: str) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment)


def lathe_cp(server: LatheServer, files: Path, work: Path) -> Cost:
    Http(server.url).post("/api/v1/repos", {"name": "many"})
    binary, url = str(server.binary), {"LATHE_URL": server.url}

    def copy() -> None:
        run([binary, "cp", str(files), "data://many/files/"], work, **url)
        run([binary, "commit", "many", "-m", "many files"], work, **url)

    before = children_cpu()
    cost = measured(server.pid, copy)
    cost.client_cpu = children_cpu() - before
    return cost


def lathe_checkout(server: LatheServer, work: Path) -> Cost:
    before = children_cpu()
    cost = measured(server.pid, lambda: run([str(server.binary), "checkout", "many", "out"], work, LATHE_URL=server.url))
    cost.client_cpu = children_cpu() - before
    return cost


def dvc_pull(work: Path) -> Cost:
    """Into a folder that has neither the files nor a cache of them."""
    shutil.rmtree(work / "files")
    shutil.rmtree(work / ".dvc" / "cache")
    before, wall = children_cpu(), time.perf_counter()
    run(["dvc", "pull"], work)
    return Cost(time.perf_counter() - wall, 0.0, children_cpu() - before)


def dvc_push(files: Path, work: Path, remote: Path) -> Cost:
    """DVC with a remote on the same disk: it has no server, all its work is the client's."""
    shutil.copytree(files, work / "files")
    run(["dvc", "init", "--no-scm"], work)
    run(["dvc", "remote", "add", "-d", "local", str(remote)], work)
    before, wall = children_cpu(), time.perf_counter()
    run(["dvc", "add", "files"], work)
    run(["dvc", "push"], work)
    return Cost(time.perf_counter() - wall, 0.0, children_cpu() - before)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benches/data/run.sh")
    parser.add_argument("--quick", action="store_true", help="a tenth of the data: to see that it works")
    parser.add_argument("--out", type=Path, help="write the Markdown to this file, too")
    options = parser.parse_args()
    size, count = (100 * MIB, 1_000) if options.quick else (1024 * MIB, 10_000)
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="lathe-bench-") as name:
        folder = Path(name)
        lathe = LatheServer(folder / "lathe").start()
        peer, peer_url = start_peer(folder / "peer")
        try:
            http = Http(lathe.url)
            http.ok_any(http.post("/api/v1/repos", {"name": "large"}))
            keys = http.ok(http.get("/api/v1/s3-credentials"))
            say(f"a file of {size // MIB} MiB")
            own = large_file(client_of(keys["endpoint_url"], keys["access_key_id"], keys["secret_access_key"]), lathe.pid, "large", "main/", size)
            other = large_file(client_of(peer_url, "key", "secret"), peer.pid, "bucket", "", size)
            say(f"{count:,} files of 10 KiB")
            files = many_files(folder / "files", count, 10 * 1024)
            (folder / "cp").mkdir()
            (folder / "dvc").mkdir()
            copied = lathe_cp(lathe, files, folder / "cp")
            pushed = dvc_push(files, folder / "dvc", folder / "remote")
            fetched = lathe_checkout(lathe, folder / "cp")
            pulled = dvc_pull(folder / "dvc")
        finally:
            lathe.stop()
            os.killpg(peer.pid, signal.SIGKILL)
    lines = [
        *machine.describe(lathe.binary, load_before, os.getloadavg()),
        "- the peer of the S3 door is s3s-fs 0.14.1, which neither hashes what it stores nor waits for the disk; boto3 is the client of both",
        "",
        f"| a file of {size // MIB} MiB by S3 | s3s-fs, s | Lathe, s | ratio | goal | | s3s-fs CPU, s | Lathe CPU, s |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for work, cost in own.items():
        ratio = cost.wall / other[work].wall
        met = "met" if ratio <= 2 else "**missed**"
        lines.append(f"| {work} | {other[work].wall:.2f} | {cost.wall:.2f} | {ratio:.1f} | <= 2 | {met} | {other[work].server_cpu:.2f} | {cost.server_cpu:.2f} |")
    lines += [
        "",
        f"| {count:,} files of 10 KiB | CPU, s | of it server | wall, s | less CPU | goal | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for peer, peer_cost, work, cost in [
        ("`dvc add` and `dvc push` to a folder", pushed, "`lathe cp` and `lathe commit`", copied),
        ("`dvc pull` from it, nothing cached", pulled, "`lathe checkout`", fetched),
    ]:
        own_cpu = cost.client_cpu + cost.server_cpu
        ratio = peer_cost.client_cpu / own_cpu
        lines += [
            f"| {peer} | {peer_cost.client_cpu:.2f} | | {peer_cost.wall:.1f} | | | |",
            f"| {work} | {own_cpu:.2f} | {cost.server_cpu:.2f} | {cost.wall:.1f} | {ratio:.1f} x | >= 10 x | {'met' if ratio >= 10 else '**missed**'} |",
        ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
