"""Evidence of operations on the live application: what its report says, and what no signature makes true."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_factory import PLAN_BODY, POINT, make_operation
from fix_environment import MakeSite
from holdfast.environment import Environment
from holdfast.evidence import acts, list_evidence, read_evidence, report_html, verify_evidence, write_evidence
from holdfast.evidence.checklists import checklists
from holdfast.evidence.items import Item
from holdfast.evidence.objects import KINDS, OPERATION_KINDS, sha256
from holdfast.evidence.page.plan_text import plan_html
from holdfast.manifest.evidence import Evidence, Planned
from holdfast.operation import steps
from holdfast.values.ids import RestorePointId
from report_pages import TEXT, Structure, evidence_of

PLAN_TAGS = {"h3", "p", "ul", "li", "code", "strong", "pre", "div", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture
def environment(make_site: MakeSite) -> Environment:
    return make_site("postgresql://nobody@127.0.0.1:1/none").environment()


def items(evidence: Evidence, title: str = "After an incident") -> dict[str, Item]:
    return {item.text: item for each in checklists(evidence, None) if each.title == title for item in each.items}


def verified(environment: Environment, evidence: Evidence) -> str:
    write_evidence(environment, evidence)
    return " ".join(verify_evidence(environment, RestorePointId.parse(evidence.id)))


def test_steps_bear_the_names_that_operations_give_them() -> None:
    """The report knows by name which of them change what is live."""
    assert {value for name, value in vars(acts).items() if name.isupper() and isinstance(value, str)} == set(
        steps.TITLES
    )
    assert set(acts.CHANGING) == steps.PAST_RETURN


@pytest.mark.parametrize("kind", OPERATION_KINDS)
def test_no_operation_is_called_a_drill(environment: Environment, kind: str) -> None:
    """Neither in its report nor in its checklists; it is listed, read and found whole."""
    for evidence in (make_operation(kind), make_operation(kind, failed="plan", approvals=(), plan=None, tables=())):
        said = Structure(report_html(evidence, None).partition("</head>")[2]).text.lower()
        assert "drill" not in said
        assert "shop/production" in said
    assert kind in KINDS
    evidence = make_operation(kind)
    assert verified(environment, evidence) == ""
    assert read_evidence(environment, RestorePointId.parse(evidence.id)) == evidence
    (entry,) = list_evidence(environment)
    assert (entry.kind, entry.approval, entry.approvers) == (kind, "given", ("dora.dba", "tina.lead"))


def test_report_tells_the_story() -> None:
    """Who asked what, why and within which window, the plan with its hash, who agreed, the steps, how to go back."""
    evidence = make_operation()
    text = Structure(report_html(evidence, None)).text
    for said in (
        "✓ Done",
        "Approved by dora.dba, tina.lead",
        "otto.oncall",
        "Attendance of Friday was overwritten",
        "2026-11-22 09:10:00 UTC to 2026-11-22 11:00:00 UTC",
        "CHG-4711",
        "Everything written after 2026-11-22T02:00:00+00:00 is lost to the users",
        sha256(PLAN_BODY.encode()),
        "Switch: the restored database takes the live name",
        "240,871",
        "0.31 s",
        f"shop_before_{POINT}",
        "shop-production.switch_back",
        f"holdfast evidence verify POLICY production {evidence.id}",
    ):
        assert said in text, said


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ("plan", "It ended before anything live was changed"),
        ("restore_beside", "It ended before anything live was changed"),
        ("switch", "what is live is as it was, unless they say otherwise"),
        (
            "switch_media",
            "What is live WAS changed (Switch: the restored database takes the live name). Then this",
        ),
        ("check_live", "What is live WAS changed (Switch: the restored database takes the live name, Switch the media"),
    ],
)
def test_failed_report_says_what_became_of_the_live_application(failed: str, expected: str) -> None:
    """As it was, changed, or changed in part: the first thing that a reader needs."""
    text = Structure(report_html(make_operation(failed=failed), None)).text
    assert "✗ Not done" in text
    assert expected in text
    assert ("How to go back" in text) == (failed in ("switch_media", "check_live"))


def test_checklist_after_an_incident() -> None:
    """Who did what when, each ticked from what the evidence shows."""
    found = items(make_operation())
    assert list(found) == [
        "Assess damage scope",
        "Identify last good backup",
        "Restore to staging first",
        "Verify restored data",
        "Schedule production restore window",
        "Notify affected users",
        "Document incident",
    ]
    assert [item.state for item in found.values()] == ["done"] * 5 + ["not part of this", "done"]
    assert (found["Assess damage scope"].who, found["Verify restored data"].who) == ("otto.oncall", "holdfast")
    failed = items(make_operation(failed="restore_beside", window=None))
    assert [failed[text].state for text in list(failed)[1:5]] == ["failed", "failed", "failed", "not asked for"]
    assert items(make_operation("recover_rows"))["Restore to staging first"].state == "done"


def test_checklist_before_a_deployment() -> None:
    """Of migrations and rollbacks alone."""
    found = items(make_operation("guarded_migration"), "Before a deployment")
    assert [item.state for item in found.values()] == ["done", "done", "done", "not asked for", "done"]
    failed = items(make_operation("guarded_migration", failed="migrate"), "Before a deployment")
    assert list(failed.values())[-1].state == "failed"
    assert not items(make_operation(), "Before a deployment")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"approvals": ()}, "nobody has approved it"),
        ({"requested_by": " Dora.DBA"}, "has approved what they requested themselves"),
        ({"plan": None}, "changed without a plan"),
        ({"plan": Planned(sha256="0" * 64, body=PLAN_BODY)}, "its plan is not the one whose SHA-256"),
    ],
)
def test_impossible_evidence_is_found(environment: Environment, changes: dict[str, object], expected: str) -> None:
    """Whoever signed it: what no gate lets pass is named."""
    assert expected in verified(environment, make_operation(**changes))


def test_impossible_approvals_are_found(environment: Environment) -> None:
    """One person at both gates, and answers that came when all was done; what was asked again counts by its answer."""
    evidence = make_operation()
    first, second = evidence.approvals
    twice = evidence.model_copy(update={"approvals": (first, second.model_copy(update={"approver": "DORA.dba"}))})
    assert "approved twice" in verified(environment, twice)
    late = first.model_copy(update={"answered_at": evidence.finished_at + timedelta(hours=1)})
    other = make_operation("recover_rows", approvals=(late, second))
    assert "before it was approved" in verified(environment, other)
    swapped = (first.model_copy(update={"approver": "tina.lead", "answered_at": evidence.opened_at}), first, second)
    again = make_operation("rollback", approvals=swapped)
    assert verified(environment, again) == ""
    assert "(asked again since)" in report_html(again, None)


def test_switch_outside_its_window_is_found(environment: Environment) -> None:
    """The window that was given to those who agreed binds; a rerun that finds it done is no second switch."""
    window = make_operation().window
    assert window is not None
    closed = window.model_copy(update={"ends_at": make_operation().opened_at + timedelta(minutes=16)})
    evidence = make_operation(window=closed)
    assert "outside the change window" in verified(environment, evidence)
    found_done = tuple(each.model_copy(update={"facts": {}}) for each in evidence.steps)
    other = make_operation("rollback", window=closed, steps=found_done)
    assert verified(environment, other) == ""


def test_plan_is_shown_as_it_was_meant() -> None:
    """Headings, lists, tables, code, bold; and what is escaped stays the text that it is."""
    page = plan_html(PLAN_BODY + "\n- a `` b`c `` \\*d\\* `<i>`\n  - **e `f`**")
    assert page.startswith("<h3>Restore shop/production from <code>20261122T020000Z-nightly-5a1f0c</code></h3>")
    assert "<strong>Everything written after" in page
    assert "<td>public.or|ders</td>" in page
    assert "<pre>DELETE FROM nothing;</pre>" in page
    assert "<li>a <code>b`c</code> *d* <code>&lt;i&gt;</code></li>" in page
    assert '<li class="inner"><strong>e <code>f</code></strong></li>' in page


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXT | st.text("|-*`\\ #\n<>&\"'x", max_size=40), max_size=6).map("\n".join))
def test_no_plan_becomes_more_than_text(text: str) -> None:
    """Whatever stands in a plan: known tags alone, each of them closed, and nothing that hides."""
    page = plan_html(text)
    found = Structure(page)
    opened: list[str] = []
    for name, attributes in found.tags:
        if name.startswith("/"):
            assert opened.pop() == name[1:]
        else:
            opened.append(name)
        assert name.strip("/") in PLAN_TAGS
        assert set(attributes) <= {"class", "scope"}
    assert not opened
    assert not [sign for sign in page if not (sign.isprintable() or sign == "\n")]


def test_plan_of_thousands_of_lines_stays_small() -> None:
    """The rest is in the evidence."""
    body = "\n".join(f"- row {number}" for number in range(50_000))
    evidence = make_operation(plan=Planned(sha256=sha256(body.encode()), body=body))
    page = report_html(evidence, None)
    assert len(page) < 200_000
    assert "… and 49400 more lines" in page


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_no_field_of_an_operation_becomes_html(text: str) -> None:
    """Whatever stands in any field beside the plan, the page has exactly the tags that it has without."""

    def page(said: str) -> str:
        nasty, closing = evidence_of(said)
        window = make_operation().window
        assert window is not None
        update = {"kind": "restore", "approvals": closing.approvals, "plan": None}
        update["window"] = window.model_copy(update={"ticket": said})  # type: ignore[assignment]
        return report_html(nasty.model_copy(update=update), None)

    assert Structure(page(text)).tags == Structure(page("x")).tags
