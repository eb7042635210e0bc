"""Progress on stderr: a bar with bytes, rate and ETA on a terminal, one plain line a phase otherwise."""

from __future__ import annotations

import sys
import time
from typing import Any, override

import click

from holdfast.progress import Progress, Silent
from holdfast.values import figures


class PlainLines(Progress):
    """One line when a phase ends, and a sign of life every half minute."""

    _EVERY_S = 30.0

    def __init__(self) -> None:
        self._phase, self._bytes, self._started, self._told = "", 0, 0.0, 0.0

    @override
    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        self._phase, self._bytes = phase, 0
        self._started = self._told = time.monotonic()

    @override
    def advance(self, count_bytes: int) -> None:
        self._bytes += count_bytes
        if time.monotonic() - self._told > self._EVERY_S:
            self._told = time.monotonic()
            self._say("…")

    @override
    def end(self, outcome: str = "") -> None:
        self._say(outcome)

    def _say(self, outcome: str) -> None:
        seconds = time.monotonic() - self._started
        moved = f" {figures.size(self._bytes)}" if self._bytes else ""
        click.echo(f"{self._phase}:{moved} in {seconds:.1f} s{f' — {outcome}' if outcome else ''}", err=True)


class Bar(Progress):
    """A rich progress bar; total and ETA appear where the size is known beforehand."""

    def __init__(self) -> None:
        from rich import progress

        self._rich: Any = progress
        self._bar: Any = None
        self._task: Any = None
        self._phase, self._bytes, self._started = "", 0, 0.0
        self._total: int | None = None

    @override
    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        from rich.console import Console

        self._stop()
        self._phase, self._bytes, self._started = phase, 0, time.monotonic()
        self._total = total_bytes
        self._bar = self._rich.Progress(*self._columns(), console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(phase, total=total_bytes)

    @override
    def advance(self, count_bytes: int) -> None:
        self._bytes += count_bytes
        if self._bar is None:
            return
        if self._total is None:
            rate = figures.size(round(self._bytes / max(time.monotonic() - self._started, 0.001)))
            self._bar.update(self._task, description=f"{self._phase} {figures.size(self._bytes)} {rate}/s")
        else:
            self._bar.advance(self._task, count_bytes)

    def _columns(self) -> list[Any]:
        """A bar with share, rate and ETA where the total is known; else a sign of life and the time."""
        rich = self._rich
        columns: list[Any] = [rich.SpinnerColumn(), rich.TextColumn("{task.description}")]
        if self._total is not None:
            columns += [rich.BarColumn(), rich.TaskProgressColumn(), rich.DownloadColumn(binary_units=True)]
            columns += [rich.TransferSpeedColumn(), rich.TextColumn("ETA"), rich.TimeRemainingColumn()]
        return [*columns, rich.TimeElapsedColumn()]

    @override
    def end(self, outcome: str = "") -> None:
        self._stop()
        seconds = time.monotonic() - self._started
        moved = f" {figures.size(self._bytes)}" if self._bytes else ""
        click.echo(f"✓ {self._phase}:{moved} in {seconds:.1f} s{f' — {outcome}' if outcome else ''}", err=True)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def close(self) -> None:
        """Take the bar off the terminal, also after an error, so that the next line starts clean."""
        self._stop()


def reporter() -> Progress:
    """The reporter that fits where stderr goes."""
    if sys.stderr is None:  # closed by whoever started us
        return Silent()
    if not sys.stderr.isatty():
        return PlainLines()
    bar = Bar()
    click.get_current_context().call_on_close(bar.close)
    return bar
