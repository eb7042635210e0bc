"""Faults planted into inventory, references and exports: each is named, and nothing leaks or is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from failing_store import FailingStore, Moment
from fix_environment import MakeSite, Site
from holdfast.backup import (
    commit_manifest,
    dump_database,
    open_restore_point,
    record_inventory,
    snapshot_media,
    verify_list,
)
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, StoreError
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

CANARY = "c4n@ry:hunter2/Zq"
ROW = b"the-only-row-nobody-else-writes"


@pytest.fixture
def site(make_database: Callable[..., str], make_site: MakeSite) -> Site:
    """A site that exports a table and has an inventory, beside an env file full of canaries."""
    url = make_database(
        f"CREATE TABLE payments AS SELECT n AS id, md5(n::text) || '{ROW.decode()}' AS note"
        " FROM generate_series(1, 9000) n"
    )
    made = make_site(url)
    (made.folder / "shop.inventory.yaml").write_text(
        "variables:\n"
        "  - {name: DATABASE_URL, area: database, owner: Platform, rotated_by: [DBA], kept_in: Vault kv/db}\n"
    )
    (made.folder / "app.env").write_text(f"DATABASE_URL='{CANARY}'\nOTHER=\"{CANARY}\nX={CANARY}\"\nBARE={CANARY}\n")
    made.edit_policy(
        "    tiers:\n",
        "    inventory: {file: shop.inventory.yaml, names_from: app.env}\n"
        "    compliance_export: {tables: [payments], keep: 10y, tiers: [nightly]}\n    tiers:\n",
    )
    return made


def _folder(site: Site, kind: str, id: str) -> Path:
    return site.store_folder / "shop/production" / kind / id


def test_damaged_inventory_is_named(site: Site) -> None:
    """One byte flipped, cut, gone: verify names the artifact."""
    id = site.backup()
    path = _folder(site, "restore-points", id) / "inventory.json.age"
    sound = path.read_bytes()
    arguments = ("verify", str(site.policy_file), "production", id)
    for damaged, said in (
        (sound[:-1] + bytes([sound[-1] ^ 1]), b"sha256 mismatch in inventory.json.age"),
        (bytes([sound[0] ^ 1]) + sound[1:], b"sha256 mismatch in inventory.json.age"),
        (sound[:-9], b"inventory.json.age has"),
    ):
        path.write_bytes(damaged)
        assert said in site.run(*arguments, expect=1).stderr
    path.unlink()
    assert b"inventory.json.age is missing" in site.run(*arguments, expect=1).stderr


def test_damage_before_the_manifest_is_found_and_mended(site: Site) -> None:
    """An inventory that rots between the steps: no manifest; the steps run again store it anew."""
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="x")
    record_inventory(environment, id)
    dump_database(environment, id)
    path = _folder(site, "restore-points", str(id)) / "inventory.json.age"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"sha256 mismatch in inventory\.json\.age"):
        verify_list(environment, id)
    assert site.ids() == []
    for step in (record_inventory, dump_database, verify_list, commit_manifest):
        step(environment, id)
    assert site.json("verify", str(site.policy_file), "production", str(id))["ok"]


def test_damaged_export_is_named(site: Site) -> None:
    """One byte flipped, cut, gone, or forged with our public recipient: fetch names it and never ends with 0."""
    id = site.backup()
    folder = _folder(site, "exports", id)
    (path,) = folder.glob("*.age")
    sound = path.read_bytes()
    fetch = ("export", "fetch", str(site.policy_file), "production", id, "payments")
    for place in (0, len(sound) // 2, len(sound) - 1):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert b"001-public.payments.csv.zst.age: sha256 mismatch" in site.run(*fetch, expect=1).stderr
    path.write_bytes(sound[:-9])
    assert b"001-public.payments.csv.zst.age has" in site.run(*fetch, expect=1).stderr
    (listed,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    assert "001-public.payments.csv.zst.age has" in listed["faults"][0]
    plain = site.run("decrypt", "-i", str(site.keys / "identity.txt"), stdin=sound).stdout
    recipient = (site.keys / "recipient.txt").read_text().strip()
    path.write_bytes(site.run("encrypt", "-r", recipient, stdin=plain).stdout)
    assert b"sha256 mismatch" in site.run(*fetch, expect=1).stderr
    path.unlink()
    assert b"001-public.payments.csv.zst.age is missing" in site.run(*fetch, expect=1).stderr
    path.write_bytes(sound)
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(manifest.replace(b'"rows": 9000', b'"rows": 9001'))
    assert b"signature does not fit" in site.run(*fetch, expect=1).stderr
    (folder / "manifest.json").write_bytes(manifest)
    assert b"none of export" in site.run(*fetch[:-1], "nowhere", expect=2).stderr
    assert site.run(*fetch).stdout.count(ROW) == 9000


def test_kill_amid_an_export_leaves_no_export(site: Site) -> None:
    """Kill -9 while the export waits for its table's rows: nothing looks complete; the rerun converges."""
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="x")
    record_inventory(environment, id)
    halt = (
        "import os, signal, sys; from pathlib import Path; from holdfast.environment import open_environment;"
        "from holdfast.values.airflow_conn import EnvironmentConnections; import holdfast.postgres.export as export;"
        "from holdfast.values.ids import RestorePointId; from holdfast.backup import dump_database;"
        "joined = export.joined\n"
        "def halted(copy, **sizes):\n"
        "    yield from joined(copy, **sizes)\n"
        "    print('amid', flush=True); signal.pause()\n"
        "export.joined = halted\n"
        "dump_database(open_environment(Path(sys.argv[1]), 'production', EnvironmentConnections(os.environ)),"
        " RestorePointId.parse(sys.argv[2]))\n"
    )
    running = subprocess.Popen(
        [*site.command()[:1], "-c", halt, str(site.policy_file), str(id)],
        env=site.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"amid\n"
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert [name for name in site.stored_files() if "/exports/" in name] == []
    assert site.json("export", "list", str(site.policy_file), "production")["exports"] == []
    for step in (dump_database, verify_list, commit_manifest):
        step(environment, id)
    (export,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    assert (export["id"], export["rows"], export["faults"]) == (str(id), 9000, [])


def test_rerun_clears_an_unfinished_export(site: Site) -> None:
    """Tables that a killed attempt had stored, and even its manifest, give way to those of the new snapshot."""
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="x")
    dump_database(environment, id)
    environment.store.delete(environment.keys.draft(id, "dump"))
    with psycopg.connect(site.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
        session.execute("INSERT INTO payments VALUES (0, 'one more')")
    dump_database(environment, id)
    assert environment.export_catalog.manifest(id, environment.verifier()).rows == 9001


def test_interrupted_backup_keeps_no_export(site: Site) -> None:
    """A backup that fails after its export removes that too: nothing of it was kept."""
    site.edit_policy("nightly: {", "nightly: {min_size_ratio: 1, ")
    kept = site.backup()
    with psycopg.connect(site.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
        session.execute("DELETE FROM payments WHERE id > 10")
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=1)
    assert b"unusually small" in done.stderr
    assert [export["id"] for export in site.json("export", "list", str(site.policy_file), "production")["exports"]] == [
        kept
    ]
    assert not [name for name in site.stored_files() if "/exports/" in name and kept not in name]


def test_unreadable_export_table_is_named(pg18: Cluster, make_site: MakeSite) -> None:
    """A role without the right to read the table: refused with its name before anything is stored."""
    url = pg18.create_database("export_guarded")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE audit_log (x int); CREATE TABLE t (x int)")
        session.execute("DROP ROLE IF EXISTS export_reader; CREATE ROLE export_reader LOGIN PASSWORD 'reader-secret'")
        session.execute("GRANT SELECT ON t TO export_reader")
    site = make_site(pg18.url("export_guarded", user="export_reader").replace(pg18.password, "reader-secret"))
    site.edit_policy(
        "    tiers:\n", "    compliance_export: {tables: [audit_log], keep: 10y, tiers: [nightly]}\n    tiers:\n"
    )
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=1)
    assert b"audit_log" in done.stderr
    assert site.stored_files() == []


def test_canary_is_nowhere(site: Site) -> None:
    """Values of the env file: in no output, no traceback, no stored plaintext, whatever state the files are in."""
    forms = {CANARY.encode(), quote(CANARY, safe="").encode(), b"hunter2"}
    policy = str(site.policy_file)
    id = site.backup()
    heard = b""
    env, inventory = site.folder / "app.env", site.folder / "shop.inventory.yaml"
    sound_env, sound_inventory = env.read_text(), inventory.read_text()
    states: list[tuple[str, str]] = [
        (sound_env, sound_inventory),
        (f"A='{CANARY}\nB={CANARY}", sound_inventory),
        (f"{CANARY}\n", sound_inventory),
        (f"A={CANARY}\\\n{CANARY}={CANARY}\n", sound_inventory),
        (sound_env, sound_inventory + f"    value: {CANARY}\n"),
        (sound_env, sound_inventory + f"  - {{name: X, note: 'postgres://u:{CANARY}@h/d'}}\n"),
        (sound_env, f"variables: *{CANARY}"),
        (sound_env, f"# PASSWORD={CANARY}\n{sound_inventory}"),
    ]
    for env_text, inventory_text in states:
        env.write_text(env_text)
        inventory.write_text(inventory_text)
        for arguments in (
            ("--debug", "inventory", "check", policy, "production"),
            ("--debug", "inventory", "check", policy, "production", "--json"),
            ("--debug", "backup", policy, "production", "nightly"),
            ("--debug", "doctor", policy, "production"),
        ):
            done = site.run(*arguments, expect=None)
            heard += done.stdout + done.stderr
    fetched = site.run("fetch", policy, "production", id, "inventory.json").stdout
    for path in [*site.store_folder.rglob("*"), *site.scratch.rglob("*")]:
        heard += path.read_bytes() if path.is_file() else b""
    assert b"DATABASE_URL" in heard + fetched
    for form in forms:
        assert form not in heard + fetched


def test_export_holds_no_plaintext(site: Site) -> None:
    """What lies in the store, and what a backup says, hold no row."""
    running = subprocess.run(
        site.command("backup", str(site.policy_file), "production", "nightly"),
        env=site.surroundings(),
        capture_output=True,
        check=True,
    )
    assert ROW not in running.stdout + running.stderr
    for path in site.folder.rglob("*"):
        assert not path.is_file() or ROW not in path.read_bytes()


def test_export_needs_constant_memory(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """Twenty times the rows do not need more memory."""

    def peak(rows: int, folder: str) -> int:
        with psycopg.connect(site.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
            session.execute("TRUNCATE big")
            session.execute(f"INSERT INTO big SELECT n, repeat(md5(n::text), 10) FROM generate_series(1, {rows}) n")
        running = subprocess.Popen(
            site.command("backup", str(site.policy_file), "production", "nightly"),
            env=site.surroundings(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0, folder
        return usage.ru_maxrss

    site = make_site(make_database("CREATE TABLE big (n int, t text)"))
    site.edit_policy(
        "    tiers:\n", "    compliance_export: {tables: [big], keep: 10y, tiers: [nightly]}\n    tiers:\n"
    )
    small = peak(10_000, "small")
    time.sleep(1)  # restore point ids go by seconds
    assert peak(200_000, "large") < small + 30_000


def _steps(environment: Environment, id: RestorePointId) -> None:
    for step in (record_inventory, dump_database, snapshot_media, verify_list, commit_manifest):
        step(environment, id)


def test_each_storage_call_may_fail(site: Site) -> None:
    """Every call of the store for inventory, references and export fails in turn: loud, and the rerun converges."""
    (site.folder / "media").mkdir()
    media = f'    media: {{source: "file://{site.folder}/media"}}\n    media_references: SELECT note FROM payments\n'
    site.edit_policy("    tiers:\n", f"{media}    tiers:\n")
    environment = site.environment()

    def opened(number: int) -> RestorePointId:
        moment = datetime(2026, 11, 22, 0, number // 60, number % 60, tzinfo=UTC)
        return open_restore_point(environment, tier="nightly", opened_at=moment, origin=str(number))

    counting = FailingStore(environment.store)
    _steps(replace(environment, store=counting), opened(0))
    words = ("inventory", "/exports/", "references")
    calls = [number for number, (_, key) in enumerate(counting.calls, start=1) if any(word in key for word in words)]
    assert len(calls) > 12
    for number in calls:
        id = opened(number)
        moment: Moment = "amid" if number % 2 else "after"
        failing = FailingStore(environment.store, fail_at=number, moment=moment)
        try:
            _steps(replace(environment, store=failing), id)
        except StoreError:
            assert failing.has_failed
            _steps(environment, id)
        manifest = environment.catalog.manifest(id, environment.verifier())
        assert not environment.catalog.entry(id).missing(manifest)
        export = environment.export_catalog.manifest(id, environment.verifier())
        assert not environment.export_catalog.entry(id).missing(export)
        assert (export.rows, manifest.inventory is not None) == (9000, True)
        names = {artifact.name for artifact in manifest.artifacts}
        assert {"inventory.json.age", "media-references.jsonl.zst.age"} <= names
