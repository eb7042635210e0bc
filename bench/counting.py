"""Counts the bytes that a server sends: a TCP proxy on loopback, so that nothing of an answer is overlooked."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_PIECE_BYTES = 64 << 10


class CountingProxy:
    """Passes connections on to ``port`` of 127.0.0.1; ``received_bytes`` is all that came back, headers included."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port = int(self._listener.getsockname()[1])
        self.received_bytes = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> CountingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, target, counts in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, target, counts), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                if counts:
                    with self._lock:
                        self.received_bytes += len(piece)
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
