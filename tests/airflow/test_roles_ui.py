"""The web UI in a real browser, for each role: it logs in, sees its DAGs and runs, and is refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Browser, Page, expect

from fix_airflow import await_true
from fix_browser import WAIT_MS, logged_in
from fix_roles import DAGS, GATE, ROLES, SHOP, Office, Person, open_office
from holdfast.recovery.cluster import Cluster

pytestmark = pytest.mark.timeout(900)

STAGING, PRODUCTION = SHOP
MAY_BACK_UP = {STAGING: {"admin", "devops", "dba", "developer"}, PRODUCTION: {"admin", "devops", "dba"}}


@pytest.fixture(scope="module")
def office(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """With one run of an expiry that has ended, and one that waits for an answer."""
    with open_office(pg18, tmp_path_factory.mktemp("office")) as opened:
        expired, gated = opened.run(f"{STAGING}.expire", id="shown"), opened.run(GATE, id="shown")
        assert opened.airflow.end_of(expired) == "success"
        task = f"{gated}/taskInstances/approve"
        await_true(lambda: opened.airflow.api.get(task)["state"] == "awaiting_input", 90, "it waits")
        yield opened


def at_the_desk(browser: Browser, person: Person) -> AbstractContextManager[tuple[Page, list[str]]]:
    """A page of somebody who has logged in by the form, and what its requests were refused."""
    return logged_in(browser, person.url, person.name, person.password, width=1400, height=900, scale=1)


@pytest.mark.parametrize("name", ROLES)
def test_pages_that_everybody_works_with(office: Office, browser: Browser, name: str) -> None:
    """List of DAGs, grid and page of a run, a task's log, what waits for an answer: nothing of it is refused."""
    sees_vault = name in ("admin", "devops", "dba")
    places = [*SHOP, *(["vault-main"] if sees_vault else [])]
    person = office.people[name]
    with at_the_desk(browser, person) as (page, refused):
        page.goto(f"{person.url}/dags")
        expect(page.get_by_text(f"{len(places) * len(DAGS) + 1 + sees_vault} Dags")).to_be_visible(timeout=WAIT_MS)
        for place in (*SHOP, "vault-main"):
            expect(page.get_by_role("link", name=f"{place}.nightly")).to_have_count(1 if place in places else 0)

        page.goto(f"{person.url}/dags/{STAGING}.expire/runs/shown")
        expect(page.get_by_text("Success").first).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("link", name="Restore point").click()
        shown = page.frame_locator("iframe")
        expect(shown.get_by_text("Nothing was deleted: the run only says what would be.")).to_be_visible(
            timeout=WAIT_MS
        )
        page.goto(f"{person.url}/dags/{STAGING}.expire/runs/shown/tasks/expire")
        expect(page.get_by_text("0 to delete, 0 kept", exact=False).first).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{person.url}/required_actions")
        expect(page.get_by_text("May it be done?").first).to_be_visible(timeout=WAIT_MS)
        page.goto(f"{person.url}/")
        expect(page.get_by_text("Health").first).to_be_visible(timeout=WAIT_MS)
        page.wait_for_load_state("networkidle")
        assert refused == []


@pytest.mark.parametrize(("name", "place"), [*((name, PRODUCTION) for name in ROLES), ("developer", STAGING)])
def test_trigger_button_works_or_says_that_it_may_not(office: Office, browser: Browser, name: str, place: str) -> None:
    """Airflow shows the button to all: who may not is told so, and nothing is started."""
    person, dag = office.people[name], f"dags/{place}.nightly"
    before = office.airflow.api.get(f"{dag}/dagRuns")["total_entries"]
    allowed = name in MAY_BACK_UP[place]
    with at_the_desk(browser, person) as (page, refused):
        page.goto(f"{person.url}/{dag}")
        page.get_by_role("button", name="Trigger Dag").first.click()
        with page.expect_response(lambda response: response.url.endswith(f"{dag}/dagRuns")) as answer:
            page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
        assert answer.value.status == (200 if allowed else 403)
        if not allowed:
            expect(page.get_by_text("Forbidden", exact=False).first).to_be_visible(timeout=WAIT_MS)
    assert refused == ([] if allowed else [f"403 /api/v2/{dag}/dagRuns"])
    assert office.airflow.api.get(f"{dag}/dagRuns")["total_entries"] == before + allowed


@pytest.mark.parametrize("name", ["viewer", "developer", "teamlead"])
def test_answer_is_taken_from_approvers_alone(office: Office, browser: Browser, name: str) -> None:
    """The last of them may, and the run goes on."""
    person = office.people[name]
    with at_the_desk(browser, person) as (page, refused):
        page.goto(f"{person.url}/dags/{GATE}/runs/shown/tasks/approve/required_actions")
        with page.expect_response(lambda response: response.url.endswith("/hitlDetails")) as answer:
            page.get_by_role("button", name="Approve").click()
        assert answer.value.status == (200 if name == "teamlead" else 403)
    assert len(refused) == (0 if name == "teamlead" else 1)
    if name == "teamlead":
        assert office.airflow.end_of(f"dags/{GATE}/dagRuns/shown") == "success"
