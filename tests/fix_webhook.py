"""A web server of our own that takes what Apprise and pings send, and can refuse, hang or be down."""

from __future__ import annotations

import contextlib
import importlib
import json
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

import pytest

# Apprise imports it where it still exists, and Python warns of that, which would be an error here.
with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("imghdr")

TOKEN = "tok3n-Zw9-secret"


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    body: str

    @property
    def message(self) -> Any:
        """What Apprise's json:// sent: title, message, type."""
        return json.loads(self.body)

    @property
    def title(self) -> str:
        """The message's title."""
        return str(self.message["title"])


@dataclass
class Webhook:
    """``requests``: all that came. ``answers``: statuses of the next answers, 200 once they are used up.

    ``status``: what all others are answered with; ``hangs``: whether it takes requests and never answers;
    ``moved_to``: where it sends those that POST.
    """

    port: int
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    status: int = 200
    hangs: bool = False
    moved_to: str | None = None
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def taken(self) -> list[Received]:
        """What was answered with success, forgotten at once: each look shows what is new."""
        found, self.requests[:] = list(self.requests), []
        return found

    @property
    def titles(self) -> list[str]:
        """The titles of what is new."""
        return [each.title for each in self.taken]

    def url(self, path: str = "hook") -> str:
        """As Apprise's JSON service wants it; the path holds a token."""
        return f"json://127.0.0.1:{self.port}/{path}/{TOKEN}"

    def connection(self, *tags: str, path: str = "hook") -> str:
        """What AIRFLOW_CONN_… says; an address for each tag, or one without."""
        entries = [{"path": self.url(f"{path}-{tag}"), "tag": tag} for tag in tags] or [{"path": self.url(path)}]
        return json.dumps({"conn_type": "apprise", "extra": {"config": entries}})

    def ping_connection(self, path: str = "ping") -> str:
        """A connection whose URL is to be pinged."""
        return f"http://127.0.0.1:{self.port}/{path}-{TOKEN}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A running server that takes everything."""
    with running_webhook() as hook:
        yield hook


@contextlib.contextmanager
def running_webhook() -> Iterator[Webhook]:
    """The same for as long as somebody wants it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    hook = Webhook(server.server_address[1])
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if hook.hangs:
                hook.released.wait(60)
                return
            with lock:
                status = hook.answers.pop(0) if hook.answers else hook.status
                is_moved = hook.moved_to is not None and self.command == "POST"
                if status < 400 and not is_moved:
                    hook.requests.append(Received(self.command, self.path, body))
            self.send_response(302 if is_moved else status)
            if is_moved:
                self.send_header("Location", str(hook.moved_to))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the server's name for it

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server.RequestHandlerClass = Handler
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        hook.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
