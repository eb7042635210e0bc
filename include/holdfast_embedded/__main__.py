"""`make run`: start everything, back up every environment once, stay up until Ctrl-C."""

from __future__ import annotations

import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from holdfast.errors import HoldfastError, PermanentError
from holdfast_embedded.airflow.environment import ADMIN
from holdfast_embedded.airflow.logins import embedded_logins
from holdfast_embedded.airflow.runs import Runs
from holdfast_embedded.first_round import report, take_round
from holdfast_embedded.keeper import Stop, keep
from holdfast_embedded.stack import Stack, started_stack
from holdfast_embedded.state import State
from holdfast_embedded.terminal import say, tell
from holdfast_embedded.watch_round import watch_once

_PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Exit status 0 when every backup of the first round succeeded, 1 otherwise.

    With ``--status FILE`` it is written there instead, for make cannot pass it on.
    """
    status = _serve(once="--once" in arguments)
    if "--status" not in arguments:
        return status
    Path(arguments[arguments.index("--status") + 1]).write_text(f"{status}\n")
    return 0


def _serve(*, once: bool) -> int:
    state = State(_PROJECT / ".holdfast")
    try:
        state.prepare()
        with state.locked():
            return keep(lambda: _run(state, once=once))
    except HoldfastError as error:
        return _cannot(error)


def _run(state: State, *, once: bool) -> int:
    started_at = datetime.now(UTC)
    try:
        with started_stack(_PROJECT, state) as stack:
            try:
                status = _first_round(stack, state, started_at)
                if not once:
                    _stay(stack)
            finally:
                tell("stopping")
        tell("stopped")
    except HoldfastError as error:
        return _cannot(error)
    return status


def _first_round(stack: Stack, state: State, started_at: datetime) -> int:
    protected = stack.protected
    if not protected.environments and not protected.faults:
        raise PermanentError("no policy in dags/ has an environment with the nightly tier")
    runs = Runs(stack.api, state.logs / "tasks", stack.require, started_at)
    outcomes = take_round(runs, protected.environments)
    found = watch_once(runs)
    say(f"\n{report(outcomes, protected.faults)}\n{found}\n")
    say(f"Airflow: {stack.ui_url}   user {ADMIN}, password {stack.secrets.admin_password}")
    others = [login.name for login in embedded_logins(stack.secrets) if login.name != ADMIN]
    say(f"other roles: users {', '.join(others)}, passwords in {state.secrets}/USER_password")
    return 1 if protected.faults or any(outcome.failure for outcome in outcomes.values()) else 0


def _stay(stack: Stack) -> None:
    """Watch the servers until someone asks to stop."""
    say(f"command line: . {shlex.quote(str(stack.shell_file))} && holdfast list dags/coursepedia.yaml production")
    say("Ctrl-C stops everything; databases, backups and keys stay in .holdfast")
    try:
        while True:
            time.sleep(1)
            stack.require()
    except Stop:
        pass


def _cannot(error: HoldfastError) -> int:
    say(f"holdfast: {error.message}{f'. {error.hint}' if error.hint else ''}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
