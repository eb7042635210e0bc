"""Ports on loopback that nobody uses."""

from __future__ import annotations

import socket


def free_port(preferred: int = 0) -> int:
    """``preferred`` when it is free, else one that the kernel chooses."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")
