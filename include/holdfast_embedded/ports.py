"""Chooses loopback ports: the usual one where it is free, else one that the kernel gives."""

from __future__ import annotations

import socket


def choose(preferred: int, taken: set[int]) -> int:
    """A port that nothing listens on, ``preferred`` if it can be had; it is added to ``taken``."""
    port = preferred if preferred not in taken and _is_free(preferred) else _any_free(taken)
    taken.add(port)
    return port


def _is_free(port: int) -> bool:
    # A server on all addresses, or on IPv6 alone, would answer for the same name `localhost`.
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):  # noqa: S104
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == 98:
                    return False
    return True


def _any_free(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port
