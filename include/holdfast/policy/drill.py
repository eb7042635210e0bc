"""The policy's section ``drill``: how restores are tried, and what must be true of what was restored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from holdfast.policy.fields import CommandLine, ConnId, EnvName, Finite, LocalPath, Part, Query, Span
from holdfast.values import duration

# The recovery environment sets these itself; a database's URL in PATH would be shown with its password.
_NOT_FOR_SECRETS = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_PRELOAD", "LD_LIBRARY_PATH"})


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
