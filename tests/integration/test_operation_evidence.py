"""Evidence of operations by the command line: listed, shown, verified, and every planted fault found and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence_factory import PLAN_BODY, PLAN_NOTES, make_operation
from fix_environment import MakeSite, Site
from holdfast.approval import digest, read_approvals, record_answer, request_approval
from holdfast.evidence import write_evidence
from holdfast.manifest.evidence import Evidence
from holdfast.values.ids import RestorePointId

ORIGIN = make_operation().origin


def shown_by(evidence: Evidence) -> str:
    """What a gate of the operation shows."""
    plan = evidence.plan
    assert plan is not None
    said = f"Asked for by `{evidence.requested_by}`.\nPlan `{plan.sha256}` of operation `{evidence.id}`."
    return f"{PLAN_BODY.rstrip()}\n\n{PLAN_NOTES.rstrip()}\n\n{said}\n"


def agree(site: Site, evidence: Evidence, text: str, *, requested_by: str | None = None) -> Evidence:
    """Ask at two gates about ``text``, have two people approve, and take their answers into the evidence."""
    environment, id = site.environment(), RestorePointId.parse(evidence.id)
    for position, (gate, approver) in enumerate((("approve", "dora.dba"), ("approve_second", "tina.lead")), start=1):
        request_approval(
            environment,
            id,
            gate=gate,
            position=position,
            body=text,
            requested_by=requested_by or evidence.requested_by,
            origin=ORIGIN,
        )
        record_answer(
            environment,
            id,
            gate=gate,
            approver=approver,
            decision="approved",
            reason=None,
            answered_at=environment.clock(),
            shown_sha256=digest(text),
        )
    answers = [asked.answer.given() for asked in read_approvals(environment, id) if asked.answer is not None]
    return evidence.model_copy(update={"approvals": tuple(answers)})


def operation(kind: str = "restore") -> Evidence:
    """An operation whose steps were taken just now, without a window."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    made = make_operation(kind, window=None)
    steps = tuple(step.model_copy(update={"started_at": later}) for step in made.steps)
    return made.model_copy(update={"steps": steps, "finished_at": later + timedelta(minutes=1)})


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def done(site: Site) -> Evidence:
    """A restore that two people have agreed to, recorded."""
    evidence = agree(site, operation(), shown_by(operation()))
    write_evidence(site.environment(), evidence)
    return evidence


def arguments(command: str, site: Site, *more: str) -> tuple[str, ...]:
    return ("evidence", command, str(site.policy_file), "production", *more)


def faults(site: Site, evidence: Evidence) -> str:
    """What ``verify`` finds, which must be something."""
    found = site.json(*arguments("verify", site, evidence.id), expect=1)
    assert found["ok"] is False
    return " ".join(found["evidence"][0]["faults"])


def test_operation_is_listed_shown_and_verified(site: Site, done: Evidence) -> None:
    """As text, JSON and HTML; approvals are named though nothing is closed apart."""
    (entry,) = site.json(*arguments("list", site))["evidence"]
    assert (entry["kind"], entry["verdict"], entry["approval"]) == ("restore", "passed", "given")
    assert entry["approvers"] == ["dora.dba", "tina.lead"]
    assert "approved by dora.dba, tina.lead" in site.run(*arguments("list", site)).stdout.decode()
    shown = site.run(*arguments("show", site, done.id)).stdout.decode()
    assert done.plan is not None
    for said in ("restore 20261122", "PASSED", "Attendance of Friday", done.plan.sha256, "✓ Switch: the restored"):
        assert said in shown
    assert "approved by tina.lead, 20" in shown
    assert "drill" not in shown
    assert site.json(*arguments("show", site, done.id))["closing"] is None
    report = site.run(*arguments("show", site, done.id, "--html", "-")).stdout
    assert "✓ Done".encode() in report
    assert site.json(*arguments("verify", site)) == {"ok": True, "evidence": [{"id": done.id, "faults": []}]}


def test_long_ids_stand_in_one_column(site: Site, done: Evidence) -> None:
    """The kind with the longest name moves the columns of all."""
    other = make_operation("guarded_migration")
    write_evidence(site.environment(), other)
    lines = site.run(*arguments("list", site)).stdout.decode().splitlines()
    assert len({line.index("passed") for line in lines}) == 1


def _record(site: Site, done: Evidence, name: str) -> Path:
    return site.store_folder / f"shop/production/approvals/{done.id}/{name}"


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (lambda path: path("approve.0001.answer.json").unlink(), "no record that dora.dba approved it at gate approve"),
        (lambda path: path("approve_second.0001.answer.sig").unlink(), "approve_second.0001.answer"),
        (lambda path: path("approve.0001.request.json").write_bytes(b"{}"), "approve.0001.request"),
        (
            lambda path: path("approve.0001.answer.json").write_bytes(
                path("approve.0001.answer.json").read_bytes().replace(b"dora.dba", b"otto.dba")
            ),
            "signature",
        ),
    ],
    ids=["removed", "unsigned", "replaced", "altered"],
)
def test_touched_records_of_gates_are_found(
    site: Site, done: Evidence, plant: Callable[[Callable[[str], Path]], object], expected: str
) -> None:
    """Whoever may write to the store cannot make another story of who agreed."""
    plant(lambda name: _record(site, done, name))
    assert expected in faults(site, done)


def test_all_records_gone_are_missed(site: Site, done: Evidence) -> None:
    """Evidence says who agreed, but nothing in the ledger does."""
    for path in (site.store_folder / f"shop/production/approvals/{done.id}").iterdir():
        path.unlink()
    assert "there is no record that tina.lead approved it at gate approve_second" in faults(site, done)


def test_approval_of_another_plan_is_found(site: Site) -> None:
    """What the gates showed must be the plan that was carried out, and of this operation."""
    evidence = operation()
    other = agree(site, evidence, shown_by(evidence).replace("number 16403", "number 16404"))
    write_evidence(site.environment(), other)
    assert "was shown another plan at gate approve than the one that was carried out" in faults(site, other)


def test_approval_of_another_operation_is_found(site: Site) -> None:
    """The same plan, approved for another run, is no approval of this one."""
    evidence = operation()
    other = agree(site, evidence, shown_by(make_operation("rollback")))
    write_evidence(site.environment(), other)
    assert "was shown another plan" in faults(site, other)


def test_approval_asked_for_by_another_is_found(site: Site) -> None:
    """Who asked at the gate is who the evidence names: nobody slips past by another requester's name."""
    evidence = operation()
    other = agree(site, evidence, shown_by(evidence), requested_by="mallory")
    write_evidence(site.environment(), other)
    assert "it was mallory who asked for it" in faults(site, other)


def test_missing_approval_is_found(site: Site) -> None:
    """Signed evidence of a switch that nobody agreed to: who else has the key?"""
    alone = operation().model_copy(update={"approvals": ()})
    write_evidence(site.environment(), alone)
    assert "what is live was changed, and nobody has approved it" in faults(site, alone)


def test_altered_evidence_is_found(site: Site, done: Evidence) -> None:
    """A byte in the evidence or its report, or a report of another operation in its place."""
    folder = site.store_folder / f"shop/production/evidence/{done.id}"
    report = folder / "report.html"
    standing = report.read_bytes()
    report.write_bytes(standing.replace(b"CHG", b"XHG") + b" ")
    assert "report.html" in faults(site, done)
    report.write_bytes(standing)
    document = folder / "evidence.json"
    document.write_bytes(document.read_bytes().replace(b"otto.oncall", b"anna.oncall"))
    assert "signature" in faults(site, done)
    (entry,) = site.json(*arguments("list", site))["evidence"]
    assert entry["verdict"] is None
    assert entry["approval"] == "unknown"
