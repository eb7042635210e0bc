"""The fields of a policy file (docs/policy.md). Unknown fields are refused; all values are frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from holdfast.errors import UsageError
from holdfast.policy import cron, places
from holdfast.values import duration, keys

DUMP_TIERS = ("nightly", "monthly", "snapshot")
MEDIA_TIERS = ("media", "media_check")
# Fields that some tiers alone have; elsewhere they would be taken for a promise.
_OF_TIERS = {
    "fraction": ("media_check",),
    "min_size_ratio": DUMP_TIERS,
    "keep": (*DUMP_TIERS, "media", "wal", "base_backup", "restore_check", "restore_drill"),
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
]


def _duration(value: Any) -> duration.Duration:
    if isinstance(value, duration.Duration):
        return value
    try:
        return duration.Duration.parse(str(value))
    except UsageError as error:
        raise ValueError(str(error)) from error


def _timezone(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except Exception as error:
        raise ValueError(f"{value!r} is no time zone of the IANA database, such as Europe/Berlin") from error
    return str(value)


def _schedule(value: Any) -> str:
    text = " ".join(str(value).split())
    if text == "continuous":
        return text
    if not cron.is_valid(text):
        raise ValueError(f"{value!r} is neither five cron fields, such as '0 2 * * *', nor 'continuous'")
    if not cron.ever_comes(text):
        raise ValueError(f"{value!r} never comes: no month that it names has such a day")
    return text


def _recipient(value: Any) -> str:
    text = str(value).strip()
    if not text.startswith("age1") or not text.isalnum():
        raise ValueError("no age recipient, which begins with age1; secret keys and passwords never stand in a policy")
    return text


def _url(fault_of: Callable[[str], str | None]) -> BeforeValidator:
    """Accepts the URLs in which ``fault_of`` finds no fault."""

    def validated(value: Any) -> str:
        text = str(value)
        fault = fault_of(text)
        if fault is not None:
            raise ValueError(fault)
        return text

    return BeforeValidator(validated)


Span = Annotated[
    duration.Duration,
    BeforeValidator(_duration),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": duration.PATTERN, "examples": ["24h", "35d", "12mo"]}),
]


def _place(value: Any) -> Any:
    if isinstance(value, str) and (not value or places.CONTROL.search(value)):
        found = "a control character in it" if value else "an empty text"
        raise ValueError(f"expected the path of a file or directory, found {found}")
    return value


def _query(value: Any) -> Any:
    if isinstance(value, str) and not value.strip(" \t\r\n;"):
        raise ValueError("is empty: expected a SQL query")
    return value


LocalPath = Annotated[str, BeforeValidator(_place)]
Query = Annotated[str, BeforeValidator(_query)]
MediaUrl = Annotated[str, _url(places.media_url_fault)]
_PART = r'("([^"]|"")+"|[^".]+)'
TableName = Annotated[
    str,
    Field(
        pattern=rf"^({_PART}\.)?{_PART}$",
        description="table or schema.table as in the database; with a dot or quote in a name, quoted as in SQL",
    ),
]
Timezone = Annotated[str, BeforeValidator(_timezone)]
Recipient = Annotated[str, BeforeValidator(_recipient)]
StoreUrl = Annotated[str, _url(places.store_url_fault)]
Schedule = Annotated[str, BeforeValidator(_schedule)]
Name = Annotated[str, Field(pattern=f"^{keys.NAME.pattern}$")]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
RoleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]
ConnId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")]


class Part(BaseModel):
    """Base of every section of a policy."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Targets(Part):
    """What the business accepts: data lost at most (RPO) and time to restore at most (RTO)."""

    rpo: Span | None = None
    rto: Span | None = None


class DatabaseSource(Part):
    """The PostgreSQL database, by connection id, and how point-in-time recovery is had."""

    conn_id: ConnId
    pitr: Literal["streaming", "provider", "none"] = "none"


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


class Between(Part):
    """What a query's single value must lie between, both included."""

    at_least: float | None = Field(default=None, allow_inf_nan=False)
    at_most: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _limits(self) -> Between:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        return self


class RowsFound(Part):
    """How many rows a query must yield; 0 for a query that looks for what must not be."""

    rows: int = Field(ge=0, strict=True)


class DrillQuery(Part):
    """A SQL query on the restored database and what it must say; it runs in a transaction that cannot write."""

    sql: Query
    expect: Between | RowsFound | bool | int | Finite | str = Field(
        description="the single value of its one row; {at_least, at_most} for that value; {rows} for how many rows",
    )
    area: str | None = Field(default=None, description="what it proves, such as payments; its name where not set")


class DrillCodes(Part):
    """Codes that people hold, such as those of certificates: old and new ones must be found, with their links."""

    sql: Query = Field(
        description="yields columns named code, link, at (when it was given out), and where there is one image: the "
        "path of a media file or the bytes of a picture that holds the link as a QR code"
    )
    link: str = Field(pattern=r"\{code\}", description="what every link must be, with {code} for the code")
    each: int = Field(default=3, ge=1, le=1000, strict=True, description="so many of the oldest and of the newest")


def _command_line(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or places.CONTROL.search(value)):
        raise ValueError("expected a program with its arguments on one line, without control characters")
    return value


CommandLine = Annotated[str, BeforeValidator(_command_line)]
# The recovery environment sets these itself; a database's URL in PATH would be shown with its password.
_NOT_FOR_SECRETS = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_PRELOAD", "LD_LIBRARY_PATH"})


class RecoveryServer(Part):
    """A PostgreSQL server to restore into instead of a throwaway one; its role may create databases."""

    conn_id: ConnId


class Drill(Part):
    """How restores are tried: what runs against the restored application, what must be true, where it happens."""

    app_dir: LocalPath | None = None
    commands: tuple[CommandLine, ...] = ()
    command_timeout: Span = Field(default_factory=lambda: duration.Duration.parse("15m"))
    env: dict[EnvName, str] = Field(
        default_factory=dict, description="temporary recovery settings: the commands' whole environment, never a secret"
    )
    temporary_secrets: tuple[EnvName, ...] = Field(
        default=(), description="names of variables that get a random value for the time of the drill"
    )
    database_variable: EnvName = "DATABASE_URL"
    media_variable: EnvName = "STORAGE_PATH"
    queries: dict[str, DrillQuery] = Field(default_factory=dict)
    codes: DrillCodes | None = None
    media_sample: int = Field(
        default=200, ge=1, strict=True, description="so many media files are restored and hashed where not all are"
    )
    network: Literal["isolated", "isolated-host", "unconfined"] = "isolated"
    server: RecoveryServer | None = None

    @model_validator(mode="after")
    def _has_a_variable_for_each(self) -> Drill:
        names = [*self.env, *self.temporary_secrets, self.database_variable, self.media_variable]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the variable {name} is given twice: each has one value")
        for name in (*self.temporary_secrets, self.database_variable, self.media_variable):
            if name in _NOT_FOR_SECRETS:
                raise ValueError(f"the variable {name} has a meaning of its own and can hold no secret or place")
        return self


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


class Alerts(Part):
    """Who is told: an Apprise connection."""

    conn_id: ConnId


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
            if name in MEDIA_TIERS and self.media is None:
                raise ValueError(f"tiers.{name}: there is no media section that says where the files lie")
            if (tier.schedule == "continuous") != (name == "wal" and tier.schedule is not None):
                raise ValueError(f"tiers.{name}.schedule: 'continuous' is for the wal tier, and its only schedule")
        for name in self.compliance_export.tiers if self.compliance_export is not None else ():
            if name not in self.tiers:
                raise ValueError(f"compliance_export.tiers: the environment has no tier {name}, so it would never run")
        if self.media_references is not None and self.media is None:
            raise ValueError("media_references: there is no media section that says where the files lie")
        app_dirs = (self.release_dir, self.drill.app_dir if self.drill else None)
        places.refuse_inside(self.store.url, [*filter(None, app_dirs), *([self.media.source] if self.media else [])])
        return self


class Policy(Part):
    """A policy file: one app and its environments."""

    app: Name
    environments: dict[Name, EnvironmentPolicy] = Field(min_length=1)
