"""The forms of the DAGs that restore, switch back, roll back and migrate, answered by people and pipelines."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from fix_environment import MakeSite, Site
from fix_media import NO_DATABASE
from holdfast.errors import UsageError
from holdfast.manifest.evidence import Window
from holdfast.operation import read_operation
from holdfast.values.ids import RestorePointId
from holdfast_airflow import restore_forms
from holdfast_airflow.operators import OpenRestoreOperator, OpenRollbackOperator
from holdfast_airflow.operators.operation_open import OpenOperationOperator
from holdfast_airflow.restore_choices import NONE, Choices
from holdfast_airflow.restore_forms import MigrationForm, RestoreForm, RollbackForm, SwitchBackForm
from point_factory import store_point

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


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with a restore point, whose database is away."""
    made = make_site(NO_DATABASE)
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    environment = made.environment()
    store_point(environment.catalog, environment.signer(), datetime(2026, 11, 22, 9, tzinfo=UTC))
    return made


def begin(site: Site, kind: type[OpenOperationOperator], **params: Any) -> Any:
    """Run the task that opens; returns what it has left in the store."""
    place = {"policy_file": str(site.policy_file), "environment": "production"}
    run = SimpleNamespace(
        dag_id=f"shop-production.{kind.kind}",
        run_id="manual__1",
        run_type="manual",
        run_after=datetime(2026, 11, 22, 12, tzinfo=UTC),
        triggering_user_name="dora",
    )
    opened = kind(task_id="open", **place).execute(cast(Context, {"dag_run": run, "params": params}))
    return read_operation(site.environment(), RestorePointId.parse(opened))


def test_operation_is_opened_as_asked_for(site: Site) -> None:
    """Who, why, what and when stand in the signed record that everything behind it goes by; once, whatever comes."""
    (id,) = [str(entry.id) for entry in site.environment().catalog.entries()]
    window = {"window_begins": "2130-01-01T22:00+01:00", "window_ends": "2130-01-02T02:00+01:00", "ticket": "CHG-1"}
    asked = {"restore_point": id, "reason": " the incident ", **window}
    found = begin(site, OpenRestoreOperator, **asked)
    assert (found.kind, found.restore_point, found.reason, found.requested_by) == (
        "restore",
        id,
        "the incident",
        "dora",
    )
    assert (found.request, found.approval) == ({"what": "database", "target": "live"}, "asked")
    assert found.window is not None and found.window.ticket == "CHG-1"
    assert begin(site, OpenRestoreOperator, **{**asked, "reason": "another"}) == found


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"window_begins": "2026-01-01T00:00Z", "window_ends": "2026-01-01T04:00Z"}, "ended at 2026-01-01T04:00"),
        ({"window_begins": "2130-01-01T00:00", "window_ends": "2130-01-01T04:00"}, "has no UTC offset"),
        ({"what": "media"}, "names no media"),
        ({"restore_point": ID}, ID),
    ],
)
def test_form_that_cannot_be_met_opens_nothing(site: Site, answers: dict[str, Any], said: str) -> None:
    """The first task says what is wrong, and is not tried again."""
    (id,) = [str(entry.id) for entry in site.environment().catalog.entries()]
    with pytest.raises(AirflowFailException, match=re.escape(said)):
        begin(site, OpenRestoreOperator, **{"restore_point": id, "reason": "the incident", **answers})
    assert list(site.environment().store.list(site.environment().keys.evidence)) == []


def test_rollback_finds_no_deployment_to_go_back_behind(site: Site) -> None:
    """A nightly backup is none."""
    with pytest.raises(AirflowFailException, match="no restore point is labelled pre-deploy-"):
        begin(site, OpenRollbackOperator, reason="the incident")
