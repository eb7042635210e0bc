"""An opened environment: its policy section with the store, connections and keys that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from holdfast.catalog import BaseBackupCatalog, Catalog, ExportCatalog, MediaCatalog, WalCatalog
from holdfast.crypto import age
from holdfast.crypto.derived import listing_identities, listing_identity
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import DecryptError, UsageError
from holdfast.policy import EnvironmentPolicy, TierPolicy, load_policy
from holdfast.policy.model import DUMP_TIERS
from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast.values.actor import Actor
from holdfast.values.connection import Connection, Connections
from holdfast.values.keys import EnvironmentKeys

_NOBODY = Actor()


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything a use case needs. Keys are read when they are first asked for: no host needs all of them."""

    app: str
    name: str
    policy_file: Path
    policy: EnvironmentPolicy
    keys: EnvironmentKeys
    store: Store
    connections: Connections
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    actor: Actor = _NOBODY

    @property
    def catalog(self) -> Catalog:
        """The restore points in the environment's store."""
        return Catalog(self.store, self.keys)

    @property
    def media_catalog(self) -> MediaCatalog:
        """The media snapshots in the environment's store."""
        return MediaCatalog(self.store, self.keys)

    @property
    def export_catalog(self) -> ExportCatalog:
        """The compliance exports in the environment's store."""
        return ExportCatalog(self.store, self.keys)

    @property
    def wal_catalog(self) -> WalCatalog:
        """The WAL in the environment's store."""
        return WalCatalog(self.store, self.keys)

    @property
    def base_catalog(self) -> BaseBackupCatalog:
        """The base backups in the environment's store."""
        return BaseBackupCatalog(self.store, self.keys)

    @property
    def title(self) -> str:
        """``app/environment``, for messages."""
        return f"{self.app}/{self.name}"

    def dump_tier(self, tier: str) -> TierPolicy:
        """The policy of a tier that takes dumps; raises UsageError for any other."""
        tiers: Mapping[str, TierPolicy] = self.policy.tiers  # type: ignore[assignment]
        if tier not in DUMP_TIERS or tier not in tiers:
            known = [name for name in tiers if name in DUMP_TIERS]
            raise UsageError(
                f"tier {tier!r}: {self.title} has no such tier that takes restore points",
                hint=f"The policy has: {', '.join(known) or 'none'}.",
            )
        return tiers[tier]

    def today(self) -> date:
        """The day that it is now in the environment's time zone."""
        return self.clock().astimezone(ZoneInfo(self.policy.timezone)).date()

    def database(self) -> Connection:
        """The connection to the live database; raises UsageError where it is not defined."""
        return self.connections.get(self.policy.database.conn_id)

    def recipients(self) -> tuple[age.Recipient, ...]:
        """The age recipients that backups are encrypted to."""
        key_files = self.policy.keys
        found = [age.parse_recipient(text) for text in key_files.recipients]
        if key_files.recipients_file is not None:
            lines = _read(key_files.recipients_file, "keys.recipients_file").splitlines()
            found += [age.parse_recipient(line) for line in map(str.strip, lines) if line and not line.startswith("#")]
        if not found:
            raise UsageError(f"{self.title}: keys.recipients_file {key_files.recipients_file} names no recipient")
        return tuple(found)

    def listing_recipients(self) -> tuple[age.Recipient, ...]:
        """Who can read lists of files: the recipients, and the host that takes backups, by its signing key."""
        recipients = self.recipients()
        return (*recipients, listing_identity(self.signer(), recipients).recipient())

    def listing_identities(self) -> tuple[age.Identity, ...]:
        """Every identity at hand that opens lists of files; raises UsageError where there is none."""
        if self.policy.keys.signing_key_file is None:
            return self.demand_identities()
        own = listing_identities(self.signer())
        path = self.policy.keys.identity_file
        # The same policy serves hosts that take backups and have no such file, and those that read them.
        return own if path is None or not Path(path).is_file() else (*own, *(self.identities() or ()))

    def identities(self) -> tuple[age.Identity, ...] | None:
        """The age identities that open backups; None where the policy names no identity file."""
        path = self.policy.keys.identity_file
        return None if path is None else age.load_identities(_existing(path, "keys.identity_file"))

    def demand_identities(self) -> tuple[age.Identity, ...]:
        """The age identities; raises UsageError where the policy names none."""
        found = self.identities()
        if found is None:
            raise UsageError(
                f"{self.title}: keys.identity_file is not set, so backups cannot be read here",
                hint="Set keys.identity_file on hosts that verify, restore or drill.",
            )
        return found

    def identities_fit(self, identities: Sequence[age.Identity]) -> bool:
        """Whether they open what is encrypted to the policy's recipients."""
        sealed = age.encrypt([b"holdfast"], self.recipients())
        try:
            return b"".join(age.decrypt(sealed, identities)) == b"holdfast"
        except DecryptError:
            return False

    def signer(self) -> Signer:
        """The Ed25519 key that signs manifests; raises UsageError where the policy names none."""
        path = self.policy.keys.signing_key_file
        if path is None:
            raise UsageError(
                f"{self.title}: keys.signing_key_file is not set, so no backup can be taken here",
                hint="`holdfast keys new --out DIR` makes the keys.",
            )
        return Signer.load(_existing(path, "keys.signing_key_file"))

    def verifier(self) -> Verifier:
        """The public key that manifests are checked with, derived from the signing key where only that is named."""
        path = self.policy.keys.verify_key_file
        if path is not None:
            return Verifier.load(_existing(path, "keys.verify_key_file"))
        if self.policy.keys.signing_key_file is not None:
            return self.signer().verifier()
        raise UsageError(
            f"{self.title}: neither keys.verify_key_file nor keys.signing_key_file is set, so nothing can be trusted",
            hint="Copy signing.pub from the host that takes the backups and name it in keys.verify_key_file.",
        )


def open_environment(
    policy_file: Path, environment: str, connections: Connections, actor: Actor = _NOBODY
) -> Environment:
    """Open one environment of a policy file; raises PolicyError or UsageError before anything is touched.

    ``actor``: on whose behalf, for the audit trail.
    """
    policy = load_policy(policy_file)
    section = policy.environments.get(environment)
    if section is None:
        raise UsageError(
            f"environment {environment!r}: not in policy {policy_file}",
            hint=f"The policy has: {', '.join(policy.environments)}.",
        )
    return open_section(policy_file, policy.app, environment, section, connections, actor)


def open_section(
    policy_file: Path,
    app: str,
    environment: str,
    section: EnvironmentPolicy,
    connections: Connections,
    actor: Actor = _NOBODY,
) -> Environment:
    """Open one environment of a policy that was loaded; raises UsageError before anything is touched."""
    connection = connections.get(section.store.conn_id) if section.store.conn_id is not None else None
    return Environment(
        app=app,
        name=environment,
        policy_file=policy_file,
        policy=section,
        keys=EnvironmentKeys(app, environment),
        store=open_store(section.store.url, connection),
        connections=connections,
        actor=actor,
    )


def _existing(path: str, field: str) -> Path:
    if Path(path).is_dir():
        raise UsageError(f"{field} {path}: is a directory", hint="Name the file itself.")
    if not Path(path).is_file():
        raise UsageError(
            f"{field} {path}: no such file on this host",
            hint="Copy it from where it is kept. New keys (`holdfast keys new`) open and prove no older restore point.",
        )
    return Path(path)


def _read(path: str, field: str) -> str:
    try:
        return _existing(path, field).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{field} {path}: cannot be read: {error}") from error
