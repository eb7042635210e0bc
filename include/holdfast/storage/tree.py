"""Lists what lies below a folder of a local store, in the order of the keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from holdfast.storage.names import is_part
from holdfast.storage.protocol import StoredObject

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Sorts behind the slash that follows a folder's name.
_BEHIND = "0"


def objects_below(folder: int, prefix: str, after: str = "") -> Iterator[StoredObject]:
    """Every regular file below ``folder``, its key being ``prefix`` and its path there, behind ``after``.

    Names that no key can have, such as drafts, and symbolic links are passed over; so is what is deleted
    meanwhile. Folders of which all lies before ``after`` are not entered.
    """
    with os.scandir(folder) as found:
        # A folder sorts as its keys do, which have a slash after its name: `a-b/x` comes before `a/x`.
        entries = sorted(
            (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry)
            for entry in found
            if prefix + entry.name + _BEHIND > after
        )
    for name, entry in entries:
        key = prefix + name
        if (key <= after and not (name.endswith("/") and after.startswith(key))) or not is_part(entry.name):
            continue
        if name.endswith("/"):
            yield from _below_child(folder, entry.name, key, after)
        elif entry.is_file(follow_symlinks=False):
            with suppress(FileNotFoundError):
                yield described(key, entry.stat(follow_symlinks=False))


def folders_in(folder: int) -> list[str]:
    """The names of the folders in ``folder`` that can stand in a key, sorted."""
    with os.scandir(folder) as found:
        return sorted(entry.name for entry in found if is_part(entry.name) and entry.is_dir(follow_symlinks=False))


def described(key: str, status: os.stat_result) -> StoredObject:
    """The facts of a file."""
    return StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _below_child(folder: int, name: str, prefix: str, after: str) -> Iterator[StoredObject]:
    try:
        child = os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        yield from objects_below(child, prefix, after)
    finally:
        os.close(child)
