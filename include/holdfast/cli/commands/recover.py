"""``holdfast recover``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.errors import UsageError
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.pitr.report import Recovered
    from holdfast.pitr.running import Running


@click.command("recover")
@environment_arguments
@click.option("--to", metavar="TIMESTAMP", help="An instant, with its UTC offset: 2026-11-22T14:30:00+01:00.")
@click.option("--to-lsn", metavar="LSN", help="A position in the WAL, such as 16/B374D848.")
@click.option("--to-name", metavar="NAME", help="A restore point named by pg_create_restore_point().")
@click.option("--latest", is_flag=True, help="As far as the stored WAL goes.")
@click.option("--timeline", type=click.IntRange(1), help="The timeline to follow.  [default: the newest]")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The data directory to be: new or empty. With --table it may be left out.",
)
@click.option("--pause", is_flag=True, help="Keep the server up at the target, read-only, until replay is resumed.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Copy this table out; may be given again.")
@click.option("--to-database", metavar="URL_OR_CONN_ID", help="The database for tables, which must not have them.")
@json_option
def recover_command(
    policy: Path,
    environment: str,
    to: str | None,
    to_lsn: str | None,
    to_name: str | None,
    latest: bool,
    timeline: int | None,
    data_dir: Path | None,
    pause: bool,
    tables: tuple[str, ...],
    to_database: str | None,
    as_json: bool,
) -> None:
    """Recover the whole cluster as it was at one instant, into DIR, ready to be started.

    `holdfast pitr window` shows from when to when that can be done. The source is not touched.
    """
    from holdfast.pitr import extract_tables, parse_target, plan_recovery, recover
    from holdfast.postgres.conninfo import resolve

    _demand_sense(data_dir, pause=pause, tables=tables, to_database=to_database)
    target = parse_target(to, to_lsn, to_name, latest)
    there = opened(policy, environment)
    plan = plan_recovery(there, target, timeline=timeline)
    into = str(data_dir) if to_database is None else resolve(to_database, there.connections).describe()
    told(there, "restored", plan.base.id, to=into, instant=to or to_lsn or to_name, tables=[*tables])
    if to_database is not None:
        extracted = extract_tables(there, plan, tables, to=to_database, data_dir=data_dir, progress=reporter())
        _tell(extracted.recovered, extracted.as_json() if as_json else None)
        for table in () if as_json else extracted.tables:
            click.echo(f"{visible(table.name)}: {table.rows} rows, now in {visible(extracted.target)}")
        return
    assert data_dir is not None
    done = recover(there, plan, data_dir, pause=pause, paused=_say_paused, progress=reporter())
    _tell(done, done.as_json() | {"data_dir": str(data_dir)} if as_json else None)
    if not as_json:
        click.echo(f"start it: pg_ctl -D {visible(str(data_dir))} start")


def _demand_sense(data_dir: Path | None, *, pause: bool, tables: tuple[str, ...], to_database: str | None) -> None:
    if bool(tables) != (to_database is not None):
        raise UsageError("--table and --to-database: one is of no use without the other")
    if tables and pause:
        raise UsageError("--pause: not together with --table")
    if data_dir is None and not tables:
        raise UsageError("--data-dir: is missing", hint="Name a directory that does not exist yet.")


def _tell(done: Recovered, document: dict[str, object] | None) -> None:
    if document is not None:
        emit(document)
        return
    for note in done.notes:
        click.echo(f"note: {visible(note)}", err=True)
    moment = "before any commit" if done.reached_time is None else f"the commit at {done.reached_time.isoformat()}"
    marker = "" if done.marker is None else f", marker {done.marker[0]} of {done.marker[1]}"
    click.echo(
        f"recovered up to {moment} (LSN {done.reached_lsn}{marker}), now on timeline {done.timeline}, from base backup "
        f"{done.base_backup}: base {done.base_seconds:.1f} s, replay {done.replay_seconds:.1f} s, of which it waited "
        f"{done.waited_seconds:.1f} s for WAL"
    )


def _say_paused(running: Running) -> None:
    """How to look, how to go on, how to give up."""
    point, target = running.point, running.target
    moment = "before any commit" if point.time is None else point.time.isoformat()
    login = f"host={target.host} user={target.user} dbname=postgres"
    click.echo(f"paused at {moment}, LSN {point.lsn}: the server is up, read-only", err=True)
    click.echo(f'  look:    psql "{visible(login)}"', err=True)
    click.echo(f'  go on:   psql "{visible(login)}" -c "SELECT pg_wal_replay_resume()"', err=True)
    click.echo("  give up: Ctrl-C", err=True)
