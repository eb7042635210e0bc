"""The policy's sections ``restore`` and ``migration``: how the live application may be changed, and by what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from holdfast.policy.fields import CommandLine, ConnId, EnvName, LocalPath, Part, Query, Span
from holdfast.values import duration

PLACEHOLDER = "{migration}"


class Restore(Part):
    """How a restore reaches the live application, and what is kept of what it replaces."""

    conn_id: ConnId | None = Field(
        default=None,
        description="the live database with a role that may create and rename databases; database.conn_id if not set",
    )
    method: Literal["switch", "clean"] = Field(
        default="switch",
        description="switch: restored beside, then renamed; clean: over the live one, where renaming is not allowed",
    )
    rehearsal: Literal["recovery", "beside"] = Field(
        default="recovery",
        description="where it is restored and checked before anybody is asked: on the recovery host, or only beside",
    )
    keep_replaced: Span = Field(
        default_factory=lambda: duration.Duration.parse("7d"),
        description="how long a replaced database and replaced media are kept",
    )
    window: Literal["optional", "required"] = Field(
        default="optional", description="whether a change window must be named"
    )
    end_sessions: Span = Field(
        default_factory=lambda: duration.Duration.parse("30s"),
        description="how long a switch goes on trying to end the application's sessions",
    )


class Migration(Part):
    """The application's migration command, which only runs behind a verified snapshot (docs/on-call.md)."""

    command: CommandLine
    follow_up: tuple[CommandLine, ...] = Field(
        default=(),
        description=f"run after the snapshot was restored; {PLACEHOLDER} stands for the failed migration's name",
    )
    failed_query: Query | None = Field(
        default=None, description="a SQL query that yields the failed migration's name, one value"
    )
    checks: tuple[CommandLine, ...] = Field(default=(), description="commands that must succeed afterwards")
    app_dir: LocalPath | None = None
    env: dict[EnvName, str] = Field(default_factory=dict, description="the commands' environment, never a secret")
    database_variable: EnvName = "DATABASE_URL"
    timeout: Span = Field(default_factory=lambda: duration.Duration.parse("30m"))

    @model_validator(mode="after")
    def _can_name_the_failed(self) -> Migration:
        if self.failed_query is None and any(PLACEHOLDER in line for line in self.follow_up):
            raise ValueError(f"follow_up: {PLACEHOLDER} needs failed_query, which finds the failed migration's name")
        if self.database_variable in self.env:
            raise ValueError(f"the variable {self.database_variable} is given twice: each has one value")
        return self
