"""The lines of a media snapshot's listing: one JSON object for each path, in bytewise order of the paths.

The fields of a line stand in a fixed order, those that the source tells first. So a file is known to be unchanged
when its line in the last snapshot begins with what the source says of it today, and neither line need be parsed.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Literal

from holdfast.errors import IntegrityError
from holdfast.values.visible import visible

Kind = Literal["file", "directory", "link", "special", "vanished"]
UNSETTLED = b',"unsettled":true}'


@dataclass(frozen=True, slots=True)
class Content:
    """Where a file's bytes lie: in which shard, from which byte of its tar, under which SHA-256.

    ``extents`` are (offset, length) of the stored parts of a sparse file, which lie one after another from
    ``offset``; None for a file that is stored whole.
    """

    sha256: str
    shard: str
    offset: int
    extents: tuple[tuple[int, int], ...] | None = None

    def stored_bytes(self, size: int) -> int:
        """Bytes in the shard of a file of ``size`` bytes."""
        return size if self.extents is None else sum(length for _, length in self.extents)

    def line_end(self, *, is_unstable: bool = False, is_unsettled: bool = False) -> bytes:
        """What follows the source's fields in a line.

        Unstable: the file changed whenever it was read. Unsettled: it may have changed without a sign of it.
        """
        extents = "" if self.extents is None else f',"extents":{json.dumps(self.extents, separators=(",", ":"))}'
        text = f'"sha256":"{self.sha256}","shard":"{self.shard}","offset":{self.offset}{extents}'
        unstable = ',"unstable":true' if is_unstable else ""
        return f"{text}{unstable}".encode() + (UNSETTLED if is_unsettled or is_unstable else b"}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a snapshot. ``path`` is relative, separated by ``/``, that of a directory ends in ``/``.

    ``size`` in bytes, ``mtime_ns`` since 1970, ``mode`` the permission bits; an object of a bucket has neither
    mode nor owner. ``file_id`` is the same for hard links to one file. ``target`` is a symbolic link's.
    """

    path: bytes
    kind: Kind
    size: int = 0
    mtime_ns: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    file_id: tuple[int, int] | None = None
    target: bytes | None = None
    version_id: str | None = None
    content: Content | None = None
    is_unstable: bool = False


def text_field(name: str, value: bytes) -> str:
    """``"name":"value"``, or ``"name_base64":"…"`` where the bytes are not UTF-8, which JSON cannot hold."""
    try:
        return f'"{name}":{quoted(value.decode())}'
    except UnicodeDecodeError:
        return f'"{name}_base64":"{base64.b64encode(value).decode()}"'


def parse(line: bytes) -> Entry:
    """The entry of one line; raises IntegrityError where it is none."""
    try:
        fields = json.loads(line)
        return Entry(
            path=_bytes(fields, "path"),
            kind=fields["type"],
            size=fields.get("size", 0),
            mtime_ns=fields.get("mtime_ns"),
            mode=fields.get("mode"),
            uid=fields.get("uid"),
            gid=fields.get("gid"),
            file_id=(fields.get("device", 0), fields["inode"]) if fields.get("links", 1) > 1 else None,
            target=_bytes(fields, "target") if fields["type"] == "link" else None,
            version_id=fields.get("version_id"),
            content=_content(fields) if fields["type"] == "file" else None,
            is_unstable=fields.get("unstable", False),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"media listing: a line is malformed: {error}") from error


def shown(path: bytes) -> str:
    """A path as people and JSON are shown it: bytes that are no UTF-8 as ``\\xff``."""
    return path.decode("utf-8", "backslashreplace")


def printable(path: bytes) -> str:
    """A path as a terminal is shown it: nothing in it moves the cursor or begins a line."""
    return visible(shown(path))


def path_of(line: bytes) -> bytes:
    """The path of a line alone."""
    return _bytes(json.loads(line), "path")


def _bytes(fields: dict[str, Any], name: str) -> bytes:
    text = fields.get(name)
    if text is not None:
        return str(text).encode()
    return base64.b64decode(fields[f"{name}_base64"], validate=True)


def _content(fields: dict[str, Any]) -> Content:
    extents = fields.get("extents")
    return Content(
        fields["sha256"],
        fields["shard"],
        fields["offset"],
        None if extents is None else tuple((int(offset), int(length)) for offset, length in extents),
    )
