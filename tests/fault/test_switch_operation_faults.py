"""A switch that is killed, raced, hindered or aimed elsewhere: the application is never without its database."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from audit_trail import told
from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.drill.outcome import Outcome
from holdfast.operation import working
from holdfast.operation.whole import People, run_operation
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_TABLES = """
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, repeat('x', 50) FROM generate_series(1, 4000) n;
"""
_PEOPLE = ("--i-am", "ana", "--approved-by", "bo")


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str], pg18: Cluster) -> Iterator[Site]:
    """A shop with one restore point, and half of its rows gone since."""
    url = make_database(_TABLES)
    site = make_site(url)
    site.variables["POINT"] = site.backup()
    execute(url, "DELETE FROM orders WHERE id > 2000")
    yield site
    name = url.rpartition("/")[2]
    with psycopg.connect(pg18.url("postgres"), autocommit=True) as session:
        for each in _beside(url):
            session.execute(f'ALTER DATABASE "{each}" IS_TEMPLATE false')
            session.execute(f'DROP DATABASE "{each}" WITH (FORCE)')
        assert session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() == (1,)


def _url(site: Site) -> str:
    return site.variables["AIRFLOW_CONN_SHOP_DB"]


def _beside(url: str) -> list[str]:
    name = url.rpartition("/")[2]
    with psycopg.connect(url) as session:
        found = session.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{name}\\_%",)).fetchall()
    return [each for (each,) in found]


def _rows(url: str) -> int:
    with psycopg.connect(url) as session:
        return int(session.execute("SELECT count(*) FROM orders").fetchone()[0])  # type: ignore[index]


def _plan(site: Site) -> str:
    arguments = ("switch", str(site.policy_file), "production", site.variables["POINT"])
    return str(site.json(*arguments)["plan"])


def _apply(site: Site, plan: str) -> tuple[str, ...]:
    policy = (str(site.policy_file), "production", site.variables["POINT"])
    return ("switch", *policy, "--apply", plan, *_PEOPLE)


def _start(site: Site, plan: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        site.command(*_apply(site, plan), "--json"),
        env=site.surroundings(),
        cwd=site.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_killed_and_run_again(site: Site) -> None:
    """However often it is killed, its rerun ends what it began; live is the old one or the new one, never neither."""
    chance, plan = random.Random(4711), _plan(site)
    for _ in range(4):
        running = _start(site, plan)
        time.sleep(chance.uniform(0.6, 3.0))
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        assert _rows(_url(site)) in (2000, 4000)
    # One that was killed behind its evidence has nothing to go on with: the plan is stale then, and live is restored.
    done = site.run(*_apply(site, plan), "--json", expect=None)
    assert _rows(_url(site)) == 4000
    assert done.returncode == 0 or b"not the hash" in done.stdout
    kept = site.json("kept", str(site.policy_file), "production")["kept"]
    assert [each["what"] for each in kept] == ["database"]
    assert _beside(_url(site)) == [kept[0]["name"]]
    evidence = site.json("evidence", "list", str(site.policy_file), "production")
    assert "restore" in str(evidence)


def test_two_at_once(site: Site) -> None:
    """One does it, the other refuses or finds its plan stale; nothing is done twice."""
    plan = _plan(site)
    both = [_start(site, plan) for _ in range(2)]
    ended = [each.communicate(timeout=120) for each in both]
    statuses = sorted(each.returncode for each in both)
    assert statuses in ([0, 1], [0, 0]), ended
    assert _rows(_url(site)) == 4000
    assert len(_beside(_url(site))) == 1


def test_interrupted(site: Site) -> None:
    """Ctrl-C leaves live as it was, or switched, and nothing beside it."""
    running = _start(site, _plan(site))
    while not _beside(_url(site)) and running.poll() is None:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    running.communicate(timeout=60)
    if running.returncode == 130:
        assert (_rows(_url(site)), _beside(_url(site))) == (2000, [])


def test_interrupted_behind_its_restore(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was restored beside is removed then, and restored once more by who repeats the very same."""
    plan, environment = _plan(site), site.environment()
    point, request = RestorePointId.parse(site.variables["POINT"]), {"what": "database", "target": "live"}
    people = People("ana", ("bo",))

    def interrupted(*_: object) -> Outcome:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(working, "_WORKS", {**working._WORKS, "switch": interrupted})
        with pytest.raises(KeyboardInterrupt):
            run_operation(environment, "restore", point, request, expected=plan, people=people)
    assert (_rows(_url(site)), _beside(_url(site))) == (2000, [])
    site.run(*_apply(site, plan))
    assert _rows(_url(site)) == 4000


def test_name_beside_is_somebodys(site: Site) -> None:
    """A database of that name that is not ours is left alone."""
    plan = _plan(site)
    with psycopg.connect(_url(site), autocommit=True) as session:
        session.execute(f'CREATE DATABASE "{_url(site).rpartition("/")[2]}_before_{site.variables["POINT"]}"')
    assert _plan(site) != plan
    done = site.json(*_apply(site, plan), expect=1)
    assert "Nothing was changed" in done["hint"]
    done = site.json(*_apply(site, _plan(site)))
    assert done["facts"]["kept_as"].endswith("_2")


def test_prepared_transaction(site: Site) -> None:
    """It would be lost with the old database: known in the plan, and refused."""
    with psycopg.connect(_url(site), autocommit=True) as session:
        session.execute("BEGIN; INSERT INTO orders VALUES (9000, ''); PREPARE TRANSACTION 'half done'")
    arguments = ("switch", str(site.policy_file), "production", site.variables["POINT"])
    try:
        plan = site.json(*arguments, expect=1)
        assert (plan["possible"], "half done" in str(plan["faults"])) == (False, True)
        assert "half done" in site.json(*_apply(site, plan["plan"]), expect=2)["error"]
        assert _beside(_url(site)) == []
    finally:
        with psycopg.connect(_url(site), autocommit=True) as session:
            session.execute("ROLLBACK PREPARED 'half done'")


def test_flipped_byte(site: Site) -> None:
    """The restore point is not what it was: found while restoring beside, live is as it was, the backup is blamed."""
    plan = _plan(site)
    dump = next(site.store_folder.rglob(f"{site.variables['POINT']}/database.dump.age"))
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    done = site.json(*_apply(site, plan), expect=1)
    assert (done["verdict"], _rows(_url(site)), _beside(_url(site))) == ("failed", 2000, [])


def test_restored_rows_are_missing(site: Site) -> None:
    """Sessions of the application are ended, and its writes until then stay with what is kept."""
    with psycopg.connect(_url(site)) as session:
        session.execute("INSERT INTO orders VALUES (9001, 'late')")
        session.commit()
        session.execute("SELECT 1")
        done = site.json(*_apply(site, _plan(site)))
        assert done["facts"]["ended_sessions"] >= 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    kept = _url(site).rpartition("/")[0] + "/" + done["facts"]["kept_as"]
    assert _rows(kept) == 2001


def test_kept_is_dropped_when_due(site: Site) -> None:
    """Not before; what is live, and what is not ours, never."""
    site.edit_policy("    tiers:", "    restore: {keep_replaced: 1d}\n    tiers:")
    done = site.json(*_apply(site, _plan(site)))
    found = site.json("kept", str(site.policy_file), "production", "--drop-due")
    assert ([each["name"] for each in found["kept"]], found["removed"]) == ([done["facts"]["kept_as"]], [])
    name = done["facts"]["kept_as"]
    with psycopg.connect(_url(site), autocommit=True) as session:
        comment = session.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        assert comment is not None
        early = comment[0].replace("202", "201")
        session.execute(f"COMMENT ON DATABASE \"{name}\" IS '{early}'")
    found = site.json("kept", str(site.policy_file), "production", "--drop-due")
    assert ([each["name"] for each in found["removed"]], found["kept"]) == ([name], [])
    (cleared,) = told(site.environment(), "cleared")
    assert (cleared.subject, cleared.details) == (f"database {name}", {"names": [f"database {name}"]})
    assert (_beside(_url(site)), _rows(_url(site))) == ([], 4000)


def test_over_the_live_database(site: Site) -> None:
    """Where renaming is not allowed: under the same gates, in one transaction, with grants as they were."""
    site.edit_policy("    tiers:", "    restore: {method: clean}\n    tiers:")
    role = f"reader_{os.getpid()}"
    execute(_url(site), f"CREATE ROLE {role}; GRANT SELECT ON orders TO {role}")
    try:
        plan = site.json("switch", str(site.policy_file), "production", site.variables["POINT"])
        assert "over the live database" in plan["body"]
        site.json(*_apply(site, "0" * 64), expect=1)
        assert _rows(_url(site)) == 2000
        # Else the restore would wait for it, and everybody else behind the restore.
        reader = psycopg.connect(_url(site))
        reader.execute("SELECT count(*) FROM orders")
        done = site.json(*_apply(site, plan["plan"]))
        assert (done["verdict"], _rows(_url(site)), _beside(_url(site))) == ("passed", 4000, [])
        with pytest.raises(psycopg.OperationalError):
            reader.execute("SELECT 1")
        with psycopg.connect(_url(site)) as session:
            found = session.execute("SELECT has_table_privilege(%s, 'orders', 'SELECT')", (role,)).fetchone()
        assert found == (True,)
    finally:
        execute(_url(site), f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_owner_that_cannot_be_given(site: Site, pg18: Cluster) -> None:
    """An ordinary role restores: what another role owns would be its own afterwards, so it is refused in the plan."""
    name, owner, other = _url(site).rpartition("/")[2], f"owner_{os.getpid()}", f"other_{os.getpid()}"
    execute(pg18.url(), f"CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'x'; CREATE ROLE {other}")
    execute(pg18.url(), f"GRANT pg_signal_backend TO {owner}; ALTER DATABASE {name} OWNER TO {owner}")
    execute(_url(site), f"ALTER TABLE orders OWNER TO {other}")
    site.variables["AIRFLOW_CONN_OWNER"] = pg18.url(name, user=owner, password="x")
    site.edit_policy("    tiers:", "    restore: {conn_id: owner}\n    tiers:")
    arguments = ("switch", str(site.policy_file), "production", site.variables["POINT"])
    try:
        assert f"role {other} owns objects" in str(site.json(*arguments, expect=1)["faults"])
        execute(_url(site), f"ALTER TABLE orders OWNER TO {owner}")
        done = site.json(*_apply(site, site.json(*arguments)["plan"]))
        assert (done["verdict"], _rows(_url(site))) == ("passed", 4000)
    finally:
        for each in (name, *_beside(_url(site))):
            execute(pg18.url(), f'ALTER DATABASE "{each}" OWNER TO postgres')
            execute(pg18.url(each), f"REASSIGN OWNED BY {owner}, {other} TO postgres; DROP OWNED BY {owner}, {other}")
        execute(pg18.url(), f"DROP OWNED BY {owner}, {other}; DROP ROLE {owner}, {other}")


def test_wrong_database_under_the_connections(site: Site, make_database: Callable[..., str], pg15: Cluster) -> None:
    """Another database, or one of that name on another server: refused in the plan, and live there is left alone."""
    arguments = ("switch", str(site.policy_file), "production", site.variables["POINT"])
    plan, right, name = _plan(site), _url(site), _url(site).rpartition("/")[2]
    other = make_database("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    elsewhere = make_database("CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)", name=name, cluster=pg15)
    for wrong, said in ((other, "live is called"), (elsewhere, "another server")):
        site.variables["AIRFLOW_CONN_SHOP_DB"] = wrong
        assert said in str(site.json(*arguments, expect=1)["faults"])
        site.json(*_apply(site, plan), expect=1)
        assert _rows(wrong) == 1
    meant = site.json(*arguments, "--other-source")
    assert (meant["possible"], "says that this is meant" in meant["body"]) == (True, True)
    site.variables["AIRFLOW_CONN_SHOP_DB"] = right
    site.variables["AIRFLOW_CONN_OWNER"] = elsewhere
    site.edit_policy("    tiers:", "    restore: {conn_id: owner, method: clean}\n    tiers:")
    found = site.json(*arguments, expect=1)
    assert "restore.conn_id leads to" in str(found["faults"])
    site.json(*_apply(site, found["plan"]), expect=2)
    assert _rows(elsewhere) == 1
