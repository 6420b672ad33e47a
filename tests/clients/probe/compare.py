"""Brings answers into a form in which two servers can be compared, and names the aspects in which they differ.

Ids become the names they were saved under, times near "now" become `<time>`, invented names `<random name>`, page tokens
`<token>`. Texts that hold JSON are compared as JSON. What a server spells otherwise everywhere (`spellings`) is brought into
the other spelling. Lists of key-value objects with distinct keys (tags, params, metrics of a run) are sorted: their order has no
meaning. Sets inside messages (Python prints them in any order) are sorted, too.
"""

import json
import re
from typing import Any

ASPECTS = ("status", "content_type", "error_code", "message", "error_detail", "body")
HEX_ID = re.compile(r"\b(m-)?[0-9a-f]{32}\b")
EXPERIMENT = re.compile(r"(mlflow-artifacts:/|[Ee]xperiment |with id |id=|: '(?=\d+/))(\d+)\b")
DATABASE = re.compile(r"sqlite://\S+")
RANDOM_NAME = re.compile(r"^[a-z]+-[a-z]+-\d+$")
SET = re.compile(r"\{('[^{}]*')\}")
DAY_MS = 24 * 60 * 60 * 1000


class Normaliser:
    def __init__(self, recorded: dict[str, Any], spellings: list[tuple[Any, Any]]):
        self.spellings = spellings
        self.now_ms = recorded["sent_at_ms"]
        variables = recorded["variables"]
        self.experiments = {value: f"<{name}>" for name, value in variables.items() if value.isdecimal()}
        self.others = {value: f"<{name}>" for name, value in variables.items() if not value.isdecimal()}

    def text(self, value: str) -> str:
        for known, name in self.others.items():
            value = value.replace(known, name)
        value = HEX_ID.sub(lambda match: f"<{match.group(1) or ''}id>", value)
        value = EXPERIMENT.sub(lambda match: match.group(1) + self.experiments.get(match.group(2), match.group(2)), value)
        value = DATABASE.sub("<database>", value.partition("[SQL:")[0])
        return SET.sub(lambda match: "{" + ", ".join(sorted(match.group(1).split(", "))) + "}", value)

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.value(item, name) for name, item in value.items()}
        if isinstance(value, list):
            items = [self.value(item, key) for item in value]
            keys = [item.get("key", item.get("alias")) if isinstance(item, dict) else None for item in items]
            if None not in keys and len(set(keys)) == len(keys):
                return sorted(items, key=lambda item: str(item.get("key", item.get("alias"))))
            return items
        if key == "next_page_token":
            return "<token>"
        for theirs, ours in self.spellings:
            if type(value) is type(theirs) and value == theirs:
                return ours
        if isinstance(value, (int, str)) and not isinstance(value, bool) and re.fullmatch(r"\d{13}", str(value)):
            return "<time>" if abs(int(value) - self.now_ms) < DAY_MS else value
        if isinstance(value, str):
            if key == "experiment_id":
                return self.experiments.get(value, value)
            if RANDOM_NAME.fullmatch(value):
                return "<random name>"
            if value.startswith(("[{", "{")):
                try:
                    return self.value(json.loads(value))
                except ValueError:
                    pass
            return self.text(value)
        return value


def aspects(answer: dict[str, Any], normaliser: Normaliser) -> dict[str, Any]:
    """An answer as `{aspect: value}`; an error's parts are aspects of their own."""
    body = normaliser.value(answer.get("json", answer.get("text")))
    found = {"status": answer["status"], "content_type": answer["content_type"]}
    if isinstance(body, dict) and "error_code" in body:
        found["error_code"] = body["error_code"]
        found["message"] = body.get("message")
        found["error_detail"] = {
            name: item for name, item in body.items() if name not in ("error_code", "message", "request_id")
        }
    else:
        found["body"] = body
    return found


def differences(
    reference: dict[str, Any], subject: dict[str, Any], spellings: list[tuple[Any, Any]]
) -> dict[str, dict[str, tuple[Any, Any]]]:
    """`{label: {aspect: (reference, subject)}}` for every request whose answers differ.

    `spellings` are pairs of values: what the reference writes where the subject writes something else, everywhere.
    """
    reference_form, subject_form = Normaliser(reference, spellings), Normaliser(subject, [])
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for label, answer in reference["answers"].items():
        expected = aspects(answer, reference_form)
        actual = aspects(subject["answers"][label], subject_form)
        different = {
            aspect: (expected.get(aspect), actual.get(aspect))
            for aspect in ASPECTS
            if expected.get(aspect) != actual.get(aspect)
        }
        if different:
            found[label] = different
    return found
