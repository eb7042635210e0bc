"""What each role may do, asked of a running web server by somebody of that role: every cell, allowed and refused."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
import yaml

from fix_airflow import MODULE, await_true
from fix_roles import DAGS, GATE, ROLES, SHOP, WATCH, Office, open_office
from holdfast.recovery.cluster import Cluster

pytestmark = pytest.mark.timeout(600)

STAGING, PRODUCTION = SHOP
EVERYONE = set(ROLES)
BACKUP, RESTORE, DELETE = {"admin", "devops", "dba"}, {"admin", "devops", "dba"}, {"admin", "devops"}
APPROVERS = {"admin", "devops", "dba", "teamlead"}
TRIGGER = {"logical_date": None}
POINT = "20261122T020000Z-nightly-4f9c2a"


@pytest.fixture(scope="module")
def office(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(pg18, tmp_path_factory.mktemp("office")) as opened:
        yield opened


@pytest.mark.parametrize(
    ("dag_id", "allowed", "form"),
    [
        (f"{STAGING}.nightly", BACKUP | {"developer"}, {}),
        (f"{STAGING}.snapshot", BACKUP | {"developer"}, {"label": "pre-deploy-1"}),
        (f"{STAGING}.restore_check", RESTORE, {}),
        (f"{STAGING}.restore_drill", RESTORE, {"reason": "the quarter's drill"}),
        (f"{STAGING}.expire", DELETE, {}),
        (f"{PRODUCTION}.nightly", BACKUP, {}),
        (f"{PRODUCTION}.snapshot", BACKUP, {"label": "pre-deploy-1"}),
        (f"{PRODUCTION}.restore_check", RESTORE, {}),
        (f"{PRODUCTION}.restore_drill", RESTORE, {"reason": "the quarter's drill"}),
        (f"{PRODUCTION}.expire", DELETE, {}),
        (f"{PRODUCTION}.restore", RESTORE, {"restore_point": POINT, "reason": "an incident"}),
        (f"{PRODUCTION}.switch_back", RESTORE, {"reason": "an incident"}),
        (f"{PRODUCTION}.rollback", RESTORE, {"reason": "an incident"}),
        (f"{STAGING}.restore", RESTORE, {"restore_point": POINT, "reason": "an incident"}),
        (f"{PRODUCTION}.wal", BACKUP, {}),
        (f"{STAGING}.base_backup", BACKUP | {"developer"}, {}),
        (f"{PRODUCTION}.base_backup", BACKUP, {"full": True}),
        (f"{PRODUCTION}.wal_check", BACKUP, {}),
        (f"{PRODUCTION}.pitr_check", RESTORE, {}),
        (f"{PRODUCTION}.pitr_drill", RESTORE, {"reason": "the quarter's drill"}),
        ("vault-main.nightly", BACKUP, {}),
        ("vault-main.expire", DELETE, {}),
        (WATCH, BACKUP, {}),
    ],
)
def test_who_may_trigger(office: Office, dag_id: str, allowed: set[str], form: dict[str, str]) -> None:
    """Backups, restores and deletions, in each environment."""
    assert office.who("POST", f"dags/{dag_id}/dagRuns", {**TRIGGER, "conf": form}) == allowed


def test_who_reads_which_dags(office: Office) -> None:
    """An environment whose policy names a role in no list does not exist for it; the watch would show it, too."""
    shop = {f"{place}.{tier}" for place in SHOP for tier in DAGS} | {GATE}
    vault = {f"vault-main.{tier}" for tier in DAGS} | {WATCH}
    for name, person in office.people.items():
        seen = {dag["dag_id"] for dag in person.reads("dags?limit=100")["dags"]}
        assert seen == shop | (vault if name in BACKUP else set()), name
        assert {dag["dag_id"] for dag in person.reads("/ui/dags?limit=100")["dags"]} == seen


def test_runs_of_other_environments_are_hidden(office: Office) -> None:
    """Neither asked for by name nor in any list: runs, tasks, code, page and XComs."""
    run = office.run("vault-main.nightly")
    page = f"/holdfast/runs/vault-main.nightly/{run.rpartition('/')[2]}"
    for path in ("dags/vault-main.nightly", run, f"{run}/taskInstances", "dagSources/vault-main.nightly", page):
        assert office.who("GET", path) == BACKUP, path
    for name, person in office.people.items():
        runs = person.reads("dags/~/dagRuns?limit=100")["dag_runs"]
        assert ("vault-main.nightly" in {run["dag_id"] for run in runs}) == (name in BACKUP)


def test_everybody_sees_how_a_run_went(office: Office) -> None:
    """Logs, XComs and the run's own page, of every DAG that they may read."""
    run = office.run(f"{STAGING}.expire")
    assert office.airflow.end_of(run) == "success"
    page = f"/holdfast/runs/{STAGING}.expire/{run.rpartition('/')[2]}"
    result, log = f"{run}/taskInstances/expire/xcomEntries/return_value", f"{run}/taskInstances/expire/logs/1"
    for path in (run, result, log, page, f"dags/{STAGING}.expire/details", f"dagSources/{STAGING}.expire"):
        assert office.who("GET", path) == EVERYONE, path
    assert office.people["viewer"].reads(result)["value"]["dry_run"] is True
    assert "Nothing was deleted" in office.people["viewer"].ask("GET", page).text


def test_who_may_delete_runs(office: Office) -> None:
    """It needs the right to delete, whoever may back up or restore."""
    for name, person in office.people.items():
        run = office.run(f"{PRODUCTION}.nightly")
        assert person.may("DELETE", run) == (name in DELETE), name
    for name in EVERYONE - DELETE:
        assert not office.people[name].may("DELETE", f"dags/{PRODUCTION}.nightly")


def test_only_admin_says_what_became_of_a_run(office: Office) -> None:
    """Marks runs and tasks, clears them, writes XComs and notes: whoever can, passes every gate."""
    for name, person in office.people.items():
        run, is_admin = office.run(f"{PRODUCTION}.nightly"), name == "admin"
        task = f"{run}/taskInstances/store_guard"
        dag, run_id = f"dags/{PRODUCTION}.nightly", unquote(run.rpartition("/")[2])
        clear = {"dry_run": False, "dag_run_id": run_id, "only_failed": False}
        for method, path, body in (
            ("POST", f"{task}/xcomEntries", {"key": "return_value", "value": "forged"}),
            ("PATCH", f"{task}/xcomEntries/return_value", {"value": "forged"}),
            ("PATCH", f"{run}?update_mask=note", {"note": "said by somebody"}),
            ("PATCH", task, {"new_state": "success"}),
            ("PATCH", f"{task}?update_mask=note", {"note": "said by somebody"}),
            ("POST", f"{dag}/clearTaskInstances", clear),
            ("POST", f"{run}/clear", {"dry_run": False}),
            ("PATCH", run, {"state": "success"}),
            ("DELETE", f"{task}/xcomEntries/return_value", None),
            ("DELETE", task, None),
        ):
            assert person.may(method, path, body) == is_admin, (name, method, path)


def test_who_may_answer_where_people_are_asked(office: Office) -> None:
    """Approvers alone; and all of them, the team lead too, who may trigger nothing there."""
    for name, person in office.people.items():
        run = office.run(GATE)
        task = f"{run}/taskInstances/approve"
        waits = "awaiting_input"
        await_true(lambda: office.airflow.api.get(task)["state"] == waits, 90, "it waits")  # noqa: B023
        assert person.reads(f"{task}/-1/hitlDetails")["subject"] == "May it be done?"
        answered = person.may("PATCH", f"{task}/-1/hitlDetails", {"chosen_options": ["Approve"], "params_input": {}})
        assert answered == (name in APPROVERS), name
    assert office.who("POST", f"dags/{GATE}/dagRuns", TRIGGER) == RESTORE


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "connections", None),
        ("GET", "variables", None),
        ("GET", "/auth/fab/v1/users", None),
        ("GET", "/auth/fab/v1/roles", None),
        ("GET", "eventLogs", None),
        ("POST", "variables", {"key": "some", "value": "thing"}),
        ("PATCH", "variables/some", {"key": "some", "value": "other"}),
        ("DELETE", "variables/some", None),
        ("POST", "connections", {"connection_id": "some", "conn_type": "http"}),
        ("PATCH", "connections/some", {"connection_id": "some", "conn_type": "http"}),
        ("DELETE", "connections/some", None),
        ("POST", "pools", {"name": "some", "slots": 1}),
        ("DELETE", "pools/some", None),
    ],
)
def test_secrets_and_settings_are_admins(office: Office, method: str, path: str, body: dict[str, object]) -> None:
    """Nobody else reads connections, variables, the configuration, users, or changes any."""
    others = {name: person for name, person in office.people.items() if name != "admin"}
    assert Office(office.airflow, others).who(method, path, body) == set()
    assert office.people["admin"].ask(method, path, body).status_code in (200, 201, 204)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "config", None),
        ("POST", "assets/1/materialize", {}),
        ("POST", "assets/events", {"asset_id": 1, "extra": {}}),
        ("POST", f"dags/{PRODUCTION}.nightly/clearDagRuns", {"dag_runs": [{"dag_run_id": "some"}]}),
        ("PATCH", f"dags/{PRODUCTION}.nightly/dagRuns", {"actions": [{"action": "update", "entities": [
            {"dag_run_id": "some", "state": "success"}]}]}),
        ("PATCH", f"dags/{PRODUCTION}.nightly/dagRuns/some/taskInstances", {"actions": [{"action": "update",
            "entities": [{"task_id": "open", "new_state": "success"}]}]}),
        ("PATCH", f"dags/{PRODUCTION}.nightly/dagRuns/some/taskGroupInstances/some", {"new_state": "success"}),
        ("PUT", f"dags/{PRODUCTION}.nightly/dagRuns/some/taskInstances/open/state-store/some", {"value": 1}),
        ("PUT", "assets/1/state-store/some", {"value": 1}),
        ("POST", "dags/~/dagRuns", TRIGGER),
    ],
)  # fmt: skip
def test_side_doors_are_closed(office: Office, method: str, path: str, body: dict[str, object]) -> None:
    """Other ways to start, mark and clear: in bulk, through assets, by wildcard."""
    for name in EVERYONE - {"admin"}:
        assert office.people[name].ask(method, path, body).status_code == 403, name


def test_who_may_pause(office: Office) -> None:
    """Airflow lets everybody pause a DAG who may trigger it, answer in it or delete its runs, and nobody else."""
    paused = ("PATCH", {"is_paused": True})
    for dag_id, allowed in (
        (f"{STAGING}.nightly", BACKUP | {"developer"}),
        (f"{PRODUCTION}.nightly", BACKUP),
        (f"{PRODUCTION}.restore_drill", APPROVERS),
        (f"{PRODUCTION}.expire", DELETE),
    ):
        assert office.who(paused[0], f"dags/{dag_id}?update_mask=is_paused", paused[1]) == allowed, dag_id


def test_role_that_does_not_exist_is_named(office: Office) -> None:
    """A policy that misspells a role is an import error of its own app, which says which one."""
    dags = office.airflow.site.policy_file.parent
    policy = yaml.safe_load((dags / "vault.yaml").read_text()) | {"app": "typo"}
    policy["environments"]["main"]["access"] = {"read": ["Viewers"]}
    (dags / "typo.yaml").write_text(yaml.safe_dump(policy))
    (dags / "typo.py").write_text(MODULE)
    await_true(lambda: office.airflow.api.items("importErrors", "import_errors"), 120, "the fault is told")
    (error,) = office.airflow.api.items("importErrors", "import_errors")
    assert error["filename"] == "typo.py"
    assert "role named 'Viewers', but that role does not exist" in error["stack_trace"]


def test_stock_roles_are_gone(office: Office) -> None:
    """Starting the web server does not bring back what could mark tasks as done."""
    roles = office.people["admin"].reads("/auth/fab/v1/roles?limit=100")["roles"]
    assert {role["name"] for role in roles} == {"Admin", "Public", "DevOps", "DBA", "TeamLead", "Developer", "Viewer"}
    (public,) = [role for role in roles if role["name"] == "Public"]
    assert public["actions"] == []


def test_nobody_sees_anything_without_a_login(office: Office) -> None:
    """The role of those who are not logged in has no permission."""
    for path in ("dags", "dags/~/dagRuns", "connections", f"/holdfast/runs/{STAGING}.nightly/first", "/ui/dags"):
        assert office.stranger.ask("GET", path).status_code == 401
