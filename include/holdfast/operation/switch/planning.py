"""Plans a restore of what is live: what would be replaced, by what, and what of it is kept. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.environment import Environment
from holdfast.errors import HoldfastError, UsageError
from holdfast.evidence.objects import sha256
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import Fact, OperationKind
from holdfast.manifest.model import Manifest
from holdfast.operation.live import live_target
from holdfast.operation.plans import Plan
from holdfast.operation.switch.outlook import expected_seconds, rows_lost
from holdfast.operation.switch.request import What, has_database, has_media
from holdfast.operation.switch.server import LiveServer, look_at_server
from holdfast.restore.media_switch_plan import MediaSwitchPlan, plan_media_switch
from holdfast.values import figures
from holdfast.values.ids import RestorePointId

_ROOM = 1.1


def plan_switch(
    environment: Environment,
    point: RestorePointId,
    *,
    what: What = "database",
    kind: OperationKind = "restore",
    is_restored: bool = False,
) -> Plan:
    """What restoring ``point`` over the live application would do; what hinders it stands in the plan's faults.

    ``is_restored``: it lies beside already, and needs no more room; there are no notes then. Raises UsageError for
    media of a restore point that has none, ObjectMissing, SignatureError or IntegrityError for one that is not ours,
    and what connecting to the live server raises.
    """
    manifest = environment.catalog.manifest(point, environment.verifier())
    if has_media(what) and manifest.media is None:
        raise UsageError(
            f"restore point {environment.title}/{point}: holds no media", hint="Restore the database alone."
        )
    server = look_at_server(live_target(environment), point) if has_database(what) else None
    media = plan_media_switch(environment, manifest) if has_media(what) else None
    facts: dict[str, Fact] = {"what": what}
    if server is not None:
        facts |= server.facts
    if media is not None:
        facts |= {
            "media": media.target,
            "media_inode": media.inode,
            "media_kept_as": media.kept_as,
            "media_snapshot": media.snapshot,
        }
    return Plan(
        kind=kind,
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body="\n".join(_body(environment, manifest, server, media)) + "\n",
        # Counting reads all that is live, and whoever looks once more before acting compares the body alone.
        notes="" if is_restored else "\n".join(_notes(environment, manifest, server, media)) + "\n",
        facts=facts,
        faults=tuple(_faults(environment, manifest, server, media, is_restored)),
    )


def _faults(
    environment: Environment,
    manifest: Manifest,
    server: LiveServer | None,
    media: MediaSwitchPlan | None,
    is_restored: bool,
) -> Iterator[str]:
    """Why it cannot be done as things are."""
    yield from environment.catalog.entry(RestorePointId.parse(manifest.id)).missing(manifest)
    if media is not None:
        yield from media.faults
    if server is None or environment.policy.restore.method == "clean":
        return
    yield from server.faults
    needed = int(manifest.database.source.database_bytes * _ROOM)
    free_bytes = server.live.free_bytes if server.live is not None else None
    if not is_restored and free_bytes is not None and free_bytes < needed:
        yield (
            f"too little space beside the live database: {figures.size(free_bytes)} free, about "
            f"{figures.size(needed)} needed"
        )


def _body(
    environment: Environment, manifest: Manifest, server: LiveServer | None, media: MediaSwitchPlan | None
) -> Iterator[str]:
    taken = manifest.database.source.snapshot_at.isoformat()
    label = f", label {code(manifest.label)}" if manifest.label else ""
    yield f"## Restore {prose(environment.title)} from {code(manifest.id)}"
    yield ""
    yield f"- Restore point {code(manifest.id)}{label}, manifest SHA-256 `{sha256(manifest.encode())}`."
    yield f"- **Everything written after {taken} is lost to the users** until it is taken from what is kept."
    if server is not None:
        yield from _database(environment, server)
    if media is not None:
        inode = f", inode {media.inode}," if media.inode is not None else ""
        yield (
            f"- Media: {code(media.target)}{inode} is replaced by the {figures.count(media.files)} files of snapshot "
            f"{code(media.snapshot or 'none')}; what is there is kept as {code(media.kept_as)}."
        )
    if environment.policy.restore.method == "switch" or media is not None:
        keep = environment.policy.restore.keep_replaced
        yield f"- What is replaced is kept for {keep}, and can be switched back until then."


def _database(environment: Environment, server: LiveServer) -> Iterator[str]:
    live = server.live
    if live is None:
        yield f"- Database {code(server.name)} is not there: it is made anew, and nothing is replaced."
        return
    identity = live.identity
    yield (
        f"- Live database: {code(identity.name)}, number {identity.oid}, of the server with system identifier "
        f"`{identity.system_identifier}`, PostgreSQL {identity.server_version_num // 10000}."
    )
    if environment.policy.restore.method == "clean":
        yield (
            "- Method: `--clean --if-exists` **over the live database**, in one transaction: nothing of it is kept but "
            "the fresh snapshot. Objects that are newer than the restore point and depend on what it holds make it "
            "fail, with nothing changed."
        )
        return
    yield (
        "- Method: restored into a new database beside it and counted; then sessions are ended and both are renamed "
        f"in one transaction. The old one is kept as {code(server.kept_as)}."
    )
    if live.publications:
        told = ", ".join(map(code, live.publications))
        yield f"- Publications are restored, but their subscribers must be told: {told}."


def _notes(
    environment: Environment, manifest: Manifest, server: LiveServer | None, media: MediaSwitchPlan | None
) -> Iterator[str]:
    source = manifest.database.source
    yield "### As seen when this was planned"
    yield ""
    yield (
        f"- Restore point: {figures.size(manifest.stored_bytes)} stored, a database of "
        f"{figures.size(source.database_bytes)} with {figures.count(source.rows)} rows."
    )
    expected = expected_seconds(environment)
    if expected is not None:
        yield f"- Expected duration, by earlier restores: {figures.seconds(expected)}."
    if server is not None and server.live is not None:
        size = f"{figures.size(server.live.size_bytes)}, " if server.live.size_bytes is not None else ""
        yield f"- Live now: {size}{len(server.live.sessions)} sessions that would be ended."
        yield from (f"- {prose(note)}." for note in server.notes(source))
        try:
            yield from rows_lost(server.target, manifest)
        except HoldfastError as error:
            yield f"- Rows were not compared: {prose(error.message)}"
    if media is not None:
        yield from (f"- {prose(note)}" for note in media.notes)
