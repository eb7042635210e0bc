"""Who did what when: the checklists, the approvals, and how anybody checks that the report is genuine."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence.checklists import Checklist, checklists
from holdfast.evidence.figures import moment
from holdfast.evidence.items import Item
from holdfast.evidence.objects import CLOSED_REPORT, CLOSING, EVIDENCE, REPORT, sha256, signature_of
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, joined, section, table, tag
from holdfast.evidence.steps_taken import State
from holdfast.manifest.evidence import Closing, Evidence

_CHIPS: dict[State, str] = {"done": "chip ok", "failed": "chip bad", "waiting": "chip warn"}
_MARKS: dict[State, str] = {
    "done": "✓ done",
    "failed": "✗ failed",
    "waiting": "… waiting",
}


def checklist_sections(evidence: Evidence, closing: Closing | None) -> Html:
    """The checklists, each item with its state, who and when."""
    return joined(_checklist(each) for each in checklists(evidence, closing))


def _checklist(checklist: Checklist) -> Html:
    return section(f"Checklist: {checklist.title.lower()}", (_item(item) for item in checklist.items))


def _item(item: Item) -> Html:
    by = " · ".join(filter(None, (item.who, moment(item.at) if item.at is not None else None)))
    return tag(
        "div",
        tag("span", _MARKS.get(item.state, item.state), class_=_CHIPS.get(item.state, "chip")),
        tag("div", item.text, tag("small", item.detail) if item.detail else "", tag("small", by) if by else ""),
        class_="item",
    )


def approvals(evidence: Evidence, closing: Closing | None) -> Html:
    """Who agreed to what, when."""
    if closing is None:
        return section("Approval", tag("p", _without_closing(evidence)))
    if not closing.approvals:
        return section("Approval", tag("p", f"Nobody was asked. Closed {moment(closing.closed_at)}."))
    rows = (
        (
            each.approver,
            moment(each.answered_at),
            joined(words.code(each.gate), *([": ", each.comment] if each.comment else [])),
            words.code(each.sha256),
        )
        for each in closing.approvals
    )
    return section(
        "Approval",
        table(("who", "when", "gate", "SHA-256 of what was shown"), rows),
        tag("p", f"Closed {moment(closing.closed_at)}. Each approval is a signed record in the store.", class_="soft"),
    )


def _without_closing(evidence: Evidence) -> str:
    if evidence.approval == "not asked":
        return "Nobody was asked: it was started without a gate."
    if evidence.verdict == "failed":
        return "The drill failed, so there is nothing to approve."
    return f"Asked for. Once everybody has agreed, {CLOSED_REPORT} stands beside this report and names them."


def genuineness(evidence: Evidence, closing: Closing | None) -> Html:
    """How to check the signatures without any of this project's code."""
    names = (EVIDENCE, REPORT) if closing is None else (EVIDENCE, CLOSING, CLOSED_REPORT)
    digests = [(EVIDENCE, evidence.encode())] + ([(CLOSING, closing.encode())] if closing is not None else [])
    return section(
        "Is this report genuine?",
        tag(
            "p",
            "Take signing.pub from where your keys are kept, never from the store, and fetch the files beside this "
            "report. Each line must say “Signature Verified Successfully”:",
        ),
        tag("pre", _lines(_openssl(name) for name in names)),
        tag("p", "The report shows these files; ", words.code("sha256sum"), " must say:"),
        tag("pre", _lines(f"{sha256(document)}  {name}" for name, document in digests)),
        tag(
            "p", "Or all at once: ", words.code(f"holdfast evidence verify POLICY {evidence.environment} {evidence.id}")
        ),
    )


def _openssl(name: str) -> str:
    return f"openssl pkeyutl -verify -rawin -pubin -inkey signing.pub -sigfile {signature_of(name)} -in {name}"


def _lines(lines: Iterator[str]) -> Html:
    return Html("\n".join(joined(line) for line in lines))
