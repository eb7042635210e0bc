"""Builds media snapshots out of given entries with Python's own tar, sound ones and such as no sync would write."""

# Paths are bytes here, which pathlib does not take.
# ruff: noqa: PTH115, PTH118

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import secrets
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.catalog import write_signed
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.media.listing import ListingWriter
from holdfast.media.records import ShardUse, SnapshotManifest
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

Fields = dict[str, Any]


class Shard:
    """One tar in the making."""

    def __init__(self) -> None:
        self.id = f"20261122T020000Z-{secrets.token_hex(6)}"
        self.tar = io.BytesIO()
        self.data_bytes = 0

    def add(self, name: bytes, data: bytes) -> int:
        """Append a member; returns the offset of its data."""
        info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
        info.size = len(data)
        self.tar.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        offset = self.tar.tell()
        self.tar.write(data + bytes(-len(data) % 512))
        self.data_bytes += len(data)
        return offset

    def store(self, environment: Environment) -> ShardUse:
        """Encrypt and store it."""
        tally = Tally()
        pieces = age.encrypt([self.tar.getvalue() + bytes(1024)], environment.recipients())
        environment.store.put(environment.keys.shard(self.id), tally.over(pieces))
        return ShardUse(
            id=self.id, bytes=tally.bytes, sha256=tally.sha256, data_bytes=self.data_bytes, wanted_bytes=self.data_bytes
        )


class Builder:
    """One snapshot in the making: files go into the current shard, lines are sorted when it is committed."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.shards = [Shard()]
        self.lines: dict[bytes, Fields] = {}
        self.contents: dict[str, Fields] = {}

    def next_shard(self) -> None:
        """What follows goes into a new shard."""
        self.shards.append(Shard())

    def file(self, path: bytes, data: bytes, **fields: object) -> Fields:
        """A regular file; ``fields`` add to what the listing says of it, or replace it."""
        sha256 = hashlib.sha256(data).hexdigest()
        place = self.contents.get(sha256)
        if place is None:
            shard = self.shards[-1]
            place = {"sha256": sha256, "shard": shard.id, "offset": shard.add(path, data)}
            self.contents[sha256] = place
        return self.line(path, "file", size=len(data), **({**place, **fields}))

    def contents_of(self, path: bytes) -> str:
        """The SHA-256 of a file."""
        return str(self.lines[path]["sha256"])

    def line(self, path: bytes, kind: str, **fields: object) -> Fields:
        """Any line at all."""
        found = {**_text("path", path), "type": kind, **fields}
        self.lines[path] = found
        return found

    def tree(self, root: Path) -> None:
        """Everything below a folder."""
        for folder, folders, files in os.walk(os.fsencode(root)):
            for name in [*folders, *files]:
                path = os.path.join(folder, name)
                self._found(path, os.path.relpath(path, os.fsencode(root)))

    def _found(self, path: bytes, relative: bytes) -> None:
        status = os.lstat(path)
        common = {
            "mtime_ns": status.st_mtime_ns,
            "mode": stat.S_IMODE(status.st_mode),
            "uid": status.st_uid,
            "gid": status.st_gid,
        }
        if stat.S_ISDIR(status.st_mode):
            self.line(relative + b"/", "directory", **common)
        elif stat.S_ISLNK(status.st_mode):
            self.line(relative, "link", **common, **_text("target", os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            data = Path(os.fsdecode(path)).read_bytes()
            self.file(relative, data, **common, inode=status.st_ino, links=status.st_nlink)

    def commit(
        self, opened_at: datetime | None = None, tier: str = "media", source: str = "file:///srv/media"
    ) -> RestorePointId:
        """Store shards, listing and manifest; returns the snapshot's id."""
        environment = self.environment
        id = RestorePointId.make(opened_at or datetime.now(UTC), tier, secrets.token_hex(8))
        uses = [shard.store(environment) for shard in self.shards]
        writer, tally = ListingWriter(), Tally()
        lines = [json.dumps(self.lines[path], separators=(",", ":")).encode() for path in sorted(self.lines)]
        sealed = age.encrypt(writer.frames(lines), environment.listing_recipients())
        environment.store.put(environment.keys.listing(id), tally.over(sealed))
        files = [fields for fields in self.lines.values() if fields["type"] == "file"]
        manifest = SnapshotManifest(
            id=str(id),
            app=environment.app,
            environment=environment.name,
            tier=id.tier,
            source=source,
            started_at=id.opened_at,
            finished_at=id.opened_at,
            holdfast_version="0.1.0",
            parent=None,
            files=len(files),
            directories=0,
            links=0,
            bytes=sum(fields["size"] for fields in files),
            read_files=len(files),
            new_files=len(files),
            stored_bytes=sum(use.bytes for use in uses),
            vanished=0,
            unstable=0,
            special=0,
            recipients=(),
            listing=writer.facts(tally.bytes, tally.sha256),
            shards=tuple(uses),
        )
        keys = environment.keys
        write_signed(
            environment.store,
            keys.media_manifest(id),
            keys.media_signature(id),
            manifest.encode(),
            environment.signer(),
        )
        return id


def _text(name: str, value: bytes) -> Fields:
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}
