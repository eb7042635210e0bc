"""Which roles may read, trigger, answer and delete what in each DAG, as the policy's section ``access`` says.

Airflow asks twice: for a right on the DAG, given here, and for a right on its parts (runs, tasks, XComs, approvals),
which a role holds everywhere or nowhere (deploy/roles.yaml). Of the latter, only the rights to create and to delete
runs are given here, DAG by DAG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from holdfast.policy.model import Access
from holdfast_dags.protected import Protected

Kind = Literal["backup", "restore", "delete"]
Permissions = dict[str, dict[str, set[str]]]
"""By role, then by FAB's name of the resource: the actions allowed."""

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "nightly": "backup",
        "monthly": "backup",
        "snapshot": "backup",
        "media": "backup",
        "media_check": "backup",
        "wal": "backup",
        "base_backup": "backup",
        "wal_check": "backup",
        "restore_check": "restore",
        "restore_drill": "restore",
        "pitr_check": "restore",
        "pitr_drill": "restore",
        "restore": "restore",
        "switch_back": "restore",
        "restore_tables": "restore",
        "find_instant": "restore",
        "recover_rows": "restore",
        "undo_rows": "restore",
        "rollback": "restore",
        "guarded_migration": "restore",
        "expire": "delete",
    }
)
"""What triggering a DAG amounts to, by its tier."""

_WITH_GATES = (
    "restore_drill",
    "pitr_drill",
    "restore",
    "switch_back",
    "restore_tables",
    "recover_rows",
    "undo_rows",
    "rollback",
    "guarded_migration",
)
"""The DAGs that wait for somebody's approval."""


def access_control(protected: Protected, tier: str) -> Permissions:
    """The DAG's ``access_control``; raises KeyError for a tier that nobody has said the kind of."""
    access, kind = protected.policy.access, KINDS[tier]
    may_trigger = {"backup": access.backup, "restore": access.restore, "delete": access.delete}[kind]
    may_answer = access.approve if tier in _WITH_GATES else ()
    return {
        role: _permissions(triggers=role in may_trigger, answers=role in may_answer, deletes=role in access.delete)
        for role in _every_role(access)
    }


def watch_access(accesses: Sequence[Access]) -> Permissions:
    """Who may read the watch, which shows every environment, and trigger it: those who may read or back up all of them.

    Only of the roles that Holdfast makes (deploy/roles.yaml): one that does not exist, since a policy misspells it, is
    an import error, and must hide its own app alone.
    """

    def in_all(lists: Sequence[Sequence[str]]) -> list[str]:
        return [role for role in _every_role(Access()) if all(role in roles for roles in lists)] if lists else []

    readers, triggers = in_all([_every_role(each) for each in accesses]), in_all([each.backup for each in accesses])
    return {role: _permissions(triggers=role in triggers, answers=False, deletes=False) for role in readers}


def _every_role(access: Access) -> tuple[str, ...]:
    """Who may do anything may read as well."""
    return tuple(dict.fromkeys((*access.backup, *access.restore, *access.approve, *access.delete, *access.read)))


def _permissions(*, triggers: bool, answers: bool, deletes: bool) -> dict[str, set[str]]:
    dag, runs = {"can_read"}, {"can_read"}
    if triggers or answers or deletes:
        # Airflow wants it of whoever changes anything below the DAG. By itself it pauses the DAG and takes up again.
        dag.add("can_edit")
    if triggers:
        runs.add("can_create")
    if deletes:
        dag.add("can_delete")
        runs.add("can_delete")
    return {"DAGs": dag, "DAG Runs": runs}
