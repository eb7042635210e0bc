"""The roles in Airflow's tables: exactly what the file says, however they were before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from fix_environment import PROJECT
from fix_postgres import execute, rows
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.environment import DATABASE, airflow_environment
from holdfast_embedded.airflow.logins import VARIABLE, Login, as_variable
from holdfast_embedded.generated import Secrets
from holdfast_embedded.state import State

pytestmark = pytest.mark.timeout(300)

ROLES = PROJECT / "deploy" / "roles.yaml"
HELD = """
SELECT r.name, a.name, v.name FROM ab_role r JOIN ab_permission_view_role pr ON pr.role_id = r.id
  JOIN ab_permission_view p ON p.id = pr.permission_view_id JOIN ab_permission a ON a.id = p.permission_id
  JOIN ab_view_menu v ON v.id = p.view_menu_id
"""
# What an administrator may have clicked together, or a newer Airflow given: rights of stock and of our roles.
TAMPERING = """
INSERT INTO ab_role (id, name) VALUES (901, 'Op'), (902, 'Ours') ON CONFLICT DO NOTHING;
INSERT INTO ab_permission_view_role (id, permission_view_id, role_id)
  SELECT 9000 + row_number() OVER (), p.id, r.id
  FROM ab_role r, ab_permission_view p JOIN ab_permission a ON a.id = p.permission_id
    JOIN ab_view_menu v ON v.id = p.view_menu_id
  WHERE (r.name IN ('Op', 'Ours', 'Viewer', 'Public') AND a.name = 'can_read' AND v.name IN ('DAGs', 'Connections'))
     OR (r.name = 'DBA' AND a.name = 'can_edit' AND v.name = 'DAG:shop-production.nightly');
"""
Prepare = Callable[..., subprocess.CompletedProcess[str]]
Held = set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def prepare(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepare]:
    """Runs `make run`'s program that makes roles and users, on a database that compose's has prepared before."""
    folder = tmp_path_factory.mktemp("roles")
    state = State(folder / "state")
    state.prepare()
    secrets = Secrets.load(state.secrets)
    variables = airflow_environment(PROJECT, state, secrets, pg18, ui_port=9, caller=os.environ)
    variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = pg18.create_database(DATABASE).replace(
        "postgresql://", "postgresql+psycopg2://"
    )

    def start(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, *command]
        return subprocess.run(argv, env={**variables, **more}, capture_output=True, text=True, check=False)

    def run(roles: Path = ROLES) -> subprocess.CompletedProcess[str]:
        logins = as_variable([Login("admin", "Admin", "0therword"), Login("dba", "DBA", "0therword")])
        return start("-m", "holdfast_embedded.airflow.prepare", str(roles), **{VARIABLE: logins})

    (folder / "password").write_text("s3cr3tword\n")
    deployed = {"HOLDFAST_ADMIN": "admin", "HOLDFAST_ADMIN_PASSWORD_FILE": str(folder / "password")}
    done = start(str(PROJECT / "deploy" / "init.py"), **deployed)
    assert done.returncode == 0, done.stderr
    assert "s3cr3tword" not in done.stdout + done.stderr
    yield run
    execute(pg18.url(), f"DROP DATABASE {DATABASE} WITH (FORCE)")


def held(cluster: Cluster) -> Held:
    return {(str(role), str(action), str(resource)) for role, action, resource in rows(cluster.url(DATABASE), HELD)}


def test_roles_are_what_the_file_says_whatever_they_were(prepare: Prepare, pg18: Cluster, tmp_path: Path) -> None:
    """Made once, made again, tampered with, changed in the file: no permission less, none more."""
    first = held(pg18)
    assert {role for role, *_ in first} == {"Admin", "DevOps", "DBA", "TeamLead", "Developer", "Viewer"}
    assert {role for role, *what in first if what == ["can_edit", "HITL Detail"]} == {
        "Admin", "DevOps", "DBA", "TeamLead"}  # fmt: skip
    for action in ("can_create", "can_delete"):
        assert {role for role, each, _ in first if each == action} == {"Admin"}
    for resource in ("DAGs", "Connections", "Variables", "Configurations", "Audit Logs", "Roles", "List Users"):
        readers = {role for role, action, each in first if each == resource and action != "menu_access"}
        assert readers <= {"Admin"}, resource
    assert ("Admin", "menu_access", "List Users") in first

    of_dag = ("DBA", "can_edit", "DAG:shop-production.nightly")
    execute(pg18.url(DATABASE), "INSERT INTO ab_view_menu (id, name) VALUES (900, 'DAG:shop-production.nightly')")
    execute(
        pg18.url(DATABASE),
        "INSERT INTO ab_permission_view (id, permission_id, view_menu_id)"
        " SELECT 900, id, 900 FROM ab_permission WHERE name = 'can_edit'",
    )
    execute(pg18.url(DATABASE), TAMPERING)
    assert held(pg18) - first > {("Viewer", "can_read", "Connections"), ("Op", "can_read", "DAGs"), of_dag}
    assert prepare().returncode == 0
    ours = {("Ours", "can_read", resource) for resource in ("DAGs", "Connections")}
    # A role that the file does not speak of is somebody's own, and a DAG's permissions come from its policy.
    assert held(pg18) == first | ours | {of_dag}

    edited = yaml.safe_load(ROLES.read_text())
    edited["roles"]["Auditor"] = edited["roles"].pop("TeamLead")
    edited["removed"] = ["TeamLead", "Ours"]
    edited["everyone"]["can_read"].remove("Pools")
    (tmp_path / "roles.yaml").write_text(yaml.safe_dump(edited))
    assert prepare(tmp_path / "roles.yaml").returncode == 0
    assert {role for role, *_ in held(pg18)} == {"Admin", "DevOps", "DBA", "Auditor", "Developer", "Viewer"}
    assert {role for role, _, resource in held(pg18) if resource == "Pools"} == {"Admin"}


def test_unknown_permission_is_named_and_changes_nothing(prepare: Prepare, pg18: Cluster, tmp_path: Path) -> None:
    """A misspelt one would silently be missing."""
    before = held(pg18)
    misspelt = ROLES.read_text().replace("can_edit: [HITL Detail]", "can_edit: [HITL Details]")
    (tmp_path / "roles.yaml").write_text(misspelt)
    done = prepare(tmp_path / "roles.yaml")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "roles: DevOps: can_edit on HITL Details: this Airflow has no such permission"
    )
    assert held(pg18) == before


def test_logins_do_not_show_their_passwords() -> None:
    """Neither in a traceback nor in a log."""
    assert "word" not in repr(Login("someone", "Viewer", "s3cr3tword"))
