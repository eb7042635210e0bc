"""Findings that are not read from a store: a run that failed or takes too long, a policy that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from holdfast.policy import EnvironmentPolicy
from holdfast.values.visible import visible
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.finding import SEVERITIES, Finding
from holdfast.watch.judging.case import Case
from holdfast.watch.judging.severity import chosen


def run_failed(
    app: str,
    environment: str,
    tier: str,
    policy: EnvironmentPolicy,
    dag_id: str,
    run_id: str,
    tasks: Sequence[str],
    since: datetime,
) -> Finding:
    """A run of a tier's DAG that ended in failure at ``since``; ``tasks`` are those that failed.

    A severity of the policy is applied; one that is off is for whoever raises it to see (``severity.chosen``).
    """
    case = _case(app, environment, policy, since)
    named = ", ".join(map(visible, tasks)) or "no task"
    finding = case.finding(
        "run_failed",
        tier,
        f"the run {visible(run_id)} of {visible(dag_id)} failed at {case.when(since)}: {named}",
        since=since,
        meaning="What the run was to do has not been done; all retries are used up.",
        advice=f"Read the log of {named} in `{visible(dag_id)}`; docs/runbook.md has a section for each task. "
        "Once the cause is gone, clear the failed tasks or trigger the DAG again.",
        tier=tier,
    )
    return _of_dag(finding, dag_id, policy)


def deadline_missed(
    app: str,
    environment: str,
    tier: str,
    policy: EnvironmentPolicy,
    dag_id: str,
    run_id: str,
    since: datetime,
) -> Finding:
    """A run of a tier's DAG that was queued at ``since`` and has not ended by its deadline."""
    case = _case(app, environment, policy, since)
    finding = case.finding(
        "deadline_missed",
        tier,
        f"the run {visible(run_id)} of {visible(dag_id)}, queued at {case.when(since)}, has not ended by its deadline",
        since=since,
        meaning="It hangs, waits for a worker, or has more to do than usual; the next one waits behind it.",
        advice=f"Look at `{visible(dag_id)}`: is a task running, or queued without a worker? A restart of its "
        "worker ends what hangs; the task is then tried again by itself.",
        tier=tier,
    )
    return _of_dag(finding, dag_id, policy)


def policy_broken(policy_file: Path, error: str) -> Finding:
    """A policy file that cannot be read: none of its environments can be judged. Its app is the file's name."""
    app = visible(policy_file.stem)
    return Finding(
        id=f"{app}/policy_broken",
        thread=f"{app}/policy",
        kind="policy_broken",
        severity=SEVERITIES["policy_broken"],
        app=app,
        environment="",
        subject=visible(policy_file.name),
        text=visible(error),
        since=None,
        meaning="Its DAGs cannot be made, so that none of its backups runs, and nothing of it is watched.",
        advice="`holdfast policy check POLICY` names every fault with its line; correct it, or undo the last edit.",
        runbook="findings.md#policy-broken",
    )


def _case(app: str, environment: str, policy: EnvironmentPolicy, now: datetime) -> Case:
    return Case(EnvironmentFacts(app=app, environment=environment, read_at=now, since=None), policy, now)


def _of_dag(finding: Finding, dag_id: str, policy: EnvironmentPolicy) -> Finding:
    """With the DAG whose run it was, and the severity that the policy gives it."""
    named = finding.model_copy(update={"dag": dag_id})
    return chosen(named, policy) or named
