"""The forms of drills, and which restore point a run picks: answered by people, pipelines and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from fix_environment import MakeSite, Site
from fix_media import NO_DATABASE
from holdfast.drill.records import read_open
from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow import drill_form
from holdfast_airflow.drill_form import DrillForm
from holdfast_airflow.operators import OpenDrillOperator
from point_factory import store_point

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Pick = Callable[..., str]


def answered(**answers: Any) -> Any:
    """A form's params as Airflow checks them when a run is triggered."""
    params = ParamsDict(drill_form.drill_params(has_media=True, is_scheduled=False))
    params.update(answers)
    return params.validate()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"reason": ""},
        {"reason": "x" * 501},
        {"reason": 7},
        {"reason": "quarter", "media": "some"},
        {"reason": "quarter", "media": None},
        {"reason": "quarter", "restore_point": "../../etc/passwd"},
        {"reason": "quarter", "restore_point": "latest"},
    ],
)
def test_answers_that_cannot_be_met_start_no_run(answers: dict[str, Any]) -> None:
    """Airflow refuses them as the form says."""
    with pytest.raises(ParamValidationError):
        answered(**answers)


def test_answers_are_read_as_given() -> None:
    """Blanks around a text are no part of it; no restore point means the newest."""
    id = "20261122T090000Z-nightly-4f9c2a"
    form = DrillForm.of(answered(reason=" the quarter ", media="all", restore_point=id))
    assert form == DrillForm(RestorePointId.parse(id), "all", "the quarter")
    assert DrillForm.of(answered(reason="x")) == DrillForm(None, "sample", "x")


@pytest.mark.parametrize("params", [{"restore_point": "x"}, {"restore_point": "20261322T090000Z-nightly-4f9c2a"}])
def test_restore_point_that_is_no_id_is_refused(params: dict[str, Any]) -> None:
    """A date that no calendar has passes the form's pattern, but goes no further."""
    with pytest.raises(UsageError, match="restore point id"):
        DrillForm.of(params)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site with three restore points, of which the last two came at nearly the same time."""
    made = make_site(NO_DATABASE)
    environment = made.environment()
    for hours in (30, 2, 1):
        store_point(environment.catalog, environment.signer(), NOW - timedelta(hours=hours))
    return made


def ids(site: Site) -> list[RestorePointId]:
    return [entry.id for entry in site.environment().catalog.entries()]


@pytest.fixture
def pick(site: Site, monkeypatch: pytest.MonkeyPatch) -> Pick:
    """Runs the task pick; ``events`` are the extras of the events that started the run."""
    for name, value in site.variables.items():
        monkeypatch.setenv(name, value)

    def execute(
        kind: str, *, run_type: str = "manual", events: tuple[Mapping[str, Any] | None, ...] = (), **params: Any
    ) -> str:
        operator = OpenDrillOperator(
            task_id="pick",
            kind=cast(Any, kind),
            media="none",
            policy_file=str(site.policy_file),
            environment="production",
        )
        run = SimpleNamespace(
            dag_id=f"shop-production.{kind}",
            run_id=f"{run_type}__1",
            run_type=run_type,
            run_after=NOW,
            triggering_user_name="dora" if run_type == "manual" else None,
        )
        event_lists = {"asset": [SimpleNamespace(extra=extra) for extra in events]}
        return operator.execute(
            cast(Context, {"dag_run": run, "params": params, "triggering_asset_events": event_lists})
        )

    return execute


def opened(site: Site, drill: str) -> Any:
    return read_open(site.environment(), RestorePointId.parse(drill))


def test_drill_by_hand_is_opened_as_asked_for(site: Site, pick: Pick) -> None:
    """Who, why and what of stand in the signed record that the evidence is made of."""
    first = ids(site)[0]
    found = opened(site, pick("restore_drill", restore_point=str(first), reason="the quarter", media="none"))
    assert (found.restore_point, found.reason, found.requested_by) == (str(first), "the quarter", "dora")
    assert (found.approval, found.origin) == ("asked", "shop-production.restore_drill/manual__1")


def test_without_an_answer_the_newest_is_drilled(site: Site, pick: Pick) -> None:
    """A schedule gives neither restore point nor reason."""
    found = opened(site, pick("restore_drill", run_type="scheduled"))
    assert (found.restore_point, found.reason, found.requested_by) == (str(ids(site)[-1]), None, None)


def test_person_who_says_no_reason_is_refused(site: Site, pick: Pick) -> None:
    """Where a schedule keeps the form from demanding one."""
    with pytest.raises(AirflowFailException, match="the reason is missing"):
        pick("restore_drill", reason="  ")
    assert pick("restore_check")


def test_check_takes_the_restore_point_of_its_event(site: Site, pick: Pick) -> None:
    """Even if a newer one has come since."""
    wanted = ids(site)[1]
    found = opened(site, pick("restore_check", run_type="asset_triggered", events=({"restore_point": str(wanted)},)))
    assert (found.restore_point, found.approval, found.kind) == (str(wanted), "not asked", "restore_check")


def test_of_several_events_the_newest_counts(site: Site, pick: Pick, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are named, with what to do about them."""
    first, second, third = ids(site)
    events = tuple({"restore_point": str(id)} for id in (second, third, first))
    found = opened(site, pick("restore_check", run_type="asset_triggered", events=events))
    assert found.restore_point == str(third)
    told = [line for line in capsys.readouterr().out.splitlines() if "trigger this DAG with its id" in line]
    assert [str(first) in told[0], str(second) in told[1], len(told)] == [True, True, 2]


@pytest.mark.parametrize("extra", [None, {}, {"restore_point": "latest"}, {"restore_point": 7}])
def test_event_that_names_no_restore_point_means_the_newest(site: Site, pick: Pick, extra: Any) -> None:
    """Such as one that somebody made by hand."""
    found = opened(site, pick("restore_check", run_type="asset_triggered", events=(extra,)))
    assert found.restore_point == str(ids(site)[-1])


def test_second_attempt_opens_no_second_drill(site: Site, pick: Pick) -> None:
    """Nor another restore point, though a newer one has come meanwhile."""
    drill = pick("restore_check")
    before = opened(site, drill)
    environment = site.environment()
    store_point(environment.catalog, environment.signer(), NOW)
    assert pick("restore_check") == drill
    assert opened(site, drill) == before


def test_restore_point_that_is_not_there_is_refused(site: Site, pick: Pick) -> None:
    """Well-formed, but nobody has made it."""
    with pytest.raises(AirflowFailException, match="20261122T090000Z-nightly-4f9c2a"):
        pick("restore_check", restore_point="20261122T090000Z-nightly-4f9c2a")
