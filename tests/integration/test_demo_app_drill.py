"""The example policy of Coursepedia as it is shipped: whole drills of the demo, with its application's own commands."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from fix_demo_app import DemoApp
from fix_postgres import execute
from holdfast.backup import run_backup
from holdfast.crypto.keyfiles import new_keys
from holdfast.drill import run_drill
from holdfast.environment import Environment, open_environment
from holdfast.evidence import read_evidence
from holdfast.manifest.evidence import Evidence
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId

DAGS = Path(__file__).parents[2] / "dags"
STORE = 'store: {url: "s3://coursepedia-backups/holdfast", conn_id: coursepedia_backup_store}'


@pytest.fixture
def environment(
    demo_app: DemoApp,
    demo_database: str,
    demo_media: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Environment:
    """The shipped policy with its store in a local folder."""
    state, keys = tmp_path / "state", tmp_path / "keys"
    for folder, source in ((state / "app", demo_app.folder), (state / "media", demo_media)):
        folder.mkdir(parents=True)
        (folder / "coursepedia").symlink_to(source)
    new_keys(keys)
    monkeypatch.setenv("HOLDFAST_STATE", str(state))
    monkeypatch.setenv("HOLDFAST_KEYS", str(keys))
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(tmp_path / "r"))
    monkeypatch.setenv("PATH", demo_app.path)
    policy = (DAGS / "coursepedia.yaml").read_text()
    assert STORE in policy
    (tmp_path / "coursepedia.yaml").write_text(policy.replace(STORE, f'store: {{url: "file://{tmp_path}/store"}}'))
    shutil.copy(DAGS / "coursepedia.inventory.yaml", tmp_path)
    connections = EnvironmentConnections({"AIRFLOW_CONN_COURSEPEDIA_PRODUCTION_DB": demo_database})
    return open_environment(tmp_path / "coursepedia.yaml", "production", connections)


def drilled(environment: Environment) -> Evidence:
    """The evidence of a drill of the newest restore point, with all media."""
    facts = run_drill(environment, None, media="all")
    assert list((environment.policy_file.parent / "r").glob("*restore_drill*")) == []
    return read_evidence(environment, RestorePointId.parse(facts.id))


def test_drill_of_the_demo_passes_within_a_minute(environment: Environment) -> None:
    """Every step down to the QR codes, with the commands confined."""
    run_backup(environment, "nightly")
    started = time.monotonic()
    evidence = drilled(environment)
    assert evidence.findings == ()
    assert evidence.verdict == "passed"
    assert time.monotonic() - started <= 60
    steps = {step.name: step for step in evidence.steps}
    assert [name for name in steps if name.startswith("pnpm")] == ["pnpm_db_reconcile", "pnpm_check"]
    said = "\n".join(steps["pnpm_check"].notes)
    assert "of 852 pictures 852 are here and whole" in said
    assert "course totals: 22 courses" in "\n".join(steps["pnpm_db_reconcile"].notes)
    assert evidence.surroundings is not None
    assert evidence.surroundings.confinement is not None
    assert evidence.surroundings.confinement.network == "isolated"


@pytest.mark.parametrize(
    ("sabotage", "step", "said"),
    [
        ("UPDATE orders SET total_cents = total_cents + 1 WHERE id = 7", "pnpm_db_reconcile", "CP-100007"),
        ("DELETE FROM audit_log WHERE entity_id = 8", "pnpm_check", "without an entry"),
    ],
)
def test_drill_of_wrong_data_fails_at_the_command_that_sees_it(
    environment: Environment, demo_database: str, sabotage: str, step: str, said: str
) -> None:
    """What was wrong before the backup is faithfully restored: only the application knows."""
    execute(demo_database, sabotage)
    run_backup(environment, "nightly")
    evidence = drilled(environment)
    assert evidence.verdict == "failed"
    (failed,) = (each for each in evidence.steps if each.outcome == "failed")
    assert failed.name == step
    assert said in "\n".join(failed.notes)
    assert [finding.about for finding in failed.findings] == ["backup"]
