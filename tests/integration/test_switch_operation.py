"""``holdfast switch`` and ``switch-back``: planned, approved, done beside, switched, checked, recorded, undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from audit_trail import told
from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.evidence import read_evidence
from holdfast.operation import make_plan
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_TABLES = """
CREATE TABLE "User" (id int PRIMARY KEY, email text);
INSERT INTO "User" SELECT n, 'user' || n || '@example.com' FROM generate_series(1, 300) n;
CREATE TABLE payments (id serial PRIMARY KEY, user_id int REFERENCES "User", cents int);
INSERT INTO payments (user_id, cents) SELECT 1 + n % 300, n FROM generate_series(1, 900) n;
"""
_PEOPLE = ("--i-am", "ana", "--approved-by", "bo")


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str], pg18: Cluster) -> Iterator[Site]:
    """A shop with one restore point, whose live database has moved on since."""
    url = make_database(_TABLES)
    site = make_site(url)
    site.variables["POINT"] = site.backup()
    execute(url, 'DELETE FROM payments WHERE id > 100; UPDATE "User" SET email = NULL WHERE id = 7')
    yield site
    name = url.rpartition("/")[2]
    with psycopg.connect(pg18.url("postgres"), autocommit=True) as session:
        left = session.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{name}\\_%",)).fetchall()
        for (each,) in left:
            session.execute(f'DROP DATABASE "{each}" WITH (FORCE)')


def _url(site: Site) -> str:
    return site.variables["AIRFLOW_CONN_SHOP_DB"]


def _arguments(site: Site, *more: str) -> tuple[str, ...]:
    return ("switch", str(site.policy_file), "production", site.variables["POINT"], *more)


def _back(site: Site, *more: str) -> tuple[str, ...]:
    return ("switch-back", str(site.policy_file), "production", *more)


def _rows(url: str) -> tuple[int, ...]:
    with psycopg.connect(url) as session:
        return (
            session.execute("SELECT count(*) FROM payments").fetchone()[0],  # type: ignore[index]
            session.execute('SELECT count(email) FROM "User"').fetchone()[0],  # type: ignore[index]
        )


def _databases(site: Site) -> dict[str, int]:
    with psycopg.connect(_url(site)) as session:
        return dict(session.execute("SELECT datname, oid::bigint FROM pg_database").fetchall())


def test_plan_changes_nothing(site: Site) -> None:
    """Neither store nor server; the same state gives the same hash, and the plan says what is lost and kept."""
    stored, databases = site.stored_files(), _databases(site)
    plan = site.json(*_arguments(site))
    assert plan["possible"] is True
    assert (site.json(*_arguments(site))["plan"], site.stored_files(), _databases(site)) == (
        plan["plan"], stored, databases,
    )  # fmt: skip
    name = _url(site).rpartition("/")[2]
    assert plan["facts"]["kept_as"] == f"{name}_before_{site.variables['POINT']}"
    assert "payments`: 100 now, 900 then" in plan["notes"].replace("public.", "")


def test_switch_and_back(site: Site) -> None:
    """The restored database is live under the old name, the old one is kept, and comes back on demand."""
    before = _databases(site)
    plan = site.json(*_arguments(site))
    done = site.json(*_arguments(site, "--apply", plan["plan"], *_PEOPLE, "--reason", "rows are gone"))
    assert (done["verdict"], done["findings"]) == ("passed", [])
    assert _rows(_url(site)) == (900, 300)
    name, after = _url(site).rpartition("/")[2], _databases(site)
    kept = f"{name}_before_{site.variables['POINT']}"
    assert (after[kept], set(after) - set(before)) == (before[name], {kept})
    assert _rows(_url(site).rpartition("/")[0] + "/" + kept) == (100, 299)
    evidence = read_evidence(site.environment(), RestorePointId.parse(done["operation"]))
    assert evidence.plan is not None
    assert evidence.plan.sha256 == plan["plan"]
    assert [each.approver for each in evidence.approvals] == ["bo"]
    assert [step.name for step in evidence.steps] == ["plan", "restore_beside", "switch", "check_live"]
    assert done["facts"]["unavailable_seconds"] < 5
    labels = [point["label"] for point in site.json("list", str(site.policy_file), "production")["restore_points"]]
    assert any(label and label.startswith("pre-restore-") for label in labels)

    back = site.json(*_back(site))
    returned = site.json(*_back(site, "--apply", back["plan"], *_PEOPLE))
    assert (returned["verdict"], _rows(_url(site))) == ("passed", (100, 299))
    assert _databases(site)[name] == before[name]


def test_stale_and_foreign_hashes(site: Site, make_database: Callable[..., str]) -> None:
    """Live was recreated since, another restore point's plan, no hash at all: refused, and nothing is changed."""
    plan = site.json(*_arguments(site))["plan"]
    site.variables["OTHER"] = site.backup()
    other = ("switch", str(site.policy_file), "production", site.variables["OTHER"])
    for arguments in (other, _back(site)):
        assert "error" in json.loads(site.run(*arguments, "--apply", plan, *_PEOPLE, "--json", expect=None).stdout)
    stored, databases = site.stored_files(), _databases(site)
    for wrong in ("0" * 64, "x", plan[:40]):
        assert "Nothing was changed" in site.json(*_arguments(site, "--apply", wrong, *_PEOPLE), expect=1)["hint"]
    assert (site.stored_files(), _databases(site)) == (stored, databases)
    site.variables["AIRFLOW_CONN_SHOP_DB"] = make_database(_TABLES)
    assert "planned" in site.json(*_arguments(site, "--apply", plan, *_PEOPLE), expect=1)["hint"]


@pytest.mark.parametrize(
    "people",
    [
        ("--i-am", "ana", "--approved-by", "ana"),
        ("--i-am", "ana", "--approved-by", " ANA "),
        ("--i-am", " ", "--approved-by", "bo"),
        ("--i-am", "ana", "--approved-by", ""),
        ("--i-am", "ana"),
        ("--approved-by", "bo"),
        (),
    ],
)
def test_who_approves_is_another(site: Site, people: tuple[str, ...]) -> None:
    """Nobody agrees to what he asked for himself, and nobody's name is left out."""
    plan = site.json(*_arguments(site))["plan"]
    stored, databases = site.stored_files(), _databases(site)
    done = site.run(*_arguments(site, "--apply", plan, *people), expect=None)
    assert done.returncode in (1, 2)
    assert (site.stored_files(), _databases(site)) == (stored, databases)


def test_approvers_of_the_policy(site: Site) -> None:
    """Two people where it wants two, and only those that it names."""
    site.edit_policy("    tiers:", "    approval: {needed: 2, approvers: [bo, cy]}\n    tiers:")
    plan = site.json(*_arguments(site))["plan"]
    for named in (["bo"], ["bo", "bo"], ["bo", "dan"], ["bo", "ana"]):
        by = [part for name in named for part in ("--approved-by", name)]
        assert "error" in site.json(*_arguments(site, "--apply", plan, "--i-am", "ana", *by), expect=1)
    assert _rows(_url(site)) == (100, 299)
    by = ["--approved-by", "bo", "--approved-by", "cy"]
    assert site.json(*_arguments(site, "--apply", plan, "--i-am", "ana", *by))["verdict"] == "passed"


def test_window_that_is_not_open(site: Site) -> None:
    """Refused at once when it is over or has no offset; when it has not begun, the application stays as it was."""
    plan = site.json(*_arguments(site))["plan"]
    for window, status in (
        ("2020-01-01T00:00+00:00/2020-01-02T00:00+00:00", 2),
        ("2020-01-01T00:00/2020-01-02T00:00", 2),
        ("tomorrow", 2),
    ):
        site.run(*_arguments(site, "--apply", plan, *_PEOPLE, "--window", window), expect=status)
    later = ("--window", "2090-01-01T00:00+00:00/2090-01-02T00:00+00:00", "--ticket", "OPS-1")
    found = site.json(*_arguments(site, "--apply", plan, *_PEOPLE, *later), expect=1)
    assert "opens at 2090" in " ".join(found["findings"])
    assert _rows(_url(site)) == (100, 299)
    name = _url(site).rpartition("/")[2]
    assert not [each for each in _databases(site) if each.startswith(f"{name}_")]


def test_plan_of_an_unknown_point(site: Site, tmp_path: Path) -> None:
    """Said in a sentence."""
    wrong = ("switch", str(site.policy_file), "production", "20200101T000000Z-nightly-000000")
    assert "not found" in site.json(*wrong, expect=1)["error"]
    assert (
        make_plan(site.environment(), "restore", RestorePointId.parse(site.variables["POINT"]), {}).facts["what"]
        == "database"
    )


@pytest.fixture
def with_media(site: Site) -> Site:
    """The same shop with uploaded files; one is lost since its newer restore point."""
    uploads = site.folder.parent / "uploads"
    (uploads / "a").mkdir(parents=True)
    for number in range(5):
        (uploads / "a" / f"{number}.jpg").write_bytes(b"x" * 100 * number)
    site.edit_policy("    tiers:", f'    media: {{source: "{uploads.as_uri()}"}}\n    tiers:')
    site.variables["POINT"] = site.backup()
    (uploads / "a" / "3.jpg").unlink()
    (uploads / "new.jpg").write_bytes(b"new")
    return site


def test_database_and_media(with_media: Site) -> None:
    """Both are switched, both come back."""
    uploads = with_media.folder.parent / "uploads"
    both = ("--what", "both")
    plan = with_media.json(*_arguments(with_media, *both))
    done = with_media.json(*_arguments(with_media, *both, "--apply", plan["plan"], *_PEOPLE))
    assert (done["verdict"], done["findings"]) == ("passed", [])
    assert sorted(path.name for path in uploads.rglob("*.jpg")) == [f"{number}.jpg" for number in range(5)]
    kept = with_media.json("kept", str(with_media.policy_file), "production")["kept"]
    assert [each["what"] for each in kept] == ["database", "media"]
    back = with_media.json(*_back(with_media, *both))
    returned = with_media.json(*_back(with_media, *both, "--apply", back["plan"], *_PEOPLE))
    assert returned["verdict"] == "passed"
    changed = told(with_media.environment(), "changed")
    assert [(each.subject, each.details["step"]) for each in changed] == [
        (done["operation"], "switch"),
        (done["operation"], "switch_media"),
        (returned["operation"], "switch_back"),
        (returned["operation"], "switch_media_back"),
    ]
    assert (uploads / "new.jpg").read_bytes() == b"new"
    assert not (uploads / "a" / "3.jpg").exists()


def test_media_alone(with_media: Site) -> None:
    """The database is left as it is, and its number too."""
    before = _databases(with_media)
    media = ("--what", "media")
    plan = with_media.json(*_arguments(with_media, *media))
    done = with_media.json(*_arguments(with_media, *media, "--apply", plan["plan"], *_PEOPLE))
    assert (done["verdict"], _databases(with_media)) == ("passed", before)
    assert (with_media.folder.parent / "uploads" / "a" / "3.jpg").exists()


def test_live_database_that_is_gone(site: Site, pg18: Cluster) -> None:
    """After a DROP DATABASE it is made anew under its name, and there is nothing to keep; no snapshot can be taken."""
    name = _url(site).rpartition("/")[2]
    with psycopg.connect(pg18.url("postgres"), autocommit=True) as session:
        session.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    plan = site.json(*_arguments(site))
    assert (plan["possible"], plan["facts"]["kept_as"]) == (True, None)
    done = site.json(*_arguments(site, "--apply", plan["plan"], *_PEOPLE))
    assert (done["verdict"], _rows(_url(site))) == ("passed", (900, 300))


def test_window_beyond_all_clocks(site: Site) -> None:
    """Refused before anything is written, and nothing stands in the way of the next attempt."""
    plan, stored = site.json(*_arguments(site))["plan"], site.stored_files()
    wide = ("--window", "0001-01-01T00:00+23:59/9999-12-31T23:59-23:59")
    assert "years" in site.json(*_arguments(site, "--apply", plan, *_PEOPLE, *wide), expect=2)["error"]
    assert site.stored_files() == stored
    unseen = ("--i-am", "ana", "--approved-by", "a\u200bna")
    assert "twice" in site.json(*_arguments(site, "--apply", plan, *unseen), expect=1)["error"]
