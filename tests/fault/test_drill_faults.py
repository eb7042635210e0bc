"""Faults planted into drills and restore checks: none passes, each is blamed on whom it belongs to, nothing is left."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import override

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.catalog import write_signed
from holdfast.catalog.restore_checks import RestoreCheck, read_restore_check
from holdfast.crypto.keyfiles import new_keys
from holdfast.drill import (
    EvidenceFacts,
    check_database,
    open_drill,
    record_evidence,
    recovery_environment,
    remove_recovery,
    restore_database,
    run_drill,
    run_restore_check,
)
from holdfast.environment import Environment
from holdfast.evidence import read_evidence, verify_evidence
from holdfast.expire import expire
from holdfast.manifest.model import Manifest
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect
from holdfast.progress import Silent
from holdfast.recovery import opened_recovery, recovery_root
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

Make = Callable[..., str]
SHOP = """
CREATE TABLE buyers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id serial PRIMARY KEY, buyer int NOT NULL REFERENCES buyers);
INSERT INTO buyers SELECT n, 'buyer ' || n FROM generate_series(1, 40) n;
INSERT INTO orders (buyer) SELECT 1 + n % 40 FROM generate_series(1, 200) n;
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where recovery environments are made; nothing must be left there, nor run there."""
    folder = tmp_path / "recovery"
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(folder))
    yield folder
    assert not folder.exists() or list(folder.iterdir()) == []
    assert processes_of(folder) == []


@pytest.fixture
def shop(make_database: Make, make_site: MakeSite, root: Path) -> Site:
    """A shop with a restore point."""
    return with_point(make_site(make_database(SHOP)), root)


def with_point(site: Site, root: Path) -> Site:
    site.variables["HOLDFAST_RECOVERY"] = str(root)
    site.backup()
    return site


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that know the folder, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in line or where.startswith(str(folder)):
            found.append(line)
    return found


def the_point(site: Site) -> RestorePointId:
    (id,) = site.ids()
    return RestorePointId.parse(id)


def open_check(environment: Environment, id: RestorePointId | None = None) -> RestorePointId:
    """Open a restore check whose steps are taken one by one."""
    return open_drill(
        environment,
        kind="restore_check",
        opened_at=datetime.now(UTC),
        origin="test",
        restore_point=id,
        media="none",
        reason=None,
        requested_by=None,
    )


def check(site: Site) -> EvidenceFacts:
    """A restore check of the only restore point, whose evidence must be sound whatever came of it."""
    environment = site.environment()
    facts = run_restore_check(environment, the_point(site))
    evidence = RestorePointId.parse(facts.id)
    assert [fault for fault in verify_evidence(environment, evidence) if "manifest" not in fault] == []
    return facts


def record(site: Site) -> RestoreCheck | None:
    environment = site.environment()
    return read_restore_check(environment.catalog, the_point(site), environment.verifier())


def blamed(site: Site, facts: EvidenceFacts) -> set[str]:
    """Whom the findings speak against."""
    evidence = read_evidence(site.environment(), RestorePointId.parse(facts.id))
    return {finding.about for finding in evidence.findings}


def assert_against_the_backup(site: Site, facts: EvidenceFacts, text: str) -> None:
    """It failed, said so, and the restore point's newest record does."""
    assert facts.verdict == "failed"
    assert text in " ".join(facts.findings)
    assert "backup" in blamed(site, facts)
    found = record(site)
    assert found is not None
    assert not found.passed
    assert text in " ".join(found.faults)
    assert found.check == facts.id


def assert_against_the_drill(site: Site, facts: EvidenceFacts, text: str) -> None:
    """It failed, but nothing is said about the backup."""
    assert facts.verdict == "failed"
    assert text in " ".join(facts.findings)
    assert blamed(site, facts) == {"drill"}
    assert record(site) is None


def resign(site: Site, change: Callable[[Manifest], Manifest]) -> None:
    """Put another manifest in the place of the restore point's, signed by the same key."""
    environment, id = site.environment(), the_point(site)
    manifest = change(environment.catalog.manifest(id, environment.verifier()))
    key, signature = environment.keys.manifest(id), environment.keys.signature(id)
    for name in (key, signature):
        environment.store.delete(name)
    write_signed(environment.store, key, signature, manifest.encode(), environment.signer())


def with_rows(manifest: Manifest, table: str, more: int) -> Manifest:
    """The manifest as of a source whose table had more rows, or fewer."""
    source = manifest.database.source
    tables = tuple(
        each.model_copy(update={"rows": each.rows + (more if each.name == table else 0)}) for each in source.tables
    )
    database = manifest.database.model_copy(update={"source": source.model_copy(update={"tables": tables})})
    return manifest.model_copy(update={"database": database})


@contextmanager
def file_system(place: Path, size: str) -> Iterator[None]:
    """A file system of that size in memory."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        place.rmdir()


@pytest.mark.parametrize("size", ["8m", "72m"])
def test_full_scratch_says_nothing_about_the_backup(
    make_database: Make, make_site: MakeSite, root: Path, size: str
) -> None:
    """Neither while the server is made, nor amid the restore; with room the same restore point passes."""
    wide = (
        "CREATE TABLE notes AS SELECT n, md5(n::text) || repeat(md5((n + 1)::text), 12) FROM generate_series(1, {}) n"
    )
    site = with_point(make_site(make_database(wide.format(120_000))), root)
    with file_system(root, size):
        facts = check(site)
        assert list(root.iterdir()) == []
    assert_against_the_drill(site, facts, "full")
    assert check(site).verdict == "passed"
    found = record(site)
    assert found is not None
    assert found.passed


@pytest.mark.parametrize("more", [1, -1])
def test_count_that_is_off_by_one_row_fails(shop: Site, more: int) -> None:
    """A row too few, a row too many."""
    resign(shop, lambda manifest: with_rows(manifest, "orders", more))
    assert_against_the_backup(shop, check(shop), f"table public.orders: 200 rows, {200 + more} in the snapshot")


def test_table_that_nobody_knows_fails(shop: Site) -> None:
    """A restored table that the manifest does not name, and one that it names but that did not come."""

    def swapped(manifest: Manifest) -> Manifest:
        source = manifest.database.source
        tables = tuple(
            each.model_copy(update={"name": "payments"}) if each.name == "orders" else each for each in source.tables
        )
        database = manifest.database.model_copy(update={"source": source.model_copy(update={"tables": tables})})
        return manifest.model_copy(update={"database": database})

    resign(shop, swapped)
    facts = check(shop)
    assert_against_the_backup(shop, facts, "table public.payments is missing")
    assert "table public.orders is not in the manifest" in facts.findings


def test_sequence_that_went_back_fails(shop: Site) -> None:
    """It would hand out keys that are taken."""

    def ahead(manifest: Manifest) -> Manifest:
        source = manifest.database.source
        sequences = tuple(each.model_copy(update={"last_value": 201}) for each in source.sequences)
        database = manifest.database.model_copy(update={"source": source.model_copy(update={"sequences": sequences})})
        return manifest.model_copy(update={"database": database})

    resign(shop, ahead)
    assert_against_the_backup(shop, check(shop), "sequence public.orders_id_seq: stands at 200, before 201")


def test_row_that_is_lost_after_the_restore_fails(shop: Site) -> None:
    """Deleted between restore and check; the drill ends there."""
    environment = shop.environment()
    drill = open_drill(
        environment,
        kind="restore_check",
        opened_at=datetime.now(UTC),
        origin="test",
        restore_point=the_point(shop),
        media="none",
        reason=None,
        requested_by=None,
    )
    try:
        assert recovery_environment(environment, drill).outcome == "passed"
        assert restore_database(environment, drill).outcome == "passed"
        (name,) = [path.name for path in recovery_root().iterdir()]
        with opened_recovery(recovery_root(), name) as recovery, connect(recovery.target) as session:
            session.execute("DELETE FROM orders WHERE id = 77")
        assert check_database(environment, drill).outcome == "failed"
    finally:
        remove_recovery(environment, drill)
    facts = record_evidence(environment, drill)
    assert_against_the_backup(shop, facts, "table public.orders: 199 rows, 200 in the snapshot")
    assert record_evidence(environment, drill) == facts


@pytest.mark.parametrize("damage", ["deleted", "flipped", "truncated"])
def test_damaged_artifact_fails_by_name(shop: Site, damage: str) -> None:
    """Behind the catalog's back."""
    dump = shop.store_folder / "shop/production/restore-points" / str(the_point(shop)) / "database.dump.age"
    content = bytearray(dump.read_bytes())
    dump.unlink()
    if damage != "deleted":
        content[len(content) // 2] ^= 1
        dump.write_bytes(content if damage == "flipped" else content[:-100])
    assert_against_the_backup(shop, check(shop), "database.dump.age")


def test_wrong_identity_is_not_decryptable(shop: Site) -> None:
    """Somebody has changed keys: what is stored cannot be opened by those who would have to."""
    new_keys(shop.folder / "other")
    (shop.keys / "identity.txt").write_bytes((shop.folder / "other/identity.txt").read_bytes())
    assert_against_the_backup(shop, check(shop), "database.dump.age")
    assert "identit" in " ".join(check(shop).findings)


def test_lost_identity_is_said(shop: Site) -> None:
    """The host lacks it: nothing is known of the backup."""
    (shop.keys / "identity.txt").unlink()
    assert_against_the_drill(shop, check(shop), "identity_file")


def test_restore_that_was_rolled_back_does_not_pass(shop: Site, pg18: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pg_restore that succeeds and leaves nothing; old tables of an earlier attempt do not stand in for it."""
    environment = shop.environment()
    drill = open_check(environment)
    try:
        recovery_environment(environment, drill)
        assert restore_database(environment, drill).outcome == "passed"
        programs = idle_pg_restore(shop.folder / "bin", pg18.bin)
        monkeypatch.setenv("HOLDFAST_PG_BIN", str(programs))
        restore_database(environment, drill)
        assert check_database(environment, drill).outcome == "failed"
    finally:
        remove_recovery(environment, drill)
    assert_against_the_backup(shop, record_evidence(environment, drill), "table public.orders is missing")


def idle_pg_restore(folder: Path, bin: Path) -> Path:
    """PostgreSQL's programs, but pg_restore only lists: asked to restore, it does nothing and says that it is done."""
    folder.mkdir()
    for program in bin.iterdir():
        (folder / program.name).symlink_to(program)
    (folder / "pg_restore").unlink()
    (folder / "pg_restore").write_text(
        f'#!/bin/sh\ncase "$*" in *--list*|*--version*|*-l*) exec {bin}/pg_restore "$@";; esac\ncat >/dev/null\n'
    )
    (folder / "pg_restore").chmod(0o755)
    return folder


def on_server(site: Site, url: str) -> None:
    """Have the policy name a recovery server."""
    site.variables["AIRFLOW_CONN_RECOVERY"] = url
    site.edit_policy("    tiers:\n", "    drill: {server: {conn_id: recovery}}\n    tiers:\n")


def databases(cluster: Cluster) -> list[tuple[object, ...]]:
    return rows(cluster.url(), "SELECT datname FROM pg_database ORDER BY 1")


def test_missing_extension_is_the_servers_fault(
    pg15: Cluster, pg18: Cluster, make_database: Make, make_site: MakeSite, root: Path
) -> None:
    """One that the recovery server's version has no more."""
    site = with_point(make_site(make_database(SHOP + "CREATE EXTENSION adminpack", cluster=pg15)), root)
    on_server(site, pg18.url())
    before = databases(pg18)
    assert_against_the_drill(site, check(site), "adminpack")
    assert databases(pg18) == before


def test_missing_role_is_the_servers_fault(
    pg15: Cluster, pg18: Cluster, make_database: Make, make_site: MakeSite, root: Path
) -> None:
    """On a server of one's own roles are not made; in a throwaway one they are, and the check passes."""
    execute(pg15.url(), "CREATE ROLE auditor")
    url = make_database(SHOP + "CREATE POLICY p ON orders TO auditor", cluster=pg15)
    try:
        site = with_point(make_site(url), root)
        assert check(site).verdict == "passed"
        on_server(site, pg18.url())
        facts = check(site)
        assert (facts.verdict, blamed(site, facts)) == ("failed", {"drill"})
        assert 'role "auditor" does not exist' in facts.findings[0]
        found = record(site)
        assert found is not None
        assert found.passed
    finally:
        execute(url, "DROP OWNED BY auditor")
        execute(pg15.url(), "DROP ROLE auditor")


def test_drill_on_the_live_server_is_refused(shop: Site, pg18: Cluster) -> None:
    """Nothing is made there, nothing dropped."""
    live = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    on_server(shop, live)
    execute(live, "DELETE FROM orders WHERE id > 150")
    before = databases(pg18)
    [finding] = run_drill(shop.environment(), None).findings[:1]
    assert "is that of the live database" in finding
    assert databases(pg18) == before
    assert rows(live, "SELECT count(*) FROM orders") == [(150,)]
    assert Target.parse(live).database in {name for (name,) in before}


@pytest.mark.parametrize("step", ["before the restore", "amid it"])
def test_point_that_expires_while_it_is_restored(shop: Site, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The drill fails and says why; nobody calls the backup corrupt, and nothing is left where it was."""
    environment, id = shop.environment(), the_point(shop)
    drill = open_check(environment, id)
    try:
        recovery_environment(environment, drill)
        if step == "amid it":
            restore_database(environment, drill)
        shop.backup()
        expire(environment, now=datetime.now(UTC) + timedelta(days=400))
        assert shop.ids() != [str(id)]
        last = restore_database if step == "before the restore" else check_database
        outcome = last(environment, drill)
    finally:
        remove_recovery(environment, drill)
    facts = record_evidence(environment, drill)
    assert outcome.outcome == "failed"
    assert "was deleted while it was restored" in " ".join(facts.findings)
    assert facts.verdict == "failed"
    assert blamed(shop, facts) == {"drill"}
    assert not [name for name in shop.stored_files() if f"restore-points/{id}/" in name]


class _Expiring(Silent):
    """Takes the restore point away as its rows are counted."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @override
    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        if phase == "count":
            environment = self._site.environment()
            environment.store.delete(environment.keys.manifest(the_point(self._site)))


def test_point_that_expires_once_it_is_restored(shop: Site) -> None:
    """It was restorable, which the evidence says; there is nothing left that a record could stand beside."""
    environment, id = shop.environment(), the_point(shop)
    facts = run_restore_check(environment, id, progress=_Expiring(shop))
    assert facts.verdict == "passed", facts.findings
    assert read_evidence(environment, RestorePointId.parse(facts.id)).restore_point == str(id)
    assert not [name for name in shop.stored_files() if "restore-check-" in name or "draft-" in name]


def test_killed_drills_leave_nothing_running(shop: Site, root: Path) -> None:
    """Killed at any moment, server and commands end with it; the next drill removes what it left, and passes."""
    shop.edit_policy("    tiers:\n", "    drill: {commands: [\"sh -c 'sleep 1'\"]}\n    tiers:\n")
    chance = random.Random(4)
    for _ in range(5):
        process = subprocess.Popen(
            shop.command("drill", str(shop.policy_file), "production"),
            env=shop.surroundings(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.5, 6))
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while processes_of(root) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(root) == []
    assert not [name for name in shop.stored_files() if "restore-check-" in name]
    assert shop.json("drill", str(shop.policy_file), "production")["verdict"] == "passed"
    assert list(root.iterdir()) == []
