"""Runbooks: the Markdown beside each tier's module, filled with what the policy says, without any secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from holdfast_dags.protected import Protected

_SECTION = re.compile(r"^### `(\w+)`\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Runbook:
    """What on-call reads: the whole text for the DAG, and a section of it for each task."""

    text: str

    def task(self, task_id: str) -> str:
        """The section whose heading is the task's id; raises KeyError where the runbook forgets a task."""
        parts = _SECTION.split(self.text)
        sections = dict(zip(parts[1::2], parts[2::2], strict=True))
        return sections[task_id].partition("\n## ")[0].strip()


def read(tier: str, protected: Protected) -> Runbook:
    """The tier's runbook for one environment."""
    template = Template((Path(__file__).parent / f"{tier}.md").read_text(encoding="utf-8"))
    return Runbook(template.substitute(_facts(tier, protected)))


def _facts(tier: str, protected: Protected) -> dict[str, str]:
    policy, declared = protected.policy, protected.tiers[tier]
    return {
        "app": protected.app,
        "environment": protected.environment,
        "policy": protected.policy_file.name,
        "tier": tier,
        "when": f"`{declared.schedule}` ({policy.timezone})" if declared.schedule else "by hand only",
        "keep": str(declared.keep) if declared.keep else "for ever",
        "min_size": f"{declared.min_size_ratio:.0%}",
        "database": policy.database.conn_id,
        "store": policy.store.url,
        "store_connection": f", connection `{policy.store.conn_id}`" if policy.store.conn_id else "",
        "rpo": str(policy.targets.rpo or "not set"),
        "rto": str(policy.targets.rto or "not set"),
        "orphan_grace": str(policy.orphan_grace),
    }
