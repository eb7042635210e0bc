"""A media snapshot's manifest: its bytes are written once, signed, and never edited (docs/design.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.manifest.model import Record


class ShardUse(Record):
    """One shard that a snapshot needs.

    ``bytes`` and ``sha256`` as stored (encrypted); ``data_bytes``: the files' bytes in it; ``wanted_bytes``: how many
    of them this snapshot still wants; ``recipients``: who can open it.
    """

    id: str
    bytes: int
    sha256: str
    data_bytes: int
    wanted_bytes: int
    recipients: tuple[str, ...] = ()


class ListingFacts(Record):
    """The stored listing: size and SHA-256 as stored (encrypted), and where its footer lies.

    The footer is the last Zstandard frame, at ``footer_offset`` of the decrypted listing; its SHA-256 is that of the
    compressed frame. It holds the same of every block, so that a few lines can be read and trusted alone.
    """

    bytes: int
    sha256: str
    lines: int
    footer_offset: int
    footer_bytes: int
    footer_sha256: str


class SnapshotManifest(Record):
    """A committed media snapshot.

    ``bytes``: of all files; ``stored_bytes``: of the shards that it added; ``new_files``: files whose content was not
    in the store before; ``read_files``: files that were read because something about them had changed.
    """

    format: Literal["holdfast-media/1"] = "holdfast-media/1"
    id: str
    app: str
    environment: str
    tier: str
    source: str
    started_at: datetime
    finished_at: datetime
    holdfast_version: str
    parent: str | None
    files: int
    directories: int
    links: int
    bytes: int
    read_files: int
    new_files: int
    stored_bytes: int
    vanished: int
    unstable: int
    special: int
    file_systems: int = 1
    recipients: tuple[str, ...]
    listing: ListingFacts
    shards: tuple[ShardUse, ...]


class ShardLook(Record):
    """One shard that a check has read to its end, and whether all that was known of it fitted."""

    id: str
    ok: bool


class DamagedContent(Record):
    """A content that is not in its shard any more as it was stored; ``sha256`` is None for the shard as a whole."""

    shard: str
    sha256: str | None


class MediaCheck(Record):
    """What one check of stored media has found; it names no paths, for it is stored unencrypted."""

    format: Literal["holdfast-media-check/1"] = "holdfast-media-check/1"
    id: str
    app: str
    environment: str
    started_at: datetime
    finished_at: datetime
    fraction: float
    shards: tuple[ShardLook, ...]
    damaged: tuple[DamagedContent, ...]
