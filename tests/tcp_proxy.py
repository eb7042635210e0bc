"""A TCP proxy on loopback that loses what a test tells it to: connections, or answers to single requests."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_PIECE = 64 << 10


class TcpProxy:
    """Passes bytes on to ``target_port`` of 127.0.0.1 and back, until told otherwise; with ``tls`` it ends that."""

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = ("127.0.0.1", target_port)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._sent_bytes = 0
        self._cut_at: int | None = None
        self._is_down = False
        self._muted: dict[bytes, int] = {}
        self._shortened: dict[bytes, tuple[int, int]] = {}
        self.lost_answers = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_after(self, sent_bytes: int) -> None:
        """Once clients have sent that much from now on, cut every connection and accept no more."""
        with self._lock:
            self._cut_at = self._sent_bytes + sent_bytes

    def lose_answer(self, request: bytes, times: int = 1) -> None:
        """Pass on requests that contain ``request``, but cut the connection instead of passing on the answer."""
        self._muted[request] = times

    def cut_answer(self, request: bytes, after_bytes: int, times: int = 1) -> None:
        """Pass on requests that contain ``request``, but cut the connection amid the answer."""
        self._shortened[request] = (after_bytes, times)

    def restore(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._cut_at, self._is_down = None, False

    def close(self) -> None:
        """Cut everything and stop listening."""
        self._cut()
        # Wakes the thread that waits in accept, which close alone does not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_down:
                client.close()
                continue
            try:
                client = client if self._tls is None else self._tls.wrap_socket(client, server_side=True)
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            _Pair(self, client, server).start()

    def count(self, sent: int) -> bool:
        """Note bytes that a client sent; False when they are not to be passed on any more."""
        with self._lock:
            self._sent_bytes += sent
            is_cut = self._cut_at is not None and self._sent_bytes >= self._cut_at
        if is_cut:
            self._is_down = True
            self._cut()
        return not is_cut

    def is_to_be_lost(self, request: bytes) -> bool:
        """Does this piece of a request begin one whose answer is to be lost?"""
        with self._lock:
            for mark, times in self._muted.items():
                if times and mark in request:
                    self._muted[mark] = times - 1
                    self.lost_answers += 1
                    return True
        return False

    def allowance(self, request: bytes) -> int | None:
        """How many bytes of the answer to this piece of a request may pass; None: all."""
        with self._lock:
            for mark, (after_bytes, times) in self._shortened.items():
                if times and mark in request:
                    self._shortened[mark] = (after_bytes, times - 1)
                    self.lost_answers += 1
                    return after_bytes
        return None

    def forget(self, *ends: socket.socket) -> None:
        """Close one connection."""
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            _end(end)

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _end(end)


class _Pair:
    """One connection: two threads, one for each direction."""

    def __init__(self, proxy: TcpProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_mute = False
        self._allowed: int | None = None

    def start(self) -> None:
        threading.Thread(target=self._upstream, daemon=True).start()
        threading.Thread(target=self._downstream, daemon=True).start()

    def _upstream(self) -> None:
        with suppress(OSError):
            while piece := self._client.recv(_PIECE):
                self._is_mute = self._is_mute or self._proxy.is_to_be_lost(piece)
                if self._allowed is None:
                    self._allowed = self._proxy.allowance(piece)
                if not self._proxy.count(len(piece)):
                    break
                self._server.sendall(piece)
        self._end()

    def _downstream(self) -> None:
        with suppress(OSError):
            while piece := self._server.recv(_PIECE):
                if self._is_mute:
                    break
                self._client.sendall(piece[: self._allowed])
                if self._allowed is not None:
                    self._allowed = max(0, self._allowed - len(piece))
                    if not self._allowed:
                        break
        self._end()

    def _end(self) -> None:
        self._proxy.forget(self._client, self._server)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
