"""Chooses a server's port: the one that people expect where it is free, else any."""

from __future__ import annotations

import errno
import socket

from holdfast.recovery.loopback import unused_port


def choose_port(preferred: int) -> int:
    """``preferred`` unless somebody listens on it, on loopback or on all addresses; else one that the kernel gives."""
    return preferred if not _is_taken(preferred) else unused_port()


def _is_taken(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, ""), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            # Connections that an earlier run closed a moment ago do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False
