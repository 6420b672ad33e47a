"""Sends the catalogue to a server and records what it answers."""

import json
import re
import time
import uuid
from typing import Any

import requests

from .catalogue import STEPS
from .steps import API, Step


def fill(value: Any, variables: dict[str, str]) -> Any:
    """Replaces `${name}` everywhere in a JSON value."""
    if isinstance(value, str):
        for name, known in variables.items():
            value = value.replace("${" + name + "}", known)
        assert "${" not in value, f"nothing was saved for a variable in {value!r}"
        return value
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    if isinstance(value, dict):
        return {fill(key, variables): fill(item, variables) for key, item in value.items()}
    return value


def shorten(text: str) -> str:
    """A character that is repeated a hundred times or more is written once, with its count."""
    return re.sub(r"(.)\1{99,}", lambda match: f"{match.group(1)}…{len(match.group(0))}", text)


def pick(answer: Any, path: str) -> str:
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return str(answer)


def send(session: requests.Session, base_url: str, step: Step, variables: dict[str, str]) -> requests.Response:
    path = fill(step.path, variables)
    url = base_url + (path if path.startswith("/") else API + path)
    request = requests.Request(step.method, url, params=fill(step.params, variables), headers=step.headers)
    if step.raw is not None:
        request.data = step.raw if isinstance(step.raw, bytes) else fill(step.raw, variables).encode()
    elif step.body is not None:
        request.json = fill(step.body, variables)
    prepared = session.prepare_request(request)
    if ".." in path:
        prepared.url = url  # `requests` would resolve the dots itself
    return session.send(prepared, timeout=120)


def run(base_url: str) -> dict[str, Any]:
    """All answers: `{"variables": {…}, "sent_at_ms": …, "answers": {label: {…}}}`."""
    session = requests.Session()
    session.trust_env = False
    # The letter keeps it from being read as an experiment's id, all digits as some would be without.
    variables = {"suffix": "x" + uuid.uuid4().hex[:11]}
    answers: dict[str, Any] = {}
    started_ms = int(time.time() * 1000)
    for step in STEPS:
        assert step.label not in answers, f"two requests are labelled {step.label!r}"
        response = send(session, base_url, step, variables)
        content_type = response.headers.get("Content-Type", "").partition(";")[0]
        answer: dict[str, Any] = {
            "request": f"{step.method} {step.path}",
            "status": response.status_code,
            "content_type": content_type,
        }
        try:
            answer["json"] = json.loads(shorten(response.text))
        except ValueError:
            # Pages of HTML are only told apart by their status.
            answer["text"] = response.text if content_type == "text/plain" else ""
        answers[step.label] = answer
        for name, field in step.save.items():
            assert response.ok, f"[{step.label}] must succeed, later requests need it: {response.status_code} {response.text}"
            variables[name] = pick(answer["json"], field)
    return {"variables": variables, "sent_at_ms": started_ms, "answers": answers}
