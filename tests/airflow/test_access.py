"""What a policy's section `access` makes of each DAG's access control, and the DAG to expire by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from airflow.sdk import DAG

from holdfast.policy.model import TierName
from holdfast_dags import TIERS, UNDECLARED, protect
from holdfast_dags.access import KINDS

Write = Callable[..., Path]
Section = Callable[..., dict[str, object]]
Made = Callable[..., dict[str, DAG]]

READ = {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}}
ANSWER = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read"}}
TRIGGER = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
DELETE = {"DAGs": {"can_read", "can_edit", "can_delete"}, "DAG Runs": {"can_read", "can_delete"}}
TRIGGER_AND_DELETE = {"DAGs": DELETE["DAGs"], "DAG Runs": {"can_read", "can_create", "can_delete"}}
EVERY = {"nightly": {"keep": "35d"}, "restore_check": {}, "restore_drill": {}}


@pytest.fixture
def made(write_app: Write, environment: Section) -> Made:
    """The DAGs of an environment with the given access, by tier."""

    def make(access: dict[str, list[str]] | None = None) -> dict[str, DAG]:
        fields = {"access": access} if access is not None else {}
        module = write_app("demo", production=environment(tiers=EVERY, **fields))
        return {id.partition(".")[2]: dag for id, dag in protect(str(module)).items()}

    return make


def test_every_tier_has_a_kind() -> None:
    """A tier without one could not be read, let alone triggered, by anybody but Admin."""
    assert set(KINDS) == {*get_args(TierName), *TIERS, *UNDECLARED}


def test_access_where_the_policy_says_nothing(made: Made) -> None:
    """DevOps do all, DBAs do not delete, team leads answer, the others read."""
    dags = made()
    readers = {"TeamLead": READ, "Developer": READ, "Viewer": READ}
    for tier in ("nightly", "restore_check"):
        assert dags[tier].access_control == {"DevOps": TRIGGER_AND_DELETE, "DBA": TRIGGER, **readers}
    assert dags["restore_drill"].access_control == {
        "DevOps": TRIGGER_AND_DELETE,
        "DBA": TRIGGER,
        **readers,
        "TeamLead": ANSWER,
    }
    assert dags["expire"].access_control == {"DevOps": TRIGGER_AND_DELETE, "DBA": READ, **readers}


def test_whatever_changes_live_is_triggered_and_answered_as_drills_are(made: Made) -> None:
    """Nobody may answer who could not answer there; what only looks asks nobody."""
    dags = made()
    changing = set(UNDECLARED) - {"expire", "find_instant", "guarded_migration", "pitr_drill"}
    for tier in changing:
        assert dags[tier].access_control == dags["restore_drill"].access_control, tier
    assert dags["find_instant"].access_control == dags["restore_check"].access_control


def test_role_that_is_named_once_reads_all_of_the_environment(made: Made) -> None:
    """And nobody else reads anything of it."""
    lists = {"backup": ["Robot"], "restore": ["Restorer"], "approve": ["Board"], "delete": ["Cleaner"], "read": []}
    dags = made(lists)
    named = {"Robot", "Restorer", "Board", "Cleaner"}
    for dag in dags.values():
        assert dag.access_control is not None
        assert set(dag.access_control) == named
    assert dags["nightly"].access_control == {"Robot": TRIGGER, "Restorer": READ, "Board": READ, "Cleaner": DELETE}
    assert dags["restore_drill"].access_control == {
        "Robot": READ,
        "Restorer": TRIGGER,
        "Board": ANSWER,
        "Cleaner": DELETE,
    }


def test_environment_for_admin_alone(made: Made) -> None:
    """Empty lists are taken at their word."""
    dags = made({name: [] for name in ("backup", "restore", "approve", "delete", "read")})
    assert [dag.access_control for dag in dags.values()] == [{}] * len(dags)


def test_expiry_by_hand_only_tells_unless_told_otherwise(made: Made) -> None:
    """It has no schedule, and its form begins with the harmless choice."""
    dag = made()["expire"]
    assert dag.schedule is None
    assert dag.params["dry_run"] is True
    assert [task.task_id for task in dag.tasks] == ["expire"]
    assert "nightly 35d" in str(dag.doc_md)
    assert "$" not in str(dag.doc_md)
