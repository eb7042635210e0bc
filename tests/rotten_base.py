"""Puts another base backup in the place of a stored one, in which a page is damaged and nothing else tells of it."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile

import zstandard

from holdfast.catalog.signed import write_signed
from holdfast.catalog.wal_reading import plain
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_LIST = "backup_manifest"


def rot(environment: Environment, id: RestorePointId, file: str, at: int, damage: bytes) -> None:
    """Overwrite bytes of one file of the cluster; sizes, sums and signature fit, as after rot at the source."""
    key = environment.keys.base_backup(id, keys.BASE_TAR)
    content = b"".join(plain(environment.store.stream(key), environment.demand_identities()))
    squeezed = zstandard.ZstdCompressor().compress(_rotten(content, file, at, damage))
    sealed = b"".join(age.encrypt([squeezed], environment.recipients()))
    manifest = environment.base_catalog.manifest(id, environment.verifier())
    changed = {"bytes": len(sealed), "sha256": hashlib.sha256(sealed).hexdigest()}
    artifacts = tuple(
        each.model_copy(update=changed) if each.content == "base" else each for each in manifest.artifacts
    )
    places = [environment.keys.base_backup(id, name) for name in (keys.MANIFEST, keys.SIGNATURE)]
    for each in (key, *places):
        environment.store.delete(each)
    environment.store.put(key, [sealed])
    document = manifest.model_copy(update={"artifacts": artifacts}).encode()
    write_signed(environment.store, *places, document, environment.signer())


def _rotten(content: bytes, file: str, at: int, damage: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=made, mode="w") as new:
        for member in old:
            stored = old.extractfile(member)
            data = stored.read() if stored is not None else b""
            if member.name == file:
                assert data[at : at + len(damage)] not in (b"", damage)
                data = data[:at] + damage + data[at + len(damage) :]
            elif member.name == _LIST:
                data = _without_sum(data, file)
                member.size = len(data)
            new.addfile(member, io.BytesIO(data) if stored is not None else None)
    return made.getvalue()


def _without_sum(listing: bytes, file: str) -> bytes:
    """PostgreSQL's list without the sum of that file; its own, over all but its last line, made anew."""
    pattern = rb'("Path": "%s",[^\n]*?), "Checksum-Algorithm": "\w+", "Checksum": "\w+"' % re.escape(file).encode()
    changed, count = re.subn(pattern, rb"\1", listing)
    assert count == 1, file
    body = changed[: changed.rindex(b"\n", 0, -1) + 1]
    return body + b'"Manifest-Checksum": "%s"}\n' % hashlib.sha256(body).hexdigest().encode()
