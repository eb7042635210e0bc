"""Stores one artifact of a restore point: encrypted, hashed and counted on its way."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Literal

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.manifest.model import Artifact
from holdfast.progress import Progress, Silent
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

Content = Literal["database", "globals", "inventory", "references"]
_SILENT = Silent()


def store_artifact(
    environment: Environment,
    id: RestorePointId,
    name: str,
    plaintext: Generator[bytes, None, None],
    *,
    content: Content,
    format: str,
    recipients: Sequence[age.Recipient],
    progress: Progress = _SILENT,
    size_hint_bytes: int | None = None,
) -> Artifact:
    """Store ``plaintext`` encrypted to ``recipients``; it is closed in any case. Nothing appears where it raises."""
    tally = Tally(progress.advance)
    with closing(plaintext):
        sealed = tally.over(age.encrypt(plaintext, recipients))
        environment.store.put(environment.keys.artifact(id, name), sealed, size_hint_bytes=size_hint_bytes)
    return Artifact(
        name=name,
        content=content,
        format=format,
        bytes=tally.bytes,
        sha256=tally.sha256,
        recipients=tuple(str(recipient) for recipient in recipients),
    )
