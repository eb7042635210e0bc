"""Faults planted into a backup: each is named, and none leaves a restore point, plaintext or a process behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from fix_environment import MakeSite, Site
from holdfast.backup import run_backup

PLAINTEXT = b"the-only-row-nobody-else-writes"


@pytest.fixture
def shop(make_database: Any, make_site: MakeSite) -> Site:
    """A site whose database takes a moment to dump."""
    url = make_database()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
        session.execute(
            "INSERT INTO orders SELECT n, md5(n::text) || md5((n+1)::text) || %s FROM generate_series(1, 200000) n",
            [PLAINTEXT.decode()],
        )
    return make_site(url)


def _backup(site: Site, **more: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        site.command("backup", str(site.policy_file), "production", "nightly"),
        env=site.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **more,
    )


def _children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(status.parent.name), *_children(int(status.parent.name))]
    return found


def _halted_in_dump(site: Site, pg_bin: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A backup whose pg_dump halts as it starts, and all its children by then."""
    halting = site.folder / "bin"
    halting.mkdir()
    for program in pg_bin.iterdir():
        (halting / program.name).symlink_to(program)
    (halting / "pg_dump").unlink()
    (halting / "pg_dump").write_text(
        f'#!/bin/sh\ncase "$*" in *--snapshot*) kill -STOP $$;; esac\nexec {pg_bin}/pg_dump "$@"\n'
    )
    (halting / "pg_dump").chmod(0o755)
    site.variables["HOLDFAST_PG_BIN"] = str(halting)
    running = _backup(site)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.poll() is None:
        children = _children(running.pid)
        if any(_state(pid) == "T" for pid in children):
            return running, children
        time.sleep(0.02)
    running.kill()
    raise AssertionError(f"pg_dump was never seen: {running.communicate()}")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def _is_alive(pid: int) -> bool:
    return _state(pid) not in ("Z", "gone")


def test_kill_at_random_moments_leaves_whole_restore_points_or_none(shop: Site) -> None:
    """Kill -9 at random moments: no restore point, no plaintext, no child; the next backup is whole."""
    chance = random.Random(20261122)
    for _ in range(6):
        running = _backup(shop)
        time.sleep(chance.uniform(0.1, 1.2))
        children = _children(running.pid)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        deadline = time.monotonic() + 10
        while any(map(_is_alive, children)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in children if _is_alive(pid)]
    for path in [*shop.store_folder.rglob("*"), *shop.scratch.rglob("*")]:
        assert not path.is_file() or PLAINTEXT not in path.read_bytes()
    shop.backup()
    # A kill may come right after the manifest: what exists then is whole.
    for id in shop.ids():
        assert shop.json("verify", str(shop.policy_file), "production", id)["ok"]


def test_kill_while_dumping_leaves_nothing_but_the_draft(shop: Site, pg18: Any) -> None:
    """Kill -9 with pg_dump at work: neither a restore point nor an artifact that looks complete."""
    running, children = _halted_in_dump(shop, pg18.bin)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)  # a halted process cannot follow its parent
    assert {Path(name).name for name in shop.stored_files()} <= {"draft-open.json", "globals.sql.age"}
    assert shop.ids() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_cleanly(shop: Site, pg18: Any, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the children, say one line, and leave nothing that looks complete."""
    running, children = _halted_in_dump(shop, pg18.bin)
    running.send_signal(number)
    _, said = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert not [pid for pid in children if _is_alive(pid)]
    assert b"Nothing of the backup was kept." in said
    assert shop.stored_files() == []


def test_each_flipped_byte_is_found_and_named(shop: Site) -> None:
    """One byte flipped in each artifact, at its start, middle and end: verify and restore name the artifact."""
    id = shop.backup()
    folder = shop.store_folder / "shop/production/restore-points" / id
    for artifact in sorted(folder.glob("*.age")):
        sound = artifact.read_bytes()
        for place in (0, len(sound) // 2, len(sound) - 1):
            artifact.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
            done = shop.run("verify", str(shop.policy_file), "production", id, expect=1)
            assert f"sha256 mismatch in {artifact.name}".encode() in done.stderr
        artifact.write_bytes(sound)
    for signed in ("manifest.json", "manifest.sig"):
        sound = (folder / signed).read_bytes()
        (folder / signed).write_bytes(sound[:-2] + bytes([sound[-2] ^ 1]) + sound[-1:])
        done = shop.run("verify", str(shop.policy_file), "production", id, expect=1)
        assert b"signature does not fit" in done.stderr
        (folder / signed).write_bytes(sound)
    assert shop.json("verify", str(shop.policy_file), "production", id)["ok"]


def test_truncated_and_deleted_artifacts(shop: Site, pg18: Any) -> None:
    """A cut or lost artifact is named by list, verify and restore; restore never ends with 0."""
    id = shop.backup()
    policy = str(shop.policy_file)
    dump = shop.store_folder / "shop/production/restore-points" / id / "database.dump.age"
    sound = dump.read_bytes()
    target = pg18.url("faulty_restored")
    dump.write_bytes(sound[:-100])
    assert b"database.dump.age has" in shop.run("verify", policy, "production", id, expect=1).stderr
    assert b"database.dump.age has" in shop.run("restore", policy, "production", id, "--to", target, expect=1).stderr
    dump.unlink()
    assert b"database.dump.age is missing" in shop.run("verify", policy, "production", id, expect=1).stderr
    assert (
        b"database.dump.age is missing"
        in shop.run("restore", policy, "production", id, "--to", target, expect=1).stderr
    )
    (point,) = shop.json("list", policy, "production")["restore_points"]
    assert point["faults"] == ["database.dump.age is missing"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_replaced_dump_of_equal_size_is_not_restored_silently(shop: Site, pg18: Any, jobs: str) -> None:
    """A dump that someone else encrypted to our public recipient fails on its hash."""
    id = shop.backup()
    dump = shop.store_folder / "shop/production/restore-points" / id / "database.dump.age"
    sound = dump.read_bytes()
    recipient = (shop.keys / "recipient.txt").read_text().strip()
    identity = str(shop.keys / "identity.txt")
    plain = shop.run("decrypt", "-i", identity, stdin=sound).stdout
    forged = shop.run("encrypt", "-r", recipient, stdin=plain).stdout
    assert len(forged) == len(sound)
    dump.write_bytes(forged)
    done = shop.run(
        "restore", str(shop.policy_file), "production", id, "--to", pg18.url(f"forged{jobs}"), "--jobs", jobs, expect=1
    )
    assert b"sha256 mismatch in database.dump.age" in done.stderr


def test_wrong_identity_is_not_decryptable(shop: Site) -> None:
    """A lost or exchanged identity shows at the next verification, not at the next disaster."""
    id = shop.backup()
    other = shop.folder / "other"
    shop.run("keys", "new", "--out", str(other))
    shop.edit_policy(f"identity_file: {shop.keys}", f"identity_file: {other}")
    done = shop.run("verify", str(shop.policy_file), "production", id, expect=1)
    assert b"database.dump.age is not decryptable" in done.stderr
    refused = shop.run("backup", str(shop.policy_file), "production", "nightly", expect=2)
    assert b"keys.identity_file opens nothing" in refused.stderr
    assert shop.ids() == [id]


def test_unreadable_table_is_named(pg18: Any, make_site: MakeSite) -> None:
    """A role without the right to read one table: refused, with the table's name, before anything is stored."""
    url = pg18.create_database("guarded")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE open_table (x int); CREATE TABLE closed_table (x int)")
        session.execute("DROP ROLE IF EXISTS reader")
        session.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-secret'")
        session.execute("GRANT SELECT ON open_table TO reader")
    site = make_site(pg18.url("guarded", user="reader").replace(pg18.password, "reader-secret"))
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=1)
    assert b"closed_table" in done.stderr
    assert not [name for name in site.stored_files() if name.endswith((".age", "manifest.json"))]


def test_client_older_than_server_is_refused_up_front(shop: Site, pg15: Any) -> None:
    """PostgreSQL 15's pg_dump never touches a server 18."""
    done = shop.run("backup", str(shop.policy_file), "production", "nightly", expect=1, HOLDFAST_PG_BIN=str(pg15.bin))
    assert b"no PostgreSQL client for server 18" in done.stderr
    assert not [name for name in shop.stored_files() if name.endswith(".age")]


def test_password_of_special_characters_works_and_is_nowhere(pg18: Any, make_site: MakeSite) -> None:
    """``@:/%#?`` and spaces in the password: it works, and no file, argument or message ever holds it."""
    password = "ca@na:ry/ %41#?&=\\'\" zz"
    url = pg18.create_database("canary")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE t AS SELECT generate_series(1, 300000) n")
        session.execute("DROP ROLE IF EXISTS bird")
        quoted = psycopg.sql.Literal(password)
        session.execute(psycopg.sql.SQL("CREATE ROLE bird SUPERUSER LOGIN PASSWORD {}").format(quoted))
    host = pg18.url("canary", user="bird").rpartition("@")[2]
    site = make_site(f"postgres://bird:{quote(password, safe='')}@{host}")
    running = _backup(site)
    seen = b""
    while running.poll() is None:
        for pid in [running.pid, *_children(running.pid)]:
            try:
                seen += Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
        time.sleep(0.01)
    out, said = running.communicate()
    assert running.returncode == 0, said
    files = b"".join(path.read_bytes() for path in site.store_folder.rglob("*.json"))
    broken = site.run(
        "backup", str(site.policy_file), "production", "nightly", "--debug", expect=2,
        AIRFLOW_CONN_SHOP_DB=f"postgres://bird:{quote(password + 'wrong', safe='')}@{host}",
    )  # fmt: skip
    for place in (seen, out, said, files, broken.stdout, broken.stderr):
        assert password.encode() not in place
        assert quote(password, safe="").encode() not in place


def test_two_backups_at_once_both_stand(shop: Site) -> None:
    """Two nightly runs at the same time disturb neither each other nor an expire between them."""
    first, second = _backup(shop), _backup(shop)
    shop.run("expire", str(shop.policy_file), "production")
    for running in (first, second):
        _, said = running.communicate(timeout=120)
        assert running.returncode == 0, said
    ids = shop.ids()
    assert len(ids) == 2
    for id in ids:
        assert shop.json("verify", str(shop.policy_file), "production", id)["ok"]


def test_unusually_small_dump_is_no_restore_point(shop: Site) -> None:
    """A database that lost its rows overnight does not become the newest good backup; the policy can allow it."""
    id = shop.backup()
    with psycopg.connect(shop.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
        session.execute("DELETE FROM orders WHERE id > 10")
    done = shop.run("backup", str(shop.policy_file), "production", "nightly", expect=1)
    assert b"unusually small" in done.stderr
    assert shop.ids() == [id]
    shop.edit_policy("keep: 35d", "keep: 35d, min_size_ratio: 0")
    shop.backup()
    assert len(shop.ids()) == 2


def test_damage_is_backed_up_before_it_is_restored(shop: Site) -> None:
    """The snapshot that every restore takes first must not fail because of what the restore is there for."""
    shop.backup()
    with psycopg.connect(shop.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
        session.execute("DELETE FROM orders WHERE id > 10")
    assert run_backup(shop.environment(), "nightly", is_damaged=True).rows < 1000
    assert len(shop.ids()) == 2


def test_another_database_starts_its_own_history_of_sizes(shop: Site, make_database: Any) -> None:
    """A policy that is pointed at a smaller database, such as one's own instead of the example's, still works."""
    shop.backup()
    shop.variables["AIRFLOW_CONN_SHOP_DB"] = make_database("CREATE TABLE tiny (x int); INSERT INTO tiny VALUES (1)")
    shop.backup()
    assert len(shop.ids()) == 2


def test_clock_moved_back_loses_nothing(shop: Site) -> None:
    """A host that believes it is years ago still takes its backup, and nothing is lost when it is mended."""
    first = shop.backup()
    environment = replace(shop.environment(), clock=lambda: datetime(2001, 1, 1, tzinfo=UTC))
    second = run_backup(environment, "nightly").restore_point
    assert second.startswith("20010101T000000Z")
    for now in ("2001-01-01T00:00:10+00:00", datetime.now(UTC).isoformat()):
        report = shop.json("expire", str(shop.policy_file), "production", "--now", now)
        assert report["deleted"] == []
    assert shop.ids() == [second, first]


def test_missing_extension_and_role_are_classified(pg18: Any, make_site: MakeSite) -> None:
    """What the target lacks is said by name, and the restore does not pass."""
    url = pg18.create_database("needy")
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS keeper")
        session.execute("CREATE ROLE keeper")
        session.execute("CREATE TABLE t (x int)")
        session.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        session.execute("CREATE POLICY p ON t TO keeper USING (true)")
    site = make_site(url)
    id = site.backup()
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("DROP POLICY p ON t; DROP ROLE keeper")
    done = site.run("restore", str(site.policy_file), "production", id, "--to", pg18.url("needy_restored"), expect=1)
    assert b"keeper" in done.stderr


def test_store_inside_the_application_is_refused(shop: Site) -> None:
    """Where an accident to the application would take its backups too."""
    release = shop.folder
    shop.edit_policy("    tiers:", f"    release_dir: {release}\n    tiers:")
    done = shop.run("backup", str(shop.policy_file), "production", "nightly", expect=2)
    assert b"inside the application's own" in done.stderr


def test_slips_of_people_never_show_a_password_or_leave_the_way_open(shop: Site) -> None:
    """A mistyped address is not repeated, and TLS that is asked for in other words is not dropped."""
    id = shop.backup()
    policy = str(shop.policy_file)
    for slip in ("postgres//u:Sekret1@h/db", "canary:Sekret1@127.0.0.1:5432/db", ""):
        done = shop.run("restore", policy, "production", id, "--to", slip, "--debug", expect=2)
        assert b"Sekret1" not in done.stderr + done.stdout
    live = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    for parameter in ("ssl=true", "sslmod=verify-full"):
        refused = shop.run(
            "backup", policy, "production", "nightly", expect=2, AIRFLOW_CONN_SHOP_DB=f"{live}?{parameter}"
        )
        assert b"SSL" in refused.stderr or b"TLS" in refused.stderr


def test_settings_of_a_database_do_not_break_its_backup(shop: Site) -> None:
    """Date and interval styles are a matter of the application's taste."""
    url = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    with psycopg.connect(url, autocommit=True) as session:
        name = psycopg.sql.Identifier(session.info.dbname)
        for setting in ("datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'", "bytea_output = 'escape'"):
            session.execute(psycopg.sql.SQL("ALTER DATABASE {} SET " + setting).format(name))  # type: ignore[arg-type]
    shop.backup()


def test_lost_output_is_not_called_a_fault(shop: Site) -> None:
    """Stdout full or stderr closed: said in a line, or worked on in silence; never a traceback."""
    policy = str(shop.policy_file)
    command = " ".join(shop.command("list", policy, "production", "--json"))
    done = subprocess.run(
        f"{command} > /dev/full", shell=True, env=shop.surroundings(), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"no space left" in done.stderr
    assert b"Traceback" not in done.stderr
    command = " ".join(shop.command("backup", policy, "production", "nightly"))
    assert subprocess.run(f"{command} 2>&-", shell=True, env=shop.surroundings(), check=False).returncode == 0
    assert len(shop.ids()) == 1
