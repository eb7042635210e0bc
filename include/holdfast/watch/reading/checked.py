"""The newest checks that read stored bytes back: of media shards, and of WAL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from holdfast.catalog.wal_checks import KnownCheck, WalCheckCatalog
from holdfast.errors import PermanentError, StoreRefused, UsageError
from holdfast.media.damage import damaged_contents, last_looks
from holdfast.media.records import MediaCheck, SnapshotManifest
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import HISTORY, CheckedFacts
from holdfast.watch.reading.round import Reading, newest_first

_MOST_FAULTS = 10


def read_media_checks(
    reading: Reading, newest: SnapshotManifest | None, before: tuple[CheckedFacts, ...]
) -> tuple[CheckedFacts, ...]:
    """The newest media check, with the damage that stands after the newest fifteen and what they left unread.

    ``newest``: the snapshot whose shards count. What was known ``before`` of the same check is not read again.
    """
    catalog, verifier = reading.environment.media_catalog, reading.verifier
    if verifier is None:
        return before
    ids = newest_first(catalog.check_ids(), reading.now)
    if not ids or (before and before[-1].id == str(ids[0])):
        return before if ids else ()
    read = reading.each(lambda check: _check(reading, check), ids[:HISTORY])
    checks = sorted((one for one in read if one is not None), key=lambda check: check.finished_at)
    if not checks:
        return ()
    damage = damaged_contents(checks)
    wanted = {use.id for use in newest.shards} if newest is not None else set[str]()
    own = {look.id for look in checks[-1].shards} | {content.shard for content in checks[-1].damaged}
    faults = [f"shard {shard} is damaged" for shard in sorted(damage.shards) if shard in wanted | own]
    looked = {content.shard for content in checks[-1].damaged}
    faults += [f"shard {look.id} is not sound" for look in checks[-1].shards if not look.ok and look.id not in looked]
    return (
        CheckedFacts(
            id=checks[-1].id,
            kind="media_check",
            checked_at=checks[-1].finished_at,
            faults=tuple(faults[:_MOST_FAULTS]),
            oldest_unread_at=_oldest_unread(checks, wanted),
        ),
    )


def _check(reading: Reading, id: RestorePointId) -> MediaCheck | None:
    """A check; None for one that cannot be trusted, which counts as none."""
    if reading.verifier is None:
        return None
    try:
        return reading.environment.media_catalog.check(id, reading.verifier)
    except StoreRefused:
        raise
    except PermanentError as error:
        reading.notes.append(error.message)
        return None


def _oldest_unread(checks: Sequence[MediaCheck], wanted: set[str]) -> datetime | None:
    """When the shard longest unread was read, or stored, which its id tells."""
    looks = last_looks(checks)
    moments = [looks.get(shard) or _stored_at(shard) for shard in wanted]
    return min((moment for moment in moments if moment is not None), default=None)


def _stored_at(shard: str) -> datetime | None:
    try:
        return datetime.strptime(shard.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def read_wal_checks(reading: Reading) -> tuple[CheckedFacts, ...]:
    """The newest check of WAL of all clusters whose WAL is there."""
    environment, verifier = reading.environment, reading.verifier
    if verifier is None or environment.policy.database.pitr != "streaming":
        return ()
    catalog = WalCheckCatalog(environment.store, environment.keys)
    found: list[KnownCheck] = []
    for system in environment.store.folders(environment.keys.wal):
        try:
            newest = catalog.newest(system, verifier) if system.isdecimal() else None
        except StoreRefused:
            raise
        except UsageError:  # a name that no cluster has
            continue
        except PermanentError as error:
            reading.notes.append(error.message)
            continue
        found += [newest] if newest is not None else []
    if not found:
        return ()
    last = max(found, key=lambda one: one.written_at)
    return (
        CheckedFacts(
            id=last.check.id,
            kind="wal_check",
            checked_at=last.check.checked_at,
            faults=last.check.faults[:_MOST_FAULTS],
        ),
    )
