"""Sends metrics through Airflow's own statistics, to StatsD or OpenTelemetry; no task ever fails by it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.observability.stats import Stats

if TYPE_CHECKING:
    from airflow.sdk import Context

    from holdfast.metrics.sample import Sample
    from holdfast.watch.reports import WatchReport
    from holdfast_airflow.operators.base import EngineOperator

_LOG = logging.getLogger(__name__)
_UNSENT = "metrics were not sent: %s: %s"
# Where tags are part of a line's name, Airflow drops lines with any other character.
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_./-]")
# Facts differ by their use case: what was added to the store says more than what it was made of.
_BYTES = ("stored_bytes", "bytes", "bytes_freed")
_ROWS = "rows"


def emit(samples: Iterable[Sample]) -> None:
    """Send every sample; what cannot be sent is logged, and nothing is raised."""
    try:
        if _is_on():
            is_tagged = _is_tagged()
            for sample in samples:
                _send(sample, is_tagged)
    except Exception as error:
        _LOG.warning(_UNSENT, type(error).__name__, error)


def tell_watched(report: WatchReport, policy_files: Sequence[Path]) -> None:
    """Send what a round of the watch has seen of every environment, and how long it took."""
    try:
        if _is_on():
            from holdfast.metrics.watched import samples_of_watch
            from holdfast_airflow.connections import AirflowConnections

            emit(samples_of_watch(report, policy_files, AirflowConnections(), datetime.now(UTC)))
    except Exception as error:
        _LOG.warning(_UNSENT, type(error).__name__, error)


@contextmanager
def timed(operator: EngineOperator) -> Iterator[None]:
    """Take the time of the engine's work in one try of a task; a try that fails is told at once."""
    began_at = time.monotonic()
    outcome = None
    try:
        yield
    except Exception:
        outcome = "failed"
        raise
    except SystemExit:
        outcome = "ended"
        raise
    finally:
        operator.worked_s = time.monotonic() - began_at
        if outcome is not None:
            emit(_of_task(operator, outcome, {}))


def tell_done(context: Context, result: Any = None) -> None:
    """Tell how long the task was at work and how much it did; Airflow calls it once a task has returned."""
    emit(_of_task(context["task"], "success", result))  # type: ignore[arg-type]


def _of_task(operator: EngineOperator, outcome: str, result: Any) -> Iterator[Sample]:
    from holdfast.metrics.names import metric
    from holdfast.metrics.sample import Sample

    app = operator.app or Path(operator.policy_file).stem
    tier = operator.dag_id.rpartition(".")[2]
    labels = (app, operator.environment, tier, operator.task_id, operator.task_type)
    if operator.worked_s is not None:
        yield Sample(metric("task_duration"), (*labels, outcome), 1000 * operator.worked_s)
    facts = result if isinstance(result, Mapping) else {}
    done = {"task_bytes": _first(facts, _BYTES), "task_rows": _first(facts, (_ROWS,))}
    yield from (Sample(metric(name), labels, value) for name, value in done.items() if value is not None)


def _first(facts: Mapping[str, Any], names: Iterable[str]) -> float | None:
    figures = facts.get("figures")
    known = {**(figures if isinstance(figures, Mapping) else {}), **facts}
    found = (known.get(name) for name in names)
    return next((value for value in found if isinstance(value, int | float) and not isinstance(value, bool)), None)


def _send(sample: Sample, is_tagged: bool) -> None:
    name = sample.metric.stat if is_tagged else sample.spelled_stat
    tags = {key: _NOT_IN_TAGS.sub("_", value) for key, value in sample.tags.items()} if is_tagged else None
    if sample.metric.kind == "timing":
        Stats.timing(name, sample.value, tags=tags)
    else:
        Stats.gauge(name, sample.value, tags=tags)


def _is_on() -> bool:
    return any(_has(option) for option in ("statsd_datadog_enabled", "statsd_on", "otel_on"))


def _is_tagged() -> bool:
    """Whether tags arrive: plain StatsD has none, and gauges of several environments would be one."""
    if _has("statsd_datadog_enabled"):
        return _has("statsd_datadog_metrics_tags")
    return _has("statsd_influxdb_enabled") if _has("statsd_on") else True


def _has(option: str) -> bool:
    return bool(conf.getboolean("metrics", option, fallback=False))
