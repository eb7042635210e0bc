"""Runbooks: the Markdown beside each tier's module, filled with what the policy says, without any secret.

A tier's own page (``nightly.md``) says what the DAG is for. What each task does and what to do when it is red stands
once, in ``tasks.md``; a runbook holds the sections of the tasks that its DAG has, and of no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from airflow.sdk import DAG

from holdfast.values import figures
from holdfast_dags.protected import Protected

_ANY_COMMAND = "command"
_SECTION = re.compile(r"^### `(\w+)`\n", re.MULTILINE)
_FOLDER = Path(__file__).parent


def attached(
    dag: DAG,
    tier: str,
    protected: Protected,
    *,
    commands: Mapping[str, str] | None = None,
    is_operation: bool = False,
) -> DAG:
    """The DAG with its runbook, and each of its tasks with its own section of it.

    ``commands`` are the policy's, by the ids of their tasks, which share one section. An operation's own tasks have
    sections of their own (``operation_tasks.md``); those in its groups are what they are elsewhere. Raises KeyError
    where the runbook forgets a task.
    """
    facts = _facts(tier, protected)
    sections = _sections(_filled("tasks", facts))
    own = _sections(_filled("operation_tasks", facts)) if is_operation else {}
    for task_id, command in (commands or {}).items():
        sections[task_id] = f"Runs `{command}`. {sections[_ANY_COMMAND]}"
    tasks = list(dag.topological_sort())  # type: ignore[no-untyped-call]
    for task in tasks:
        _, is_grouped, name = task.task_id.rpartition(".")
        task.doc_md = sections[name] if is_grouped else own.get(name) or sections[name]
    dag.doc_md = _filled(tier, facts | {"tasks": _joined((task.task_id, str(task.doc_md)) for task in tasks)})
    return dag


def _filled(name: str, facts: dict[str, str]) -> str:
    return Template((_FOLDER / f"{name}.md").read_text(encoding="utf-8")).substitute(facts)


def _sections(text: str) -> dict[str, str]:
    parts = _SECTION.split(text)
    return {name: section.strip() for name, section in zip(parts[1::2], parts[2::2], strict=True)}


def _joined(sections: Iterable[tuple[str, str]]) -> str:
    return "\n\n".join(f"### `{name}`\n{section}" for name, section in sections)


def _facts(tier: str, protected: Protected) -> dict[str, str]:
    policy, declared = protected.policy, protected.tier(tier)
    return {
        "app": protected.app,
        "environment": protected.environment,
        "dag_id": protected.dag_id(tier),
        "policy": protected.policy_file.name,
        "tier": tier,
        "when": f"`{declared.schedule}` ({policy.timezone})" if declared.schedule else "by hand only",
        "also_when": f", `{declared.schedule}` ({policy.timezone})" if declared.schedule else "",
        "contents": _contents(protected),
        "rules": _rules(protected),
        "keep": str(declared.keep) if declared.keep else "for ever",
        "min_size": f"{declared.min_size_ratio:.0%}",
        "media_keep": _media_keep(protected),
        "fraction": f"{declared.fraction:.0%}",
        "sources": _sources(protected),
        "media": policy.media.source if policy.media else "none",
        "store": policy.store.url,
        "store_connection": f", connection `{policy.store.conn_id}`" if policy.store.conn_id else "",
        "rpo": str(policy.targets.rpo or "not set"),
        "rto": str(policy.targets.rto or "not set"),
        "orphan_grace": str(policy.orphan_grace),
        **_wal(protected),
        **_approval(protected),
        **_live(protected),
    }


def _wal(protected: Protected) -> dict[str, str]:
    """How WAL is streamed, and how base backups join it."""
    rules = protected.policy.wal
    return {
        "slot": rules.slot_of(protected.app, protected.environment),
        "wal_run": str(rules.run),
        "full_every": str(rules.full_every),
        "wait_for_wal": str(rules.wait_for_wal),
        "retained_warning": figures.size(rules.retained_warning),
        "retained_page": figures.size(rules.retained_page),
    }


def _approval(protected: Protected) -> dict[str, str]:
    """Who has to agree to a drill, and how long there is for it."""
    rules = protected.policy.approval
    people = "two people" if rules.needed == 2 else "one person"
    named = f", each one of {', '.join(f'`{name}`' for name in rules.approvers)}" if rules.approvers else ""
    return {"approvers": f"{people} who did not trigger it{named}", "within": str(rules.within)}


def _live(protected: Protected) -> dict[str, str]:
    """How the live application may be changed."""
    rules, migration = protected.policy.restore, protected.policy.migration
    return {
        "live_connection": rules.conn_id or protected.policy.database.conn_id,
        "keep_replaced": str(rules.keep_replaced),
        "window": "required" if rules.window == "required" else "may be given",
        "migration": migration.command if migration is not None else "none",
        "follow_up": ", ".join(f"`{line}`" for line in migration.follow_up) if migration is not None else "none",
    }


def _rules(protected: Protected) -> str:
    """How long the restore points of each tier are kept."""
    return ", ".join(f"{name} {tier.keep}" for name, tier in protected.tiers.items() if tier.keep)


def _media_keep(protected: Protected) -> str:
    """How long media snapshots of the tier media are kept, which for want of a rule is as long as nightly ones."""
    rules = [protected.tiers[tier].keep for tier in ("media", "nightly") if tier in protected.tiers]
    return str(next((keep for keep in rules if keep), "for ever"))


def _contents(protected: Protected) -> str:
    """What a restore point of this environment holds, in words."""
    policy = protected.policy
    parts = [
        "the database",
        *(["the uploaded media"] if policy.media else []),
        *(["the configuration inventory"] if policy.inventory else []),
    ]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _sources(protected: Protected) -> str:
    """The rows of a runbook's table that name what is backed up."""
    policy = protected.policy
    rows = [f"| database | connection `{policy.database.conn_id}` |"]
    if policy.media:
        connection = f", connection `{policy.media.conn_id}`" if policy.media.conn_id else ""
        rows.append(f"| media | `{policy.media.source}`{connection} |")
    if policy.inventory:
        rows.append(f"| inventory | `{Path(policy.inventory.file).name}` |")
    return "\n".join(rows)
