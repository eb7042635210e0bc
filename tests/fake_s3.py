"""An HTTP endpoint that answers like AWS, for what no S3 server that runs here speaks or stores."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

from holdfast.values.connection import Connection


class Asked(NamedTuple):
    """A request: ``path`` as it came, nothing decoded; ``query`` with its question mark cut off."""

    method: str
    path: str
    query: str
    body: bytes
    is_signed: bool


Answer = tuple[int, bytes]


class FakeS3:
    """Answers each request as ``answer`` says, and keeps them all in ``asked``."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        fake = self
        self.asked: list[Asked] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                path, _, query = self.path.partition("?")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, path, query, body, "Authorization" in self.headers)
                fake.asked.append(asked)
                status, content = answer(asked)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"1"')
                self.send_header("Last-Modified", "Sun, 22 Nov 2026 02:00:00 GMT")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def connection(self, conn_id: str) -> Connection:
        """The connection of type aws that leads here."""
        extra = {"endpoint_url": f"http://127.0.0.1:{self._server.server_port}", "region_name": "us-east-1"}
        return Connection(conn_id, "aws", login="key", password="secret", extra=extra)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def refusal(status: int, code: str) -> Answer:
    """An error as S3 tells it."""
    return status, f"<Error><Code>{code}</Code><Message>Told by a test</Message></Error>".encode()
