"""Streams WAL into the store."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from holdfast.errors import TransientError
from holdfast_airflow.assets import perhaps, tell
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.streaming import StreamReport

SPOOL_VARIABLE = "HOLDFAST_SPOOL"
"""The folder in which WAL lies until it is stored; the temporary one where it is not set."""
# Long enough to see what is missing, and to have shipped some WAL. No run is over sooner, for the next one would begin
# within a second of it.
_FIRST_S = 15.0
# A base backup that was asked for is under way for so long, or has failed and been seen.
_ASKED = timedelta(hours=6)


class StreamWalOperator(EngineOperator):
    """Streams for as long as the policy's ``wal.run`` says, or until it is told to end.

    Where a base backup has become necessary, since WAL was lost or there is no base backup yet, it ends early: its
    success is then an event of ``gaps``. Whatever fails is tried again, for a run that failed at once would begin anew
    at once.
    """

    template_fields = ()

    def __init__(self, *, gaps: Asset, **kwargs: Any) -> None:
        super().__init__(inlets=[gaps], outlets=[perhaps(gaps)], **kwargs)
        self.gaps = gaps
        self._stop: Event | None = None

    def execute(self, context: Context) -> Facts:
        """What was stored, up to where, and what the source still holds back."""
        # Not in __init__: Airflow copies operators, and locks cannot be copied.
        self._stop = Event()
        try:
            with self.engine() as environment:
                return self._stream(environment, context, self._stop)
        except AirflowFailException as error:
            raise AirflowException(f"{error}; tried again, for WAL is lost where nobody fetches it") from error

    def on_kill(self) -> None:
        """SIGTERM: what has arrived is shipped, then the run ends as if its time were over."""
        if self._stop is not None:
            self._stop.set()
        else:
            super().on_kill()

    def _stream(self, environment: Environment, context: Context, stop: Event) -> Facts:
        seconds = float(environment.policy.wal.run.as_seconds)
        report = self._first_turn(environment, stop)
        reason = self._news(environment, context, report)
        if reason is None and not stop.is_set():
            report = _joined(report, self._turn(environment, stop, max(seconds - _FIRST_S, 1.0)))
            reason = self._news(environment, context, report)
        if reason is not None:
            self.log.warning("a base backup is needed: %s", reason)
            tell(self.gaps, context, {"reason": reason})
        return dict(report.as_json()) if report is not None else {}

    def _first_turn(self, environment: Environment, stop: Event) -> StreamReport | None:
        """A short one, by whose end it is known what is missing; None where store or server are away."""
        try:
            return self._turn(environment, stop, _FIRST_S)
        except TransientError as error:
            self.log.warning("%s", error.message)
            return None

    def _turn(self, environment: Environment, stop: Event, seconds: float) -> StreamReport:
        from holdfast.streaming import stream_wal

        report = stream_wal(
            environment, seconds=seconds, spool=_spool(environment), stop=stop, progress=self.progress()
        )
        for note in report.notes:
            self.log.warning("%s", note)
        return report

    def _news(self, environment: Environment, context: Context, report: StreamReport | None) -> str | None:
        """Why a base backup is needed, unless nothing is known of it or it was asked for already."""
        if report is None:
            return None
        has_base = any(entry.is_committed for entry in environment.base_catalog.entries())
        reason = report.gap or (None if has_base else "there is no base backup yet")
        lately = (datetime.now(UTC) - _ASKED).isoformat()
        asked = context["inlet_events"][self.gaps].after(lately) if reason is not None else ()
        return None if any((event.extra or {}).get("reason") == reason for event in asked) else reason


def _spool(environment: Environment) -> Path | None:
    """The environment's folder in the worker's spool, which several environments share."""
    folder = os.environ.get(SPOOL_VARIABLE)
    slot = environment.policy.wal.slot_of(environment.app, environment.name)
    return Path(folder) / f"{environment.app}.{environment.name}.{slot}" if folder else None


def _joined(first: StreamReport | None, second: StreamReport) -> StreamReport:
    """What two turns of one run tell together."""
    if first is None:
        return second
    return replace(
        second,
        segments=first.segments + second.segments,
        partials=first.partials + second.partials,
        wal_bytes=first.wal_bytes + second.wal_bytes,
        stored_bytes=first.stored_bytes + second.stored_bytes,
        seconds=first.seconds + second.seconds,
        gap=second.gap or first.gap,
        notes=tuple(dict.fromkeys([*first.notes, *second.notes])),
    )
