"""What must stand before anything is run on the live database: the run's own snapshot, of this very database."""

from __future__ import annotations

from datetime import timedelta

from holdfast.backup.tiers import snapshot_tier
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, IntegrityError, ObjectMissing, RestoreError, UsageError
from holdfast.evidence.objects import sha256
from holdfast.manifest.model import Manifest
from holdfast.operation.records import OperationOpen
from holdfast.policy.restore import Migration
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.session import connect, translated
from holdfast.postgres.target import Identity, identity_of_source
from holdfast.values.ids import RestorePointId

OLDEST = timedelta(hours=6)
"""What was written since the snapshot is lost if it must be restored."""


def migration_of(environment: Environment) -> Migration:
    """The policy's section ``migration``; raises UsageError where there is none."""
    rules = environment.policy.migration
    if rules is None:
        raise UsageError(
            f"{environment.title}: the policy has no section migration",
            hint="Name the application's command: `migration: {command: npx prisma migrate deploy}`.",
        )
    return rules


def snapshot_behind(environment: Environment, point: RestorePointId) -> Manifest:
    """The snapshot, whole and such as can be restored from here.

    Raises IntegrityError where it is missing, damaged or of another tier, SignatureError where it is not ours, and
    UsageError where the identities that open it are not on this host.
    """
    try:
        manifest = environment.catalog.manifest(point, environment.verifier())
    except ObjectMissing as error:
        raise IntegrityError(
            f"{environment.title}: there is no snapshot {point}", hint="Nothing is migrated without one."
        ) from error
    faults = environment.catalog.entry(point).missing(manifest)
    if faults:
        raise IntegrityError(f"snapshot {environment.title}/{point}: {'; '.join(faults)}")
    tier = snapshot_tier(environment.policy)
    if manifest.tier != tier:
        raise IntegrityError(
            f"restore point {environment.title}/{point}: is of tier {manifest.tier}, not {tier}",
            hint="A migration goes behind a snapshot that was taken for it.",
        )
    if not environment.identities_fit(environment.demand_identities()):
        raise UsageError(
            f"{environment.title}: keys.identity_file does not open what is backed up now",
            hint="The snapshot could not be restored from here.",
        )
    return manifest


def demand_behind(environment: Environment, opened: OperationOpen) -> Manifest:
    """The same, taken by the very run that wants to migrate, and not long ago; raises IntegrityError otherwise."""
    manifest = snapshot_behind(environment, opened.point)
    what = f"snapshot {environment.title}/{opened.point}"
    if opened.point != opened.beside(manifest.tier) or sha256(manifest.encode()) != opened.manifest_sha256:
        raise IntegrityError(f"{what}: was not taken by this operation", hint="Trigger a new run, which takes its own.")
    age = environment.clock() - manifest.database.source.snapshot_at
    if age > OLDEST:
        raise IntegrityError(
            f"{what}: is {age.total_seconds() / 3600:.1f} h old, and all written since would be lost with it",
            hint="Trigger a new run, which takes a fresh one.",
        )
    return manifest


def demand_same_database(live: Target, manifest: Manifest) -> None:
    """Raise RestoreError unless the connection leads to the database that the restore point was taken of."""
    with connect(live) as session, translated(live, "identifying the database"):
        row = session.execute("SELECT pg_catalog.current_database()::text").fetchone()
        found = Identity(system_identifier(session), str(row[0]) if row else "")
    wanted = identity_of_source(manifest.database.source)
    if not found.may_be(wanted):
        raise RestoreError(
            f"{live.describe()}: is database {found.database} of server {found.system_identifier}, but restore point "
            f"{manifest.id} was taken of {wanted.database} of server {wanted.system_identifier}",
            hint="Correct the connection, or take a restore point of the database that it leads to.",
        )


def fault_of_database(live: Target, manifest: Manifest) -> tuple[str, ...]:
    """The same for a plan: why it is not that database, in words; nothing where it is."""
    try:
        demand_same_database(live, manifest)
    except RestoreError as error:
        return (error.message,)
    return ()


def said(error: HoldfastError) -> str:
    """An error with its hint on one line."""
    return f"{error.message}. {error.hint}" if error.hint else error.message
