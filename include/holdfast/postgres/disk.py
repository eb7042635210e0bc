"""How much room is left where a server keeps a database; only told where the server runs on this very machine."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import psycopg

from holdfast.postgres.session import Session

_LOCAL = ("", "127.0.0.1", "::1")
_DIRECTORY = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'"


def free_bytes(session: Session, system_identifier: str, location: str | None) -> int | None:
    """Bytes that the server may still write below ``location`` (default: its data directory), None if unknown.

    A server in a container answers on loopback too and names folders of its own: only one whose control file has
    the very system identifier that the session tells is taken for this machine's (source: pg_control.h, first field).
    """
    if not session.info.host.startswith("/") and session.info.hostaddr not in _LOCAL:
        return None
    try:
        row = session.execute(_DIRECTORY).fetchone()
        if row is None or row[0] is None:
            return None
        control = (Path(row[0]) / "global" / "pg_control").read_bytes()
        if str(struct.unpack_from("=Q", control)[0]) != system_identifier:
            return None
        disk = os.statvfs(location or row[0])
    except (psycopg.errors.InsufficientPrivilege, OSError, struct.error):
        return None
    return disk.f_bavail * disk.f_frsize
