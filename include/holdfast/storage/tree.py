"""Lists what lies below a folder of a local store, in the order of the keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from holdfast.storage.names import is_part
from holdfast.storage.protocol import StoredObject

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def objects_below(folder: int, prefix: str) -> Iterator[StoredObject]:
    """Every regular file below ``folder``, its key being ``prefix`` and its path there.

    Names that no key can have, such as drafts, and symbolic links are passed over; so is what is deleted
    meanwhile.
    """
    with os.scandir(folder) as found:
        # A folder sorts as its keys do, which have a slash after its name: `a-b/x` comes before `a/x`.
        entries = sorted((entry.name + "/" * entry.is_dir(follow_symlinks=False), entry) for entry in found)
    for name, entry in entries:
        if not is_part(entry.name):
            continue
        if name.endswith("/"):
            yield from _below_child(folder, entry.name, prefix + name)
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                yield described(prefix + name, entry.stat(follow_symlinks=False))


def described(key: str, status: os.stat_result) -> StoredObject:
    """The facts of a file."""
    return StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _below_child(folder: int, name: str, prefix: str) -> Iterator[StoredObject]:
    try:
        child = os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        yield from objects_below(child, prefix)
    finally:
        os.close(child)
