"""The policy's query for referenced media files: run in the dump's snapshot, read-only, one sorted path a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import zstandard

from fix_environment import MakeSite, Site
from fix_postgres import rows
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.recovery.cluster import Cluster

ARTIFACT = "media-references.jsonl.zst.age"


def _referring(site: Site, query: str) -> Path:
    media = site.folder / "media"
    media.mkdir(exist_ok=True)
    text = f'    media: {{source: "file://{media}"}}\n    media_references: {json.dumps(query)}\n    tiers:\n'
    site.edit_policy("    tiers:\n", text)
    return media


def _stored(site: Site, id: str) -> bytes:
    return (site.store_folder / "shop/production/restore-points" / id / ARTIFACT).read_bytes()


def _paths(site: Site, id: str) -> list[str]:
    sealed = site.run("fetch", str(site.policy_file), "production", id, ARTIFACT).stdout
    text = zstandard.ZstdDecompressor().decompressobj().decompress(sealed).decode()
    return [json.loads(line) for line in text.split("\n") if line]


@pytest.mark.parametrize("server", ["pg18", "pg15"])
def test_paths_are_normalized_sorted_and_unique(
    server: str, request: pytest.FixtureRequest, make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """NULL and empty ones go, leading "./" and "/" and the source's own path too; the rest stays as it is."""
    cluster: Cluster = request.getfixturevalue(server)
    site = make_site(make_database("CREATE TABLE files (path text)", cluster=cluster))
    media = _referring(site, "SELECT path FROM files -- all of them")
    values = [
        None, "", "b/ü.png", "a.png", "./a.png", "/a.png", f"{media}/c.png", f"file://{media}/c.png", "Z.png", "\n.png",
        "a%20b.png", "..//x", "𝄞", "\ue000", f"{media}x/d.png", ".hidden", "./",
    ]  # fmt: skip
    with psycopg.connect(site.variables["AIRFLOW_CONN_SHOP_DB"], autocommit=True) as session:
        session.cursor().executemany("INSERT INTO files VALUES (%s)", [(value,) for value in values])
    id = site.backup()
    expected = {
        "b/ü.png", "a.png", "c.png", "Z.png", "\n.png", "a%20b.png", "..//x", "𝄞", "\ue000",
        f"{media}x/d.png".removeprefix("/"), ".hidden",
    }  # fmt: skip
    assert _paths(site, id) == sorted(expected, key=str.encode)
    assert site.json("verify", str(site.policy_file), "production", id)["ok"]


def test_backup_host_reads_them_back_without_the_identity(
    make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """The signing key opens them, and nothing else of the restore point."""
    site = make_site(make_database("CREATE TABLE f AS SELECT 'x.png' AS path"))
    _referring(site, "SELECT path FROM f;")
    id = site.backup()
    site.edit_policy(f"      identity_file: {site.keys}/identity.txt\n", "")
    environment: Environment = site.environment()
    sealed = b"".join(age.decrypt([_stored(site, id)], environment.listing_identities()))
    assert zstandard.ZstdDecompressor().decompressobj().decompress(sealed) == b'"x.png"\n'


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("SELECT path FORM files", 1, 'media_references: syntax error at or near "files"'),
        ("SELECT path FROM nowhere", 1, 'media_references: relation "nowhere" does not exist'),
        ("SELECT path, 1 FROM files", 2, "media_references: the query yields 2 columns instead of one"),
        ("DELETE FROM files RETURNING path", 1, "media_references: syntax error"),
        ("WITH gone AS (DELETE FROM files RETURNING path) SELECT path FROM gone", 1, "media_references: WITH clause"),
        (
            "SELECT 'x') AS asked LIMIT 0; COMMIT; DROP TABLE files; SELECT * FROM (SELECT 'x'",
            1,
            "media_references: cannot insert multiple commands",
        ),
        ("SELECT path FROM files; DROP TABLE files", 1, "media_references: syntax error"),
        ("SELECT erase()", 1, "media_references: cannot execute DELETE in a read-only transaction"),
        ("SELECT 1/(length(path) - 1) FROM files", 1, "media_references: division by zero"),
    ],
)
def test_query_that_fails_or_writes_stops_the_backup_before_the_dump(
    query: str, status: int, said: str, make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """The policy's field and PostgreSQL's words are told; nothing is changed and nothing stored."""
    url = make_database(
        "CREATE TABLE files AS SELECT 'x' AS path; CREATE FUNCTION erase() RETURNS text LANGUAGE sql VOLATILE AS "
        "'DELETE FROM public.files RETURNING path'"
    )
    site = make_site(url)
    _referring(site, query)
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=status)
    assert said in done.stderr.decode()
    assert b"dump" not in done.stderr.split(b"holdfast: error")[0]
    assert site.stored_files() == []
    assert rows(url, "SELECT path FROM files") == [("x",)]


@pytest.mark.parametrize(
    "text", ["repeat('x', 4097)", "repeat('ä', 2049)", "repeat('x', 50000000)", "repeat('/', 20000)"]
)
def test_what_is_too_long_for_a_path_is_refused(
    text: str, make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """Something else than paths, such as whole documents, is neither stored nor fetched."""
    site = make_site(make_database())
    _referring(site, f"SELECT 'a.png' UNION ALL SELECT {text}")
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=2)
    assert b"media_references: the query yields a text of more than 4096 bytes, which is no path" in done.stderr
    assert site.stored_files() == []


def test_longest_paths_are_taken(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """4096 bytes below the source, however long the way to it and however written."""
    site = make_site(make_database())
    media = site.folder / "media"
    _referring(site, f"SELECT 'file://{media}/' || repeat('x', 4096) UNION SELECT '/./' || repeat('ä', 2048)")
    assert _paths(site, site.backup()) == ["x" * 4096, "ä" * 2048]


def test_other_types_and_a_large_result(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """The column is cast to text, and a result larger than one fetch arrives whole."""
    site = make_site(make_database())
    _referring(site, "SELECT n FROM generate_series(1, 20000) n UNION ALL SELECT n FROM generate_series(1, 9) n")
    assert _paths(site, site.backup()) == sorted(str(n) for n in range(1, 20001))
