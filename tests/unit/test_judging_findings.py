"""What the policy says of findings, findings of runs, and the page that explains them all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from holdfast.watch.facts import (
    RotationFacts,
    Trouble,
)
from holdfast.watch.finding import SEVERITIES
from holdfast.watch.judging import judge
from holdfast.watch.judging.runs import deadline_missed, policy_broken, run_failed
from judging_cases import DUMPS_YEAR, NOW, POLICY, changed, empty
from judging_year import DAY, DUMPS


def test_severities_are_the_policys() -> None:
    """Another one, or off; a store that does not answer silences what only follows from it."""
    alerts = {"conn_id": "pager", "severities": {"never_started": "notify", "rpo_exceeded": "off"}}
    facts = empty(since=NOW - 9 * DAY)
    assert [each.severity for each in judge(facts, changed(DUMPS, alerts=alerts), NOW)] == ["notify"]
    away = Trouble(kind="store_unreachable", subject="store", text="no answer")
    due = RotationFacts(name="A", rotate_by=date(2026, 6, 16), owner="DBA", rotated_by=())
    blind = empty(troubles=(away,), rotations=(due,))
    assert [each.kind for each in judge(blind, POLICY, NOW)] == ["store_unreachable", "rotation_due"]


def test_a_secret_is_due_after_its_day() -> None:
    """On the day itself, by the environment's own calendar, there is still time."""
    due = RotationFacts(name="A", rotate_by=date(2026, 6, 17), owner="DBA", rotated_by=("DevOps",))
    facts = DUMPS_YEAR.facts(NOW).model_copy(update={"rotations": (due,)})
    assert not judge(facts, DUMPS_YEAR.policy, datetime(2026, 6, 17, 21, 59, tzinfo=UTC))
    found = judge(facts, DUMPS_YEAR.policy, datetime(2026, 6, 17, 22, 0, tzinfo=UTC))
    assert [(each.kind, each.severity) for each in found] == [("rotation_due", "notify")]
    assert "DevOps can rotate it, DBA owns it" in found[0].advice


def test_findings_of_runs() -> None:
    """One id for the tier, whichever run it is; the run, its tasks and its time stand in the text."""
    common: dict[str, Any] = {"app": "shop", "environment": "production", "tier": "nightly", "policy": POLICY}
    failed = run_failed(**common, dag_id="shop-production.nightly", run_id="r1", tasks=["dump"], since=NOW)
    again = run_failed(**common, dag_id="shop-production.nightly", run_id="r2", tasks=[], since=NOW + DAY)
    missed = deadline_missed(**common, dag_id="shop-production.nightly", run_id="r1", since=NOW)
    broken = policy_broken(Path("/dags/shop.yaml"), "policy shop.yaml: line 3: no")
    assert failed.id == again.id == "shop/production/run_failed/nightly"
    assert failed.thread == missed.thread == "shop/production/nightly"
    assert all(word in failed.text for word in ("r1", "dump", "Wed 17 Jun 2026 14:00 CEST"))
    assert (missed.kind, missed.dag) == ("deadline_missed", "shop-production.nightly")
    assert (broken.kind, broken.severity, broken.app, broken.text) == (
        "policy_broken", "page", "shop", "policy shop.yaml: line 3: no",
    )  # fmt: skip


def test_every_kind_has_its_section() -> None:
    """And says its own name under the heading that findings link to."""
    page = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
    sections = {
        heading.lower().replace(" ", "-"): kind for heading, kind in re.findall(r"^## (.+)\n\n`(\w+)` · ", page, re.M)
    }
    assert sections == {kind.replace("_", "-"): kind for kind in SEVERITIES}
