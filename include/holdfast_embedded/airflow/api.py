"""A small client of Airflow's REST API on loopback: what the first round of backups needs of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from holdfast.errors import PermanentError, TransientError

_TIMEOUT_S = 30
_TOKEN_LASTS_S = 3600
_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")

Json = Any


class AirflowApi:
    """Calls as one user, who is logged in when the first call needs it, and again from time to time."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._login = {"username": user, "password": password}
        self._token = ""
        self._token_ends_at = 0.0
        # A proxy of the caller's cannot reach our loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def unhealthy_parts(self) -> set[str]:
        """The parts that are not healthy; all of them while nobody answers."""
        try:
            health = self._send("GET", "/api/v2/monitor/health", None, {}) or {}
        except TransientError:
            return {"api-server"}
        return {part for part in _PARTS if (health.get(part) or {}).get("status") != "healthy"}

    def get(self, path: str) -> Json | None:
        """The answer below ``/api/v2``; None where there is no such thing (404)."""
        return self._call("GET", path, None)

    def items(self, path: str, name: str) -> list[dict[str, Any]]:
        """The first page of the collection ``name`` in the answer; empty where there is no such thing."""
        return list((self.get(path) or {name: []})[name])

    def post(self, path: str, body: Mapping[str, object]) -> Json:
        """Create something below ``/api/v2``."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """Change something below ``/api/v2``."""
        return self._call("PATCH", path, body)

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Json | None:
        if time.monotonic() > self._token_ends_at:
            answer = self._send("POST", "/auth/token", self._login, {})
            self._token = answer["access_token"] if answer else ""
            self._token_ends_at = time.monotonic() + _TOKEN_LASTS_S
        return self._send(method, f"/api/v2/{path}", body, {"Authorization": f"Bearer {self._token}"})

    def _send(
        self, method: str, path: str, body: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> Json | None:
        request = urllib.request.Request(  # noqa: S310 - always our own http:// address
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            answer = error.read().decode(errors="replace")[:300]
            kind = TransientError if error.code >= 500 else PermanentError
            raise kind(f"airflow {method} {path}: HTTP {error.code}: {answer}") from error
        except (OSError, ValueError) as error:
            raise TransientError(f"airflow {method} {path}: {error}") from error


def segment(text: str) -> str:
    """``text`` as one segment of a path."""
    return quote(text, safe="")
