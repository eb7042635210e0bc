"""Airflow as it really runs, with media: what a pipeline does through the API, and a sync that is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fix_airflow import HASTY_MODULE, Airflow, app_site, await_true, is_alive, running_airflow
from fix_environment import PROJECT, Site
from fix_postgres import execute
from holdfast.errors import PermanentError
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

pytestmark = pytest.mark.timeout(600)

LABEL = "pre-deploy-2026.11.3"
MIB = 1 << 20
# More than two shards, of bytes that nobody can make smaller: time to be caught at work.
FILES = 60
FILE_BYTES = 12 * MIB


@pytest.fixture(scope="module")
def site(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app with a small table and many large uploads."""
    url = pg18.create_database("pipeline")
    execute(url, "CREATE TABLE orders AS SELECT generate_series(1, 1500) AS id")
    folder = tmp_path_factory.mktemp("site")
    uploads = folder / "uploads"
    uploads.mkdir()
    (uploads / "cover.txt").write_text("cover")
    made = app_site(folder, {"AIRFLOW_CONN_SHOP_DB": url})
    made.policy_file.with_suffix(".py").write_text(HASTY_MODULE)
    made.edit_policy(
        "    tiers:\n", f'    media: {{source: "file://{uploads}"}}\n    tiers:\n      media: {{keep: 9d}}\n'
    )
    yield made
    execute(pg18.url(), "DROP DATABASE pipeline WITH (FORCE)")


@pytest.fixture(scope="module")
def airflow(pg18: Cluster, site: Site) -> Iterator[Airflow]:
    with running_airflow(pg18, site) as running:
        await_true(lambda: running.api.get("dags/shop-production.snapshot") is not None, 90, "the DAG is known")
        yield running


def readme_example() -> str:
    """The pipeline of the README, with the app of this test in the place of the demo's."""
    (example,) = re.findall(r"```bash\n(AIRFLOW=.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert "coursepedia-production.snapshot" in example
    return example.replace("coursepedia-production", "shop-production").replace("sleep 5", "sleep 1")


def run_example(airflow: Airflow) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", readme_example()],
        env={"PATH": os.environ["PATH"], "AIRFLOW": airflow.url, "AIRFLOW_PASSWORD": airflow.password},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_pipeline_of_the_readme_gets_its_restore_point(airflow: Airflow) -> None:
    """Word for word: a token, a run with a label, its end, and the id on stdout alone. A second time it is refused."""
    done = run_example(airflow)
    assert done.returncode == 0, done.stderr
    id = done.stdout.strip()
    environment = airflow.site.environment()
    manifest = environment.catalog.manifest(RestorePointId.parse(id), environment.verifier())
    assert manifest.label == LABEL
    assert manifest.media is not None
    assert airflow.site.ids() == [id]
    again = run_example(airflow)
    assert (again.returncode, again.stdout) == (1, "")


@pytest.mark.parametrize("form", [{}, {"label": ""}, {"label": "two words"}, {"label": "x", "restore_check": "yes"}])
def test_form_that_cannot_be_met_starts_no_run(airflow: Airflow, form: dict[str, object]) -> None:
    """Also through the API: the answer names the field."""
    before = airflow.api.get("dags/shop-production.snapshot/dagRuns")["total_entries"]
    with pytest.raises(PermanentError, match=r"HTTP 400: .*Invalid input for param"):
        airflow.trigger("snapshot", **form)
    assert airflow.api.get("dags/shop-production.snapshot/dagRuns")["total_entries"] == before


def test_restore_check_that_nothing_makes_fails_at_the_start(airflow: Airflow) -> None:
    """The run fails before its dump, instead of waiting for hours."""
    run = airflow.trigger("snapshot", label=LABEL, restore_check=True)
    assert airflow.end_of(run) == "failed"
    assert airflow.task(run, "open")["state"] == "failed"
    assert airflow.task(run, "dump")["state"] == "upstream_failed"


def test_killed_sync_converges_and_uses_what_it_had_stored(airflow: Airflow) -> None:
    """Kill -9 of the task amid its sync: the retry makes one snapshot, and reads less than everything again."""
    uploads = airflow.site.folder / "uploads"
    for number in range(FILES):
        (uploads / f"film {number}.bin").write_bytes(os.urandom(FILE_BYTES))
    before = set(shards(airflow.site))
    snapshots = len(media_snapshots(airflow.site))
    run = airflow.trigger("media")
    await_true(lambda: set(shards(airflow.site)) - before, 120, "a shard is stored", every_s=0.01)
    task = int(airflow.task(run, "media_sync")["pid"])
    os.kill(task, signal.SIGKILL)
    await_true(lambda: not is_alive(task), 10, "the task is gone")
    assert len(media_snapshots(airflow.site)) == snapshots
    survivors = set(shards(airflow.site)) - before
    assert airflow.end_of(run) == "success"
    assert airflow.task(run, "media_sync")["try_number"] == 2
    facts = airflow.returned(run, "media_sync")
    assert facts["files"] == FILES + 1
    assert len(media_snapshots(airflow.site)) == snapshots + 1
    environment = airflow.site.environment()
    id = RestorePointId.parse(facts["snapshot"])
    named = {use.id for use in environment.media_catalog.manifest(id, environment.verifier()).shards}
    assert survivors & named
    assert facts["stored_bytes"] < FILES * FILE_BYTES
    assert not list((airflow.site.store_folder / "shop/production/media").glob("drafts/*/*"))


def shards(site: Site) -> list[str]:
    """The shards whose index is stored too, so that a rerun can use them, and those of committed snapshots."""
    folder = site.store_folder / "shop/production/media"
    indexed = {path.name.removesuffix(".sig") for path in folder.glob("drafts/*/*.sig")}
    stored = {path.name.removesuffix(".tar.age") for path in folder.glob("shards/*.tar.age")}
    return sorted(indexed & stored)


def media_snapshots(site: Site) -> list[Path]:
    """The committed media snapshots."""
    return sorted((site.store_folder / "shop/production/media/snapshots").glob("*.json"))
