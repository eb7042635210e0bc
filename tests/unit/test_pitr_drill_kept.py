"""Evidence of recoveries to an instant in a store: listed, verified, approved and closed, and let go by its rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fix_environment import MakeSite, Site
from holdfast.approval import record_answer, request_approval
from holdfast.approval.gates import digest
from holdfast.drill import approval_plan, close_drill
from holdfast.environment import Environment
from holdfast.evidence import list_evidence, verify_evidence, write_evidence
from holdfast.evidence.objects import sha256
from holdfast.expire import expire
from holdfast.manifest.evidence import Finding
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from pitr_evidence import BASE, INSTANT, make_pitr_evidence, replayed

# Later than the store's own clock says by more than any rule here.
NOW = datetime.now(UTC) + timedelta(days=500)
START = datetime(2026, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


def _kept(environment: Environment, kind: str, day: int) -> str:
    id = RestorePointId.make(START + timedelta(days=day), kind, f"{kind} {day}")
    evidence = make_pitr_evidence(kind).model_copy(update={"id": str(id), "opened_at": id.opened_at})
    write_evidence(environment, evidence)
    return str(id)


def test_list_tells_the_instant(environment: Environment) -> None:
    """A base backup's id alone says little of what was proven."""
    _kept(environment, "pitr_check", 0)

    (entry,) = list_evidence(environment)

    assert (entry.kind, entry.instant, entry.restore_point) == ("pitr_check", INSTANT.isoformat(), str(BASE))
    assert entry.approval == "not asked" and not entry.faults


def test_a_drill_is_approved_and_closed_as_others_are(environment: Environment) -> None:
    """The approval is bound to the text that shows instant, marker and replay."""
    evidence = make_pitr_evidence(requested_by="anna", origin="run")
    write_evidence(environment, evidence)
    id = RestorePointId.parse(evidence.id)
    shown = approval_plan(environment, id)
    request_approval(environment, id, gate="approve", position=1, body=shown, requested_by="anna", origin="run")
    at = environment.clock()
    record_answer(
        environment,
        id,
        gate="approve",
        approver="dora.dba",
        decision="approved",
        reason=None,
        answered_at=at,
        shown_sha256=digest(shown),
    )

    assert close_drill(environment, id).approvers == ("dora.dba",)

    assert verify_evidence(environment, id) == []
    (entry,) = list_evidence(environment)
    assert entry.approval == "given"


def test_verify_compares_with_the_base_backup_that_stands(environment: Environment) -> None:
    """One that was put in its place later is not what was proven."""
    key = environment.keys.base_backup(BASE, keys.MANIFEST)
    environment.store.put(key, [b"manifest"])
    evidence = make_pitr_evidence(manifest_sha256=sha256(b"manifest"))
    write_evidence(environment, evidence)
    id = RestorePointId.parse(evidence.id)
    assert verify_evidence(environment, id) == []

    environment.store.delete(key)
    assert verify_evidence(environment, id) == []
    environment.store.put(key, [b"another"])

    (fault,) = verify_evidence(environment, id)
    assert "its manifest is not the one" in fault and str(BASE) in fault


def test_verify_refuses_what_its_own_figures_deny(environment: Environment) -> None:
    """Signed by whoever holds the key, it is still no proof."""
    evidence = make_pitr_evidence(replayed=replayed(marker=12))
    write_evidence(environment, evidence)

    (fault,) = verify_evidence(environment, RestorePointId.parse(evidence.id))

    assert "with marker 12 instead of 41" in fault


def test_evidence_goes_by_its_own_rule(site: Site) -> None:
    """That of checks by their tier's, that of drills by the one of restore drills; the newest of each stays."""
    environment = site.environment()
    kept = {kind: [_kept(environment, kind, day) for day in (0, 1)] for kind in ("pitr_check", "pitr_drill")}
    failed = make_pitr_evidence("pitr_check", failed=Finding(about="backup", text="marker 40 found"))
    write_evidence(environment, failed)
    assert not expire(environment, now=NOW).evidence.deleted

    site.edit_policy("      snapshot:", "      restore_drill: {keep: 90d}\n      snapshot:")
    gone = {deletion.id for deletion in expire(site.environment(), now=NOW).evidence.deleted}
    assert gone == {kept["pitr_drill"][0]}

    site.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    site.edit_policy("      snapshot:", "      pitr_check: {keep: 30d}\n      snapshot:")
    gone = {deletion.id for deletion in expire(site.environment(), now=NOW).evidence.deleted}
    assert gone == {kept["pitr_check"][0], failed.id}
