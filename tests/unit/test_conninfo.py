"""Addresses of databases: read from every form people have them in, passed on whole, shown without secrets."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from holdfast.errors import UsageError
from holdfast.postgres.conninfo import Target, resolve
from holdfast.values.connection import Connection

WORD = "p@ss:w/o%r#d? with 'quotes\" and ü"

# libpq takes C strings in UTF-8; an empty value means "not given".
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)


class NoConnections:
    """Knows no connection id."""

    def get(self, conn_id: str) -> Connection:
        """Refuse."""
        raise UsageError(f"connection {conn_id}: not defined")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No PG* variable of whoever runs the tests."""
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@given(user=TEXT, password=TEXT, database=TEXT)
def test_any_login_survives_the_way_from_url_to_libpq(user: str, password: str, database: str) -> None:
    """Percent-encoded parts arrive as they were, in psycopg's conninfo and in the children's environment."""
    url = f"postgres://{quote(user, safe='')}:{quote(password, safe='')}@h:5433/{quote(database, safe='')}"
    target = Target.parse(url)
    given = {"user": user, "password": password, "dbname": database, "host": "h", "port": "5433"}
    assert conninfo_to_dict(target.conninfo()) == given | {"port": "5433"}
    assert target.environment() == {
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": database,
        "PGHOST": "h",
        "PGPORT": "5433",
    }


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "POSTGRES"])
def test_schemes(scheme: str) -> None:
    """The schemes of libpq, of SQLAlchemy, and in capitals."""
    assert Target.parse(f"{scheme}://u@h/d").describe() == "u@h:5432/d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u@h/d?sslmode=require&connect_timeout=3", {"sslmode": "require", "connect_timeout": "3"}),
        ("postgresql://u@h/d?sslmode=no-verify", {"sslmode": "require"}),
        ("postgresql://u@h/d?ssl=true", {"sslmode": "require"}),
        ("postgresql://u@h/d?schema=public&connection_limit=5&pgbouncer=true", {}),
        ("postgresql://u@h/d?options=-c%20work_mem%3D9MB%20endpoint%3Dx", {"options": "-c work_mem=9MB endpoint=x"}),
        ("postgresql://u@h/d?sslrootcert=%2Fetc%2Fca.pem", {"sslrootcert": "/etc/ca.pem"}),
        ("  postgresql://u@h/d\n", {}),
        ("host=h user=u dbname=d sslmode=require", {"sslmode": "require"}),
        ("host=h user=u dbname=d client_encoding=latin1", {}),
    ],
)
def test_parameters(text: str, expected: dict[str, str]) -> None:
    """Those of libpq are kept, those of others translated or dropped."""
    assert conninfo_to_dict(Target.parse(text).conninfo()) == {"host": "h", "user": "u", "dbname": "d"} | expected


def test_several_hosts_and_sockets() -> None:
    """Lists of hosts, and folders of sockets."""
    several = Target.parse("postgresql://u@h1:1,h2:2/d?target_session_attrs=read-write")
    assert several.environment()["PGHOST"] == "h1,h2"
    assert several.environment()["PGPORT"] == "1,2"
    assert several.environment()["PGTARGETSESSIONATTRS"] == "read-write"
    assert Target.parse("postgresql://u@%2Fvar%2Frun%2Fpg/d").host == "/var/run/pg"
    assert Target.parse("postgresql:///d?host=/var/run/pg").host == "/var/run/pg"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{WORD}@h/d",
        "postgresql://u:pa?ss@h/d",
        "postgresql://u:pa?host@h/d",
        "postgresql://u:pa?hunter2=x&y@h/d",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:hunter@hunter2@h/d",
        "postgresql://u:hunter@h:hunter2@h/d",
        "postgresql://u:hunter2@h/d?sslmod=require",
        "postgresql://u:hunter2@h/d?replication=database",
        "postgresql://u:hunter2%00@h/d",
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@h/d?service=x",
        "host=h password=hunter2 nonsense=1",
        "dbname=postgresql://u:hunter2@h/d",
    ],
)
def test_unusable_addresses_are_refused_without_quoting_them(text: str) -> None:
    """A UsageError whose text holds no part of a password."""
    with pytest.raises(UsageError) as caught:
        Target.parse(text)
    said = f"{caught.value} {caught.value.hint} {caught.value.__cause__} {caught.value.__context__!r}"
    assert "ss@" not in said
    assert "hunter2" not in said
    assert WORD not in said


@pytest.mark.parametrize("text", ["postgresql://u:p@h:99999/d", "postgresql://u:p@h:abc/d", "host=h port=1,x"])
def test_wrong_port_is_named(text: str) -> None:
    """The field, and what it should be."""
    with pytest.raises(UsageError, match="database address: port is not a number from 1 to 65535"):
        Target.parse(text)
    with pytest.raises(UsageError, match="connection c: port is not a number"):
        Target.from_connection(Connection("c", "postgres", "h", 99999))


def test_misspelt_parameter_is_named() -> None:
    """Where it is surely no part of a password."""
    with pytest.raises(UsageError, match="'sslmod'"):
        Target.parse("postgresql://u:p@h/d?sslmod=require")


def test_nothing_shown_holds_the_password() -> None:
    """repr, str and describe name the place only; secrets hold every spelling."""
    target = Target.parse(f"postgresql://u:{quote(WORD, safe='')}@h/d")
    assert f"{target} {target!r} {target.describe()}" == "u@h:5432/d Target() u@h:5432/d"
    assert set(target.secrets) >= {WORD, quote(WORD, safe=""), quote_plus(WORD)}


def test_connection_keeps_libpq_extra_only() -> None:
    """Airflow's own extra fields mean nothing to libpq."""
    extra = {"sslmode": "require", "cursor": "dictcursor", "keepalives": True, "iam": False, "connect_timeout": 7}
    connection = Connection("c", "postgres", "h", 5433, "u", WORD, "d", {**extra, "user": "other"})
    target = Target.from_connection(connection)
    assert conninfo_to_dict(target.conninfo()) == {
        "host": "h", "port": "5433", "user": "u", "password": WORD, "dbname": "d",
        "sslmode": "require", "keepalives": "1", "connect_timeout": "7",
    }  # fmt: skip


def test_connection_of_another_type_is_refused() -> None:
    """A connection of the wrong type is named."""
    with pytest.raises(UsageError, match="connection c: of type mysql"):
        Target.from_connection(Connection("c", "mysql", "h"))


def test_resolve_tells_addresses_from_ids() -> None:
    """URL and key=value are addresses, all else is an id."""
    assert resolve("postgres://u@h/d", NoConnections()).database == "d"
    assert resolve("host=h dbname=d", NoConnections()).database == "d"
    with pytest.raises(UsageError, match="connection shop_db: not defined"):
        resolve("shop_db", NoConnections())


def test_children_get_what_libpq_would_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Psycopg reads PG* variables by itself; children have an environment of their own and must agree with it."""
    monkeypatch.setenv("PGPASSWORD", WORD)
    monkeypatch.setenv("PGHOST", "elsewhere")
    target = Target.parse("postgresql://u@h/d")
    assert target.environment()["PGPASSWORD"] == WORD
    assert target.environment()["PGHOST"] == "h"
    assert WORD in target.secrets


def test_what_children_cannot_be_given_is_refused() -> None:
    """A key file's passphrase has no variable; keepalives have none either, but do not matter."""
    target = Target.parse("host=h user=u dbname=d sslpassword=word keepalives_idle=5")
    with pytest.raises(UsageError, match="sslpassword") as caught:
        target.environment()
    assert "word'" not in str(caught.value)
    assert "PGHOST" in target.with_parameters(sslpassword=None).environment()


def test_other_database_of_the_same_login() -> None:
    """Only the name changes."""
    target = Target.parse("postgresql://u:p@h:1/d").with_database("it's")
    assert conninfo_to_dict(target.conninfo()) == {
        "host": "h", "port": "1", "user": "u", "password": "p", "dbname": "it's",
    }  # fmt: skip
