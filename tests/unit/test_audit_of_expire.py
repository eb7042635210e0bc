"""What expire deletes and who held what stands in the audit trail before it happens, or it does not happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit_trail import told
from failing_store import FailingStore
from fix_environment import MakeSite, Site
from holdfast.audit import verify_trail
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, StoreError
from holdfast.expire import add_hold, expire, remove_hold
from holdfast.values.actor import Actor
from holdfast.values.ids import RestorePointId
from point_factory import store_point

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
LATER = START + timedelta(days=60)
RUN = Actor("scheduled", "airflow", "shop-production.expire/scheduled__2026-03-02", LATER)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    """Two restore points that are due at ``LATER``, and one that is not."""
    opened = replace(site.environment(), actor=Actor("dora"))
    for day in (0, 10, 50):
        store_point(opened.catalog, opened.signer(), START + timedelta(days=day))
    return opened


def _ids(environment: Environment) -> list[RestorePointId]:
    return [entry.id for entry in environment.catalog.entries() if entry.is_committed]


def test_expire_tells_in_one_record_what_it_deletes_and_why(environment: Environment) -> None:
    """A dry run tells nothing, nor does a run that finds nothing due."""
    ids = _ids(environment)
    report = expire(environment, now=LATER, dry_run=True)
    assert len(report.deleted) == 2
    assert told(environment) == []
    done = expire(environment, now=LATER)
    (record,) = told(environment)
    assert (record.action, record.who, record.subject) == ("deleted", "dora", "2 restore points")
    assert record.details == {
        "kind": "restore points",
        "because": {done.deleted[0].reason: [str(ids[0]), str(ids[1])]},
    }
    expire(environment, now=LATER)
    assert len(told(environment)) == 1


def test_remnants_of_dead_backups_are_told_apart(environment: Environment) -> None:
    """They were no restore points."""
    dead = RestorePointId.make(START + timedelta(days=20), "nightly", "killed")
    environment.store.put(environment.keys.artifact(dead, "database.dump.age"), [b"half"])
    expire(environment, now=datetime.now(UTC) + timedelta(days=400))
    kinds = {record.details["kind"]: record for record in told(environment, "deleted")}
    assert kinds["unfinished restore points"].subject == str(dead)


def test_nothing_is_deleted_that_could_not_be_told(environment: Environment) -> None:
    """The store fails at each call until the record stands: every restore point is still there."""
    ids = _ids(environment)
    counting = FailingStore(environment.store)
    expire(replace(environment, store=counting), now=LATER, dry_run=True)
    for call in range(1, len(counting.calls) + 10):
        failing = FailingStore(environment.store, fail_at=call)
        with pytest.raises(StoreError):
            expire(replace(environment, store=failing), now=LATER)
        if any(name == "put" and key.endswith(".json") for name, key in failing.calls) and told(environment):
            break
        assert _ids(environment) == ids
    else:
        pytest.fail("no call of expire was the one that records")


def test_a_task_that_runs_again_tells_it_once(environment: Environment) -> None:
    """Its first try was killed at the first deletion."""
    opened = replace(environment, actor=RUN, clock=lambda: LATER)
    with pytest.raises(StoreError):
        expire(replace(opened, store=_WithoutDeletions(opened.store)), now=LATER)
    assert len(_ids(opened)) == 3
    expire(opened, now=LATER)
    assert len(_ids(opened)) == 1
    (record,) = told(opened)
    assert (record.who, record.via, record.run) == ("scheduled", "airflow", RUN.run)


class _WithoutDeletions(FailingStore):
    """A store that fails at every deletion."""

    def delete(self, key: str) -> None:
        raise StoreError(f"{key}: not deleted, on purpose")


def test_holds_and_releases_are_told_once(environment: Environment) -> None:
    """Who held it and why; holding what is held, or lifting what is not, is no act."""
    id = _ids(environment)[0]
    for _ in range(2):
        add_hold(environment, id, now=START, by="dora", reason="a lawsuit")
    for _ in range(2):
        remove_hold(environment, id)
    held, released = told(environment)
    assert (held.action, held.subject, held.details) == ("held", str(id), {"by": "dora", "reason": "a lawsuit"})
    assert (released.action, released.subject, released.who) == ("released", str(id), "dora")
    with pytest.raises(ObjectMissing):
        add_hold(environment, RestorePointId.make(LATER, "nightly", "none"), now=START, by="dora")
    assert len(told(environment)) == 2


def test_a_hold_stays_where_its_release_could_not_be_told(environment: Environment) -> None:
    """Nobody can make a restore point expire unseen."""
    id = _ids(environment)[0]
    add_hold(environment, id, now=START, by="dora")
    for call in range(2, 6):
        with pytest.raises(StoreError):
            remove_hold(replace(environment, store=FailingStore(environment.store, fail_at=call)), id)
        assert environment.catalog.entry(id).is_held
    assert verify_trail(environment).is_whole


def test_expire_never_deletes_the_trail(environment: Environment) -> None:
    """However late it is by the clock, every record stays."""
    id = _ids(environment)[0]
    add_hold(environment, id, now=START, by="dora")
    expire(environment, now=START + timedelta(days=20_000))
    assert [record.action for record in told(environment)] == ["held", "deleted"]
    expire(environment, now=START + timedelta(days=30_000))
    assert [record.action for record in told(environment)][:2] == ["held", "deleted"]
