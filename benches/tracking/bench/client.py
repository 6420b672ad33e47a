"""The load's HTTP client: one connection that stays open, no more work than necessary."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit


class Client:
    def __init__(self, base_url: str):
        parts = urlsplit(base_url)
        self.address = (parts.hostname, parts.port)
        self.connection = http.client.HTTPConnection(*self.address, timeout=600)

    def send(self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None) -> bytes:
        target = "/api/2.0/mlflow/" + path + ("?" + urlencode(query, doseq=True) if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        try:
            self.connection.request(method, target, data, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, ConnectionError):
            # A server may close an idle connection: once more on a new one.
            self.connection.close()
            self.connection.request(method, target, data, headers)
            response = self.connection.getresponse()
            content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {target}: {response.status} {content[:500]!r}")
        return content

    def post(self, path: str, body: Any) -> Any:
        return json.loads(self.send("POST", path, body))

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self.send("GET", path, query=query))
