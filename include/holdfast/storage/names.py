"""Which keys stores take: names that mean the same in every bucket and on every file system."""

from __future__ import annotations

import re

from holdfast.errors import UsageError

# No leading dot (hidden, and our own drafts), no trailing dot (Azure drops it), nothing that URLs, shells or
# file systems spell in a way of their own; 200 and 900 bytes stay below every store's limits (255 and 1024).
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._=-]{0,198}[A-Za-z0-9_=-])?")
_KEY_BYTES = 900


def split_key(key: str) -> tuple[str, ...]:
    """The parts of a key, folders first; raises UsageError for a key that some store could not hold."""
    parts = tuple(key.split("/"))
    if len(key) > _KEY_BYTES or not all(is_part(part) for part in parts):
        raise UsageError(
            f"key {key!r}: is not a name that every store can hold",
            hint="Keys are parts of A-Z, a-z, 0-9, ., _, =, - joined by single slashes, without . at a part's ends.",
        )
    return parts


def split_prefix(prefix: str) -> tuple[str, ...]:
    """The folders of a list's prefix, none for the empty one; raises UsageError if it lacks its closing slash."""
    if not prefix:
        return ()
    if not prefix.endswith("/"):
        raise UsageError(f"prefix {prefix!r}: does not end in a slash")
    return split_key(prefix[:-1])


def is_part(text: str) -> bool:
    """Can ``text`` stand between the slashes of a key?"""
    return _PART.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Is ``text`` a key? Whatever else lies in a store is not ours."""
    return len(text) <= _KEY_BYTES and all(is_part(part) for part in text.split("/"))
