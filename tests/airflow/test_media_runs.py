"""Runs with media, run for real: a PostgreSQL server, a directory of uploads, a store of each kind, and every task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.models.asset import AssetEvent
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow.utils.session import create_session
from sqlalchemy import select

from dag_runs import DUE, returned, run_once, states
from fix_environment import MakeSite, Site
from holdfast.catalog.restore_checks import write_restore_check
from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.values.ids import RestorePointId
from holdfast_airflow.operators import RowCountsOperator, StoreGuardOperator
from holdfast_airflow.operators.row_counts import SHOWN
from holdfast_airflow.sensors import RestoreCheckSensor
from holdfast_embedded.seaweedfs import SeaweedFS
from point_factory import make_check

TABLES = """
CREATE TABLE uploads (id int PRIMARY KEY, path text);
CREATE TABLE orders (id int PRIMARY KEY, total numeric);
INSERT INTO uploads VALUES (1, 'courses/cover.png'), (2, 'certificates/old.png');
INSERT INTO orders SELECT n, n FROM generate_series(1, 1500) n;
"""
INVENTORY = """\
app: shop
variables:
  DATABASE_URL: {owner: "Platform", rotates: ["DBA"], secret_in: "hosting platform", kind: database}
"""
LABEL = "pre-deploy-2026.11.3"
Adopt = Callable[..., DAG]


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """What the application's users have uploaded."""
    folder = tmp_path / "uploads"
    (folder / "courses").mkdir(parents=True)
    (folder / "courses/cover.png").write_bytes(b"\x89PNG" + bytes(range(256)) * 40)
    (folder / "courses/notes.txt").write_text("notes\n" * 300)
    return folder


@pytest.fixture(params=["local", "s3"])
def site(
    request: pytest.FixtureRequest,
    make_site: MakeSite,
    make_database: Callable[..., str],
    tmp_path: Path,
    uploads: Path,
) -> Site:
    """An app with uploads, whose backups go to a directory, or to an S3 server."""
    url = make_database(TABLES)
    if request.param == "local":
        return with_media(make_site(url), uploads)
    seaweed = request.getfixturevalue("seaweed")
    bucket = request.getfixturevalue("bucket")
    store = {"store_url": f"s3://{bucket}/{tmp_path.name}", "store_conn": seaweed.connection_json()}
    return with_media(make_site(url, **store), uploads)


@pytest.fixture
def local_site(make_site: MakeSite, make_database: Callable[..., str], uploads: Path) -> Site:
    """The same with a store in a directory."""
    return with_media(make_site(make_database(TABLES)), uploads)


def with_media(site: Site, uploads: Path) -> Site:
    """The site with media, their references, and the tiers that need them."""
    media = f'    media: {{source: "file://{uploads}"}}\n    media_references: SELECT path FROM uploads\n'
    site.edit_policy("    tiers:\n", f"{media}    tiers:\n      media: {{keep: 35d}}\n      media_check: {{}}\n")
    return site


def events(asset: str) -> list[dict[str, Any]]:
    """What the events of an asset carried, oldest first."""
    with create_session() as session:
        found = session.scalars(select(AssetEvent).order_by(AssetEvent.id)).all()
        return [event.extra for event in found if event.asset.name == asset]


def test_nightly_restore_point_is_paired_with_its_media(site: Site, adopt: Adopt) -> None:
    """One id for both; the asset's event names the snapshot; what the database misses is counted."""
    run = run_once(adopt(site))
    assert set(states(run).values()) == {"success"}
    id = returned(run, "open")
    media = returned(run, "media")
    assert (media["snapshot"], media["files"], media["new_files"]) == (id, 2, 2)
    assert (media["missing_references"], media["unreferenced_files"]) == (1, 1)
    assert returned(run, "manifest")["media_snapshot"] == id
    assert events("shop-production.restore-points")[-1]["media_snapshot"] == id
    assert events("shop-production.media-snapshots")[-1]["snapshot"] == id
    environment = site.environment()
    manifest = environment.catalog.manifest(RestorePointId.parse(id), environment.verifier())
    assert manifest.media is not None and manifest.media.references is not None
    assert manifest.media.references.missing_paths == ("certificates/old.png",)
    assert manifest.media.references.unreferenced_paths == ("courses/notes.txt",)


def test_media_run_stores_what_is_new(local_site: Site, adopt: Adopt, uploads: Path) -> None:
    """Incremental, one snapshot for each run however often its tasks run, and expired by the tier's rule."""
    dag = adopt(local_site, "media")
    first = run_once(dag)
    assert set(states(first).values()) == {"success"}
    assert returned(first, "media_sync")["new_files"] == 2
    assert returned(run_once(dag), "media_sync")["snapshot"] == returned(first, "media_sync")["snapshot"]
    (uploads / "courses/new.txt").write_text("new")
    second = returned(run_once(dag, DUE + timedelta(hours=1)), "media_sync")
    assert (second["files"], second["new_files"]) == (3, 1)
    late = run_once(dag, DUE + timedelta(days=40))
    assert returned(late, "expire")["media"]["snapshots_deleted"] >= 1


def test_media_runs_need_no_identity(local_site: Site, adopt: Adopt, uploads: Path) -> None:
    """Workers that take backups do not have it: they read the last listing with what they sign with."""
    (local_site.keys / "identity.txt").unlink()
    dag = adopt(local_site, "media")
    run_once(dag)
    (uploads / "courses/new.txt").write_text("new")
    second = run_once(dag, DUE + timedelta(hours=1))
    assert set(states(second).values()) == {"success"}
    assert returned(second, "media_sync")["new_files"] == 1


def test_source_that_is_suddenly_empty_is_refused_unless_the_form_believes_it(
    local_site: Site, adopt: Adopt, uploads: Path
) -> None:
    """A file system that is not mounted must not become the newest snapshot."""
    dag = adopt(local_site, "media")
    run_once(dag)
    for file in uploads.rglob("*.*"):
        file.unlink()
    refused = run_once(dag, DUE + timedelta(hours=1))
    assert states(refused) == {"store_guard": "success", "media_sync": "failed", "expire": "upstream_failed"}
    forced = run_once(dag, DUE + timedelta(hours=2), force=True)
    assert returned(forced, "media_sync")["files"] == 0


def test_damaged_media_fail_the_check_and_are_told(
    local_site: Site, adopt: Adopt, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its facts are left behind; the log names files and snapshots; the next snapshot mends it."""
    sync, check = adopt(local_site, "media"), adopt(local_site, "media_check")
    snapshot = returned(run_once(sync), "media_sync")["snapshot"]
    whole = run_once(check)
    assert (whole.state, returned(whole, "media_check")["files_checked"]) == ("success", 2)
    for shard in (local_site.store_folder / "shop/production/media/shards").iterdir():
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.chmod(0o600)
        shard.write_bytes(content)
    capfd.readouterr()
    broken = run_once(check, DUE + timedelta(hours=1))
    assert states(broken) == {"media_check": "failed"}
    facts = returned(broken, "media_check")
    assert (facts["ok"], facts["damaged_files"] >= 1) == (False, True)
    assert facts["damaged"][0]["path"].startswith("courses/")
    assert facts["damaged"][0]["snapshots"] == [snapshot]
    log = capfd.readouterr().out
    assert f"snapshots hit: {snapshot}" in log
    assert f"damaged: {facts['damaged'][0]['path']} in {snapshot}" in log
    mended = run_once(sync, DUE + timedelta(hours=2))
    assert returned(mended, "media_sync")["read_files"] >= 1


def test_snapshot_run_returns_its_restore_point(local_site: Site, adopt: Adopt) -> None:
    """Every line of the pre-deployment list is a task that is green; the last one tells the id."""
    run = run_once(adopt(local_site, "snapshot"), label=LABEL, reason="the invoices")
    assert set(states(run).values()) == {"success"}
    id = returned(run, "open")
    counts = returned(run, "row_counts")
    assert counts["counts"] == {"public.orders": 1500, "public.uploads": 2}
    assert counts["counts_left_out"] == 0
    outcome = returned(run, "outcome")
    assert (outcome["restore_point"], outcome["outcome"], outcome["label"]) == (id, "committed", LABEL)
    assert outcome["media_snapshot"] == id
    assert local_site.ids() == [id]


def test_snapshot_without_a_label_is_refused_by_its_trigger(local_site: Site, adopt: Adopt) -> None:
    """Before there is a run."""
    dag = adopt(local_site, "snapshot")
    for form in ({}, {"label": ""}, {"label": None}, {"label": "two words"}, {"label": 7}):
        with pytest.raises(Exception, match="Invalid input for param label"):
            run_once(dag, **form)


@pytest.mark.parametrize("label", [None, "", "  ", 7])
def test_snapshot_without_a_label_that_got_past_it_fails_at_once(local_site: Site, adopt: Adopt, label: object) -> None:
    """A form that nobody checked opens nothing."""
    from holdfast_airflow.operators import OpenSnapshotOperator

    adopt(local_site, "snapshot")
    with pytest.raises(AirflowFailException, match="the label is missing"):
        OpenSnapshotOperator(task_id="open", **place(local_site)).execute(context(params={"label": label}))
    assert local_site.stored_files() == []


def test_restore_check_without_its_tier_fails_before_any_dump(
    local_site: Site, adopt: Adopt, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing would ever make the check that the run would wait for."""
    run = run_once(adopt(local_site, "snapshot"), label=LABEL, restore_check=True)
    found = states(run)
    assert (found.pop("store_guard"), found.pop("open")) == ("success", "failed")
    assert set(found.values()) == {"upstream_failed"}
    assert "declares no tier restore_check" in capfd.readouterr().out
    assert {name.split("/")[2] for name in local_site.stored_files()} == {"audit"}


def test_snapshot_that_does_not_ask_for_a_restore_check_skips_it(local_site: Site, adopt: Adopt) -> None:
    """The rest goes on."""
    local_site.edit_policy("      snapshot:", "      restore_check: {}\n      snapshot:")
    run = run_once(adopt(local_site, "snapshot"), label=LABEL)
    found = states(run)
    assert found.pop("restore_check") == "skipped"
    assert set(found.values()) == {"success"}


def test_store_that_is_not_fit_stops_everything(
    make_site: MakeSite,
    make_database: Callable[..., str],
    seaweed: SeaweedFS,
    bucket: str,
    adopt: Adopt,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The application's own login could delete the backups: nothing is opened, and the guard's facts are there."""
    site = make_site(make_database(TABLES), store_url=f"s3://{bucket}/holdfast", store_conn=seaweed.connection_json())
    media = f'    media: {{source: "s3://{seaweed.create_bucket(f"{bucket}-uploads")}", conn_id: shop_store}}\n'
    site.edit_policy("    tiers:\n", f"{media}    tiers:\n")
    run = run_once(adopt(site))
    found = states(run)
    assert found.pop("store_guard") == "failed"
    assert set(found.values()) == {"upstream_failed"}
    facts = returned(run, "store_guard")
    assert facts["failures"] >= 1
    assert "credentials" in [finding["name"] for finding in facts["findings"]]
    assert "not fit for backups: credentials: " in capfd.readouterr().out
    assert list(site.environment().store.list("")) == []


def place(site: Site) -> dict[str, str]:
    return {"policy_file": str(site.policy_file), "environment": "production"}


def context(**more: object) -> Context:
    """What a task is told of its run."""
    run = SimpleNamespace(run_after=DUE, dag_id="shop-production.snapshot", run_id="manual__1")
    task = SimpleNamespace(get_first_reschedule_date=lambda context: None)
    return cast(Context, {"dag_run": run, "ti": task, **more})


class Checked:
    """A committed restore point, and restore checks of it as a later run would write them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.environment: Environment = site.environment()
        self.id = RestorePointId.parse(site.backup())

    def write(self, signer: Signer | None = None, **fields: object) -> None:
        """Leave a signed record."""
        moment = datetime(2026, 11, 22, 5, tzinfo=DUE.tzinfo)
        sound = make_check(self.id, moment)
        write_restore_check(
            self.environment.catalog, sound.model_copy(update=fields), signer or self.environment.signer()
        )

    def copy(self) -> None:
        """Put the record of another restore point, sound and signed, beside this one."""
        other = RestorePointId.parse(self.site.backup())
        sound = make_check(other, datetime(2026, 11, 22, 5, tzinfo=DUE.tzinfo))
        key = write_restore_check(self.environment.catalog, sound, self.environment.signer())
        for name in (key, key.removesuffix(".json") + ".sig"):
            here = name.replace(str(other), str(self.id))
            self.environment.store.put(here, [self.environment.store.get(name)])

    def wait(self, **more: Any) -> None:
        """Let the sensor look once."""
        sensor = RestoreCheckSensor(task_id="restore_check", restore_point=str(self.id), **more, **place(self.site))
        sensor.execute(context())


@pytest.fixture
def checked(local_site: Site, adopt: Adopt) -> Checked:
    adopt(local_site)
    return Checked(local_site)


def test_restore_check_is_awaited_without_holding_a_worker(checked: Checked) -> None:
    """No record yet: the task is put off. There it is, and passed: it goes on, and the outcome says so."""
    with pytest.raises(AirflowRescheduleException):
        checked.wait()
    checked.write()
    checked.wait()


def test_restore_check_that_nobody_asked_for_is_skipped(checked: Checked) -> None:
    """As a template renders the form's box."""
    with pytest.raises(AirflowSkipException):
        checked.wait(is_wanted="False")


def test_restore_check_that_did_not_pass_fails_for_good(checked: Checked) -> None:
    """With its faults."""
    checked.write(passed=False, faults=("table public.orders: 1499 rows instead of 1500",))
    with pytest.raises(AirflowFailException, match="1499 rows instead of 1500"):
        checked.wait()


def test_restore_check_of_another_point_is_refused(checked: Checked) -> None:
    """A sound record that was copied from elsewhere proves nothing here."""
    checked.copy()
    with pytest.raises(AirflowFailException, match="it is the restore check of shop/production/2"):
        checked.wait()


def test_restore_check_of_another_signer_is_refused(checked: Checked, tmp_path: Path) -> None:
    """Whoever can write to the store alone cannot make a check pass."""
    new_keys(tmp_path / "other")
    checked.write(signer=Signer.load(tmp_path / "other/signing.pem"))
    with pytest.raises(AirflowFailException, match=r"restore-check-[0-9a-z_-]+\.json"):
        checked.wait()


def test_restore_check_that_never_comes_is_told(checked: Checked) -> None:
    """The message says what is missing, where, and after how long."""
    with pytest.raises(AirflowSensorTimeout, match=r"no restore check after 0:00:00: no record restore-check-"):
        checked.wait(timeout=0)


def test_row_counts_of_many_tables_are_cut_for_xcom(
    make_site: MakeSite, make_database: Callable[..., str], adopt: Adopt, caplog: pytest.LogCaptureFixture
) -> None:
    """The largest are kept, the log has all."""
    many = SHOWN + 20
    tables = "".join(f"CREATE TABLE t{n} AS SELECT generate_series(1, {n + 1}) AS id;\n" for n in range(many))
    site = make_site(make_database(tables))
    adopt(site)
    operator = RowCountsOperator(task_id="row_counts", restore_point=site.backup(), **place(site))
    facts = operator.execute(context())
    assert (len(facts["counts"]), facts["counts_left_out"], facts["tables"]) == (SHOWN, 20, many)
    assert facts["counts"][f"public.t{many - 1}"] == many
    assert "public.t0" not in facts["counts"]


def test_guard_tells_every_check(local_site: Site, adopt: Adopt) -> None:
    """How many there were, and those that are not well."""
    adopt(local_site)
    facts = StoreGuardOperator(task_id="store_guard", **place(local_site)).execute(context())
    assert facts["checks"] >= 1
    assert facts["failures"] == 0
