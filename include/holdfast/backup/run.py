"""A whole backup in one process, as the CLI takes it: the same steps that the nightly DAG runs as tasks."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from holdfast.backup.commit import commit_manifest
from holdfast.backup.dump import dump_database
from holdfast.backup.facts import StepFacts
from holdfast.backup.opening import open_restore_point
from holdfast.backup.verification import verify_list
from holdfast.environment import Environment
from holdfast.progress import Progress, Silent

_SILENT = Silent()


def run_backup(
    environment: Environment, tier: str, *, label: str | None = None, progress: Progress = _SILENT
) -> StepFacts:
    """Open, dump, verify and commit one restore point; raises what the steps raise."""
    started = time.monotonic()
    origin = secrets.token_hex(16)
    id = open_restore_point(environment, tier=tier, opened_at=environment.clock(), origin=origin, label=label)
    dump_database(environment, id, progress=progress)
    verify_list(environment, id, progress=progress)
    facts = commit_manifest(environment, id, progress=progress)
    return replace(facts, seconds=time.monotonic() - started)
