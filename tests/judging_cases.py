"""Facts and policies that the tests of findings start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from holdfast.policy.model import EnvironmentPolicy
from holdfast.watch.facts import (
    EnvironmentFacts,
)
from holdfast.watch.finding import Finding
from judging_year import DUMPS, STREAMING, make_year, policy_of

NOW = datetime(2026, 6, 17, 12, tzinfo=UTC)
POLICY = policy_of(STREAMING)
YEAR, DUMPS_YEAR = make_year(STREAMING, 8), make_year(DUMPS, 8)


def changed(fields: dict[str, object], **updates: object) -> EnvironmentPolicy:
    return policy_of({**fields, **updates})


def kinds(found: tuple[Finding, ...]) -> set[str]:
    return {finding.kind for finding in found}


def empty(**fields: Any) -> EnvironmentFacts:
    return EnvironmentFacts(app="shop", environment="production", read_at=NOW, **{"since": None, **fields})
