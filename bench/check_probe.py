"""One restore check in a process of its own, as a worker takes it. Run by the measure ``restore-check``."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

_STARTED = time.monotonic()


def main(policy: Path, name: str, id: str) -> None:
    """Print the seconds of its parts as one JSON object; a check that did not pass is no measure."""
    from holdfast.drill import run_restore_check
    from holdfast.environment import open_environment
    from holdfast.evidence import read_evidence
    from holdfast.values.airflow_conn import EnvironmentConnections
    from holdfast.values.ids import RestorePointId

    environment = open_environment(policy, name, EnvironmentConnections(os.environ))
    begun = time.monotonic()
    done = run_restore_check(environment, RestorePointId.parse(id))
    ended = time.monotonic()
    if done.verdict != "passed":
        sys.exit(f"restore check of {id}: {'; '.join(done.findings)}")
    evidence = read_evidence(environment, RestorePointId.parse(done.id))
    assert evidence.surroundings is not None
    steps = {step.name: step.seconds for step in evidence.steps}
    facts = {fact: value for step in evidence.steps for fact, value in step.facts.items()}
    rest = ended - begun - sum(steps.values())
    print(
        json.dumps(
            {
                "loading": begun - _STARTED,
                "ready": evidence.surroundings.ready_seconds,
                "fetch": facts["fetch seconds"],
                "pg_restore": facts["restore seconds"],
                "count": facts["count seconds"],
                **steps,
                "rest": rest,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
