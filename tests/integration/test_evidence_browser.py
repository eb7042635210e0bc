"""The report in a real browser: it loads nothing, breaks no rule of its own, and fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from evidence_factory import failed_evidence, huge_evidence, make_closing, make_evidence, make_operation
from holdfast.evidence import report_html

PASSED = make_evidence()
PAGES = {
    "passed": report_html(PASSED, make_closing(PASSED, "dora.dba", "tina.lead")),
    "failed": report_html(failed_evidence(), None),
    "huge": report_html(huge_evidence(), None),
    "restore": report_html(make_operation(), None),
    "restore-failed": report_html(make_operation(failed="switch"), None),
}
WORDS = {"passed": "✓ Passed", "restore": "✓ Done", "restore-failed": "✗ Not done"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_report_in_a_browser(browser: Browser, tmp_path: Path, name: str, scheme: str, width: int) -> None:
    """No request but for itself, no complaint in the console, styled, and nothing wider than the screen."""
    file = tmp_path / "report.html"
    file.write_text(PAGES[name], encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri())
    assert requests == [file.as_uri()]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(14, 19, 24)" if scheme == "dark" else "rgb(238, 241, 245)")
    assert page.get_by_text(WORDS.get(name, "✗ Failed"), exact=True).is_visible()
    labels = page.evaluate("[...document.querySelectorAll('svg')].map(chart => chart.getAttribute('aria-label'))")
    assert len(labels) > 3
    assert all(labels)
    page.close()
