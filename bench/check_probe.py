"""One restore check in a process of its own, as a worker takes it. Run by the measure ``restore-check``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from holdfast.drill import run_restore_check
from holdfast.environment import open_environment
from holdfast.evidence import read_evidence
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId


def main(policy: Path, name: str, id: str) -> None:
    """Print the seconds of each step as one JSON object; a check that did not pass is no measure."""
    environment = open_environment(policy, name, EnvironmentConnections(os.environ))
    done = run_restore_check(environment, RestorePointId.parse(id))
    if done.verdict != "passed":
        sys.exit(f"restore check of {id}: {'; '.join(done.findings)}")
    evidence = read_evidence(environment, RestorePointId.parse(done.id))
    assert evidence.surroundings is not None
    steps = {step.name: step.seconds for step in evidence.steps}
    facts = {
        name: value
        for step in evidence.steps
        for name, value in step.facts.items()
        if name.endswith("seconds") and isinstance(value, int | float)
    }
    print(json.dumps({"ready": evidence.surroundings.ready_seconds, "steps": steps, "facts": facts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
