"""How operations end: what was cut off is not recorded as known, and the way back after a migration is opened once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fix_environment import MakeSite
from holdfast.catalog.drafts import write_draft
from holdfast.drill.records import StepDraft, write_step
from holdfast.environment import Environment
from holdfast.errors import ObjectMissing, RestoreError
from holdfast.evidence import read_evidence
from holdfast.manifest.evidence import Fact, OperationKind, Step
from holdfast.operation import Plan, open_operation, read_operation
from holdfast.operation.ending import end_operation
from holdfast.operation.migration.running import MigrationBegun
from holdfast.operation.plans import write_plan
from holdfast.operation.returning import open_return
from holdfast.operation.steps import names_of
from holdfast.values.ids import RestorePointId
from point_factory import store_point

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def environment(make_site: MakeSite) -> Environment:
    """A store with a restore point; the live database is away."""
    made = make_site("postgresql://nobody@127.0.0.1:1/none").environment()
    store_point(made.catalog, made.signer(), NOW - timedelta(hours=1))
    return made


def opened(environment: Environment, kind: OperationKind) -> RestorePointId:
    """An operation with its plan."""
    (entry,) = environment.catalog.entries()
    operation = open_operation(
        environment,
        kind=kind,
        opened_at=NOW,
        origin="shop-production.restore/manual__1",
        restore_point=entry.id,
        request={"what": "database"},
        reason="the incident",
        requested_by="dora",
        window=None,
        approval="asked",
    )
    plan = Plan(kind=kind, app="shop", environment="production", restore_point=str(entry.id), body="## Plan\n")
    write_plan(environment, operation, plan)
    return operation


def take(environment: Environment, operation: RestorePointId, *names: str, **facts: Fact) -> None:
    """Have steps passed."""
    for name in names:
        step = Step(name=name, title=name, started_at=NOW, seconds=1.0, outcome="passed", facts=facts)
        write_step(environment, operation, StepDraft(drill=str(operation), step=step))


def test_step_that_was_cut_off_is_not_recorded_as_known(environment: Environment) -> None:
    """Only taken again it tells whether what is live has changed; until then the operation goes on."""
    operation = opened(environment, "restore")
    take(environment, operation, "plan", "restore_beside")
    with pytest.raises(RestoreError, match="switch was cut off") as refused:
        end_operation(environment, operation, begun=["switch"])
    assert "Clear the task switch" in str(refused.value.hint)
    with pytest.raises(ObjectMissing):
        read_evidence(environment, operation)
    take(environment, operation, "switch", "check_live")
    ending = end_operation(environment, operation, begun=["switch"])
    assert (ending.evidence.verdict, ending.not_run, ending.left) == ("passed", (), "")
    assert end_operation(environment, operation, begun=["switch"]) == ending


def test_operation_that_nobody_approved_has_failed(environment: Environment) -> None:
    """What could not be removed is said, and the evidence stands."""
    operation = opened(environment, "restore")
    take(environment, operation, "plan")
    ending = end_operation(environment, operation)
    assert (ending.evidence.verdict, ending.not_run) == ("failed", names_of("restore")[1:])
    assert ending.left.startswith("What was restored beside may be left: ")


def test_migration_that_was_cut_off_has_failed(environment: Environment) -> None:
    """It runs once: whether its snapshot is to be restored is for people to say."""
    operation = opened(environment, "guarded_migration")
    take(environment, operation, "plan")
    assert open_return(environment, operation) is None
    key = environment.keys.evidence_object(operation, "draft-migration-begun.json")
    write_draft(environment.store, key, MigrationBegun(operation=str(operation), begun_at=NOW), environment.signer())
    back = open_return(environment, operation)
    assert back is not None
    assert read_operation(environment, back).request["because"] == str(operation)
    ending = end_operation(environment, operation, begun=["migrate"])
    assert (ending.evidence.verdict, ending.not_run) == ("failed", ("migrate",))
    assert open_return(environment, operation) == back


def test_way_back_knows_which_migration_has_failed(environment: Environment) -> None:
    """The restored database will have forgotten it."""
    operation = opened(environment, "guarded_migration")
    take(environment, operation, "plan")
    take(environment, operation, "migrate", **{"failed migration": "add_phone"})
    key = environment.keys.evidence_object(operation, "draft-migration-begun.json")
    write_draft(environment.store, key, MigrationBegun(operation=str(operation), begun_at=NOW), environment.signer())
    back = open_return(environment, operation)
    assert back is not None
    request = read_operation(environment, back).request
    assert (request["failed"], request["follow_up"], request["what"]) == ("add_phone", True, "database")
