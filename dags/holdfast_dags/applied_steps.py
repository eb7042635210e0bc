"""The tasks of an operation that is applied to the live database in one transaction: plan, ask, apply, record."""

from __future__ import annotations

from airflow.sdk import BaseOperator, chain

from holdfast_airflow.operators import ApplyOperator, NeededOperator, PlanOperator
from holdfast_dags.operation_steps import evidence, gates, step, steps
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by


def applied_steps(protected: Protected, open: BaseOperator) -> None:
    """All from ``open`` to ``evidence``; where the plan leaves nothing to do, what is between them is skipped."""
    needed = NeededOperator(
        task_id="needed", operation=returned_by(open), kept=["evidence"], **protected.operator_arguments
    )
    acting = steps(protected, open, [ApplyOperator])
    chain(
        open,
        step(protected, open, PlanOperator),
        needed,
        *gates(protected, open),
        *acting,
        evidence(protected, open, acting),
    )
