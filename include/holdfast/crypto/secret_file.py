"""Reads files that hold a secret, and refuses those that everybody on the machine may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from holdfast.errors import UsageError
from holdfast.redaction import KNOWN

_MAX_BYTES = 1024 * 1024
_SECRET_BYTES = 64 * 1024


def read_secret_file(path: Path, what: str, *, refuse_exposed: bool = True) -> bytes:
    """The bytes of the ``what`` file at ``path``; raises UsageError where it cannot or should not be used."""
    try:
        with path.open("rb") as file:
            if refuse_exposed and _is_exposed(os.fstat(file.fileno())):
                raise UsageError(
                    f"{what} file {path}: everybody on this machine may read it", hint=f"Run: chmod 600 {path}"
                )
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{what} file {path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{what} file {path}: larger than {_MAX_BYTES} bytes, so no such file")
    KNOWN.learn(f"file {path}", _secret_lines(data))
    return data


def _secret_lines(data: bytes) -> list[str]:
    """Its lines but for comments and the frames of PEM, which name what is public."""
    lines = data[:_SECRET_BYTES].decode("utf-8", "ignore").splitlines()
    return [line for line in lines if not line.startswith(("#", "-----"))]


def is_exposed(path: Path) -> bool:
    """Whether everybody on the machine may read the file; a pipe or a missing file is not exposed."""
    try:
        return _is_exposed(path.stat())
    except OSError:
        return False


def _is_exposed(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & stat.S_IROTH)
