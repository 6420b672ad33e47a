"""Every answer of the server is MLflow's, but for what expected_differences.toml names."""

import json
import os
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from .catalogue import STEPS
from .compare import ASPECTS, differences
from .runner import run

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / f"answers-{version('mlflow')}.json").read_text())
LISTED = tomllib.loads((HERE / "expected_differences.toml").read_text())
EXPECTED = LISTED["difference"]
SPELLINGS = LISTED["spelling"]
PEER = os.environ.get("LATHE_TEST_PEER", "lathe")


@pytest.fixture(scope="module")
def subject(server_url: str) -> dict[str, Any]:
    """What the server under test answers; LATHE_PROBE_REPORT names a file in which to keep it."""
    answered = run(server_url)
    report = os.environ.get("LATHE_PROBE_REPORT")
    if report:
        Path(report).write_text(json.dumps(answered, indent=1, ensure_ascii=False))
    return answered


@pytest.fixture(scope="module")
def found(subject: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The differences between the recorded answers and those of the server under test."""
    spellings = [] if PEER == "mlflow" else [(entry["mlflow"], entry["here"]) for entry in SPELLINGS]
    return differences(REFERENCE, subject, spellings)


def test_the_recorded_answers_belong_to_this_catalogue() -> None:
    assert list(REFERENCE["answers"]) == [step.label for step in STEPS], "record again: python -m probe.record"


def test_every_expected_difference_is_well_formed() -> None:
    labels = [label for entry in EXPECTED for label in entry["requests"]]
    assert len(labels) == len(set(labels)), "every request is in one entry"
    for entry in EXPECTED:
        assert set(entry) == {"requests", "differs", "reason"}, entry
        assert entry["requests"] and set(entry["requests"]) <= set(REFERENCE["answers"]), entry
        assert set(entry["differs"]) <= set(ASPECTS) and entry["differs"], entry
        assert len(entry["reason"]) > 15, entry
    recorded = json.dumps(REFERENCE)
    for entry in SPELLINGS:
        assert set(entry) == {"mlflow", "here", "reason"}, entry
        assert json.dumps(entry["mlflow"]) in recorded, "MLflow answers that nowhere"
        assert len(entry["reason"]) > 15, entry


def show(label: str, different: dict[str, Any]) -> str:
    lines = [f"[{label}] {REFERENCE['answers'][label]['request']}"]
    for aspect, (expected, actual) in different.items():
        lines += [f"  {aspect}:", f"    MLflow: {str(expected)[:600]}", f"    here:   {str(actual)[:600]}"]
    return "\n".join(lines)


def test_answers_differ_only_where_it_is_expected(found: dict[str, dict[str, Any]]) -> None:
    listed = [] if PEER == "mlflow" else EXPECTED
    expected = {label: set(entry["differs"]) for entry in listed for label in entry["requests"]}
    unexpected = [show(label, different) for label, different in found.items() if set(different) != expected.get(label, set())]
    vanished = [f"[{label}] differs no longer: take its entry away" for label in expected if label not in found]
    assert not unexpected and not vanished, f"{len(unexpected)} unexpected, {len(vanished)} vanished\n" + "\n".join(
        unexpected + vanished
    )


@pytest.mark.lathe_only
def test_the_server_fails_at_none_of_these_requests(subject: dict[str, Any]) -> None:
    """MLflow answers 500 to fourteen of them."""
    # 501 is an answer of its own: a client that asks for a multipart upload then does without.
    failed = {
        label: answer["status"]
        for label, answer in subject["answers"].items()
        if answer["status"] >= 500 and answer["status"] != 501
    }
    assert failed == {}
