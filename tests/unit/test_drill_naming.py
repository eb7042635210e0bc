"""The names of a drill's steps: what tasks, drafts and evidence are called."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.drill import steps_of
from holdfast.policy import EnvironmentPolicy

_SIGNS = st.characters(exclude_categories=["Cc", "Cs"])


def _policy(**more: Any) -> EnvironmentPolicy:
    return EnvironmentPolicy.model_validate(
        {
            "database": {"conn_id": "db"},
            "store": {"url": "file:///srv/store"},
            "keys": {"recipients_file": "/k/recipient.txt"},
            "tiers": {"nightly": {"keep": "35d"}},
            **more,
        }
    )


def test_a_policy_without_a_drill_section_still_restores_and_counts() -> None:
    """The least that a restore point must go through."""
    names = [step.name for step in steps_of(_policy(), "restore_check")]
    assert names == ["recovery_environment", "restore_database", "check_database"]


def test_a_drill_runs_commands_in_their_order_and_a_restore_check_none() -> None:
    """The application's commands are for drills; queries are asked by both."""
    policy = _policy(
        media={"source": "file:///srv/media"},
        drill={"commands": ["pnpm db:reconcile", "pnpm check"], "queries": {"login": {"sql": "SELECT 1", "expect": 1}}},
    )
    assert [step.name for step in steps_of(policy, "restore_drill")] == [
        "recovery_environment",
        "restore_database",
        "check_database",
        "restore_media",
        "recovery_settings",
        "pnpm_db_reconcile",
        "pnpm_check",
        "queries",
    ]
    assert [step.name for step in steps_of(policy, "restore_check")][-2:] == ["restore_media", "queries"]


@example(["a", "a 2", "a"])
@given(st.lists(st.text(_SIGNS, min_size=1).filter(lambda text: text.strip()), max_size=6))
def test_every_command_has_a_name_of_its_own_that_can_stand_in_keys_and_task_ids(commands: list[str]) -> None:
    """Also for commands that differ in signs alone, or are called like a task that every drill has."""
    policy = _policy(drill={"commands": [*commands, "evidence", "check database"]})
    steps = steps_of(policy, "restore_drill")
    names = [step.name for step in steps]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_]{0,99}", name) for name in names)
    assert [step.command_index for step in steps if step.command_index is not None] == list(range(len(commands) + 2))


@pytest.mark.parametrize(
    ("drill", "reason"),
    [
        ({"commands": ["echo \0"]}, "control characters"),
        ({"commands": [" "]}, "control characters"),
        ({"database_variable": "PATH"}, "meaning of its own"),
        ({"temporary_secrets": ["LD_PRELOAD"]}, "meaning of its own"),
        ({"temporary_secrets": ["DATABASE_URL"]}, "given twice"),
        ({"env": {"STORAGE_PATH": "x"}}, "given twice"),
        ({"queries": {"a": {"sql": "SELECT 1", "expect": {"at_least": float("nan")}}}}, "finite"),
        ({"queries": {"a": {"sql": "SELECT 1", "expect": float("inf")}}}, "finite"),
    ],
)
def test_a_drill_that_cannot_mean_what_it_says_is_refused(drill: dict[str, Any], reason: str) -> None:
    """Before anything is restored."""
    with pytest.raises(ValidationError, match=reason):
        _policy(drill=drill)
