"""What restored code does in the server, as its superuser: kept from the machine and other drills, and ended."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from fix_postgres import execute, rows
from fix_recovery import NAME, as_program, processes_of, recovery_root_for_tests
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery import Recovery, opened_recovery, prepare_recovery
from holdfast.recovery.account import recovery_account
from holdfast.recovery.clearing import remove_tree

_NEIGHBOUR = "other.production.20261122T090000Z-restore_drill-000000"

_TEMPORARY = "/tmp"


@pytest.fixture(scope="module", params=[18, 15])
def root(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Two recovery environments, of which one is at work, with a secret of its own."""
    with recovery_root_for_tests() as folder:
        for name in (NAME, _NEIGHBOUR):
            prepare_recovery(folder, name, source_major=request.param, database="shop", now=datetime.now(UTC))
        with opened_recovery(folder, _NEIGHBOUR) as neighbour:
            secret = neighbour.media / "secret"
            secret.write_text("the neighbour's")
            os.chown(secret, recovery_account().uid, recovery_account().gid)
            yield folder


def restored(recovery: Recovery, script: str) -> list[str]:
    """What a program says that a function of an index starts, as a restore would set it off."""
    recovery.reset_database()
    execute(recovery.url.replace("/shop?", "/template1?"), "CREATE DATABASE shop")
    call = f"COPY public.said FROM PROGRAM {quoted('bash -c ' + shlex.quote(script))}"
    execute(
        recovery.url,
        f"""
        CREATE TABLE said (line text);
        CREATE TABLE t AS SELECT 1 AS id;
        CREATE FUNCTION run(int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE {quoted(call)}; RETURN 1; END $f$;
        CREATE FUNCTION evil(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
          $f$ BEGIN PERFORM public.run($1); RETURN $1; END $f$;
        CREATE INDEX ON t (public.evil(id));
        """,
    )
    return [str(line) for (line,) in rows(recovery.url, "SELECT line FROM said")]


def existing(root: Path) -> str:
    """For a shell: those of both environments' files that can be seen."""
    names = "{data,socket,password,home,media,tmp,environment.json}"
    return f"{root}/{{{NAME},{_NEIGHBOUR}}}/{names} 2>/dev/null"


def quoted(text: str) -> str:
    """A literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def numbers_of(words: str) -> list[str]:
    """Processes of this machine with that command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        found += [process.name] if said.split("\0")[:-1] == words.split() else []
    return found


def test_program_that_it_leaves_ends_with_the_step(root: Path) -> None:
    """One that took itself out of session, folder and group, and heeds no request."""
    script = "cd /; (trap '' TERM INT HUP; setsid nohup sleep 4711 >/dev/null 2>&1 &) ; sleep 0.3; echo done"
    with opened_recovery(root, NAME) as recovery:
        assert restored(recovery, script) == ["done"]
        assert len(numbers_of("sleep 4711")) == 1
        begun = time.monotonic()
    assert numbers_of("sleep 4711") == []
    assert time.monotonic() - begun < 3


def test_program_has_no_rights_and_sees_no_other_process(root: Path) -> None:
    """None to gain either; the processes of this machine, and of the other drill, are not there."""
    with opened_recovery(root, NAME) as recovery:
        status = restored(
            recovery, "grep -E 'NoNewPrivs|Cap(Bnd|Prm|Eff|Inh|Amb)' /proc/self/status | tr '\\t' ' '; id -u"
        )
        names = restored(recovery, "cat /proc/[0-9]*/comm")
        first = restored(recovery, "ls /proc/1/cwd /proc/1/root 2>&1; cat /proc/1/environ 2>&1; true")
    assert sorted(status[:-1]) == [
        *(f"Cap{name}: 0000000000000000" for name in ("Amb", "Bnd", "Eff", "Inh", "Prm")),
        "NoNewPrivs: 1",
    ]
    assert status[-1] == str(recovery_account().uid)
    assert set(names) <= {"python", "python3", "python3.12", "postgres", "sh", "bash", "cat"}
    assert 0 < names.count("postgres") < 12
    assert sum("Permission denied" in line for line in first) == 3


def test_program_cannot_reach_the_neighbours_environment(root: Path) -> None:
    """Neither by its path nor through a process; nor this one's own commands' folders."""
    secret = root / _NEIGHBOUR / "media" / "secret"
    search = "for pid in /proc/[0-9]*; do ls $pid/cwd/ $pid/root%s; done 2>/dev/null | grep -c secret; true"
    with opened_recovery(root, NAME) as recovery:
        listed = restored(recovery, f"ls -d {existing(root)}; ls {root} 2>&1; cat {secret} 2>&1; true")
        found = restored(recovery, search % secret.parent)
    assert set(listed[:-2]) == {str(root / NAME / name) for name in ("data", "socket")}
    assert listed[-2].endswith("Permission denied")
    assert listed[-1].endswith("No such file or directory")
    assert found == ["0"]


def test_program_that_kills_all_it_can_ends_its_own_server_alone(root: Path) -> None:
    """The neighbour of the same user, and we, go on."""
    with opened_recovery(root, NAME) as recovery, pytest.raises(psycopg.OperationalError):
        restored(recovery, "kill -9 -1")
    neighbour = root / _NEIGHBOUR / "data"
    assert len(processes_of(neighbour)) > 4
    with opened_recovery(root, NAME) as recovery:
        assert restored(recovery, "echo again") == ["again"]


def test_program_has_no_network_and_no_sockets_of_strangers(root: Path) -> None:
    """Nor what others left among the temporary files."""
    with opened_recovery(root, NAME) as recovery:
        names = restored(recovery, "cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '; ls -A /var/tmp")
        shown = restored(recovery, "ls -A /tmp; ls -A /dev/shm; ls /run 2>&1; true")
    assert not any(name.startswith(("eth", "en", "wl")) for name in names)
    assert names[0] == "lo"
    # Beside the recovery folder, the server's own programs, where they lie among the temporary files, too.
    programs = wheel_folder().relative_to(_TEMPORARY).parts[:1] if wheel_folder().is_relative_to(_TEMPORARY) else ()
    mine = {root.name, *programs}
    assert root.name in shown
    assert shown[-1].endswith("Permission denied")
    assert all(name.startswith("PostgreSQL.") for name in shown[:-1] if name not in mine)


def test_pipe_in_place_of_the_servers_lock_keeps_nobody_waiting(root: Path) -> None:
    """The next step starts in a data directory into which restored code may have written."""
    data = root / NAME / "data"
    with opened_recovery(root, NAME) as recovery:
        assert restored(recovery, "sleep 1 >/dev/null & echo done") == ["done"]
    os.mkfifo(data / "postmaster.pid")
    os.chown(data / "postmaster.pid", recovery_account().uid, -1)
    with opened_recovery(root, NAME) as recovery:
        assert rows(recovery.url, "SELECT count(*) FROM said") == [(1,)]


def test_command_sees_neither_server_files_nor_the_neighbour(root: Path) -> None:
    """It runs as the same user: the superuser's password and the database's files are not there for it."""
    with opened_recovery(root, NAME) as recovery:
        script = f"ls -d {existing(root)}; cat {root / NAME}/password {root / NAME}/data/PG_VERSION 2>&1"
        done = recovery.run(f"bash -c '{script}'", cwd=recovery.folder, env={}, network="isolated", timeout_s=30)
    assert set(done.said[:-2]) == {str(root / NAME / name) for name in ("home", "media", "socket", "tmp")}
    assert all("No such file" in line for line in done.said[-2:])
    password = root / NAME / "password"
    assert password.stat().st_uid == os.geteuid()


def test_removal_follows_no_link_and_no_depth_is_too_much(tmp_path: Path) -> None:
    """Whatever restored code or a command planted."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (outside / "kept").write_text("x")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    (tree / ".removed-0").write_text("in the way")
    (tree / ".removed-1").mkdir()
    (tree / ".removed-1" / "full").symlink_to(outside / "kept")
    os.mkfifo(tree / "pipe")
    here = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=here)
        os.symlink(outside, "out", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.fchmod(below, 0o700)
        os.close(here)
        here = below
    os.close(here)
    (tree / "closed").mkdir(mode=0)
    remove_tree(tree)
    remove_tree(tree)
    remove_tree(tmp_path / "none" / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside"]
    assert outside.stat().st_mode & 0o777 == 0o500
    link = tmp_path / "link"
    link.symlink_to(outside)
    remove_tree(link)
    assert (outside / "kept").read_text() == "x"


def test_where_namespaces_are_refused_its_programs_end_with_the_server(root: Path) -> None:
    """They see more of the machine then, but gain no rights and do not outlive the step."""
    payload = root / "payload"
    daemon = "cd /; (trap '' TERM INT; setsid sleep 4722 >/dev/null 2>&1 &)"
    status = r"grep NoNewPrivs /proc/self/status | tr '\t' ' '"
    payload.write_text(daemon + "\n" + status)
    body = """
    with opened_recovery(Path(sys.argv[1]), sys.argv[2]) as recovery:
        with connect(recovery.target.with_database("template1")) as session:
            session.execute("CREATE TEMP TABLE said (line text)")
            session.execute("COPY said FROM PROGRAM 'bash " + sys.argv[3] + "'")
            print(json.dumps(session.execute("SELECT line FROM said").fetchall()))
    """
    confined = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", "--")
    try:
        said = as_program(body, str(root), NAME, str(payload), prefix=confined)
    finally:
        payload.unlink()
    assert json.loads(said) == [["NoNewPrivs: 1"]]
    assert numbers_of("sleep 4722") == []
