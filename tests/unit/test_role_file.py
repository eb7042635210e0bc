"""The file of roles: what ships is sound, and what would let a role past its purpose is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import UsageError
from holdfast.policy import load_policy
from holdfast_embedded.airflow.role_file import read_role_file

PROJECT = Path(__file__).parents[2]
SHIPPED = PROJECT / "deploy" / "roles.yaml"


def test_shipped_roles() -> None:
    """Approvers alone may answer; nobody creates or deletes anything; nobody who is not logged in may do a thing."""
    permissions = read_role_file(SHIPPED).permissions()
    assert set(permissions) == {"Public", "DevOps", "DBA", "TeamLead", "Developer", "Viewer"}
    assert permissions["Public"] == frozenset()
    answering = {role for role, pairs in permissions.items() if ("can_edit", "HITL Detail") in pairs}
    assert answering == {"DevOps", "DBA", "TeamLead"}
    every = frozenset().union(*permissions.values())
    assert not {pair for pair in every if pair[0] in ("can_create", "can_delete")}
    assert {resource for action, resource in every if action == "can_edit"} == {
        "HITL Detail",
        "My Password",
        "My Profile",
    }


def test_shipped_policies_name_no_other_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow refuses a DAG that names a role which does not exist."""
    monkeypatch.setenv("HOLDFAST_KEYS", "/srv/keys")
    monkeypatch.setenv("HOLDFAST_STATE", "/srv/state")
    known = set(read_role_file(SHIPPED).roles)
    for file in ("campustrack.yaml", "coursepedia.yaml"):
        for environment in load_policy(PROJECT / "dags" / file).environments.values():
            access = environment.access
            named = {*access.backup, *access.restore, *access.approve, *access.delete, *access.read}
            assert named <= known


def test_developers_of_campustrack_back_up_staging_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the application's guide has it."""
    monkeypatch.setenv("HOLDFAST_KEYS", "/srv/keys")
    monkeypatch.setenv("HOLDFAST_STATE", "/srv/state")
    environments = load_policy(PROJECT / "dags" / "campustrack.yaml").environments
    assert {name for name, each in environments.items() if "Developer" in each.access.backup} == {"staging"}
    assert not [
        name for name, each in environments.items() if "Developer" in (*each.access.restore, *each.access.delete)
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Viewer: {}", "Viewer: {can_edit: [DAG Runs]}", "Viewer: can_edit on DAG Runs: that is for Admin alone"),
        ("Viewer: {}", "Viewer: {can_create: [XComs]}", "Viewer: can_create on XComs: that is for Admin alone"),
        ("Viewer: {}", "Viewer: {can_read: [Connections]}", "Viewer: can_read on Connections: that is for Admin alone"),
        ("Viewer: {}", "Viewer: {can_read: [DAGs]}", "can_read on DAGs: which DAGs a role may use stands in"),
        ("Viewer: {}", "Viewer: {can_read: ['DAG:a.b']}", "can_read on DAG:a.b: which DAGs a role may use stands in"),
        ("Viewer: {}", "Admin: {}", "Admin: Admin may do everything"),
        ("Viewer: {}", "Public: {can_read: [Website]}", "Public: Admin may do everything and Public nothing"),
        ("removed: [User", "removed: [Admin, User", "Admin: Admin may do everything"),
        ("removed: [User", "removed: [Viewer, User", "Viewer: stands in roles and in removed"),
        ("Viewer: {}", "Viewer: {can_raed: [Pools]}", "roles.Viewer.can_raed"),
        ("everyone:", "everybody:", "everyone"),
        ("Viewer: {}", "Viewer: {", "line "),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    """The message names the file, the role and the reason."""
    text = SHIPPED.read_text()
    assert old in text
    (tmp_path / "roles.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        read_role_file(tmp_path / "roles.yaml")
    assert str(refused.value).startswith(f"roles {tmp_path}/roles.yaml: ")
    assert reason in str(refused.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(UsageError, match=r"nowhere\.yaml: No such file"):
        read_role_file(tmp_path / "nowhere.yaml")
