"""``holdfast metrics``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import near_moment
from holdfast.cli.commands.status import chosen, policies_argument
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.metrics.collecting import Collector


@click.command("metrics")
@policies_argument
@click.option("--out", type=click.Path(path_type=Path), help="Write them to this file *.prom, whole or not at all.")
@click.option("--listen", metavar="HOST:PORT", help="Serve /metrics until interrupted, to this machine alone …")
@click.option("--token-file", type=click.Path(path_type=Path), help="… or to whoever brings the token in this file.")
@click.option("--token-conn", metavar="CONN_ID", help="The same, the token being this connection's password.")
@click.option("--now", metavar="TIMESTAMP", help="Compute as of this moment, with a UTC offset. [default: the present]")
def metrics_command(
    policies: tuple[Path, ...],
    out: Path | None,
    listen: str | None,
    token_file: Path | None,
    token_conn: str | None,
    now: str | None,
) -> None:
    """Print what is known of every environment of the policies, in Prometheus's text format.

    Without POLICY: those in ./dags, or in $AIRFLOW__CORE__DAGS_FOLDER, that have a .py beside them. An environment
    whose store cannot be read has holdfast_up 0.
    """
    from holdfast.metrics.collecting import Collector
    from holdfast.metrics.textfile import write_textfile
    from holdfast.values.airflow_conn import EnvironmentConnections

    if listen is None and (token_file is not None or token_conn is not None):
        raise UsageError("a token is for --listen: without it nothing is served")
    collector = Collector(chosen(policies, ()), EnvironmentConnections(os.environ))
    if listen is not None:
        if out is not None or now is not None:
            raise UsageError("--listen goes with neither --out nor --now")
        _serve(collector, listen, _token(token_file, token_conn))
        return
    text = _text(collector, near_moment(now), set())
    if out is not None:
        write_textfile(out, text)
    else:
        click.echo(text, nl=False)


def _token(file: Path | None, conn_id: str | None) -> str | None:
    """Never an argument: every process on the machine could read it."""
    from holdfast.metrics.token import token_of_connection, token_of_file
    from holdfast.values.airflow_conn import EnvironmentConnections

    if file is not None and conn_id is not None:
        raise UsageError("--token-file and --token-conn exclude each other")
    if conn_id is not None:
        return token_of_connection(conn_id, EnvironmentConnections(os.environ))
    return token_of_file(file) if file is not None else None


def _serve(collector: Collector, listen: str, token: str | None) -> None:
    """Serve until SIGINT or SIGTERM, which both are the way to end it and no failure."""
    from holdfast.metrics.latest import Latest
    from holdfast.metrics.server import PATH, Address, MetricsServer

    said: set[str] = set()
    latest = Latest(lambda: _text(collector, datetime.now(UTC), said))
    with MetricsServer(Address.parse(listen), latest, token) as server:
        host = f"[{server.server_name}]" if ":" in server.server_name else server.server_name
        click.echo(f"serving http://{host}:{server.server_port}{PATH}", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("stopped", err=True)


def _text(collector: Collector, now: datetime, said: set[str]) -> str:
    """The text of the metrics; what was not ``said`` the time before goes to stderr."""
    from holdfast.metrics.exposition import exposition
    from holdfast.values.visible import visible

    collected = collector.collect(now)
    for note in collected.notes:
        if note not in said:
            click.echo(f"holdfast: {visible(note)}", err=True)
    said.clear()
    said.update(collected.notes)
    return exposition(collected.samples)
