"""A whole drill: restored into a recovery environment, compared, asked, recorded, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.catalog.restore_checks import read_restore_check
from holdfast.drill import run_drill, run_restore_check
from holdfast.evidence import read_evidence, verify_evidence
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_DRILL = """
    drill:
      commands:
        - sh -c 'test "$PAYMENTS_ENABLED" = false && test -n "$SESSION_SECRET" && test -n "$DATABASE_URL"'
      env: {PAYMENTS_ENABLED: "false"}
      temporary_secrets: [SESSION_SECRET]
      queries:
        orders: {sql: "SELECT count(*) FROM orders", expect: 3}
        no orphans: {sql: "SELECT id FROM orders WHERE buyer NOT IN (SELECT id FROM buyers)", expect: {rows: 0}}
"""


@pytest.fixture
def recovery_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root of its own, which must be empty again after every test."""
    root = tmp_path / "recovery"
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(root))
    yield root
    assert [path.name for path in root.iterdir() if path.is_dir()] == [] if root.exists() else True


@pytest.fixture
def site(pg18: Cluster, make_site: MakeSite, recovery_root: Path, tmp_path: Path) -> Site:
    """A shop with a restore point."""
    url = pg18.create_database(f"drill_{tmp_path.name}")
    execute(
        url,
        "CREATE TABLE buyers (id int PRIMARY KEY, name text);"
        "CREATE TABLE orders (id serial PRIMARY KEY, buyer int REFERENCES buyers);"
        "INSERT INTO buyers VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO orders (buyer) VALUES (1), (1), (2)",
    )
    site = make_site(url)
    site.backup()
    return site


def _with_drill(site: Site, text: str = _DRILL) -> None:
    site.policy_file.write_text(site.policy_file.read_text() + text)


def test_a_drill_of_a_sound_restore_point_passes_and_leaves_evidence(site: Site) -> None:
    """Every step stands in the signed evidence, with the rows of each table."""
    _with_drill(site)
    environment = site.environment()
    facts = run_drill(environment, None, reason="quarterly", requested_by="me")
    assert facts.findings == ()
    assert facts.verdict == "passed"
    drill = RestorePointId.parse(facts.id)
    evidence = read_evidence(environment, drill)
    assert [step.outcome for step in evidence.steps] == ["passed"] * len(evidence.steps)
    assert {table.table: (table.expected, table.found) for table in evidence.tables} == {
        "public.buyers": (2, 2),
        "public.orders": (3, 3),
    }
    assert evidence.approval == "not asked"
    assert evidence.requested_by == "me"
    assert evidence.surroundings is not None
    assert evidence.surroundings.confinement is not None
    assert evidence.surroundings.confinement.interfaces in ((), ("lo",))
    assert verify_evidence(environment, drill) == []
    assert not [name for name in site.stored_files() if "draft-" in name]
    # A drill is not the restore check: its record comes from that alone.
    assert (
        read_restore_check(environment.catalog, RestorePointId.parse(facts.restore_point), environment.verifier())
        is None
    )


def test_a_restore_check_marks_the_restore_point(site: Site) -> None:
    """The signed record stands beside the manifest, which is not edited."""
    environment = site.environment()
    [id] = site.ids()
    before = environment.store.get(environment.keys.manifest(RestorePointId.parse(id)))
    facts = run_restore_check(environment, RestorePointId.parse(id))
    assert facts.verdict == "passed", facts.findings
    check = read_restore_check(environment.catalog, RestorePointId.parse(id), environment.verifier())
    assert check is not None
    assert check.passed
    assert environment.store.get(environment.keys.manifest(RestorePointId.parse(id))) == before


def test_a_query_that_finds_something_else_fails_the_drill(site: Site) -> None:
    """The finding names the query; the evidence is recorded all the same."""
    _with_drill(site, _DRILL.replace("expect: 3", "expect: 4"))
    environment = site.environment()
    facts = run_drill(environment, None)
    assert facts.verdict == "failed"
    assert "orders" in facts.findings[0]
    assert verify_evidence(environment, RestorePointId.parse(facts.id)) == []


def test_a_command_that_fails_ends_the_drill_before_what_follows(site: Site) -> None:
    """What did not run is named, too."""
    _with_drill(site, _DRILL.replace("commands:", "commands:\n        - sh -c 'echo no good >&2; exit 3'"))
    facts = run_drill(site.environment(), None)
    assert facts.verdict == "failed"
    assert "exit status 3: no good" in facts.findings[0]
    assert "not run: queries" in facts.findings


def test_a_drill_of_nothing_says_what_to_do(pg18: Cluster, make_site: MakeSite, recovery_root: Path) -> None:
    """No restore point yet."""
    url = pg18.create_database("drill_empty")
    site = make_site(url)
    with pytest.raises(Exception, match="there is no restore point"):
        run_drill(site.environment(), None)


def test_the_live_server_is_no_recovery_server(site: Site) -> None:
    """Restored code would run there with the rights of whoever restores."""
    _with_drill(site, "\n    drill: {server: {conn_id: shop_db}, network: unconfined}\n")
    facts = run_drill(site.environment(), None)
    assert facts.verdict == "failed"
    assert "is that of the live database" in facts.findings[0]


def test_a_recovery_server_that_is_away_fails_the_drill_with_evidence(site: Site) -> None:
    """Nothing is known of the backup, and the evidence says so."""
    environment = site.environment()
    _with_drill(site, "\n    drill: {server: {conn_id: away}, network: unconfined}\n")
    site.variables["AIRFLOW_CONN_AWAY"] = "postgresql://me:secret@127.0.0.1:1/postgres"
    environment = site.environment()
    facts = run_drill(environment, None)
    assert facts.verdict == "failed"
    evidence = read_evidence(environment, RestorePointId.parse(facts.id))
    assert {finding.about for finding in evidence.findings} == {"drill"}
    assert "secret" not in evidence.encode().decode()


def test_doctor_says_what_a_drill_would_lack(site: Site, tmp_path: Path) -> None:
    """Before the first drill: room, a server, the application, a network that can be taken away."""
    _with_drill(site)
    site.variables["HOLDFAST_RECOVERY"] = str(tmp_path / "recovery")
    checks = {each["name"]: each for each in site.json("doctor", str(site.policy_file), "production")["checks"]}
    assert [checks[name]["verdict"] for name in ("recovery folder", "recovery server", "drill commands")] == ["ok"] * 3
    assert "PostgreSQL 18" in checks["recovery server"]["text"]
    assert checks["drill commands"]["text"] == "1, network isolated, interfaces: lo"
    site.edit_policy("      commands:\n", f"      app_dir: {tmp_path}/nowhere\n      commands:\n")
    lacking = site.json("doctor", str(site.policy_file), "production", expect=1)["checks"]
    assert [each["name"] for each in lacking if each["verdict"] == "failed"] == ["drill commands"]
