"""What a reader sees first: the verdict, who and when, the figures that count, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence.figures import counts, is_only_late, moment, share_of_rto
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, joined, section, tag
from holdfast.manifest.evidence import Closing, Evidence, Finding
from holdfast.values import figures

_BLAMED = {"backup": "Backup", "drill": "Surroundings", "operation": "Operation"}


def heading(evidence: Evidence) -> Html:
    """Whose evidence it is."""
    title = f"{words.KIND[evidence.kind]} of {evidence.app}/{evidence.environment}"
    return tag("div", tag("h1", title), tag("span", moment(evidence.finished_at), class_="soft"), class_="head")


def verdict(evidence: Evidence, closing: Closing | None, meaning: Html | None = None) -> Html:
    """Passed or failed, in big words, what that means, and whether somebody has agreed."""
    return tag(
        "div",
        tag("p", "✓ Passed" if evidence.verdict == "passed" else "✗ Failed", class_="word"),
        tag("p", _meaning(evidence) if meaning is None else meaning, class_="said"),
        _approval(evidence, closing),
        class_=f"verdict {evidence.verdict}",
    )


def _meaning(evidence: Evidence) -> Html:
    point = words.code(evidence.restore_point)
    if evidence.verdict == "passed":
        return joined("Restore point ", point, " was restored for real, counted and compared.")
    if any(finding.about == "backup" for finding in evidence.findings):
        return joined("Restore point ", point, " is not proven: it is to blame, or may be.")
    if is_only_late(evidence):
        return joined("Restore point ", point, " was restored and compared, but over the recovery time objective.")
    return joined(
        "Restore point ",
        point,
        " is not proven. The drill's own surroundings are to blame, which says nothing ",
        "against the backup.",
    )


def _approval(evidence: Evidence, closing: Closing | None) -> Html:
    if closing is not None and closing.approvals:
        names = ", ".join(approval.approver for approval in closing.approvals)
        return tag("span", f"Approved by {names}", class_="chip ok")
    if evidence.approval == "not asked" or closing is not None:
        return tag("span", "Approval: not asked", class_="chip")
    if evidence.verdict == "failed":
        return tag("span", "Not approved: the drill failed", class_="chip bad")
    return tag("span", "Waiting for approval when this was written", class_="chip warn")


def tiles(evidence: Evidence) -> Html:
    """The figures that count."""
    return tag("div", _tiles(evidence), class_="tiles")


def _tiles(evidence: Evidence) -> Iterator[Html]:
    share = share_of_rto(evidence)
    is_late = share is not None and share > 1
    took = figures.seconds(evidence.restore_seconds) if evidence.restore_seconds is not None else "none"
    target = (
        f"of {figures.seconds(evidence.rto_seconds)} allowed (RTO)" if evidence.rto_seconds else "no RTO in the policy"
    )
    yield tile(took, f"restore time, {target}", is_bad=is_late or evidence.restore_seconds is None)
    found = counts(evidence.tables)
    said = "not counted" if not found.tables else "every count equal" if not found.differing else "counts differ"
    yield tile(figures.count(found.rows_found), f"rows restored, {said}", is_bad=bool(found.differing))
    differ = f"tables, {figures.count(len(found.differing))} differ" if found.differing else "tables compared"
    yield tile(figures.count(found.tables), differ, is_bad=bool(found.differing))
    number = len(evidence.findings)
    yield tile(figures.count(number), "findings" if number != 1 else "finding", is_bad=number > 0)


def tile(figure: str, meaning: str, *, is_bad: bool = False) -> Html:
    """One figure with what it means."""
    return tag("div", tag("b", figure), tag("span", meaning), class_="tile bad" if is_bad else "tile")


def findings(evidence: Evidence) -> Html:
    """What is not as it must be; nothing where all is."""
    if not evidence.findings and not evidence.steps_not_run:
        return Html()
    lost = [tag("p", "Not run: ", ", ".join(evidence.steps_not_run))] if evidence.steps_not_run else []
    return section("Findings", (_finding(finding) for finding in evidence.findings), lost)


def _finding(finding: Finding) -> Html:
    blame = tag("b", _BLAMED[finding.about])
    return tag("div", blame, finding.text, class_="finding drill" if finding.about == "drill" else "finding")


def facts(evidence: Evidence) -> Html:
    """What was tried, who asked for it and why, when."""
    around = evidence.surroundings
    rows: list[tuple[str, str]] = [
        ("Restore point", words.code(evidence.restore_point)),
        ("Taken", moment(evidence.restore_point_taken_at)),
        ("Manifest's SHA-256", words.code(evidence.manifest_sha256)),
        ("Requested by", words.requester(evidence)),
        ("Reason", evidence.reason or "none given"),
        ("Run", evidence.origin),
        ("Begun", moment(evidence.opened_at)),
        ("Ended", moment(evidence.finished_at)),
        ("Media", words.MEDIA[evidence.media]),
        ("Source", f"PostgreSQL {evidence.source_version}"),
        ("Restored on", f"PostgreSQL {around.server_version}" if around else "no server was ready"),
        ("Evidence", words.code(evidence.id)),
        ("Written by", f"holdfast {evidence.holdfast_version}"),
    ]
    return section("What was tried", tag("dl", (joined(tag("dt", name), tag("dd", value)) for name, value in rows)))
