"""Expire lets go of evidence by its own rule, and a kill amid that leaves nothing that looks whole but is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from evidence_factory import make_operation
from fix_environment import MakeSite, Site
from holdfast.approval import request_approval
from holdfast.environment import Environment
from holdfast.evidence import list_evidence, verify_evidence, write_closing, write_evidence
from holdfast.evidence.objects import sha256
from holdfast.expire import ExpireReport, expire
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from point_factory import store_point

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
# Later than the store's own clock says by more than any rule here.
NOW = datetime.now(UTC) + timedelta(days=500)
KEEP = "      restore_check: {keep: 90d}\n      restore_drill: {keep: 90d}\n      snapshot:"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for, with rules for evidence."""
    made = make_site("postgresql://nobody@127.0.0.1:1/none")
    made.edit_policy("      snapshot:", KEEP)
    return made


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


def _prove(
    environment: Environment,
    day: float,
    *,
    kind: str = "restore_check",
    verdict: str = "passed",
    point: RestorePointId | None = None,
) -> RestorePointId:
    """Leave the evidence of a drill, closed where it is one, as a drill would."""
    moment = START + timedelta(days=day)
    id = RestorePointId.make(moment, kind, f"{kind} {day}")
    evidence = Evidence(
        id=str(id),
        kind=kind,  # type: ignore[arg-type]
        app="shop",
        environment="production",
        holdfast_version="0.1.0",
        restore_point=str(point or RestorePointId.make(moment, "nightly", "gone")),
        restore_point_taken_at=moment,
        manifest_sha256=sha256(environment.store.get(environment.keys.manifest(point))) if point else "0" * 64,
        source_version="18.6",
        requested_by="anna",
        reason=None,
        origin="test",
        media="none",
        opened_at=moment,
        finished_at=moment,
        surroundings=None,
        steps=(),
        steps_not_run=(),
        tables=(),
        history=(),
        restore_seconds=1.0,
        rto_seconds=None,
        approval="not asked",
        verdict=verdict,  # type: ignore[arg-type]
    )
    write_evidence(environment, evidence)
    if kind == "restore_drill":
        request_approval(environment, id, gate="approve", position=1, body="plan", requested_by="anna", origin="test")
        closing = Closing(
            id=str(id),
            app="shop",
            environment="production",
            evidence_sha256=sha256(evidence.encode()),
            closed_at=moment,
            approval="not asked",
            approvals=(),
        )
        write_closing(environment, closing, evidence)
    return id


def _gone(report: ExpireReport) -> set[str]:
    return {deletion.id for deletion in report.evidence.deleted}


def test_old_evidence_goes_with_its_approvals(environment: Environment, site: Site) -> None:
    """Of each kind the newest that passed stays, and what a restore point that stands was tried with."""
    point = store_point(environment.catalog, environment.signer(), START)
    old = [_prove(environment, day, kind=kind) for kind in ("restore_check", "restore_drill") for day in (0, 1)]
    newest = [_prove(environment, 2, kind=kind) for kind in ("restore_check", "restore_drill")]
    failed = _prove(environment, 3, verdict="failed")
    tried = _prove(environment, 0.5, point=point)
    announced = expire(environment, now=NOW, dry_run=True)
    assert len(list_evidence(environment)) == 8
    done = expire(environment, now=NOW)
    assert announced.evidence == done.evidence
    assert _gone(done) == {*map(str, old), str(failed)}
    assert [entry.id for entry in list_evidence(environment)] == sorted(map(str, [tried, *newest]))
    assert all(not verify_evidence(environment, id) for id in (tried, *newest))
    assert not [name for name in site.stored_files() if any(str(id) in name for id in old)]
    assert [name for name in site.stored_files() if f"approvals/{newest[1]}/" in name]


def test_evidence_stays_without_a_rule(environment: Environment, site: Site) -> None:
    """A tier without keep, or no such tier, keeps everything, unread."""
    ids = [_prove(environment, day, kind=kind) for kind in ("restore_check", "restore_drill") for day in (0, 1)]
    site.edit_policy(
        "      restore_check: {keep: 90d}\n      restore_drill: {keep: 90d}\n", "      restore_check: {}\n"
    )
    report = expire(site.environment(), now=NOW)
    assert (report.evidence.deleted, report.evidence.kept) == ((), ())
    assert len(list_evidence(environment)) == len(ids)


def test_forged_evidence_neither_goes_nor_protects(environment: Environment) -> None:
    """A newer one that is unsigned does not count as the newest that passed; a person must look at it."""
    old, passed, forged = (_prove(environment, day) for day in range(3))
    environment.store.delete(environment.keys.evidence_object(forged, "evidence.sig"))
    report = expire(environment, now=NOW)
    assert _gone(report) == {str(old)}
    assert {str(kept.id): kept.reason for kept in report.evidence.kept} == {
        str(passed): "newest passed restore_check of the environment",
        str(forged): "its signature or place is wrong: left for a person to look at",
    }


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", range(9))
def test_killed_amid_deletion_converges(
    environment: Environment, site: Site, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """After any number of deletions the evidence is there whole or not at all, and the next run clears up."""
    old, newest = _prove(environment, 0, kind="restore_drill"), _prove(environment, 1, kind="restore_drill")
    count = 0
    real: Callable[[LocalStore, str], None] = LocalStore.delete

    def delete(self: LocalStore, key: str) -> None:
        nonlocal count
        if count == after:
            raise _Killed
        count += 1
        real(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "delete", delete)
        with pytest.raises(_Killed):
            expire(environment, now=NOW)
    listed = {entry.id: entry for entry in list_evidence(environment)}
    if after == 0:
        assert not verify_evidence(environment, old)
    elif str(old) in listed:
        assert listed[str(old)].faults
    elif after < 9:
        assert [name for name in site.stored_files() if str(old) in name]
    expire(environment, now=NOW)
    assert not [name for name in site.stored_files() if str(old) in name]
    assert not verify_evidence(environment, newest)


def test_what_dead_drills_left_goes_after_the_grace_time(environment: Environment) -> None:
    """Drafts of one that may still run, or was not followed by another, stay; so does evidence that lost its record."""
    dead, robbed = (RestorePointId.make(START, "restore_drill", name) for name in ("dead", "robbed"))
    environment.store.put(environment.keys.evidence_object(dead, "draft-open.json"), [b"{}"])
    environment.store.put(environment.keys.evidence_object(robbed, "evidence.sig"), [b"x"])
    assert not _gone(expire(environment, now=NOW))
    _prove(environment, 5)
    assert not _gone(expire(environment, now=datetime.now(UTC)))
    soon = expire(environment, now=datetime.now(UTC) + timedelta(days=3))
    assert _gone(soon) == {str(dead), str(robbed)}


def test_what_lost_its_record_stays_within_the_rule(environment: Environment) -> None:
    """Somebody may have taken the evidence away to hide something: its signature still tells."""
    robbed = RestorePointId.make(datetime.now(UTC), "restore_drill", "robbed")
    environment.store.put(environment.keys.evidence_object(robbed, "evidence.sig"), [b"x"])
    _prove(environment, 4000)
    assert not _gone(expire(environment, now=datetime.now(UTC) + timedelta(days=80)))
    assert _gone(expire(environment, now=datetime.now(UTC) + timedelta(days=100))) == {str(robbed)}


def test_cli_tells_of_evidence(environment: Environment, site: Site) -> None:
    """In text and as JSON."""
    old, newest = _prove(environment, 0), _prove(environment, 1)
    arguments = ("expire", str(site.policy_file), "production", "--now", NOW.isoformat())
    said = site.run(*arguments, "--dry-run").stdout.decode()
    assert f"would delete evidence {old} (" in said
    assert f"keeps evidence {newest}: newest passed restore_check of the environment" in said
    found = site.json(*arguments)["evidence"]
    assert [deletion["id"] for deletion in found["deleted"]] == [str(old)]
    assert found["bytes_freed"] > 0


def _operate(environment: Environment, day: float, kind: str = "restore", **changes: object) -> RestorePointId:
    """Leave the evidence of an operation, and what was asked about it."""
    id = RestorePointId.make(START + timedelta(days=day), kind, f"{kind} {day}")
    switched = make_operation().steps[3].model_copy(update={"started_at": id.opened_at})
    fields: dict[str, object] = {
        "id": str(id),
        "kind": kind,
        "opened_at": id.opened_at,
        "finished_at": id.opened_at,
        "window": None,
        "steps": (switched,),
        "approvals": (),
    }
    write_evidence(environment, make_operation().model_copy(update=fields | changes))
    request_approval(environment, id, gate="approve", position=1, body="plan", requested_by="anna", origin="test")
    return id


def test_operations_are_told_of_as_long_as_drills(environment: Environment, site: Site) -> None:
    """By the rule of restore_drill, with approvals and rows kept before; for ever where it has none."""
    old, newest = _operate(environment, 0), _operate(environment, 1)
    rows, other = (_operate(environment, day, "recover_rows") for day in (0, 1))
    environment.store.put(environment.keys.evidence_object(rows, "rows.jsonl.age"), [b"sealed"])
    site.edit_policy("      restore_drill: {keep: 90d}\n", "")
    assert not _gone(expire(site.environment(), now=NOW))
    site.edit_policy("      snapshot:", "      restore_drill: {keep: 90d}\n      snapshot:")
    assert _gone(expire(site.environment(), now=NOW)) == {str(old), str(rows)}
    assert not [name for name in site.stored_files() if str(old) in name or str(rows) in name]
    assert {entry.id for entry in list_evidence(environment)} == {str(newest), str(other)}


def test_what_may_be_switched_back_is_told_of(environment: Environment, site: Site) -> None:
    """A policy that keeps a replaced database for longer than evidence keeps the evidence, too."""
    late = {"finished_at": NOW - timedelta(days=300)}
    old, _ = _operate(environment, 0, **late), _operate(environment, 1)
    refused = _operate(environment, 0.5, **late, steps=(), verdict="failed")
    site.edit_policy("    tiers:", "    restore: {keep_replaced: 400d}\n    tiers:")
    found = {str(kept.id): kept.reason for kept in expire(site.environment(), now=NOW).evidence.kept}
    assert "may be switched back until" in found[str(old)]
    assert str(refused) not in found


def test_drafts_of_operations_wait_for_people(environment: Environment) -> None:
    """A plan stands as long as somebody may answer, or may yet be asked; what is no draft stays for a person."""
    planned, dead, sealed = (RestorePointId.make(START, "restore", name) for name in ("planned", "dead", "sealed"))
    for id in (planned, dead, sealed):
        environment.store.put(environment.keys.evidence_object(id, "draft-plan.json"), [b"{}"])
    environment.store.put(environment.keys.evidence_object(sealed, "previous-1.copy.zst.age"), [b"sealed"])
    request_approval(environment, planned, gate="approve", position=1, body="p", requested_by="a", origin="t")
    _prove(environment, 5)
    assert not _gone(expire(environment, now=datetime.now(UTC) + timedelta(days=3)))
    assert str(sealed) not in _gone(expire(environment, now=datetime.now(UTC) + timedelta(days=8), dry_run=True))
    gone = expire(environment, now=datetime.now(UTC) + timedelta(days=8)).evidence.deleted
    assert {deletion.id: deletion.reason for deletion in gone}[str(dead)] == (
        "of an operation without evidence, older than 7d"
    )
