"""The break-glass page, followed word for word: its blocks run in one shell in which nothing of Holdfast exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fix_environment import PROJECT, MakeSite, Site
from fix_postgres import execute, rows
from holdfast.recovery.cluster import Cluster

PAGE = PROJECT / "docs" / "break-glass.md"
PROGRAMS = ("age", "openssl", "sha256sum", "zstd", "bash", "psql", "pg_restore", "createdb")

SHOP = """
CREATE ROLE break_glass_reader;
CREATE TABLE "User" (id serial PRIMARY KEY, "e mail" text UNIQUE NOT NULL);
INSERT INTO "User" ("e mail") SELECT 'user' || n || '@example.org' FROM generate_series(1, 137) AS n;
CREATE TABLE orders (id bigint, at date, cents int) PARTITION BY RANGE (at);
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO orders SELECT n, date '2025-06-01' + n, n FROM generate_series(1, 400) AS n;
CREATE SCHEMA "odd "" schema";
CREATE TABLE "odd "" schema"."tä'ble\n" (note text);
INSERT INTO "odd "" schema"."tä'ble\n" VALUES ('one'), ('two');
CREATE TABLE empty ();
ALTER TABLE "User" ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON "User" FOR SELECT TO break_glass_reader USING (true);
"""

SETTINGS = """\
ALTER DATABASE break_glass_source SET search_path TO 'odd', 'public';
ALTER ROLE postgres IN DATABASE break_glass_source SET work_mem TO '8MB';
"""

TABLES = """
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
 ORDER BY 1
"""


@dataclass(frozen=True)
class Rescue:
    """A restore point copied away from the site that made it, the two keys, and a server to restore into."""

    point: Path
    identity: Path
    verify_key: Path
    work: Path
    cluster: Cluster
    database: str = 'rescued "shop"'

    def settings(self) -> dict[str, str]:
        """What someone writes into the page's first block."""
        address = urlsplit(self.cluster.url())
        return {
            "POINT": str(self.point),
            "IDENTITY": str(self.identity),
            "VERIFY_KEY": str(self.verify_key),
            "DATABASE": self.database,
            "WORK": str(self.work),
            "PGHOST": str(address.hostname),
            "PGPORT": str(address.port),
            "PGUSER": str(address.username),
            "PATH": os.pathsep.join([str(self.cluster.bin), "/usr/bin", "/bin"]),
        }

    def follow(self, blocks: list[str]) -> subprocess.CompletedProcess[str]:
        """Run the blocks in one shell that stops at the first failure, with nothing else in its environment."""
        script = "\n".join(["set -euo pipefail", *blocks])
        bare = {"HOME": str(self.work.parent), "PGPASSWORD": self.cluster.password, "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            ["/bin/bash", "-c", script], env=bare | self.settings(), cwd=self.work.parent,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


def page_blocks(rescue: Rescue) -> list[str]:
    """The page's commands, the values of its first block replaced by those of the test, name by name."""
    first, *others = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names = re.findall(r"(\w+)=", first)
    assert set(names) == set(rescue.settings()), "the page's first block sets other names than the test does"
    return others


@pytest.fixture
def make_rescue(make_site: MakeSite, tmp_path: Path) -> Callable[[str, Cluster], Rescue]:
    """Backs a database up with ``holdfast backup``; what comes back needs nothing of the site any more."""

    def make(database_url: str, cluster: Cluster) -> Rescue:
        site: Site = make_site(database_url)
        id = site.backup()
        away = tmp_path / "away"
        shutil.copytree(site.store_folder / "shop" / "production" / "restore-points" / id, away / id)
        for name in ("identity.txt", "signing.pub"):
            shutil.copy2(site.keys / name, away)
        shutil.rmtree(site.folder)
        return Rescue(away / id, away / "identity.txt", away / "signing.pub", tmp_path / "work", cluster)

    return make


def counts(url: str) -> dict[str, int]:
    """The rows of every table."""
    names = [str(name) for (name,) in rows(url, TABLES)]
    return {name: int(str(rows(url, f"SELECT count(*) FROM ONLY {name}")[0][0])) for name in names}


def drop(cluster: Cluster, database: str) -> None:
    quoted = database.replace('"', '""')
    execute(cluster.url(), f'DROP DATABASE IF EXISTS "{quoted}" WITH (FORCE)')


def exists(cluster: Cluster, database: str) -> bool:
    quoted = database.replace("'", "''")
    return bool(rows(cluster.url(), f"SELECT FROM pg_database WHERE datname = '{quoted}'"))


@pytest.fixture(params=["18", "15"])
def cluster(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Cluster:
    """PostgreSQL 18, whose pg_dump compresses, and 15, whose dumps stand within zstd."""
    return {"18": pg18, "15": pg15}[request.param]


@pytest.fixture
def rescue(cluster: Cluster, make_database: Callable[..., str], make_rescue: Callable[..., Rescue]) -> Rescue:
    """A rescue of the shop; the roles that it left on the server are gone, as on a new one."""
    execute(cluster.url(), "DROP ROLE IF EXISTS break_glass_reader")
    url = make_database(SHOP + SETTINGS, name="break_glass_source", cluster=cluster)
    return make_rescue(url, cluster)


def test_page_restores_equal_counts_without_holdfast(rescue: Rescue, cluster: Cluster) -> None:
    """Every block in order brings the database back, with roles, policy and the same rows in every table."""
    for program in PROGRAMS:
        assert shutil.which(program, path=rescue.settings()["PATH"]), f"{program} is missing on this machine"
    assert not shutil.which("holdfast", path=rescue.settings()["PATH"])
    source = cluster.url("break_glass_source")
    before, policies = counts(source), rows(source, "SELECT * FROM pg_policies")
    execute(source, 'DROP POLICY readable ON "User"; DROP ROLE break_glass_reader')
    try:
        done = rescue.follow(page_blocks(rescue))
        assert done.returncode == 0, done.stderr
        assert "Signature Verified Successfully" in done.stdout
        for setting in SETTINGS.splitlines():
            assert setting in done.stdout
        restored = cluster.url(rescue.database)
        assert counts(restored) == before
        assert rows(restored, "SELECT * FROM pg_policies") == policies
        assert not rescue.work.exists(), "the page leaves the decrypted database behind"
    finally:
        drop(cluster, rescue.database)
        execute(cluster.url(), "DROP ROLE IF EXISTS break_glass_reader")


DAMAGE = {
    "manifest.json": "Signature Verification Failure",
    "manifest.sig": "Signature Verification Failure",
    "database.dump.age": "database.dump.age: FAILED",
    "globals.sql.age": "globals.sql.age: FAILED",
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("cluster", ["18"], indirect=True)
def test_page_stops_at_a_flipped_byte(name: str, rescue: Rescue, cluster: Cluster) -> None:
    """One flipped byte in any object ends it at the signature or the hash; nothing is decrypted or restored."""
    damaged = rescue.point / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    done = rescue.follow(page_blocks(rescue))
    assert done.returncode != 0
    assert DAMAGE[name] in done.stdout + done.stderr
    assert not list(rescue.work.glob("*.dump")) + list(rescue.work.glob("*.sql"))
    assert not exists(cluster, rescue.database)


@pytest.mark.parametrize("cluster", ["18"], indirect=True)
def test_page_stops_when_another_restore_point_took_the_place(rescue: Rescue, cluster: Cluster) -> None:
    """A genuine manifest under the name of another restore point is found out, though its signature fits."""
    moved = rescue.point.rename(rescue.point.with_name("20261122T020000Z-nightly-4f9c2a"))
    done = replace(rescue, point=moved).follow(page_blocks(rescue))
    assert done.returncode != 0
    assert "Signature Verified Successfully" in done.stdout
    assert not exists(cluster, rescue.database)


@pytest.mark.parametrize("cluster", ["18"], indirect=True)
def test_page_tells_a_restored_table_that_lost_a_row(rescue: Rescue, cluster: Cluster) -> None:
    """A row that goes missing between restoring and counting fails the count and shows the table."""
    blocks = page_blocks(rescue)
    counting = next(number for number, block in enumerate(blocks) if "jsonb_to_recordset" in block)
    lose = """psql --quiet --dbname="$DATABASE" --command='DELETE FROM "User" WHERE id = 137'"""
    try:
        done = rescue.follow([*blocks[:counting], lose, *blocks[counting:]])
        assert done.returncode != 0
        assert "row counts differ" in done.stderr
        assert re.search(r"User +\| +137 \| +136", done.stdout), done.stdout
    finally:
        drop(cluster, rescue.database)
