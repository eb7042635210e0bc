"""The report: one HTML page that shows evidence to people, without any script or outside request."""

from __future__ import annotations

import base64
import hashlib

from holdfast.evidence.objects import digest_tag
from holdfast.evidence.page import details, instant, operation, overview, proof, words
from holdfast.evidence.page.history_chart import history_section
from holdfast.evidence.page.html import Html, joined, tag
from holdfast.evidence.page.rows_chart import rows_section
from holdfast.evidence.page.style import OPERATION_STYLE, STYLE
from holdfast.evidence.page.time_chart import time_section
from holdfast.evidence.page.window_chart import window_section
from holdfast.manifest.evidence import Closing, Evidence


def report_html(evidence: Evidence, closing: Closing | None) -> str:
    """The page for the evidence, with the approvals where it has been closed. The same input gives the same bytes."""
    head = _head(evidence, closing)
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', _body(evidence, closing))), lang='en')}\n"


def _head(evidence: Evidence, closing: Closing | None) -> Html:
    style = STYLE if evidence.is_drill else OPERATION_STYLE
    title = f"{words.KIND[evidence.kind]} {evidence.app}/{evidence.environment}: {evidence.verdict}"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_content_policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        Html(digest_tag(evidence.encode(), closing.encode() if closing is not None else None)),
        tag("title", title),
        tag("style", Html(style)),
    )


def _content_policy(style: str) -> str:
    """Nothing may be loaded or run; the one style sheet is allowed by its hash, so that no other takes effect."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _body(evidence: Evidence, closing: Closing | None) -> Html:
    if evidence.is_pitr:
        return _body_of_pitr(evidence, closing)
    return _body_of_drill(evidence, closing) if evidence.is_drill else _body_of_operation(evidence)


def _body_of_pitr(evidence: Evidence, closing: Closing | None) -> Html:
    return joined(
        overview.heading(evidence),
        overview.verdict(evidence, closing, instant.meaning(evidence)),
        instant.tiles(evidence),
        overview.findings(evidence),
        window_section(evidence),
        instant.replay(evidence),
        instant.facts(evidence),
        time_section(evidence),
        proof.approvals(evidence, closing),
        proof.checklist_sections(evidence, closing),
        details.surroundings(evidence),
        details.steps(evidence),
        proof.genuineness(evidence, closing),
    )


def _body_of_operation(evidence: Evidence) -> Html:
    return joined(
        operation.heading(evidence),
        operation.verdict(evidence),
        operation.tiles(evidence),
        overview.findings(evidence),
        operation.asked(evidence),
        operation.plan(evidence),
        operation.approvals(evidence),
        operation.way_back(evidence),
        details.steps(operation.without_plan_twice(evidence)),
        rows_section(evidence),
        proof.checklist_sections(evidence, None),
        time_section(evidence),
        proof.genuineness(evidence, None),
    )


def _body_of_drill(evidence: Evidence, closing: Closing | None) -> Html:
    return joined(
        overview.heading(evidence),
        overview.verdict(evidence, closing),
        overview.tiles(evidence),
        overview.findings(evidence),
        overview.facts(evidence),
        time_section(evidence),
        rows_section(evidence),
        history_section(evidence),
        proof.approvals(evidence, closing),
        proof.checklist_sections(evidence, closing),
        details.surroundings(evidence),
        details.settings(evidence),
        details.steps(evidence),
        proof.genuineness(evidence, closing),
    )
