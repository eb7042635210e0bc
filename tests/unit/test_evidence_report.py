"""The report and the approval gate's text: nothing that stands in evidence becomes markup, and nothing hides."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from evidence_factory import (
    OPENED_AT,
    drill_id,
    failed_evidence,
    huge_evidence,
    make_closing,
    make_evidence,
    make_steps,
)
from holdfast.drill import naming
from holdfast.evidence import approval_markdown, report_html, steps_taken
from holdfast.evidence.checklists import checklists
from holdfast.manifest.evidence import Closing, Evidence, Finding, HistoryPoint, TableRows
from report_pages import TEXT, Structure, evidence_of

MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")


@cache
def plain_tags() -> list[tuple[str, tuple[str, ...]]]:
    """The tags of a page without anything nasty."""
    return Structure(report_html(*evidence_of("x"))).tags


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_no_field_becomes_html(text: str) -> None:
    """Whatever stands in any field, the page has exactly the tags that it has without."""
    evidence, closing = evidence_of(text)
    page = report_html(evidence, closing)
    assert Structure(page).tags == plain_tags()
    assert not [sign for sign in page if not (sign.isprintable() or sign == "\n")]


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT)
def test_no_field_becomes_markdown(text: str) -> None:
    """Whatever stands in any field, the approval text has the same blocks, cells, and no link, image or HTML."""
    found = MARKDOWN.parse(approval_markdown(evidence_of(text)[0]))
    plain = MARKDOWN.parse(approval_markdown(evidence_of("x")[0]))
    assert [token.type for token in found] == [token.type for token in plain]
    inline = {child.type for token in found for child in token.children or ()}
    assert inline <= {"text", "text_special", "code_inline", "strong_open", "strong_close"}
    counted = [
        sum(child.type == "strong_open" for token in each for child in token.children or ()) for each in (found, plain)
    ]
    assert counted[0] == counted[1]


def test_markdown_shows_what_stands_there() -> None:
    """A table's name full of specials is read as it is once the Markdown is rendered."""
    html = MARKDOWN.render(approval_markdown(failed_evidence()))
    assert "public.&quot;User|x`&quot;: the table is missing" in html
    assert "FAILED" in html


def test_texts_are_the_same_for_the_same_evidence() -> None:
    """Approvals bind to the bytes of the text, and a killed writer must draw the same page again."""
    for evidence in (make_evidence(), failed_evidence(), huge_evidence()):
        again = Evidence.model_validate_json(evidence.encode())
        assert approval_markdown(again) == approval_markdown(evidence)
        assert report_html(again, None) == report_html(evidence, None)
    assert approval_markdown(make_evidence()) != approval_markdown(make_evidence(reason="other"))
    assert approval_markdown(make_evidence()) != approval_markdown(make_evidence(manifest_sha256="0" * 64))


def test_page_stands_alone() -> None:
    """Nothing is loaded, nothing runs, and a policy in the page says so too."""
    evidence = make_evidence()
    page = report_html(evidence, make_closing(evidence, "dora.dba"))
    structure = Structure(page)
    assert structure.urls == []
    assert not {"script", "link", "iframe", "img", "object", "a", "form"} & {tag for tag, _ in structure.tags}
    assert not [names for _, names in structure.tags if any(name.startswith("on") or name == "style" for name in names)]
    assert "default-src &#x27;none&#x27;" in page
    assert "url(" not in page
    assert "@import" not in page


def test_page_shows_what_counts() -> None:
    """Verdict, who, why, how long, how many, who agreed, and how to check it."""
    evidence = make_evidence()
    text = Structure(report_html(evidence, make_closing(evidence, "dora.dba", "tina.lead"))).text
    for said in (
        "✓ Passed",
        "Approved by dora.dba, tina.lead",
        evidence.restore_point,
        "otto.oncall",
        "Quarterly drill",
        "387,094",
        "240,871",
        "0.4 % of the RTO of 1 h 00 min",
        "none: an empty network of their own",
        "PAYMENTS_ENABLED",
        "12 checks, 0 problems",
        "-sigfile evidence.sig -in evidence.json",
        f"holdfast evidence verify POLICY production {evidence.id}",
    ):
        assert said in text, said


def test_failed_page_is_loud() -> None:
    """The verdict, each finding with whom it blames, what was not run, and the differing tables first."""
    text = Structure(report_html(failed_evidence(), None)).text
    assert "✗ Failed" in text
    assert "public.payments: 11499 rows, the manifest promises 11500" in text
    assert "11,499 of 11,500 (-1)" in text
    assert text.index("missing, 1 expected") < text.index("public.lesson_progress")
    assert "Not approved: the drill failed" in text


def test_page_of_thousands_of_tables_stays_small() -> None:
    """Twenty tables are drawn, two thousand tabulated; the rest is in the evidence."""
    page = report_html(huge_evidence(9000), None)
    assert len(page) < 600_000
    assert page.count("<svg") < 40
    assert "7,000 more" in page
    assert len(approval_markdown(huge_evidence(9000))) < 10_000


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": (), "tables": (), "history": (), "surroundings": None, "restore_seconds": None, "verdict": "failed"},
        {"rto_seconds": 0.0, "restore_seconds": 0.0},
        {"tables": (TableRows(table="t", expected=0, found=0),), "history": (HistoryPoint(id="x", bytes=0, rows=0),)},
        {"tables": (TableRows(table="t", expected=None, found=None), TableRows(table="u", expected=None, found=3))},
    ],
)
def test_bare_evidence_is_shown(changes: dict[str, object]) -> None:
    """Evidence that stops before it began, and figures that are all zero."""
    evidence = make_evidence(**changes)
    assert Structure(report_html(evidence, None)).tags
    assert MARKDOWN.render(approval_markdown(evidence))


def states(evidence: Evidence, closing: Closing | None, title: str) -> list[str]:
    return [item.state for each in checklists(evidence, closing) if each.title == title for item in each.items]


def test_checklists_follow_the_evidence() -> None:
    """A drill that passed and was approved ticks all that belongs to a drill."""
    evidence = make_evidence()
    assert states(evidence, None, "Restore process") == ["done"] * 8 + ["waiting", "not part of a drill"]
    closing = make_closing(evidence, "dora.dba")
    assert states(evidence, closing, "Restore process") == ["done"] * 9 + ["not part of a drill"]
    assert states(evidence, closing, "Validation of the backup") == ["done"] * 5
    assert states(evidence, closing, "Before a deployment") == ["done"] * 4 + ["not part of a drill"]
    people = "not part of a drill"
    assert states(evidence, closing, "After an incident") == [people, "done", "done", "done", people, people, "done"]


def test_checklists_of_a_failure_promise_nothing() -> None:
    """What was not run is not done, and counts that differ have failed."""
    expected = ["done", "done", *["not run"] * 5, "failed", "not run", "not part of a drill"]
    assert states(failed_evidence(), None, "Restore process") == expected
    assert states(failed_evidence(), None, "Validation of the backup")[3:] == ["failed", "not run"]


def test_checklists_of_a_check_without_commands() -> None:
    """What the policy does not ask for is said to be so."""
    check = make_evidence(drill_id(kind="restore_check"), steps=make_evidence().steps[:3], media="none")
    expected = ["done", "done", *["not asked for"] * 5, "done", "not asked for", "not part of a drill"]
    assert states(check, None, "Restore process") == expected


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        ("query login: 0 rows, expected 1", ("failed", "done")),
        ("code AB…: its link leads elsewhere", ("done", "failed")),
        ("codes: the policy's query yields none at all", ("done", "failed")),
    ],
)
def test_queries_and_codes_are_told_apart(finding: str, expected: tuple[str, str]) -> None:
    """They share a step, and only what failed is said to have failed."""
    found = (Finding(about="backup", text=finding),)
    evidence = make_evidence(steps=make_steps(OPENED_AT, failed="queries", findings=found), verdict="failed")
    assert tuple(states(evidence, None, "Restore process")[5:7]) == expected


def test_steps_bear_the_names_that_drills_give_them() -> None:
    """Checklists know the steps by name; what has another name is a command of the application."""
    taken = (
        steps_taken.ENVIRONMENT,
        steps_taken.DATABASE,
        steps_taken.COUNTS,
        steps_taken.MEDIA,
        steps_taken.SETTINGS,
        steps_taken.QUERIES,
        steps_taken.RTO,
    )
    assert set(taken) == naming.TITLES.keys()


def test_missed_objective_blames_nobody_else() -> None:
    """A drill that only took too long says so, and not that its surroundings were at fault."""
    late = (Finding(about="drill", text="restored in 2 h, the objective is 1 h"),)
    steps = make_steps(OPENED_AT, failed="rto", findings=late)
    evidence = make_evidence(steps=steps, verdict="failed", restore_seconds=7200.0)
    assert "over the recovery time objective" in report_html(evidence, None)
    assert "over the recovery time objective" in approval_markdown(evidence)
    assert "2 h 00 min, over the RTO of 1 h 00 min" in approval_markdown(evidence)


def test_last_good_backup_is_a_proven_one() -> None:
    """A restore point that failed its drill is not ticked as good."""
    assert states(failed_evidence(), None, "After an incident")[1] == "failed"


def test_digest_in_the_page_is_of_the_evidence() -> None:
    """The page says within its signed bytes which evidence it shows."""
    evidence = make_evidence()
    closing = make_closing(evidence, "dora.dba")
    found = re.search(r'name="holdfast-evidence" content="([0-9a-f ]+)"', report_html(evidence, closing))
    assert found
    assert found[1].split()[0] == closing.evidence_sha256
    assert len(found[1].split()) == 2
