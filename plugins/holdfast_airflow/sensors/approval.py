"""Waits until a person has agreed to a plan, and has the answer taken down in the store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Context, Param, XComArg
from airflow.sdk.exceptions import TaskAwaitingInput

from holdfast.errors import ApprovalError
from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.approval import Answer
    from holdfast.environment import Environment
    from holdfast.values.ids import RestorePointId

_REASON = "reason"


class ApprovalSensor(EngineOperator, ApprovalOperator):
    """Shows the plan of one subject, such as a drill, and fails unless somebody other than who asked approves it.

    The plan is made from the store alone, for Airflow makes this object anew when the answer arrives. Whatever acts
    on the approval must demand it from the store itself (holdfast.approval.demand_approval): this task's state and
    XCom can be written by people. No worker is held meanwhile.
    """

    template_fields: Sequence[str] = ("subject_id",)
    afterwards: str | None = None
    """What to do after an answer that does not count, where that is not to ask once more at the same gate."""

    def __init__(self, *, subject_id: str | XComArg, gate: str = "approval", position: int = 1, **kwargs: Any) -> None:
        # A person is asked once: asking again is for people to decide. Airflow would take an execution timeout, which
        # a DAG may have for all its tasks, for the time to answer; that stands in the policy, which only a task reads.
        # The params that come here are those of the DAG's form, which nobody is to fill in once more.
        kwargs |= {"retries": 0, "execution_timeout": None, "params": {_REASON: _reason_field()}}
        super().__init__(subject=f"Approval {position}", **kwargs)
        self.subject_id = subject_id
        self.gate = gate
        self.position = position

    @abstractmethod
    def plan(self, environment: Environment, subject: RestorePointId) -> str:
        """The Markdown that is shown and agreed to: the same text for the same content of the store."""

    def until(self, environment: Environment, subject: RestorePointId) -> datetime | None:
        """When the change window ends, if there is one: then it is too late, however long the policy gives."""
        return None

    def execute(self, context: Context) -> Any:
        """Leave the signed request in the store, then ask and let go of the worker."""
        from holdfast.approval import request_approval
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            subject = RestorePointId.parse(str(self.subject_id))
            request = request_approval(
                environment,
                subject,
                gate=self.gate,
                position=self.position,
                body=self.plan(environment, subject),
                requested_by=context["dag_run"].triggering_user_name,
                origin=runs.origin(context),
                until=self.until(environment, subject),
            )
            needed = environment.policy.approval.needed
        self.subject = f"Approve {subject} of {environment.title} ({self.position} of {needed})"
        self.body = request.body
        self.response_timeout = request.expires_at - request.asked_at
        self.log.info("%s: asked, to be answered until %s", request.title, request.expires_at)
        # Airflow has filled it in from the run's form, where the requester's own reason has the same name.
        self.params[_REASON] = None
        try:
            return super().execute(context)
        except TaskAwaitingInput as parked:
            parked.kwargs = {"subject": str(subject), "number": request.number}
            raise

    def execute_complete(
        self, context: Context, event: dict[str, Any], subject: str | None = None, number: int | None = None
    ) -> Facts:
        """Take the answer down; returns who approved what, and fails for good for everything but an approval.

        ``subject`` and ``number`` are those of the request that was shown: a later one has answers of its own.
        """
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            if "error" not in event:
                HITLOperator.execute_complete(self, context, event)  # refuses what its form does not know
            asked = RestorePointId.parse(subject or str(self.subject_id))
            try:
                answer = self._taken_down(environment, asked, number, event)
            except ApprovalError as error:
                raise ApprovalError(error.message, hint=self.afterwards or error.hint) from error
            self.show(context, _facts(answer))
            if answer.decision == "rejected":
                again = "Nothing behind this gate runs. Clear this task to ask again once the reason is mended."
                raise ApprovalError(
                    f"{answer.title}: {answer.approver} rejected it: {answer.reason}", hint=self.afterwards or again
                )
        self.log.info("%s: %s approved it", answer.title, answer.approver)
        return _facts(answer)

    def _taken_down(
        self, environment: Environment, subject: RestorePointId, number: int | None, event: Mapping[str, Any]
    ) -> Answer:
        from holdfast.approval import digest, record_answer

        where = f"gate {self.gate} of {environment.title}/{subject}"
        if "error" in event:
            raise ApprovalError(
                f"{where}: nobody answered within {self._given(environment, subject)}"
                if event.get("error_type") == "timeout"
                else f"{where}: {event['error']}",
                hint="Clear this task to ask again.",
            )
        if event["responded_by_user"] is None:
            raise ApprovalError(f"{where}: Airflow does not say who answered", hint="Clear this task to ask again.")
        return record_answer(
            environment,
            subject,
            gate=self.gate,
            approver=event["responded_by_user"]["name"],
            decision="approved" if event["chosen_options"] == [self.APPROVE] else "rejected",
            reason=_text((event["params_input"] or {}).get(_REASON)),
            answered_at=event["responded_at"],
            shown_sha256=digest(self.plan(environment, subject)),
            number=number,
        )

    def _given(self, environment: Environment, subject: RestorePointId) -> str:
        """How long there was, in words."""
        until, within = self.until(environment, subject), environment.policy.approval.within
        return f"{within}, or before the change window ended at {until}" if until is not None else str(within)


class DrillApprovalSensor(ApprovalSensor):
    """The approval of a drill: shows its evidence."""

    def plan(self, environment: Environment, subject: RestorePointId) -> str:
        """What the drill did and found, as its signed evidence states it."""
        from holdfast.drill import approval_plan

        return approval_plan(environment, subject)


def _reason_field() -> Param:
    # A text that must be given would disable both of the form's buttons until it is.
    return Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Needed to reject; a comment where you approve. It is recorded with your name.",
    )


def _facts(answer: Answer) -> Facts:
    return {
        "subject": answer.subject,
        "gate": answer.gate,
        "request": answer.number,
        "decision": answer.decision,
        "approver": answer.approver,
        "reason": answer.reason,
        "answered_at": answer.answered_at.isoformat(),
        "sha256": answer.sha256,
    }


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None
