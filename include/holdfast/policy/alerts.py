"""The policy's section ``alerts``: who is told of what the watch finds, by which way, and how often again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ByteSize, Field, field_validator

from holdfast.policy.fields import ConnId, Part, Span
from holdfast.policy.strict_yaml import suggestion
from holdfast.values import duration
from holdfast.values.finding_kinds import SEVERITIES
from holdfast.values.finding_kinds import Severity as Severity


def _span(text: str) -> duration.Duration:
    return duration.Duration.parse(text)


class Route(Part):
    """Where messages of one severity go: another Apprise connection, or only those of its addresses with a tag."""

    conn_id: ConnId | None = None
    tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")


class Remind(Part):
    """How long an alert stays open before it is said again."""

    page: Span = Field(default_factory=lambda: _span("4h"))
    notify: Span = Field(default_factory=lambda: _span("7d"))


class Contacts(Part):
    """Whom a message names, by role: who restores, who judges the data, who approves changes of production."""

    on_call: str | None = Field(default=None, max_length=200, description="on-call DevOps: initiates the restore")
    database_admin: str | None = Field(default=None, max_length=200, description="verifies the integrity of the data")
    team_lead: str | None = Field(default=None, max_length=200, description="approves changes of production")


class Alerts(Part):
    """Who is told: an Apprise connection (docs/alerts.md)."""

    conn_id: ConnId
    page: Route = Route()
    notify: Route = Route()
    remind: Remind = Remind()
    contacts: Contacts = Contacts()
    severities: Mapping[str, Literal["page", "notify", "off"]] = Field(
        default_factory=dict, description="another severity for a kind of finding, such as `too_large: off`"
    )
    ping_conn_id: ConnId | None = Field(
        default=None, description="the connection whose URL every round of the watch calls: silence there is an alarm"
    )
    late_after: Span = Field(
        default_factory=lambda: _span("1h"), description="how long after its time a backup may be missing"
    )
    runbook_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s@]+$", description="where docs/ can be read; messages link to it"
    )
    airflow_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s@]+$", description="Airflow's web UI; messages link to the DAG"
    )
    space_limit: ByteSize | None = Field(
        default=None, description="what the store may hold of this environment; a local store's disk is looked at"
    )

    @field_validator("severities", mode="before")
    @classmethod
    def _reads_off(cls, value: object) -> object:
        """YAML takes a bare ``off`` for false."""
        if not isinstance(value, Mapping):
            return value
        return {kind: "off" if severity is False else severity for kind, severity in value.items()}

    @field_validator("severities")
    @classmethod
    def _knows_kinds(cls, severities: Mapping[str, str]) -> Mapping[str, str]:
        """A misspelt kind would silence nothing, or leave asleep whom it was to wake."""
        for kind in severities:
            if kind not in SEVERITIES:
                raise ValueError(f"{kind!r} is no kind of finding{suggestion(kind, set(SEVERITIES))}")
        return severities

    def route(self, severity: Severity) -> tuple[str, str | None]:
        """(connection id, tag or None for all of its addresses) of messages of a severity."""
        chosen = self.page if severity == "page" else self.notify
        return chosen.conn_id or self.conn_id, chosen.tag
