"""``python -m bench [NAME…]``: take the measures, print a table of each, keep its figures as JSON."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from bench.machine import Machine
from bench.measures import MEASURES, ONLY_ON_REQUEST
from bench.place import Place
from bench.report import Report
from bench.scale import SCALES
from bench.session import Session
from bench.watch import Watch
from holdfast.errors import HoldfastError
from holdfast_embedded.process_tree import adopt_orphans, end_descendants

_WIDTH = 110
RESULTS = Path(__file__).resolve().parents[1] / ".holdfast" / "bench"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(MEASURES)))
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Runs of each contender.")
@click.option("--scale", "scale_name", type=click.Choice(list(SCALES)), default="reference", show_default=True)
def bench(names: tuple[str, ...], rounds: int, scale_name: str) -> None:
    """Measure Holdfast; NAMES choose some of the measures. Nothing else should run on the machine meanwhile.

    Without NAMES all are taken but media-million, which makes a million files.
    """
    scale, watch = SCALES[scale_name], Watch()
    place = Place(RESULTS, scale.name)
    with place.locked():
        place.prepare()
        with Session(place, scale, rounds, watch) as session:
            for name in names or [name for name in MEASURES if name not in ONLY_ON_REQUEST]:
                machine = Machine.now()
                with watch.doing(name):
                    report = Report(name, scale, rounds, machine, MEASURES[name](session))
                report.show(Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH))
                report.write(RESULTS)


def main() -> None:
    """Run the bench; every process that it started ends with it."""
    signal.signal(signal.SIGTERM, _interrupted)
    adopt_orphans()
    status = 0
    try:
        bench.main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        click.echo("bench: interrupted", err=True)
        status = 130
    except click.ClickException as error:
        error.show()
        status = 2
    except HoldfastError as error:
        click.echo(f"bench: error: {error}{f' (hint: {error.hint})' if error.hint else ''}", err=True)
        status = 1
    finally:
        end_descendants(grace_s=20)
    sys.exit(status)


def _interrupted(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


main()
