"""The fields of a policy file (docs/policy.md). Unknown fields are refused; all values are frozen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from holdfast.policy import places
from holdfast.policy.alerts import Alerts
from holdfast.policy.drill import Drill
from holdfast.policy.fields import (
    ConnId,
    LocalPath,
    MediaUrl,
    Name,
    Part,
    Query,
    Recipient,
    RoleName,
    Schedule,
    Span,
    StoreUrl,
    SystemIdentifier,
    TableName,
    Timezone,
)
from holdfast.policy.restore import Migration, Restore
from holdfast.policy.wal import Wal
from holdfast.values import duration

DUMP_TIERS = ("nightly", "monthly", "snapshot")
PITR_TIERS = ("wal", "base_backup", "pitr_check", "wal_check")
MEDIA_TIERS = ("media", "media_check")
# Fields that some tiers alone have; elsewhere they would be taken for a promise.
_OF_TIERS = {
    "fraction": ("media_check",),
    "min_size_ratio": DUMP_TIERS,
    "keep": (*DUMP_TIERS, "media", "wal", "base_backup", "restore_check", "restore_drill", "pitr_check"),
}
TierName = Literal[
    "nightly",
    "wal",
    "base_backup",
    "media",
    "media_check",
    "monthly",
    "snapshot",
    "restore_check",
    "restore_drill",
    "pitr_check",
    "wal_check",
]


class Targets(Part):
    """What the business accepts: data lost at most (RPO) and time to restore at most (RTO)."""

    rpo: Span | None = None
    rto: Span | None = None


class DatabaseSource(Part):
    """The PostgreSQL database, by connection id, and how point-in-time recovery is had."""

    conn_id: ConnId
    pitr: Literal["streaming", "provider", "none"] = "none"
    system_identifier: SystemIdentifier | None = Field(
        default=None,
        description="the cluster that WAL and base backups are taken from; the first one seen if not set. To be set "
        "when another has taken its place, such as one of a newer major version",
    )


class MediaSource(Part):
    """Uploaded files: ``file:///dir`` or ``s3://bucket/prefix``."""

    source: MediaUrl
    conn_id: ConnId | None = None


class ObjectLock(Part):
    """How long the bucket refuses to delete what was stored: nobody can in compliance mode, few in governance."""

    mode: Literal["governance", "compliance"]
    days: int = Field(ge=1, le=36500, strict=True)


class StorePlace(Part):
    """Where restore points go: ``file:///dir``, ``s3://``, ``gs://`` or ``az://`` with a connection id."""

    url: StoreUrl
    conn_id: ConnId | None = None
    object_lock: ObjectLock | None = None

    @model_validator(mode="after")
    def _can_lock(self) -> StorePlace:
        if self.object_lock is not None and not self.url.startswith("s3://"):
            raise ValueError("object_lock is for s3:// stores: no other store is asked to lock what it holds")
        return self


class KeyFiles(Part):
    """Who can read backups (age recipients and identity) and what proves them ours (Ed25519 keys)."""

    recipients: tuple[Recipient, ...] = ()
    recipients_file: LocalPath | None = None
    identity_file: LocalPath | None = None
    signing_key_file: LocalPath | None = None
    verify_key_file: LocalPath | None = None

    @model_validator(mode="after")
    def _has_recipient(self) -> KeyFiles:
        if not self.recipients and self.recipients_file is None:
            raise ValueError("no recipient: give recipients or recipients_file, backups are never stored unencrypted")
        return self


class InventoryFile(Part):
    """The configuration inventory: a YAML of variable names and owners, relative to the policy file.

    ``names_from``: an env file of the application, read for its names alone, that the inventory is compared with.
    """

    file: LocalPath
    names_from: LocalPath | None = None


class ComplianceExport(Part):
    """Tables that are also stored as encrypted CSV, beside the dump of the given tiers, under a rule of their own."""

    tables: tuple[TableName, ...] = Field(min_length=1)
    keep: Span
    tiers: tuple[Literal["nightly", "monthly", "snapshot"], ...] = Field(default=("monthly",), min_length=1)


class TierPolicy(Part):
    """One kind of backup: when it runs, and how long its restore points are kept."""

    schedule: Schedule | None = None
    keep: Span | None = None
    min_size_ratio: float = Field(
        default=0.5,
        ge=0,
        le=1,
        strict=True,
        description="a dump below this share of the median of the tier's recent dumps of that database fails; 0: off",
    )
    fraction: float = Field(
        default=1.0,
        ge=0.001,
        le=1,
        strict=True,
        description="the share of the shards that one media check reads, those longest unread first; 1: all of them",
    )


class ApprovalRules(Part):
    """Who must agree before something is done that a person has to answer for."""

    needed: int = Field(default=1, ge=1, le=2, strict=True, description="how many people besides who asked")
    within: Span = Field(default_factory=lambda: duration.Duration.parse("24h"))
    approvers: tuple[str, ...] = Field(
        default=(), description="login names; where none is given, everybody whose role may answer"
    )


class Access(Part):
    """Which roles may do what with this environment in the web UI and API; Admin may do everything.

    ``approve``: who may answer where a run waits for somebody's approval. The role must hold that right at all, which
    is the file of roles' to say. Whoever may do anything may read as well.
    """

    backup: tuple[RoleName, ...] = ("DevOps", "DBA")
    restore: tuple[RoleName, ...] = ("DevOps", "DBA")
    approve: tuple[RoleName, ...] = ("DevOps", "DBA", "TeamLead")
    delete: tuple[RoleName, ...] = ("DevOps",)
    read: tuple[RoleName, ...] = ("TeamLead", "Developer", "Viewer")


class EnvironmentPolicy(Part):
    """One environment of the app, such as production."""

    timezone: Timezone = "UTC"
    targets: Targets = Targets()
    database: DatabaseSource
    media: MediaSource | None = None
    media_references: Query | None = Field(
        default=None,
        description="a SQL query of one column: the paths of media files that the database refers to",
    )
    store: StorePlace
    keys: KeyFiles
    inventory: InventoryFile | None = None
    compliance_export: ComplianceExport | None = None
    tiers: dict[TierName, TierPolicy] = Field(min_length=1)
    orphan_grace: Span = Field(
        default_factory=lambda: duration.Duration.parse("2d"),
        description="how long objects of an unfinished backup are left alone before expire collects them",
    )
    release_dir: LocalPath | None = None
    drill: Drill | None = None
    restore: Restore = Restore()
    wal: Wal = Wal()
    migration: Migration | None = None
    approval: ApprovalRules = ApprovalRules()
    access: Access = Access()
    alerts: Alerts | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> EnvironmentPolicy:
        for name, tier in self.tiers.items():
            if name in DUMP_TIERS and tier.keep is None:
                raise ValueError(f"tiers.{name}.keep is missing: say how long its restore points are kept, such as 35d")
            for field in sorted(tier.model_fields_set & _OF_TIERS.keys()):
                if name not in _OF_TIERS[field]:
                    raise ValueError(
                        f"tiers.{name}.{field}: means nothing there, only of {', '.join(_OF_TIERS[field])}"
                    )
            if name in PITR_TIERS and self.database.pitr != "streaming":
                raise ValueError(f"tiers.{name}: only with `database.pitr: streaming`")
            if name in MEDIA_TIERS and self.media is None:
                raise ValueError(f"tiers.{name}: there is no media section that says where the files lie")
            if (tier.schedule == "continuous") != (name == "wal" and tier.schedule is not None):
                raise ValueError(f"tiers.{name}.schedule: 'continuous' is for the wal tier, and its only schedule")
        for name in self.compliance_export.tiers if self.compliance_export is not None else ():
            if name not in self.tiers:
                raise ValueError(f"compliance_export.tiers: the environment has no tier {name}, so it would never run")
        if self.media_references is not None and self.media is None:
            raise ValueError("media_references: there is no media section that says where the files lie")
        app_dirs = (self.release_dir, *(part.app_dir for part in (self.drill, self.migration) if part is not None))
        places.refuse_inside(self.store.url, [*filter(None, app_dirs), *([self.media.source] if self.media else [])])
        return self


class Policy(Part):
    """A policy file: one app and its environments."""

    app: Name
    environments: dict[Name, EnvironmentPolicy] = Field(min_length=1)
