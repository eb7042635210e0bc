"""The page of a run: what it shows, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from holdfast_airflow import operators
from holdfast_airflow.ui.loose import Loose
from holdfast_airflow.ui.run_facts import RunFacts, Step
from holdfast_airflow.ui.run_page import render

ID = "20261122T020000Z-nightly-4f9c2a"
FACTS = {"restore_point": ID, "bytes": 1_234_567_890, "tables": 12, "rows": 1_500_000, "seconds": 3.41}
STARTED = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PATH = f"/holdfast/runs/shop-production.nightly/{quote('manual__2026-11-22T02:00:00+00:00', safe='')}"
Get = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def get(metadata: None) -> Get:
    """Asks Airflow's API server, plugins and all; ``role`` is the asking user's, None for nobody."""
    app = create_app()

    def ask(path: str, *, role: str | None = None, is_user: bool = True) -> httpx.Response:
        headers = {}
        if is_user:
            token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="someone", role=role))
            headers["Authorization"] = f"Bearer {token}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(send())

    return ask


def step(operator: str, state: str | None = "success", **facts: Any) -> Step:
    return Step(operator.removesuffix("Operator").lower(), operator, state, 1, 4.0, Loose(facts))


def run(*steps: Step, state: str = "success", **form: Any) -> RunFacts:
    ended = STARTED if state in ("success", "failed") else None
    return RunFacts("shop-production.nightly", "manual__1", state, STARTED, ended, steps, Loose(form))


def test_nobody_is_refused(get: Get) -> None:
    """Airflow guards no mounted application by itself."""
    assert get(PATH, is_user=False).status_code == 401


def test_user_without_rights_is_refused(get: Get) -> None:
    """Being logged in is not enough."""
    assert get(PATH, role=None).status_code == 403


def test_made_up_token_is_refused(get: Get) -> None:
    """Nor is claiming to be."""
    assert get(f"{PATH}?token=x", is_user=False).status_code == 401


def test_application_has_no_other_page(get: Get) -> None:
    """No documentation of its own, open to anyone."""
    for path in ("/holdfast/docs", "/holdfast/openapi.json", "/holdfast/redoc"):
        assert get(path, role="viewer").status_code == 404


def test_run_that_does_not_exist(get: Get) -> None:
    """Whoever may read runs is told so, in a page and with the right status."""
    answer = get(PATH, role="viewer")
    assert answer.status_code == 404
    assert "There is no such run." in answer.text


def test_plugin_adds_a_tab_to_each_run(get: Get) -> None:
    """Airflow took the plugin as it is meant."""
    (plugin,) = get("/api/v2/plugins", role="viewer").json()["plugins"]
    (view,) = plugin["external_views"]
    assert (view["destination"], view["href"]) == ("dag_run", "holdfast/runs/{DAG_ID}/{RUN_ID}")
    assert get("/api/v2/plugins/importErrors", role="viewer").json()["import_errors"] == []


def test_committed_run_shows_its_facts() -> None:
    """Id, bytes, tables, rows and seconds, readable and exact."""
    page = render(
        run(
            step("OpenRestorePointOperator", restore_point=ID),
            step("DumpOperator", **FACTS),
            step("ManifestOperator", **FACTS),
            step("ExpireOperator", kept=35, deleted=[{"id": "20261017T020000Z-nightly-0a1b2c", "reason": "older"}]),
        )
    )
    for shown in (
        ID,
        "1.15 GiB",
        "1,234,567,890 bytes",
        "12",
        "1,500,000",
        "3.41 s",
        "is committed",
        "kept 35 restore points",
    ):
        assert shown in page
    assert 'http-equiv="refresh"' not in page


@pytest.mark.parametrize(
    ("manifest", "state", "outcome"),
    [
        ("success", "success", "The restore point is committed"),
        ("success", "failed", "The restore point is committed, but expire failed."),
        ("failed", "failed", "There is no restore point: manifest, expire failed."),
        (None, "running", "Under way"),
        ("skipped", "success", "There is no restore point: the run was marked a success"),
    ],
)
def test_outcome_in_one_sentence(manifest: str | None, state: str, outcome: str) -> None:
    """It says whether there is a restore point, and only a written manifest makes one."""
    expire = "failed" if state == "failed" else None
    page = render(run(step("ManifestOperator", manifest), step("ExpireOperator", expire), state=state))
    assert outcome in page


def test_running_page_renews_itself() -> None:
    """Until nothing changes any more."""
    page = render(run(step("DumpOperator", "running"), step("ManifestOperator", None), state="running"))
    assert 'http-equiv="refresh"' in page
    assert "No restore point opened yet" in page


def test_values_are_escaped() -> None:
    """XCom can be written through the API: nothing in it becomes markup."""
    evil = "<script>alert(1)</script>"
    page = render(
        run(
            step(
                "StoreGuardOperator", checks=1, findings=[{"name": evil, "text": evil, "hint": evil, "verdict": evil}]
            ),
            step("InventoryOperator", variables=1, unread=evil),
            step("DumpOperator", restore_point=evil, bytes=evil, tables=evil, rows=evil, seconds=evil),
            step("MediaSnapshotOperator", snapshot=evil, files=evil, bytes=evil),
            step("MediaCheckOperator", damaged=[{"path": evil, "snapshots": [evil]}], faults=[evil]),
            step("ManifestOperator"),
            step("RowCountsOperator", counts={evil: 3}),
            step("ExpireOperator", kept=1, deleted=[{"id": evil, "reason": evil}]),
            label=evil,
            reason=evil,
        )
    )
    assert evil not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("deleted", [7, "text", [1, 2], [{"no": "id"}], {"a": 1}])
def test_odd_facts_do_not_break_the_page(deleted: object) -> None:
    """Whatever stands in XCom, the rest is still shown."""
    odd = {
        "findings": deleted,
        "counts": deleted,
        "variables": deleted,
        "damaged": deleted,
        "notes": deleted,
        "faults": deleted,
        "checks": deleted,
    }
    page = render(
        run(
            *(step(name, **odd) for name in operators.__all__ if name != "DumpOperator"),
            step("DumpOperator", **FACTS),
            step("ExpireOperator", kept=1, deleted=deleted),
        )
    )
    assert ID in page


def test_other_runs_are_told_apart() -> None:
    """The tab stands on every DAG's runs."""
    assert "belongs to no backup" in render(run())


MEDIA = {
    "snapshot": ID,
    "files": 20_060,
    "new_files": 41,
    "bytes": 2_200_000_000,
    "stored_bytes": 5_000_000,
    "vanished": 3,
    "unstable": 0,
}


def test_restore_point_with_media_inventory_and_advice() -> None:
    """Everything that the run put together stands on its page, and what a person should look at is marked."""
    page = render(
        run(
            step(
                "StoreGuardOperator",
                checks=9,
                warnings=1,
                failures=0,
                findings=[{"name": "versioning", "verdict": "warning", "text": "is off", "hint": "Turn it on."}],
            ),
            step("OpenSnapshotOperator", restore_point=ID),
            step("InventoryOperator", variables=31, missing=2, undocumented=0, overdue=1),
            step("DumpOperator", **FACTS),
            step("MediaSnapshotOperator", **MEDIA),
            step("ManifestOperator", **FACTS),
            step("RowCountsOperator", restore_point=ID, counts={"public.users": 1234}, counts_left_out=7),
            label="pre-deploy-2026.11.3",
            reason="the invoices",
        )
    )
    for shown in (
        "Label <strong>pre-deploy-2026.11.3</strong>: the invoices",
        "20,060",
        "2.05 GiB",
        "41",
        "Vanished while read",
        "31",
        "to be rotated",
        "9 checks, 1 with advice",
        "versioning",
        "Turn it on.",
        "public.users",
        "1,234",
        "7 smaller tables",
        "1.15 GiB",
    ):
        assert shown in page
    assert page.count('class="warning"') == 4  # vanished, missing, overdue, versioning


@pytest.mark.parametrize(
    ("facts", "state", "outcome"),
    [
        (MEDIA, "success", "The media snapshot is committed"),
        (MEDIA, "failed", "The media snapshot is committed, but expire failed."),
        ({}, "failed", "There is no media snapshot: mediasync, expire failed."),
        ({}, "running", "Under way: there is no media snapshot"),
        ({}, "success", "There is no media snapshot: the run was marked a success"),
    ],
)
def test_page_of_a_media_run(facts: dict[str, Any], state: str, outcome: str) -> None:
    """It is about a media snapshot, and speaks of no restore point."""
    sync = step("MediaSyncOperator", "success" if facts else "failed", **facts)
    page = render(run(sync, step("ExpireOperator", "failed" if state == "failed" else None), state=state))
    assert outcome in page
    assert "estore point <code>" not in page
    assert ("20,060" in page) == bool(facts)


@pytest.mark.parametrize(
    ("facts", "state", "outcome"),
    [
        ({"shards": 12, "shards_checked": 3, "ok": True}, "success", "Everything that was read is as it was stored."),
        ({"shards": 12, "damaged_files": 2, "ok": False}, "failed", "Stored media are damaged."),
        ({}, "failed", "The check did not finish: mediacheck failed."),
        ({}, "running", "Under way."),
        ({}, "success", "Nothing was checked"),
    ],
)
def test_page_of_a_media_check(facts: dict[str, Any], state: str, outcome: str) -> None:
    """What was read, and whether it is whole."""
    assert outcome in render(run(step("MediaCheckOperator", state, **facts), state=state))


def test_damaged_files_are_named_with_the_snapshots_that_they_hit() -> None:
    """At most some of them: the log has the rest."""
    damaged = [{"path": "courses/a.png", "shard": "x", "snapshots": [ID], "reason": "sha256 mismatch"}]
    facts = {"ok": False, "shards": 9, "shards_checked": 2, "damaged_files": 70, "damaged": damaged}
    page = render(run(step("MediaCheckOperator", "failed", **facts), state="failed"))
    for shown in ("courses/a.png", ID, "sha256 mismatch", "of 9", "70", "log names all"):
        assert shown in page


STREAMED = {
    "segments": 12,
    "partials": 700,
    "wal_bytes": 201_326_592,
    "stored_bytes": 33_554_432,
    "stored_lsn": "0/D00120",
    "timeline": 3,
    "retained_bytes": 16_777_216,
    "gap": None,
    "notes": ["the spool was full"],
}
BASE = {"base_backup": "20261122T040000Z-base_backup-4f9c2a", "kind": "incremental", "bytes": 1_048_576}
BASE |= {"data_bytes": 9_437_184, "start_lsn": "0/C00028", "stop_lsn": "0/D00120", "parent": ID}


@pytest.mark.parametrize(
    ("facts", "state", "outcome"),
    [
        (STREAMED, "success", "What the server wrote is in the store"),
        (STREAMED | {"gap": "WAL was removed"}, "success", "WAL was lost."),
        ({}, "failed", "streamwal failed: the server holds WAL back"),
        ({}, "running", "Under way: WAL is stored as it comes."),
        ({}, "success", "Nothing is known to be stored"),
    ],
)
def test_page_of_a_wal_run(facts: dict[str, Any], state: str, outcome: str) -> None:
    """Up to where WAL is stored, and what the server still holds."""
    page = render(run(step("StreamWalOperator", state, **facts), state=state))
    assert outcome in page
    for shown in ("0/D00120", "of timeline 3", "192 MiB", "16.0 MiB", "the spool was full"):
        assert (shown in page) == bool(facts), shown


@pytest.mark.parametrize(
    ("facts", "state", "outcome"),
    [
        (BASE, "success", "The base backup is committed, with all WAL that it needs"),
        (BASE, "failed", "The base backup is committed, but expire failed."),
        ({}, "failed", "There is no base backup: commitbasebackup, expire failed."),
        ({}, "running", "Under way: there is no base backup"),
        ({}, "success", "There is no base backup: the run was marked a success"),
    ],
)
def test_page_of_a_base_backup(facts: dict[str, Any], state: str, outcome: str) -> None:
    """Its id, what it holds and what it needs; no restore point is spoken of."""
    commit = step("CommitBaseBackupOperator", "success" if facts else "failed", **facts)
    expire = step("ExpireOperator", "failed" if state == "failed" else None)
    page = render(run(step("StoreBaseBackupOperator"), commit, expire, state=state))
    assert outcome in page
    for shown in (BASE["base_backup"], "incremental", "0/C00028", "1.00 MiB", "9.00 MiB", ID):
        assert (str(shown) in page) == bool(facts), shown


@pytest.mark.parametrize(
    ("facts", "state", "outcome"),
    [
        ({"ok": True, "pieces": 40, "read": 3}, "success", "From each kept base backup on, WAL is there"),
        ({"ok": False, "faults": ["wal/1/x: sha256 mismatch"]}, "failed", "Stored WAL is damaged or missing."),
        ({}, "failed", "The check did not finish: walcheck failed."),
        ({}, "running", "Under way."),
        ({}, "success", "Nothing was checked"),
    ],
)
def test_page_of_a_wal_check(facts: dict[str, Any], state: str, outcome: str) -> None:
    """What was read, and what is wrong."""
    page = render(run(step("WalCheckOperator", state, **facts), state=state))
    assert outcome in page
    assert ("of 40 that are needed" in page) == ("pieces" in facts)
    assert ("sha256 mismatch" in page) == ("faults" in facts)


@pytest.mark.parametrize(
    ("verdict", "state", "outcome"),
    [
        ("passed", "success", "Recovered for real and compared: what was there at that instant is there."),
        ("failed", "failed", "The recovery failed. Do not rely on this window"),
        (None, "running", "Under way: nothing is proven"),
    ],
)
def test_page_of_a_recovery_to_an_instant(verdict: str | None, state: str, outcome: str) -> None:
    """It is no restore of a restore point."""
    facts = {"verdict": verdict, "restore_point": BASE["base_backup"]} if verdict else {}
    page = render(run(step("OpenPitrDrillOperator"), step("EvidenceOperator", state, **facts), state=state))
    assert outcome in page
    assert ("Recovery from base backup" if verdict else "Recovery not finished yet") in page


def test_page_of_a_round_of_the_watch() -> None:
    """What it has found, pages first as it says it; what it says is text, never markup."""
    found = {
        "severity": "page",
        "app": "shop",
        "environment": "production",
        "text": "no <b>backup</b>",
        "advice": "Look.",
    }
    page = render(run(step("WatchOperator", findings=[found])))
    assert "Something is wrong that cannot wait" in page
    assert "shop/production: no &lt;b&gt;backup&lt;/b&gt;" in page
    warned = render(run(step("WatchOperator", findings=[found | {"severity": "notify"}])))
    assert "Something is to be looked into" in warned
    assert "nothing is wrong" in render(run(step("WatchOperator", findings=[], rounds=[])))
    red = render(run(step("WatchOperator", "failed", findings=[found]), state="failed"))
    assert "watch failed" in red and "no &lt;b&gt;backup" in red
    assert "marked a success without it" in render(run(step("WatchOperator")))
    assert "Under way" in render(run(step("WatchOperator", "running"), state="running"))
