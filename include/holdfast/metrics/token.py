"""The bearer token that whoever reads metrics over the network must bring."""

from __future__ import annotations

from pathlib import Path

from holdfast.crypto.secret_file import read_secret_file
from holdfast.errors import UsageError
from holdfast.values.connection import Connections

_SHORTEST = 16


def token_of_file(path: Path) -> str:
    """The token in a file that not everybody may read; raises UsageError without ever repeating it."""
    return _checked(read_secret_file(path, "token").decode("utf-8", "replace").strip(), f"token file {path}")


def token_of_connection(conn_id: str, connections: Connections) -> str:
    """The password of a connection; raises UsageError without ever repeating it."""
    return _checked(connections.get(conn_id).password or "", f"connection {conn_id}")


def _checked(token: str, where: str) -> str:
    if len(token) < _SHORTEST or not all("!" <= character <= "~" for character in token):
        raise UsageError(
            f"{where}: no token of at least {_SHORTEST} characters of ASCII without spaces",
            hint="Make one: openssl rand -hex 32",
        )
    return token
