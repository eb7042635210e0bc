"""The entry point: finds the command, and turns every ending into one line and an exit status."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

import holdfast
from holdfast.cli.output import Ending, Failure, guard_streams

# Module and short help of each command. Modules load when their command is called: `--help` stays quick.
_COMMANDS = {
    "status": ("status", "Show what is not as it must be, in all environments."),
    "watch": ("watch", "Look at all environments, and tell people what they do not know yet."),
    "alerts": ("alerts", "Try how people are told, or show what they were told."),
    "backup": ("backup", "Take a restore point: dump, encrypt, verify, sign."),
    "base-backup": ("base_backup", "Take a base backup of the whole cluster, for point-in-time recovery."),
    "wal": ("wal", "Stream write-ahead log (WAL) into the store, and check it."),
    "pitr": ("pitr", "Show to which instants an environment can be recovered."),
    "list": ("points", "List restore points, oldest first."),
    "verify": ("points", "Read a restore point back to its last byte."),
    "restore": ("restore", "Restore into a new or empty database, and count."),
    "recover": ("recover", "Recover the whole cluster to an instant, into a new data directory."),
    "drill": ("drill", "Restore for real into a throwaway server, check it, leave evidence."),
    "switch": ("operations", "Restore beside what is live, and switch to it: planned, approved, kept."),
    "switch-back": ("operations", "Make live again what a switch has put aside."),
    "kept": ("operations", "List what switches have put aside, or remove what is due."),
    "tables": ("operations", "Compare tables with a restore point, and take its rows."),
    "rows": ("operations", "Take rows that are missing from a restore point."),
    "undo-rows": ("operations", "Take back what `rows` did."),
    "fetch": ("fetch", "Write one artifact's plaintext to stdout, such as globals.sql."),
    "expire": ("expire", "Delete what retention lets go, or show it."),
    "hold": ("expire", "Exempt a restore point or base backup from expiry, or lift that."),
    "export": ("export", "List compliance exports, or write one table of one as CSV."),
    "inventory": ("inventory", "Check the configuration inventory, and how it has drifted."),
    "store": ("store", "Check or mend the settings of the store: versioning, lock, strangers, …"),
    "media": ("media", "Back up media files, check, compare and restore them."),
    "evidence": ("evidence", "List, show and verify the signed evidence of drills, restore checks and operations."),
    "metrics": ("metrics", "Print, write or serve metrics for Prometheus."),
    "audit": ("audit", "Show and verify the signed record of who did what."),
    "doctor": ("doctor", "Check binaries, connection, privileges, store and keys."),
    "policy": ("policy", "Check a policy file, or print the JSON Schema."),
    "keys": ("keys", "Make encryption and signing keys."),
    "encrypt": ("crypt", "Encrypt stdin to stdout with age."),
    "decrypt": ("crypt", "Decrypt an age file from stdin to stdout."),
}


class _Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"holdfast.cli.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(holdfast.__version__, prog_name="holdfast")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Back up an application's PostgreSQL, and prove that the backup restores.

    POLICY is the path of a policy file, ENV one of its environments. Connections are read from
    AIRFLOW_CONN_<ID>. Exit status: 0 done, 1 failed, 2 wrong use or configuration.
    """
    ctx.obj = debug


def run() -> NoReturn:
    """Run the command line and end the process with its status."""
    _hasten()
    guard_streams()
    _end(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    is_debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    ending = Ending(is_debug=is_debug, is_json="--json" in arguments)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupted)
        cli.main(arguments, prog_name="holdfast", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except Failure as failure:
        return failure.status
    except BaseException as error:
        return ending.of(error)
    return 0


def _end(status: int) -> NoReturn:
    """Leave at once: every use case has ended its children and threads, and taking the modules apart takes long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.flush()
    os._exit(status)


def _hasten() -> None:
    """Take a fifth off the start: a command imports much that stays, and makes little garbage afterwards."""
    gc.set_threshold(50_000, 20, 20)
    # pydantic would read the metadata of every installed package to find plugins, which nothing here uses.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _interrupted(signum: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: children ended, nothing half-written."""
    raise KeyboardInterrupt
