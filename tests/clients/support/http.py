"""Plain HTTP against a server: what MLflow's client cannot or would not send."""

import time
from typing import Any

import requests

API = "/api/2.0/mlflow/"


class Http:
    """`http.post("runs/create", {...})` sends to /api/2.0/mlflow/runs/create; a path with a leading / is taken as it is."""

    def __init__(self, base_url: str, headers: dict[str, str] | None = None):
        self.base_url = base_url.rstrip("/")
        self.used = time.monotonic()
        self.session = requests.Session()
        # The environment's proxies and .netrc are not ours.
        self.session.trust_env = False
        self.session.headers.update(headers or {})

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        url = self.base_url + (path if path.startswith("/") else API + path)
        if body is not None:
            options["json"] = body
        options.setdefault("timeout", 120)
        # The server closes what was idle for ten seconds: a request that is sent just then would be lost.
        if time.monotonic() - self.used > 5:
            self.session.close()
        self.used = time.monotonic()
        return self.session.request(method, url, **options)

    def get(self, path: str, /, **params: Any) -> requests.Response:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", path, {} if body is None else body, **options)

    def ok(self, response: requests.Response) -> Any:
        assert response.status_code == 200, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
        return response.json()

    def ok_any(self, response: requests.Response) -> Any:
        """Like `ok`, for routes that may also answer 201 or 204."""
        assert response.ok, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    @classmethod
    def with_login(cls, base_url: str, username: str, password: str) -> "Http":
        http = cls(base_url)
        http.session.auth = (username, password)
        return http
