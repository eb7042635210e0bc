"""What evidence of a recovery to an instant says, shows and may not say."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from evidence_factory import make_evidence, make_operation
from holdfast.evidence import approval_markdown, report_html
from holdfast.evidence.instants import instant_faults
from holdfast.manifest.evidence import Evidence, Finding
from pitr_evidence import BASE, INSTANT, make_pitr_evidence, replayed, tried


@pytest.mark.parametrize("evidence", [make_evidence(), make_operation()])
def test_evidence_of_other_kinds_keeps_its_bytes(evidence: Evidence) -> None:
    """It was signed before there were recoveries to an instant."""
    assert {"pitr", "replayed"}.isdisjoint(json.loads(evidence.encode()))


def test_evidence_of_a_recovery_comes_back_as_it_was_written() -> None:
    """With window, instant, markers and figures, and without what only operations have."""
    evidence = make_pitr_evidence()
    document = evidence.encode()

    assert Evidence.model_validate_json(document) == evidence
    assert {"plan", "window", "approvals"}.isdisjoint(json.loads(document))
    assert evidence.is_drill and evidence.is_pitr


def test_report_draws_the_window_and_says_how_the_replay_went() -> None:
    """The chosen instant on the bar, replay rate, waited share, markers."""
    page = report_html(make_pitr_evidence(), None)

    assert "PITR drill of shop/production" in page
    for said in (INSTANT.isoformat(), "53.7 MB/s", "3.0 %", "marker found, expected 41", str(BASE), 'class="limit"'):
        assert said in page, said
    assert page.count('class="one"') >= 1 and "timelines 1, 2" in page
    assert "<script" not in page and "Restore point" not in page


def test_report_of_a_wrong_marker_shows_it() -> None:
    """Red where somebody looks first."""
    finding = Finding(about="backup", text="marker 40 found: the one of 13:07:17 (number 41) is missing")
    page = report_html(make_pitr_evidence(failed=finding, replayed=replayed(marker=40)), None)

    assert "✗ Failed" in page and "they are to blame, or may be" in page
    assert '<div class="tile bad"><b>40</b><span>marker found, expected 41</span></div>' in page


def test_report_of_a_drill_that_replayed_nothing() -> None:
    """An identity that does not fit ends it before any figure."""
    finding = Finding(about="backup", text="base.tar.zst.age: none of the identities opens it")
    evidence = make_pitr_evidence(failed=finding, replayed=None, restore_seconds=None, surroundings=None)

    assert "none of the identities opens it" in report_html(evidence, None)
    assert "FAILED" in approval_markdown(evidence)


def test_gate_shows_instant_and_replay() -> None:
    """The text that an approval is bound to."""
    text = approval_markdown(make_pitr_evidence())

    assert "## ✓ PITR drill PASSED" in text
    assert "53.7 MB/s" in text and "2026-11-19T13:07:21.482113+00:00" in text
    assert "It changes nothing that is live" in text
    assert "network of commands" not in text


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"pitr": None}, "names no instant"),
        ({"replayed": None}, "nothing was replayed"),
        ({"replayed": replayed(marker=40)}, "with marker 40 instead of 41"),
        ({"replayed": replayed(marker=None)}, "with marker none instead of 41"),
        ({"replayed": replayed(reached_time=INSTANT + timedelta(seconds=1))}, "later than its instant"),
        ({"pitr": tried(instant=INSTANT + timedelta(days=30))}, "outside of its window"),
        ({"pitr": tried(base_backup="20261122T040000Z-base_backup-aaaaaa")}, "base backups"),
    ],
)
def test_evidence_that_passed_may_not_say_otherwise(changes: dict[str, object], fault: str) -> None:
    """Whoever signed it."""
    faults = list(instant_faults(make_pitr_evidence(**changes)))

    assert any(fault in each for each in faults), faults


def test_sound_evidence_has_no_fault() -> None:
    """Nor has one that failed for what was found."""
    failed = make_pitr_evidence(failed=Finding(about="backup", text="marker 40 found"), replayed=replayed(marker=40))

    assert list(instant_faults(make_pitr_evidence())) == []
    assert list(instant_faults(failed)) == []
