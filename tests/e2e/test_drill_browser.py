"""A drill of the demo in a real browser: one person asks for it and watches it, another one reads and approves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Page, expect

from fix_browser import WAIT_MS, logged_in
from fix_make_run import LINE, PROJECT, Round, Serving
from holdfast_embedded.airflow.api import AirflowApi, segment

# The first test to need them starts a new copy of the project, with a venv to build, and then once more.
pytestmark = pytest.mark.timeout(1800)

DAG = "coursepedia-production.restore_drill"
REASON = "Quarterly drill, Q4 2026"
COMMENT = "Read the evidence: every row is there."
BEFORE_THE_GATE = (
    "pick",
    "recovery_environment",
    "restore_database",
    "check_database",
    "restore_media",
    "recovery_settings",
    "pnpm_db_reconcile",
    "pnpm_check",
    "queries",
    "evidence",
    "remove_recovery",
)
_IS_PARKED_S = 4  # Airflow 3.3 takes a gate for dead when the answer arrives within a second of the question
_TASK_MS = 120_000
_KEEP = "HOLDFAST_KEEP_SCREENSHOTS"
"""Set it to have docs/images made anew."""


@dataclass(frozen=True)
class Drill:
    """One run of the drill's DAG, as the administrator sees it."""

    api: AirflowApi
    url: str
    run_id: str

    @property
    def page(self) -> str:
        return f"{self.url}/dags/{DAG}/runs/{segment(self.run_id)}"

    @property
    def gate(self) -> str:
        return f"{self.page}/tasks/approve/required_actions"

    @property
    def state(self) -> str:
        return str((self.api.get(f"dags/{DAG}/dagRuns/{segment(self.run_id)}") or {})["state"])

    @property
    def state_of_gate(self) -> str | None:
        found = self.api.get(f"dags/{DAG}/dagRuns/{segment(self.run_id)}/taskInstances/approve") or {}
        return str(found["state"]) if found["state"] else None

    def await_gate(self) -> None:
        await_true(lambda: self.state_of_gate == "awaiting_input", "the gate asks")
        time.sleep(_IS_PARKED_S)

    def ask_again(self) -> None:
        """Clear the gate and what stands behind it."""
        body = {"dag_run_id": self.run_id, "task_ids": ["approve"], "include_downstream": True, "only_failed": False}
        self.api.post(f"dags/{DAG}/clearTaskInstances", {**body, "dry_run": False, "reset_dag_runs": True})


@dataclass(frozen=True)
class Office:
    """The demo's Airflow, and whoever works with it."""

    browser: Browser
    serving: Serving
    pictures: Path

    @property
    def url(self) -> str:
        return self.serving.round.ui[0]

    def at_desk(self, name: str) -> AbstractContextManager[tuple[Page, list[str]]]:
        """Their page, and what its requests were refused."""
        password = (self.serving.copy.state / "secrets" / f"{name}_password").read_text()
        return logged_in(self.browser, self.url, name, password)

    def keep(self, page: Page, name: str) -> None:
        """A picture of the page, also for the documentation where that is asked for."""
        file = self.pictures / f"drill-{name}.png"
        page.wait_for_timeout(1500)  # what moves has to come to rest
        page.screenshot(path=file)
        if os.environ.get(_KEEP):
            with Image.open(file) as picture:
                picture.quantize(256).save(PROJECT / "docs" / "images" / file.name, optimize=True)


@pytest.fixture
def office(browser: Browser, serving: Serving, tmp_path: Path) -> Office:
    assert serving.run.poll() is None
    return Office(browser, serving, tmp_path)


def await_true(condition: Callable[[], bool], what: str, within_s: float = 240) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.5)


def test_drill_is_asked_for_by_one_person_and_approved_by_another(office: Office, first_round: Round) -> None:
    """A DBA triggers it, sees it go green and cannot approve it; a viewer only reads; the team lead approves."""
    title, restore_point, _, rows, *_ = LINE.findall(first_round.said)[-1]
    assert title == "coursepedia production"
    with office.at_desk("dba") as (page, refused):
        drill = trigger(office, page, restore_point)
        watch(office, page, drill)
        figures = evidence_of(page, drill)
        for shown in ("✓ Passed", restore_point, rows, REASON, "Waiting for approval when this was written"):
            expect(figures.get_by_text(shown).first).to_be_visible()
        assert refused == []
        answers_own_question(page, drill)
    drill.ask_again()
    drill.await_gate()
    with office.at_desk("viewer") as (page, refused):
        expect(evidence_of(page, drill).get_by_text("✓ Passed")).to_be_visible()
        assert refused == []
        assert answer(page, drill) == 403
    with office.at_desk("teamlead") as (page, refused):
        approve(office, page, drill)
        figures = evidence_of(page, drill)
        expect(figures.get_by_text("teamlead").first).to_be_visible()
        expect(figures.get_by_text(COMMENT).first).to_be_visible()
        office.keep(page, "evidence")
        assert refused == []


def trigger(office: Office, page: Page, restore_point: str) -> Drill:
    """By the form, of the restore point that the demo's own database gave."""
    page.goto(f"{office.url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger Dag").first.click()
    form = page.get_by_role("dialog")
    form.locator("[name=element_restore_point]").fill(restore_point)
    form.locator("[name=element_reason]").fill(REASON)
    expect(form.locator("[name=element_media]")).to_have_value("sample")
    office.keep(page, "form")
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url("**/runs/*")
    secrets = office.serving.copy.state / "secrets"
    api = AirflowApi(office.url, "admin", (secrets / "admin_password").read_text())
    return Drill(api, office.url, unquote(page.url.rpartition("/")[2]))


def watch(office: Office, page: Page, drill: Drill) -> None:
    """In the graph, from top to bottom, until it waits for people."""
    page.evaluate(f"localStorage.setItem('direction-{DAG}', '\"DOWN\"')")
    page.goto(drill.page)
    page.get_by_role("button", name="Show Graph").click()
    for task in BEFORE_THE_GATE:
        state = page.get_by_test_id(f"rf__node-{task}").get_by_test_id("state-badge")
        expect(state).to_have_text("success", timeout=_TASK_MS)
    expect(page.get_by_test_id("rf__node-approve").get_by_text("awaiting_input")).to_be_visible(timeout=WAIT_MS)
    office.keep(page, "graph")
    page.get_by_role("button", name="Show Grid").click()


def evidence_of(page: Page, drill: Drill) -> FrameLocator:
    """The report, reached from the run's page by its tab."""
    page.goto(drill.page)
    page.get_by_role("link", name="Restore point").click()
    shown = page.frame_locator("iframe")
    shown.get_by_role("link", name="Evidence").click()
    expect(shown.get_by_role("heading", name="Restore drill of coursepedia/production")).to_be_visible(timeout=WAIT_MS)
    return shown


def answer(page: Page, drill: Drill) -> int:
    """Press Approve; the status that Airflow answers with."""
    page.goto(drill.gate)
    with page.expect_response(lambda response: response.url.endswith("/hitlDetails")) as told:
        page.get_by_role("button", name="Approve").click()
    return told.value.status


def answers_own_question(page: Page, drill: Drill) -> None:
    """Airflow takes the requester's answer; the gate does not, and says so in its log."""
    drill.await_gate()
    assert answer(page, drill) == 200
    await_true(lambda: drill.state == "failed", "the run fails")
    page.goto(f"{drill.page}/tasks/approve")
    expect(page.get_by_text("asked for it, and cannot approve it too").first).to_be_visible(timeout=WAIT_MS)


def approve(office: Office, page: Page, drill: Drill) -> None:
    """From the list of what waits, with a comment, having read what was restored."""
    page.goto(f"{office.url}/required_actions")
    page.get_by_role("row", name="Approval Required").get_by_role("link", name="Approve").first.click()
    heading = page.get_by_role("heading", name="✓ Restore drill PASSED")
    expect(heading).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("row", name="requested by").get_by_text("dba")).to_be_visible()
    expect(page.locator("[name=element_reason]")).to_have_value("")  # not what the requester wrote
    page.locator("[name=element_reason]").fill(COMMENT)
    page.set_viewport_size({"width": 1200, "height": 1980})  # the whole plan
    heading.scroll_into_view_if_needed()
    office.keep(page, "approval")
    page.get_by_role("button", name="Approve").click()
    await_true(lambda: drill.state in ("success", "failed"), "the run ends")
    assert drill.state == "success"
