"""The verdict on a restore: what pg_restore really writes, classified, and nothing overlooked."""

from __future__ import annotations

import pytest

from holdfast.errors import RestoreError
from holdfast.postgres.complaints import Kind
from holdfast.postgres.restore_log import is_noise
from holdfast.postgres.verdict import judge

SETTING = """\
pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
Command was: SET transaction_timeout = 0;
"""

ROLE = """\
pg_restore: from TOC entry 2673; 3256 16398 POLICY t p postgres
pg_restore: error: could not execute query: ERROR:  role "bob" does not exist
Command was: CREATE POLICY p ON public.t TO bob;


"""


def ignored(count: int) -> str:
    """Its last line after errors."""
    return f"pg_restore: warning: errors ignored on restore: {count}\n"


def error(
    text: str, command: str = "CREATE TABLE public.t ();", entry: str = "223; 1259 16529 TABLE t postgres"
) -> str:
    """One error as it comes."""
    return f"pg_restore: from TOC entry {entry}\npg_restore: error: {text}\nCommand was: {command}\n\n\n"


def query(text: str) -> str:
    """An error of the server."""
    return f"could not execute query: ERROR:  {text}"


def test_silence_passes() -> None:
    """Nothing said, status 0."""
    verdict = judge([""], 0)
    assert verdict.passed
    verdict.require()
    assert verdict.warnings == ()


def test_newer_clients_setting_is_benign() -> None:
    """An older server does not know the time limit that the client switches off."""
    verdict = judge(["pg_restore: while INITIALIZING:\n" + SETTING + ignored(1)], 1)
    assert verdict.passed
    assert [finding.kind for finding in verdict.warnings] == [Kind.BENIGN]


def test_workers_set_up_is_not_counted_by_pg_restore() -> None:
    """Every session says it, the leader counts its own two; each is one warning to us."""
    worker = "pg_restore: from TOC entry 222; 1259 16391 TABLE t2 postgres\n" + SETTING
    verdict = judge([SETTING + SETTING + ignored(2), worker, worker], 1)
    assert verdict.passed
    assert len(verdict.warnings) == 1
    assert verdict.warnings[0].entry is None


@pytest.mark.parametrize("count", [1, 2])
def test_workers_errors_are_counted_once_or_twice(count: int) -> None:
    """Once for the error, once for its entry."""
    verdict = judge([ignored(count), ROLE], 1)
    assert [finding.kind for finding in verdict.findings] == [Kind.MISSING_ROLE]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (query('role "bob" does not exist'), Kind.MISSING_ROLE),
        (query('extension "postgis" is not available\nDETAIL:  Could not open …'), Kind.MISSING_EXTENSION),
        (query('type "public.hstore" does not exist\nLINE 2:     h public.hstore'), Kind.MISSING_OBJECT),
        (query('relation "t2" already exists'), Kind.ALREADY_EXISTS),
        (query('could not extend file "base/5/16": No space left on device'), Kind.OUT_OF_SPACE),
        (query("permission denied for schema public"), Kind.PERMISSION),
        (query("permission denied to create event trigger"), Kind.PERMISSION),
        (query("must be owner of table t"), Kind.PERMISSION),
        (query("cannot execute CREATE TABLE in a read-only transaction"), Kind.PERMISSION),
        ("could not execute query: server closed the connection unexpectedly", Kind.CONNECTION_LOST),
        (query("terminating connection due to administrator command"), Kind.CONNECTION_LOST),
        (query('unrecognized configuration parameter "frobnicate"'), Kind.VERSION),
        (query("ICU is not supported in this build"), Kind.VERSION),
        (query('insert or update on table "a" violates foreign key constraint "b"'), Kind.DATA),
        (query("cross-database references are not implemented"), Kind.UNCLASSIFIED),
    ],
)
def test_every_error_fails_with_its_kind(text: str, kind: Kind) -> None:
    """Known causes are told by name, others are unclassified; the error names entry and reason."""
    verdict = judge([error(text) + ignored(1)], 1)
    assert [finding.kind for finding in verdict.findings] == [kind]
    assert not verdict.passed
    with pytest.raises(RestoreError, match="TABLE t postgres") as caught:
        verdict.require()
    assert kind.value in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('schema "public" already exists', "CREATE SCHEMA public;"),
        ("must be owner of extension plpgsql", "COMMENT ON EXTENSION plpgsql IS 'x';"),
        ("must be owner of schema public", "COMMENT ON SCHEMA public IS 'x';"),
    ],
)
def test_benign_only_with_their_own_command(text: str, command: str) -> None:
    """The same words about anything else are failures."""
    assert judge([error(query(text), command) + ignored(1)], 1).passed
    assert not judge([error(query(text), "CREATE TABLE public.t ();") + ignored(1)], 1).passed


def test_setting_is_benign_only_when_switched_off() -> None:
    """A value other than 0 may matter."""
    text = query('unrecognized configuration parameter "transaction_timeout"')
    assert not judge([error(text, "SET transaction_timeout = 5;") + ignored(1)], 1).passed
    assert not judge([error(text, "ALTER FUNCTION f() SET transaction_timeout = 0;") + ignored(1)], 1).passed


def test_warnings_of_the_server() -> None:
    """They pass: the server went on. Those of pg_restore itself do not."""
    known = "pg_restore: WARNING:  subscription was created, but is not connected\n"
    assert judge([known], 0).passed
    unknown = "pg_restore: WARNING:  something nobody has seen\nDETAIL:  more\n"
    verdict = judge([unknown], 0)
    assert verdict.passed
    assert [finding.reason for finding in verdict.warnings] == ["the server warned and went on"]
    assert not judge([unknown + error(query("nobody has seen this")) + ignored(1)], 1).passed
    own = "pg_restore: warning: something nobody has seen\n"
    assert [finding.kind for finding in judge([own], 0).failures] == [Kind.UNCLASSIFIED]


def test_supporting_entries_only_warn() -> None:
    """What merely comes along with chosen tables may fail; a lost connection never may."""
    assert judge([ROLE + ignored(1)], 1, supporting=frozenset({2673})).passed
    assert not judge([ROLE + ignored(1)], 1, supporting=frozenset({2674})).passed
    lost = error("could not execute query: server closed the connection unexpectedly")
    assert not judge([lost + ignored(1)], 1, supporting=frozenset({223})).passed


@pytest.mark.parametrize(
    ("voices", "status"),
    [
        ([""], 1),
        ([""], -9),
        ([""], 127),
        ([SETTING], 0),
        ([SETTING], 1),
        ([SETTING + ignored(2)], 1),
        ([SETTING + ignored(1), "garbled\n"], 1),
        ([ignored(1)], 1),
        ([SETTING + ignored(1)], -15),
    ],
)
def test_what_does_not_fit_together_fails(voices: list[str], status: int) -> None:
    """No count without its error, no error without its count, no end but by itself."""
    assert not judge(voices, status).passed


def test_findings_quote_no_rows_and_no_secrets() -> None:
    """The server's details may hold both; a secret that is a word of pg_restore's own disturbs nothing."""
    text = (
        'COPY failed for table "t": ERROR:  duplicate key\nDETAIL:  Key (email)=(a@b) exists\nCONTEXT:  COPY t, line 1'
    )
    verdict = judge([error(text) + ignored(1)], 1, secrets=("error", "duplicate"))
    assert [finding.message for finding in verdict.findings] == ['COPY failed for table "t": ERROR: *** key']


def test_cut_output_fails() -> None:
    """What was not seen was not classified."""
    assert not judge([""], 0, was_cut=True).passed


def test_fatal_error_without_summary() -> None:
    """It gives up at once where it cannot connect or read."""
    text = 'pg_restore: error: connection to server at "127.0.0.1", port 1 failed: Connection refused\n'
    verdict = judge([text], 1)
    assert [finding.kind for finding in verdict.findings] == [Kind.CONNECTION_LOST, Kind.UNCLASSIFIED]


def test_noise_is_told_from_complaints() -> None:
    """Progress is dropped; errors, warnings and what names their entry are kept."""
    for line in (b'creating TABLE "public.t"', b"launching item 3 TABLE DATA t", b"executing SELECT 1"):
        assert is_noise(b"pg_restore: " + line)
    for line in (b"error: x", b"warning: x", b"from TOC entry 1; 2 3 TABLE", b"while INITIALIZING:", b"WARNING:  x"):
        assert not is_noise(b"pg_restore: " + line)
