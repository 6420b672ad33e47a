"""`make demo-quick` and `make demo-digits`, as far as a test can do it: the scripts behind them."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.http import Http
from support.paths import ROOT, SCRIPTS, lathe_binary
from support.servers import LatheServer
from support.waiting import wait_for

pytestmark = [pytest.mark.lathe_only, pytest.mark.slow]


def start_demo(script: str, folder: Path, address: str, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {
        "LATHE_BIN": str(lathe_binary()),
        "LATHE_DEMO_LISTEN": address,
        "LATHE_DEMO_DATA": str(folder / "data"),
        "NO_COLOR": "1",
    }
    output = (folder / "output.txt").open("w")
    command = [str(SCRIPTS / script), *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
    )


def free_address() -> str:
    """A port with a free one behind it, for S3."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return f"127.0.0.1:{port}"


@pytest.mark.any_database
def test_the_quick_demo_tells_the_whole_story_and_can_tell_it_again(tmp_path: Path) -> None:
    for round in (1, 2):
        demo = start_demo("demo.sh", tmp_path, free_address(), "--quick", "--exit")
        code = demo.wait(timeout=600)
        text = (tmp_path / "output.txt").read_text()
        assert code == 0, text
        for step in ("1/5", "2/5", "3/5", "4/5", "5/5", "alert: quality is 0.", f"version {2 * round} took over from version {2 * round - 1}"):
            assert step in text, f"round {round}: {step} is missing in\n{text}"
        answer = text.partition("$ lathe lineage why ")[2]
        for part in ("deployment flights-delay", f"model flights-delay/{2 * round}", " run ", " job ", " data flights@", " code "):
            assert part in answer, f"round {round}: {part} is missing in\n{answer}"


def test_a_model_sees_nothing_that_is_known_after_the_planned_departure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "flights"))
    from features import FEATURES

    assert not set(FEATURES) & {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum", "month", "late"}
    assert len(FEATURES) > 10


def test_no_line_of_the_training_code_mentions_lineage() -> None:
    for step in ("validate", "prepare", "features", "train", "evaluate"):
        text = (ROOT / "examples" / "flights" / f"{step}.py").read_text().lower()
        assert "lineage" not in text and "lathe" not in text, step


def test_the_demo_leaves_a_server_until_it_is_stopped(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    demo = start_demo("demo-digits.sh", tmp_path, address)
    output = tmp_path / "output.txt"
    try:

        def is_ready() -> bool:
            assert demo.poll() is None, f"the demo ended by itself:\n{output.read_text()}"
            return "until you press Ctrl-C" in output.read_text()

        wait_for("the end of the demo's training", is_ready, seconds=240, pause=0.2)
        text = output.read_text()
        assert "5/5" in text and "champion" in text
        assert f"http://{address}" in text
        http = Http(f"http://{address}")
        alias = http.ok(http.get("registered-models/alias", name="digits", alias="champion"))
        assert alias["model_version"]["version"] == "1"
        commands = [line.strip() for line in text.splitlines() if re.match(r"^  \S*(lathe|eval) ?", line)]
        assert len(commands) == 3, text
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        code = demo.wait(timeout=60)
    assert code == 0
    with pytest.raises(OSError):
        socket.create_connection((address.partition(":")[0], int(address.partition(":")[2])), timeout=2).close()


def test_the_demo_uses_a_server_that_runs_already(tmp_path: Path, make_lathe) -> None:
    server: LatheServer = make_lathe().start()
    demo = start_demo("demo-digits.sh", tmp_path, server.url.removeprefix("http://"), "--exit")
    assert demo.wait(timeout=240) == 0, (tmp_path / "output.txt").read_text()
    text = (tmp_path / "output.txt").read_text()
    assert "using it" in text and "done in" in text
    assert server.is_running() and Http(server.url).get("/health").ok
