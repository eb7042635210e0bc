"""All findings of an environment, as its policy wants to be told of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from holdfast.policy import EnvironmentPolicy
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.finding import Finding
from holdfast.watch.judging.case import Case, Findings
from holdfast.watch.judging.drills import judge_drills
from holdfast.watch.judging.keys import judge_keys
from holdfast.watch.judging.media import judge_media
from holdfast.watch.judging.proofs import judge_proofs
from holdfast.watch.judging.rpo import judge_rpo
from holdfast.watch.judging.rto import judge_rto
from holdfast.watch.judging.schedule import judge_schedule
from holdfast.watch.judging.severity import chosen
from holdfast.watch.judging.sizes import judge_sizes
from holdfast.watch.judging.space import judge_space
from holdfast.watch.judging.store import judge_store
from holdfast.watch.judging.wal import judge_wal

_FAMILIES: tuple[Callable[[Case], Findings], ...] = (
    judge_store,
    judge_schedule,
    judge_rpo,
    judge_sizes,
    judge_proofs,
    judge_drills,
    judge_rto,
    judge_wal,
    judge_media,
    judge_keys,
    judge_space,
)


def judge(facts: EnvironmentFacts, policy: EnvironmentPolicy, now: datetime) -> tuple[Finding, ...]:
    """What is not as it must be at ``now``: pages first, then by id; without what the policy turned off."""
    case = Case(facts, policy, now)
    # What cannot be read is not missing: one store that does not answer is one finding.
    is_blind = any(trouble.kind == "store_unreachable" for trouble in facts.troubles)
    families = (judge_store, judge_keys) if is_blind else _FAMILIES
    found = {finding.id: finding for family in families for finding in family(case)}
    kept = [finding for finding in (chosen(each, policy) for each in found.values()) if finding is not None]
    return tuple(sorted(kept, key=lambda finding: (finding.severity != "page", finding.id)))
