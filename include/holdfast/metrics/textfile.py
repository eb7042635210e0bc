"""Writes metrics to a file that node_exporter's textfile collector reads, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from holdfast.errors import UsageError

# node_exporter runs as another user, and metrics are no secret on the machine that measures itself.
_MODE = 0o644
SUFFIX = ".prom"


def write_textfile(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``; raises UsageError where its folder cannot be written, or for another suffix.

    The draft beside it has a name that the collector does not read.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f"file {path}: node_exporter reads files named *{SUFFIX} alone", hint=f"Name it *{SUFFIX}.")
    try:
        file, draft = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".draft", dir=path.parent)
    except OSError as error:
        raise UsageError(f"file {path}: {(error.strerror or 'cannot be written').lower()}") from error
    try:
        with os.fdopen(file, "w", encoding="utf-8") as writer:
            writer.write(text)
            os.fchmod(writer.fileno(), _MODE)
        Path(draft).replace(path)
    except OSError as error:
        raise UsageError(f"file {path}: {(error.strerror or 'cannot be written').lower()}") from error
    finally:
        with suppress(FileNotFoundError):
            Path(draft).unlink()
