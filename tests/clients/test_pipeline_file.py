"""`lathe pipeline lint` and `lathe pipeline graph`: the real binary, files on disk, no server."""

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.paths import lathe_binary

Lathe = Callable[..., subprocess.CompletedProcess[str]]

HEAD = "name: p\njobs:\n"
GOOD = HEAD + "  a: { run: echo }\n  b: { needs: [a], run: echo, matrix: { s: [1, 2] } }\n"

# A broken file for each kind of mistake, with the code, line and column it must get.
BROKEN = {
    "yaml": ("name: [p\njobs: {}\n", "yaml"),
    "two documents": ("name: p\n---\nname: q\n", "yaml"),
    "too deep": ("[" * 40 + "]" * 40, "too_deep"),
    "too large": ("#" * (1024 * 1024 + 1), "too_large"),
    "unknown key": (HEAD + "  a: { run: x, neds: [b] }\n", "unknown_key", 3, 16),
    "key twice": (HEAD + "  a: { run: x }\n  a: { run: y }\n", "duplicate", 4, 3),
    "missing key": ("name: p\n", "missing_key", 1, 1),
    "wrong type": (HEAD + "  a: { run: x, cache: perhaps }\n", "wrong_type", 3, 23),
    "wrong value": (HEAD + "  a: { run: x, timeout: soon }\n", "invalid_value", 3, 25),
    "wrong name": (HEAD + "  A b: { run: x }\n", "invalid_name", 3, 3),
    "cron": ("name: p\non: { schedule: { cron: nightly } }\njobs: { a: { run: x } }\n", "invalid_value", 2, 25),
    "unknown job": (HEAD + "  a: { needs: [b], run: x }\n", "unknown_job", 3, 16),
    "cycle": (HEAD + "  a: { needs: [b], run: x }\n  b: { needs: [a], run: x }\n", "cycle", 3, 16),
    "unknown param": (HEAD + "  a: { run: 'x ${{ params.n }}' }\n", "unknown_reference", 3, 20),
    "not in needs": (HEAD + "  a: { run: x }\n  b: { run: 'x ${{ jobs.a.run_id }}' }\n", "not_needed", 4, 20),
    "no expression": (HEAD + "  a: { run: 'x ${{ 1 == }}' }\n", "expression", 3, 24),
    "misplaced": (HEAD + "  a: { run: 'x ${{ success() }}' }\n", "misplaced", 3, 20),
    "quoting": (
        "name: p\nparams: { n: { type: str } }\njobs:\n  a:\n    run: echo '${{ params.n }}'\n",
        "quoting",
        5,
        20,
    ),
    "secret": (HEAD + "  a: { run: 'x ${{ secrets.KEY }}' }\n", "undeclared_secret", 3, 20),
    "path": (HEAD + "  a: { run: x, outputs: { o: ../../etc } }\n", "path_escapes", 3, 30),
    "requirements": (
        HEAD + "  a: { run: x, env: { venv: { requirements: pyproject.toml } } }\n",
        "invalid_value",
        3,
        45,
    ),
    "watch": (
        HEAD + '  a: { run: x, watch: { for: 1m, abort_if: ["error_rate > 0.1"] } }\n',
        "watch_without_canary",
        3,
        23,
    ),
    "never": (HEAD + "  a: { run: x, matrix: { s: [] } }\n", "unsatisfiable", 3, 26),
    "team": (HEAD + "  a: { approval: { team: risk } }\n", "not_yet", 3, 3),
    "param of a trigger": (
        "name: p\non: { schedule: { cron: '0 3 * * *' } }\nparams: { n: { type: int } }\njobs: { a: { run: x } }\n",
        "missing_key",
        3,
        11,
    ),
    "sweep": (HEAD + "  a: { run: x, sweep: { method: tpe } }\n", "not_yet", 3, 16),
}


@pytest.fixture
def lathe(tmp_path: Path) -> Lathe:
    """Runs `lathe pipeline …` in an empty folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(lathe_binary()), "pipeline", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.parametrize("name", BROKEN)
def test_each_kind_of_mistake_is_named_where_it_is(lathe: Lathe, tmp_path: Path, name: str) -> None:
    text, code, *place = BROKEN[name]
    (tmp_path / "lathe.yaml").write_text(text)
    done = lathe("lint", "-o", "json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found[0]["code"] == code, found
    assert found[0]["file"] == "lathe.yaml"
    assert place in ([], [found[0]["line"], found[0]["column"]]), found
    assert all(mistake["line"] >= 1 and mistake["column"] >= 1 and mistake["length"] >= 1 for mistake in found)


def test_a_mistake_is_shown_as_a_compiler_shows_it(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(HEAD + "  a: { run: x, neds: [b] }\n  b: { run: x, timeout: soon }\n")
    done = lathe("lint")
    assert done.returncode == 1
    assert done.stdout == (
        "lathe.yaml:3:16: error: job `a` has no key `neds`; did you mean `needs`? [unknown_key]\n"
        " 3 |   a: { run: x, neds: [b] }\n"
        "   |                ^^^^\n"
        "lathe.yaml:4:25: error: `timeout` is a duration such as `30s`, `10m`, `2h` or `3d`, not `soon` [invalid_value]\n"
        " 4 |   b: { run: x, timeout: soon }\n"
        "   |                         ^^^^\n"
    )
    assert done.stderr == "2 mistakes in 1 file\n"


def test_independent_mistakes_are_told_together(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(
        "name: p\n"
        "on:\n"
        "  schedule: { cron: '9 * * * *', tz: Mars/X }\n"
        "  data_commit: { repo: data, paths: ['!docs/**'] }\n"
        "params: { a: { type: str, default: x } }\n"
        "jobs:\n"
        "  a: { needs: [b], run: \"echo '${{ params.a }}'\" }\n"
        "  b: { needs: [a], run: 'python -c ${{ matrix.q }}', matrix: { q: [1] }, secrets: [AWS_X] }\n"
        "  c: { run: x, inputs: { d: 'data://x' } }\n"
    )
    found = json.loads(lathe("lint", "-o", "json").stdout)
    assert [(one["code"], one["line"]) for one in found] == [
        ("invalid_value", 3), ("invalid_value", 4), ("cycle", 7), ("quoting", 7), ("quoting", 8), ("invalid_name", 8), ("invalid_value", 9),
    ]  # fmt: skip


def test_all_files_of_a_folder_are_checked(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(GOOD)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "good.yaml").write_text(GOOD)
    done = lathe("lint")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no mistakes in 2 files\n")
    (tmp_path / "pipelines" / "bad.yaml").write_text("name: p\n")
    assert json.loads(lathe("lint", "-o", "json").stdout)[0]["file"] == "pipelines/bad.yaml"
    assert lathe("lint", "lathe.yaml").returncode == 0
    rows = list(csv.DictReader(io.StringIO(lathe("lint", "-o", "csv").stdout)))
    assert [row["code"] for row in rows] == ["missing_key"]


def test_what_does_nothing_yet_is_warned_of(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(HEAD + "  a: { run: x, resources: { gpu: 2 }, queue: big }\nnotify: [{ on: failure, webhook: 'https://x' }]\n")
    done = lathe("lint")
    assert (done.returncode, done.stderr) == (0, "no mistakes and 3 warnings in 1 file\n")
    assert done.stdout.startswith("lathe.yaml:3:3: warning: job `a` asks for a GPU"), done.stdout
    found = json.loads(lathe("lint", "-o", "json").stdout)
    assert [(one["code"], one["level"]) for one in found] == [("not_yet", "warning")] * 3
    (tmp_path / "lathe.yaml").write_text("name: p\n")
    assert json.loads(lathe("lint", "-o", "json").stdout)[0]["level"] == "error"


def test_a_file_that_cannot_be_read_is_an_error(lathe: Lathe, tmp_path: Path) -> None:
    done = lathe("lint")
    assert done.returncode == 3 and "there is neither lathe.yaml nor pipelines/*.yaml here" in done.stderr
    done = lathe("lint", "other.yaml")
    assert done.returncode == 3 and "there is no file other.yaml" in done.stderr
    (tmp_path / "lathe.yaml").write_bytes(b"\xff\xfe\x00")
    done = lathe("lint")
    assert done.returncode == 2 and "is not UTF-8 text" in done.stderr


def test_a_terminal_is_not_told_what_a_file_says(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(HEAD + '  a: { run: x, "k\\e[31m": 1 } # \u202e\n')
    done = lathe("lint")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout


def test_the_graph_is_drawn_in_every_format(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text(GOOD)
    assert lathe("graph").stdout == "p\n  0  a     run\n  1  b x2  run  <- a\n"
    assert lathe("graph", "--format", "mermaid").stdout == (
        'flowchart LR\n  j0["a<br/>run"]\n  j1["b x2<br/>run"]\n  j0 --> j1\n'
    )
    assert '  j1 [label="b x2\\nrun"];\n  j0 -> j1;\n' in lathe("graph", "lathe.yaml", "--format", "dot").stdout
    drawn = json.loads(lathe("graph", "--format", "json").stdout)
    assert drawn["edges"] == [{"from": "a", "to": "b"}]
    assert drawn["nodes"][1] == {"job": "b", "action": "run", "layer": 1, "cells": 2, "if": None}
    assert json.loads(lathe("graph", "-o", "json").stdout) == drawn


def test_a_broken_file_is_not_drawn(lathe: Lathe, tmp_path: Path) -> None:
    (tmp_path / "lathe.yaml").write_text("name: p\n")
    done = lathe("graph")
    assert done.returncode == 2 and "lathe.yaml is not a valid pipeline file: 1:1 a pipeline needs `jobs`" in done.stderr
    assert "lathe pipeline lint lathe.yaml" in done.stderr
