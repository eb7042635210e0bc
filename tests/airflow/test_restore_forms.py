"""The forms of the DAGs that restore, switch back, roll back and migrate, answered by people and pipelines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from holdfast.errors import UsageError
from holdfast.manifest.evidence import Window
from holdfast.values.ids import RestorePointId
from holdfast_airflow import restore_forms
from holdfast_airflow.restore_choices import NONE, Choices
from holdfast_airflow.restore_forms import MigrationForm, RestoreForm, RollbackForm, SwitchBackForm

ID = "20261122T090000Z-nightly-4f9c2a"
NEEDED = {"restore_point": ID, "reason": "the incident"}
WINDOW = {"window_begins": "2026-11-22T22:00+01:00", "window_ends": "2026-11-22T23:00:00Z"}
INJECTION = "'; DROP DATABASE shop; --"


def answered(*, has_media: bool = True, choices: Choices = NONE, **answers: Any) -> Any:
    """A form's params as Airflow checks them when a run is triggered."""
    params = ParamsDict(restore_forms.restore_params(choices, has_media=has_media))
    params.update(answers)
    return params.validate()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"reason": "the incident"},
        {"restore_point": ID},
        {**NEEDED, "restore_point": "latest"},
        {**NEEDED, "restore_point": "../../etc/passwd"},
        {**NEEDED, "restore_point": INJECTION},
        {**NEEDED, "target": "staging"},
        {**NEEDED, "what": INJECTION},
        {**NEEDED, "reason": "x" * 501},
        {**NEEDED, "ticket": 7},
    ],
)
def test_answers_that_cannot_be_met_start_no_run(answers: dict[str, Any]) -> None:
    """Airflow refuses them as the form says, or else the task that opens does."""
    with pytest.raises((ParamValidationError, UsageError)):
        RestoreForm.of(answered(**answers))


def test_answers_are_read_as_given() -> None:
    """An id that is not offered is as good as one that is; live is meant unless told otherwise."""
    form = RestoreForm.of(answered(**NEEDED, **WINDOW, what="both", ticket=" CHG-1 ", choices=Choices((ID,), "| |")))
    assert (form.restore_point, form.what, form.target) == (RestorePointId.parse(ID), "both", "live")
    begins, ends = datetime(2026, 11, 22, 21, tzinfo=UTC), datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert form.asked.window == Window(begins_at=begins, ends_at=ends, ticket="CHG-1")
    plain = RestoreForm.of(answered(has_media=False, **NEEDED))
    assert (plain.what, plain.asked.window, plain.asked.reason) == ("database", None, "the incident")


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({"window_begins": "2026-11-22T22:00"}, "has no UTC offset"),
        ({"window_begins": "tonight"}, "is no date and time"),
        ({"window_ends": None}, "one of its ends is missing"),
        ({"window_ends": "2026-11-22T21:59+01:00"}, "ends before it begins"),
        ({"window_begins": None, "window_ends": None, "ticket": "CHG-1"}, "without a change window"),
        ({"ticket": "CHG-1\n**approved**"}, "ticket: holds a line break"),
    ],
)
def test_window_that_cannot_be_meant_is_named(window: dict[str, Any], said: str) -> None:
    """By its field and what is wrong with it."""
    with pytest.raises(UsageError, match=said.replace("*", r"\*")):
        RestoreForm.of({**NEEDED, **WINDOW, **window})


def test_media_that_the_policy_does_not_name_are_refused() -> None:
    """A pipeline may ask for them, though the form does not."""
    for form in (RestoreForm.of({**NEEDED, "what": "both"}), SwitchBackForm.of({**NEEDED, "what": "media"})):
        form.demand_possible("shop/production", has_media=True)
        with pytest.raises(UsageError, match="names no media"):
            form.demand_possible("shop/production", has_media=False)


@pytest.mark.parametrize("label", ["nightly", "pre-deploy 1", "pre-deploy-'; DROP", "pre-migration-1", 7])
def test_rollback_goes_back_to_before_a_deployment_alone(label: Any) -> None:
    """No label means the newest."""
    assert RollbackForm.of({"reason": "the incident"}).label is None
    assert RollbackForm.of({"reason": "the incident", "label": "pre-deploy-2026.11.3"}).label == "pre-deploy-2026.11.3"
    with pytest.raises(UsageError, match="label"):
        RollbackForm.of({"reason": "the incident", "label": label})


@pytest.mark.parametrize("label", ["add invoices", "-rf", "$(reboot)", "x" * 200])
def test_migration_is_called_by_a_plain_name(label: str) -> None:
    """It becomes a part of the snapshot's label."""
    assert MigrationForm.of({"reason": "release", "label": "add-invoices"}).label == "add-invoices"
    with pytest.raises(UsageError, match="label"):
        MigrationForm.of({"reason": "release", "label": label})


@pytest.mark.parametrize("form", [RestoreForm, SwitchBackForm, RollbackForm, MigrationForm])
def test_reason_is_demanded_of_everybody(form: Any) -> None:
    """It stands in the plan and in the evidence."""
    with pytest.raises(UsageError, match="reason: is missing"):
        form.of({"restore_point": ID, "reason": "  "})
