"""The policy's section ``wal``: how WAL is streamed, how base backups join it, and what it may cost the source."""

from __future__ import annotations

from pydantic import ByteSize, Field, model_validator

from holdfast.policy.fields import Part, Span
from holdfast.values import duration


def _span(text: str) -> duration.Duration:
    return duration.Duration.parse(text)


class Wal(Part):
    """Continuous WAL (docs/pitr.md). Sizes are written like 4GiB."""

    slot: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]{1,63}$",
        description="the replication slot that holds WAL on the source; holdfast_<app>_<environment> if not set",
    )
    ship_every: Span = Field(
        default_factory=lambda: _span("5s"),
        description="how often the open segment is stored while it grows: what a lost server may cost",
    )
    mark_every: Span = Field(
        default_factory=lambda: _span("10s"), description="how often a marker with the time is written into the WAL"
    )
    marker: bool = Field(
        default=True,
        description="write the marker, as a setting of the connection's own role; without it instants are less certain",
    )
    run: Span = Field(default_factory=lambda: _span("1h"), description="how long one run of the DAG streams")
    spool_limit: ByteSize = Field(
        default=ByteSize(2 << 30),
        description="plaintext WAL on the worker's disk at most; while the store is away, the source holds the rest",
    )
    retained_warning: ByteSize = Field(
        default=ByteSize(4 << 30), description="WAL held back on the source from which the doctor warns"
    )
    retained_page: ByteSize = Field(
        default=ByteSize(16 << 30), description="WAL held back on the source from which somebody is woken"
    )
    lag_warning: Span = Field(
        default_factory=lambda: _span("5m"),
        description="how long WAL of the source may not be stored before it is told",
    )
    lag_page: Span = Field(
        default_factory=lambda: _span("15m"), description="how long until somebody is woken because of that"
    )
    full_every: Span = Field(
        default_factory=lambda: _span("7d"), description="how old the last full base backup may be for an incremental"
    )
    wait_for_wal: Span = Field(
        default_factory=lambda: _span("15m"), description="how long a base backup waits for the WAL that it needs"
    )

    def slot_of(self, app: str, environment: str) -> str:
        """The slot's name, or ``holdfast_<app>_<environment>`` in the characters that slots may have."""
        return self.slot or f"holdfast_{app}_{environment}".replace("-", "_")[:63]

    @model_validator(mode="after")
    def _order(self) -> Wal:
        if self.retained_page < self.retained_warning:
            raise ValueError("retained_page is smaller than retained_warning")
        if self.lag_page.as_seconds < self.lag_warning.as_seconds:
            raise ValueError("lag_page is shorter than lag_warning")
        return self
