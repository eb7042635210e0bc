"""``holdfast wal stream``."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import emit
from holdfast.cli.progress import PlainLines
from holdfast.values import figures


@click.command("stream")
@environment_arguments
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after so long; until stopped if not.")
@click.option(
    "--spool",
    type=click.Path(path_type=Path),
    help="A folder, of this user alone, for WAL that is not stored yet; in the temporary folder unless given.",
)
@json_option
def wal_stream(policy: Path, environment: str, seconds: float | None, spool: Path | None, as_json: bool) -> None:
    """Stream the WAL of ENV's server into the store, each segment encrypted, until SIGTERM or Ctrl-C.

    The server keeps what is not stored yet, by a replication slot: streaming goes on where it ended, whatever was
    killed. Ending takes a few seconds, in which the last that came is stored; a second Ctrl-C ends at once.
    """
    from holdfast.streaming import stream_wal

    # No bar: it goes on for hours, and what counts is told line by line.
    report = stream_wal(
        opened(policy, environment), seconds=seconds, spool=spool, stop=_until_told(), progress=PlainLines()
    )
    if as_json:
        emit(report.as_json())
        return
    if report.gap is not None:
        click.echo(f"gap: {report.gap}", err=True)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(
        f"WAL of {report.system_identifier}, timeline {report.timeline}: {report.segments} segments and "
        f"{report.partials} beginnings, {figures.size(report.stored_bytes)} stored in {report.seconds:.1f} s; "
        f"complete up to {report.stored_lsn or 'nothing yet'}"
    )


def _until_told() -> threading.Event:
    """Set by the first SIGTERM or Ctrl-C; the next one interrupts."""
    stop = threading.Event()

    def told(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)
    return stop
