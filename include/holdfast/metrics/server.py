"""Serves /metrics over HTTP: to this machine alone, or to whoever brings the token."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from holdfast.errors import UsageError
from holdfast.metrics.latest import Latest

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What Prometheus waits for unless it says so itself is ten seconds.
_WAIT_S = 8.0
_LONGEST_WAIT_S = 60.0
_SPARE_S = 0.5
_IDLE_S = 15.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host, by name or number, and a port (0: any that is free)."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``HOST:PORT``, ``[IPV6]:PORT`` or ``PORT``, which is on the loopback; raises UsageError."""
        host, _, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
        # An IPv6 address without brackets does not say where its port begins.
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16) or (bare == host and ":" in host):
            raise UsageError(f"address {text!r}: not of the form HOST:PORT", hint="Write it like 127.0.0.1:9187.")
        return cls(bare or "127.0.0.1", int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return is_local(self.host)


def is_local(host: str) -> bool:
    """Whether a host is this machine's loopback; a name other than localhost could be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class MetricsServer(ThreadingHTTPServer):
    """An HTTP server of one route; without a ``token`` it is refused any address but a loopback."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: Address, latest: Latest, token: str | None) -> None:
        if token is None and not address.is_loopback:
            raise UsageError(
                f"address {address.host}: reachable from elsewhere, so that a token is needed",
                hint="Give --token-file or --token-conn, or listen on 127.0.0.1.",
            )
        self.latest = latest
        self.token = token
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            super().__init__((address.host, address.port), _Handler)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "cannot be used"
            raise UsageError(f"address {address.host}:{address.port}: {reason.lower()}") from error

    def server_bind(self) -> None:
        """Bind, without asking the domain name system who we are as the base class does: that may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "holdfast"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        self._answer(*self._found())

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: a scrape a minute is no news, and what is asked for may be anything."""

    def _found(self) -> tuple[HTTPStatus, str]:
        """The status and the text of the answer."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if urlsplit(self.path).path != PATH:
            return HTTPStatus.NOT_FOUND, f"metrics are at {PATH}\n"
        text = self.server.latest.text(self._patience_s())
        if text is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, "the stores have not been read yet\n"
        return HTTPStatus.OK, text

    def _refusal(self) -> tuple[HTTPStatus, str] | None:
        """Why nothing is told, to anybody and for any path."""
        token = self.server.token
        if token is None:
            # A page in a browser of this machine could have its own name lead here.
            host = urlsplit(f"//{self.headers.get('Host', 'localhost')}").hostname or ""
            return None if is_local(host) else (HTTPStatus.FORBIDDEN, "only for this machine\n")
        given = self.headers.get("Authorization", "")
        kind, _, shown = given.partition(" ")
        is_right = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), token.encode("utf-8"))
        if kind.lower() == "bearer" and is_right:
            return None
        return HTTPStatus.UNAUTHORIZED, "a token is needed\n"

    def _patience_s(self) -> float:
        """A little less than the time after which Prometheus gives up, as it says itself."""
        try:
            asked = float(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds", ""))
        except ValueError:
            return _WAIT_S
        return min(max(asked - _SPARE_S, 0.0), _LONGEST_WAIT_S)

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
