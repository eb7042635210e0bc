"""Many processes append to the audit trail at once, and some are killed amid it: there is one chain at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from failing_store import FailingStore
from fix_environment import MakeSite, Site
from holdfast.audit import Act, append, read_trail, verify_trail
from holdfast.environment import Environment

_APPENDER = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from holdfast.audit import Act, append
from holdfast.environment import open_environment
from holdfast.values.airflow_conn import EnvironmentConnections
from failing_store import FailingStore

policy, name, count, killed_at, moment = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]

class Deadly(FailingStore):
    def _begin(self, operation, key):
        if moment == "before" and len(self.calls) + 1 == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._begin(operation, key)

    def _finish(self, when, key):
        super()._finish(when, key)
        if moment == "after" and len(self.calls) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

place = open_environment(Path(policy), "production", EnvironmentConnections({}))
place = replace(place, store=Deadly(place.store))
sys.stdin.readline()
for number in range(count):
    append(place, Act("held", f"{name} {number}", once=f"{name} {number}"))
"""


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


def _appender(site: Site, name: str, count: int, killed_at: int = 0, moment: str = "") -> subprocess.Popen[bytes]:
    arguments: Sequence[str] = (str(site.policy_file), name, str(count), str(killed_at), moment)
    paths = f"{site.surroundings()['PYTHONPATH']}:{Path(__file__).parent.parent}"
    return subprocess.Popen(
        [sys.executable, "-c", _APPENDER, *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=site.surroundings(PYTHONPATH=paths),
    )


def test_eight_processes_at_once_make_one_chain(site: Site) -> None:
    """Each of their records stands once, and follows the one before; nobody's signature is left without its record."""
    appenders = [_appender(site, f"process {number}", 6) for number in range(8)]
    for appender in appenders:
        assert appender.stdin is not None
        appender.stdin.write(b"\n")
        appender.stdin.flush()
    for appender in appenders:
        assert appender.communicate(timeout=100) == (None, b"")
        assert appender.returncode == 0
    environment = site.environment()
    report = verify_trail(environment)
    assert (report.records, report.unsigned, report.problems) == (48, 0, ())
    subjects = [entry.record.subject for entry in read_trail(environment) if entry.record is not None]
    assert sorted(subjects) == sorted(f"process {process} {number}" for process in range(8) for number in range(6))
    for process in range(8):
        own = [subject for subject in subjects if subject.startswith(f"process {process} ")]
        assert own == sorted(own)
    stored = site.stored_files()
    assert len([name for name in stored if name.endswith(".sig")]) == 48


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_call_leaves_a_chain_that_goes_on(site: Site, moment: str) -> None:
    """Also between the signature and its record; who does it again finds the record, or makes it."""
    environment = site.environment()
    append(environment, Act("held", "first"))
    counting = FailingStore(environment.store)
    append(_with(site, counting), Act("held", "counted", once="counted"))
    calls = range(1, len(counting.calls) + 1)
    for killed_at in calls:
        killed = _appender(site, f"killed {killed_at}", 1, killed_at, moment)
        _, said = killed.communicate(b"\n", timeout=60)
        assert (killed.returncode, said) == (-signal.SIGKILL, b"")
        assert verify_trail(environment).is_whole
        name = f"killed {killed_at} 0"
        append(environment, Act("held", name, once=name))
        append(environment, Act("released", name))
    report = verify_trail(environment)
    assert (report.records, report.problems) == (2 + 2 * len(calls), ())


def _with(site: Site, store: FailingStore) -> Environment:
    return replace(site.environment(), store=store)
