"""What is read out of a base backup while it streams by, however it is cut into pieces; and what is decided of it."""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from holdfast.backup.base.commit import missing_wal
from holdfast.backup.base.file_list import FileList, WalRange
from holdfast.backup.base.members import TarMembers
from holdfast.backup.base.parent import choose
from holdfast.backup.base.source import BaseSource
from holdfast.catalog import WalPiece
from holdfast.errors import IntegrityError, TransientError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.storage.protocol import StoredObject
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast.values.lsn import Lsn
from holdfast.wal.server import WalSource

AT = datetime(2026, 11, 22, 2, tzinfo=UTC)
SEGMENT_BYTES = 1 << 20


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@given(
    contents=st.lists(st.binary(max_size=1500), max_size=6),
    wanted=st.binary(max_size=1500),
    cuts=st.lists(st.integers(0, 20_000), max_size=12),
)
def test_members_are_seen_however_the_stream_is_cut(contents: list[bytes], wanted: bytes, cuts: list[int]) -> None:
    """Numbers, sizes and the wanted content are the same for any pieces, which pass unchanged."""
    files = {f"{'x' * 90}/base/{number}": content for number, content in enumerate(contents)} | {"wanted": wanted}
    tar = _tar(files)
    edges = sorted({0, len(tar), *(min(cut, len(tar)) for cut in cuts)})
    pieces = [tar[start:end] for start, end in itertools.pairwise(edges)]
    taken = list[bytes]()
    members = TarMembers({"wanted": taken.append})
    assert b"".join(members.over(pieces)) == tar
    assert (members.files, members.data_bytes) == (len(files), sum(map(len, files.values())))
    assert b"".join(taken) == wanted
    assert members.taken == {"wanted"}
    assert members.is_complete


def test_what_is_no_tar_is_refused() -> None:
    """Bytes that no header can be."""
    with pytest.raises(IntegrityError):
        list(TarMembers({}).over([b"x" * 4096]))


def _list(ranges: str, files: int = 3) -> bytes:
    body = '{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": 7,\n"Files": [\n'
    body += ",\n".join(f'{{ "Path": "base/1/{number}", "Size": 8192 }}' for number in range(files))
    body += f'\n],\n"WAL-Ranges": {ranges},\n'
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return f'{body}"Manifest-Checksum": "{checksum}"}}\n'.encode()


ONE = '[\n{ "Timeline": 3, "Start-LSN": "0/2000028", "End-LSN": "1/2000100" }\n]'


@given(files=st.integers(1, 4000), cut=st.integers(1, 70_000))
def test_list_of_files_tells_the_wal(files: int, cut: int) -> None:
    """The WAL range comes out of it, and all of it out of its compressed form, in any pieces."""
    content = _list(ONE, files)
    listed = FileList()
    for start in range(0, len(content), cut):
        listed.take(content[start : start + cut])
    assert listed.wal_range() == WalRange(3, Lsn.parse("0/2000028"), Lsn.parse("1/2000100"))
    assert zstandard.ZstdDecompressor().decompressobj().decompress(b"".join(listed.compressed())) == content


@pytest.mark.parametrize("damage", ["changed", "cut"])
def test_damaged_list_is_refused(damage: str) -> None:
    """Its own checksum must fit."""
    content = _list(ONE)
    listed = FileList()
    listed.take(content.replace(b"base/1/2", b"base/1/9") if damage == "changed" else content[:-5])
    with pytest.raises(IntegrityError):
        listed.wal_range()


def test_changed_timeline_is_transient() -> None:
    """A backup over a change of the timeline is to be taken again."""
    listed = FileList()
    second = '{ "Timeline": 4, "Start-LSN": "1/2000100", "End-LSN": "1/2000200" }\n]'
    listed.take(_list(ONE.replace("\n]", f",\n{second}")))
    with pytest.raises(TransientError):
        listed.wal_range()


def _manifest(day: int, *, parent: BaseBackupManifest | None = None, start: str = "0/300028") -> BaseBackupManifest:
    at = AT + timedelta(days=day)
    return BaseBackupManifest(
        id=str(RestorePointId.make(at, "base_backup", str(day))),
        app="shop",
        environment="production",
        kind="incremental" if parent else "full",
        parent=parent.id if parent else None,
        chain=(*parent.chain, parent.id) if parent else (),
        holdfast_version="1",
        client_version="18.1",
        server_version="18.1",
        server_version_num=180_001,
        system_identifier="7",
        timeline=1,
        start_lsn=start,
        stop_lsn="0/500000",
        segment_bytes=SEGMENT_BYTES,
        has_checksums=True,
        superuser="postgres",
        settings={},
        started_at=at,
        finished_at=at,
        files=1,
        data_bytes=1,
        artifacts=(),
    )


def _source(day: float, *, timeline: int = 1) -> BaseSource:
    cluster = WalSource("7", timeline, SEGMENT_BYTES, 180_001, False, Lsn(0))
    return BaseSource(cluster, "18.1", True, "postgres", {}, True, 1, AT + timedelta(days=day))


def test_newest_whole_chain_is_built_on() -> None:
    """The newest one whose full one is young enough, of the same timeline, no member of its chain missing."""
    full = _manifest(0)
    second = _manifest(1, parent=full)
    third = _manifest(2, parent=second)
    week = Duration.parse("7d")
    assert choose([full, second, third], _source(3), week) == third
    assert choose([full, third], _source(3), week) == full
    assert choose([second, third], _source(3), week) is None
    assert choose([full, second, third], _source(7.1), week) is None
    assert choose([full, second, third], _source(3, timeline=2), week) is None
    assert choose([replaced(full, has_checksums=False)], _source(3), week) is None


def replaced(manifest: BaseBackupManifest, **changes: object) -> BaseBackupManifest:
    """The manifest with other values."""
    return manifest.model_copy(update=changes)


def _stored(piece: WalPiece) -> WalPiece:
    return replace(piece, stored=StoredObject("key", 1, AT), is_recorded=True)


def test_missing_wal_is_named_in_order() -> None:
    """From the segment of the start to the one that holds the last byte; of that one, enough of a beginning does."""
    names = [f"00000001000000000000000{number}" for number in (3, 4)]
    manifest = _manifest(0)
    first, second = (WalPiece.segment("7", name) for name in names)
    assert missing_wal(manifest, []) == names
    assert missing_wal(manifest, [first, _stored(second)]) == names[:1]
    assert missing_wal(manifest, [_stored(first), _stored(second)]) == []
    open_manifest = replaced(manifest, stop_lsn="0/400100")
    enough, short = (_stored(WalPiece.partial("7", names[1], end)) for end in (0x100, 0xFF))
    assert missing_wal(open_manifest, [_stored(first), short]) == names[1:]
    assert missing_wal(open_manifest, [_stored(first), enough]) == []
