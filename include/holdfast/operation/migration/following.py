"""What follows the restore of the snapshot: the policy's commands, told which migration had failed."""

from __future__ import annotations

import re

import psycopg

from holdfast.drill.checks.asking import answer, asking
from holdfast.drill.checks.naming import without_quotes
from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import DatabaseError, UsageError
from holdfast.manifest.evidence import Fact
from holdfast.operation.live import live_target
from holdfast.operation.migration.checking import failures
from holdfast.operation.migration.command import live_command
from holdfast.operation.migration.guard import migration_of
from holdfast.policy.restore import PLACEHOLDER
from holdfast.progress import Progress, Silent

_SILENT = Silent()
# It becomes a word of a command line: never an option, never a path upwards of one.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def find_failed(environment: Environment) -> str | None:
    """The failed migration as ``migration.failed_query`` names it on the live database; None where it names none.

    To be asked before the snapshot is restored, which forgets it. Raises UsageError for an answer that is more than
    one name, DatabaseError for a query that is refused.
    """
    rules, live = migration_of(environment), live_target(environment)
    if rules.failed_query is None:
        return None
    with asking(live) as session:
        try:
            found = answer(session, rules.failed_query, 1)
        except psycopg.Error as error:
            said = without_quotes(error.diag.message_primary or type(error).__name__)
            raise DatabaseError(f"migration.failed_query: {said}", hint="Correct it in the policy.") from error
    if not found.rows:
        return None
    if found.is_more or len(found.rows[0]) != 1:
        raise UsageError("migration.failed_query: yields more than one value", hint="Correct it in the policy.")
    return _name(found.rows[0][0])


def run_follow_up(environment: Environment, *, failed: str | None, progress: Progress = _SILENT) -> Outcome:
    """Run ``migration.follow_up`` on the live database, in order, until one fails.

    ``{migration}`` in a word stands for ``failed``. Raises UsageError where that is not known, or is no plain name.
    """
    rules, live = migration_of(environment), live_target(environment)
    filled = {"migration": name} if (name := _name(failed)) is not None else {}
    if not filled and any(PLACEHOLDER in line for line in rules.follow_up):
        raise UsageError(
            f"{environment.title}: which migration failed is not known, so migration.follow_up cannot be run",
            hint="Look into the application's table of migrations, and run the commands by hand.",
        )
    outcomes: list[Outcome] = []
    for line in rules.follow_up:
        progress.begin(f"run {line}")
        with live_command(rules, live, line, **filled) as command:
            done = command.run()
        progress.end(f"exit status {done.status}")
        facts: dict[str, Fact] = {f"follow-up {line}": f"exit status {done.status}"}
        outcomes.append(Outcome(failures(line, done, str(rules.timeout)), done.said, facts))
        if done.status != 0:
            break
    return Outcome.merged(outcomes)


def _name(text: str | None) -> str | None:
    if text is not None and not _NAME.fullmatch(text):
        raise UsageError(
            "failed migration: what migration.failed_query yields is no plain name of a migration",
            hint="Only letters, digits, '.', '_' and '-' may stand in it, 200 at most, and no '-' first.",
        )
    return text
