"""Recovery environments: ready at once, kept between tasks, closed to others, and gone without a trace."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_postgres import DEBIAN_15, execute, rows
from fix_recovery import NAME, processes_of
from holdfast.errors import DrillError, UsageError
from holdfast.postgres.session import connect
from holdfast.recovery import opened_recovery, prepare_recovery, recovery_root, remove_leftovers, remove_recovery
from holdfast.recovery.place import Place
from holdfast.recovery.programs import server_for

NOW = datetime.now(UTC)
LONG = "deep-" + "x" * 100


def create(recovery_url: str) -> None:
    """The database, as a restore would make it."""
    database = recovery_url.partition("?")[0].rpartition("/")[2]
    execute(recovery_url.replace(f"/{database}?", "/template1?"), f'CREATE DATABASE "{database}"')


def quickly_ready(prepared: Callable[..., Path], major: int) -> Path:
    """The root of one that was ready in time; a machine with other work may be slow once."""
    measured = []
    for _ in range(4):
        root = prepared(major=major)
        with opened_recovery(root, NAME) as recovery:
            measured.append(recovery.ready_seconds)
        if measured[-1] <= 3:
            return root
        remove_recovery(root, NAME)
    pytest.fail(f"ready after {measured} s")


@pytest.mark.parametrize("major", [15, 18])
def test_throwaway_server_is_ready_in_three_seconds_and_reached_by_socket_alone(
    prepared: Callable[..., Path], major: int
) -> None:
    """Of the source's own major version, and quick at the cost of durability."""
    with opened_recovery(quickly_ready(prepared, major), NAME) as recovery:
        assert recovery.is_throwaway
        assert recovery.database == "shop"
        create(recovery.url)
        shown = dict(rows(recovery.url, "SELECT name, setting FROM pg_settings"))
        assert rows(recovery.url, "SELECT current_database()") == [("shop",)]
        with connect(recovery.target) as session:
            assert session.info.host == str(recovery.folder / "socket")
        surroundings = recovery.surroundings(f"{major}.1")
    assert shown["listen_addresses"] == ""
    off = ("fsync", "full_page_writes", "autovacuum", "data_checksums")
    assert {shown[name] for name in off} == {"off"}
    assert (shown["wal_level"], shown["max_wal_senders"]) == ("minimal", "0")
    assert surroundings.is_throwaway
    assert surroundings.is_same_major
    assert surroundings.server_version.startswith(f"{major}.")


def test_restored_rows_stay_between_tasks_and_no_server_does(prepared: Callable[..., Path]) -> None:
    """Preparing once more, as a task that is run again does, changes nothing."""
    root = prepared()
    with opened_recovery(root, NAME) as recovery:
        create(recovery.url)
        execute(recovery.url, "CREATE TABLE t AS SELECT 7 AS a")
    assert processes_of(root) == []
    prepared()
    with opened_recovery(root, NAME) as again:
        assert rows(again.url, "SELECT a FROM t") == [(7,)]


def test_nothing_can_be_read_by_others(prepared: Callable[..., Path]) -> None:
    """Decrypted data lies there: as root, the folder may be stepped through, but not looked into."""
    root = prepared()
    with opened_recovery(root, NAME) as recovery:
        create(recovery.url)
        entries = [recovery.folder, *recovery.folder.rglob("*")]
        modes = {entry: stat.S_IMODE(entry.lstat().st_mode) for entry in entries if not entry.is_symlink()}
    assert len(modes) > 100
    assert [entry for entry, mode in modes.items() if mode & 0o066] == []


def test_server_has_no_network_either(prepared: Callable[..., Path]) -> None:
    """What a restored trigger or foreign table would call out for must not leave the machine."""
    with opened_recovery(prepared(), NAME) as recovery:
        create(recovery.url)
        seen = rows(recovery.url, "SELECT pg_read_file('/proc/net/dev')")
    names = {line.partition(":")[0].strip() for line in str(seen[0][0]).splitlines()[2:]}
    assert "lo" in names
    assert not any(name.startswith(("eth", "en", "wl")) for name in names)


def test_deep_folder_gets_a_short_socket(recovery_folder: Path) -> None:
    """A socket's path has 107 bytes at most; the short folder goes with the rest."""
    prepare_recovery(recovery_folder, LONG, source_major=18, database="shop", now=NOW)
    place = Place.of(recovery_folder, LONG)
    assert place.socket == place.far_socket
    with opened_recovery(recovery_folder, LONG) as recovery:
        create(recovery.url)
        assert rows(recovery.url, "SELECT 1") == [(1,)]
        assert stat.S_IMODE(place.socket.stat().st_mode) == 0o700
    assert remove_recovery(recovery_folder, LONG)
    assert not place.far_socket.exists()


def test_strangers_folder_in_the_sockets_place_is_not_used(recovery_folder: Path) -> None:
    """Its name can be guessed: whoever made it could listen there."""
    place = Place.of(recovery_folder, LONG)
    place.far_socket.mkdir()
    os.chown(place.far_socket, 1, 1)
    try:
        with pytest.raises(DrillError, match="is not ours"):
            prepare_recovery(recovery_folder, LONG, source_major=18, database="shop", now=NOW)
    finally:
        place.far_socket.rmdir()


def test_database_is_dropped_so_that_it_can_be_restored_again(prepared: Callable[..., Path]) -> None:
    """Whether it is there or not, and whoever is in it."""
    with opened_recovery(prepared(), NAME) as recovery:
        create(recovery.url)
        with connect(recovery.target):
            recovery.reset_database()
        recovery.reset_database()
        assert (
            rows(recovery.url.replace("/shop?", "/template1?"), "SELECT 1 FROM pg_database WHERE datname = 'shop'")
            == []
        )


def test_database_may_be_called_postgres(prepared: Callable[..., Path]) -> None:
    """As that of some services is, and a fresh cluster's too."""
    with opened_recovery(prepared(database="postgres"), NAME) as recovery:
        recovery.reset_database()
        create(recovery.url)
        assert rows(recovery.url, "SELECT current_database()") == [("postgres",)]


def test_roles_that_the_backup_names_are_made_without_login(prepared: Callable[..., Path]) -> None:
    """Those that are there, or are the system's own, stay as they are."""
    with opened_recovery(prepared(), NAME) as recovery:
        for _ in range(2):
            recovery.ensure_roles(['o"wner', "postgres", "pg_monitor", "pg_future", "public"])
        found = rows(recovery.url.replace("/shop?", "/template1?"), "SELECT rolname, rolcanlogin FROM pg_roles")
    assert ('o"wner', False) in found
    assert ("postgres", True) in found
    assert "pg_future" not in dict(found)


def test_newer_server_is_taken_and_recorded(prepared: Callable[..., Path]) -> None:
    """Where the source's own version is not at hand, the next newer one is."""
    with opened_recovery(prepared(major=17), NAME) as recovery:
        surroundings = recovery.surroundings("17.4")
    assert surroundings.server_version.startswith("18.")
    assert not surroundings.is_same_major


def test_named_programs_go_first(tmp_path: Path) -> None:
    """A folder of clients alone does not stand in the way."""
    (tmp_path / "server").symlink_to(DEBIAN_15)
    (tmp_path / "clients").mkdir()
    named = os.pathsep.join(str(tmp_path / name) for name in ("clients", "server"))
    assert server_for(15, {"HOLDFAST_PG_BIN": named}).folder == tmp_path / "server"
    assert server_for(15, {}).folder == DEBIAN_15


def test_no_server_at_hand_says_what_to_install(recovery_folder: Path) -> None:
    """An older one is never taken."""
    with pytest.raises(DrillError, match=r"version 99 or newer runs here: found 15 .*, 18 ") as caught:
        prepare_recovery(recovery_folder, NAME, source_major=99, database="shop", now=NOW)
    assert "postgresql-99" in (caught.value.hint or "")
    assert remove_recovery(recovery_folder, NAME)


def test_environment_of_another_host_is_refused(prepared: Callable[..., Path]) -> None:
    """A task that landed elsewhere, on a shared folder or not, says so."""
    root = prepared()
    record = root / NAME / "environment.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"host": "db7 0123"}))
    with pytest.raises(DrillError, match=r"made on another host \(db7\)"), opened_recovery(root, NAME):
        pass
    with pytest.raises(DrillError, match="is not on this host"), opened_recovery(root, "other"):
        pass


def test_cluster_is_not_trusted_after_the_machine_was_restarted(prepared: Callable[..., Path]) -> None:
    """It runs without fsync: a row that it lost would be blamed on the backup."""
    root = prepared()
    record = root / NAME / "environment.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"boot": "an earlier one"}))
    with pytest.raises(DrillError, match="was restarted since"), opened_recovery(root, NAME):
        pass
    prepared()
    with opened_recovery(root, NAME) as recovery:
        create(recovery.url)


def test_half_made_environment_is_refused_and_made_anew(prepared: Callable[..., Path]) -> None:
    """Its record is written last."""
    root = prepared()
    (root / NAME / "environment.json").unlink()
    with pytest.raises(DrillError, match="was never finished"), opened_recovery(root, NAME):
        pass
    prepared()
    with opened_recovery(root, NAME) as recovery:
        create(recovery.url)


def test_two_cannot_use_it_at_once(prepared: Callable[..., Path]) -> None:
    """Nor can one be removed that is in use."""
    root = prepared()
    place = Place.of(root, NAME)
    with opened_recovery(root, NAME), pytest.raises(DrillError, match="another process of this host uses it"):  # noqa: SIM117
        with place.held(patience_s=0):
            pass
    with place.held():
        assert remove_leftovers(root, now=NOW + timedelta(days=9)) == []


def test_removal_leaves_nothing_and_may_be_repeated(prepared: Callable[..., Path]) -> None:
    """Even what a command closed to itself."""
    root = prepared()
    closed = root / NAME / "home" / "closed"
    closed.mkdir()
    (closed / "file").write_text("x")
    closed.chmod(0)
    (root / NAME / "media" / "elsewhere").symlink_to("/etc")
    assert remove_recovery(root, NAME)
    assert not remove_recovery(root, NAME)
    assert list(root.iterdir()) == []
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", ".hidden", "a\0b", "x" * 200])
def test_name_is_confined(recovery_folder: Path, name: str) -> None:
    """It becomes the name of a folder that is removed."""
    with pytest.raises(UsageError, match="not a plain name"):
        remove_recovery(recovery_folder, name)


def test_leftovers_go_when_the_next_is_made(prepared: Callable[..., Path]) -> None:
    """By age since the last use: the next task of a living drill may come later. Strangers' files stay."""
    root = prepared()
    (root / "notes.txt").write_text("not ours")
    assert remove_leftovers(root, now=datetime.now(UTC)) == []
    for path in (root / NAME / "environment.json", root / NAME):
        os.utime(path, (0, 0))
    with opened_recovery(root, NAME):
        pass
    assert remove_leftovers(root, now=datetime.now(UTC)) == []
    os.utime(root / NAME / "environment.json", (0, 0))
    os.utime(root / NAME, (0, 0))
    prepare_recovery(root, "next", source_major=18, database="shop", now=datetime.now(UTC))
    assert sorted(path.name for path in root.iterdir()) == ["next", "notes.txt"]
    (root / "notes.txt").unlink()


def test_root_is_ours_alone(tmp_path: Path) -> None:
    """Named, or among the temporary files; never one that others may look into."""
    found = recovery_root({"TMPDIR": str(tmp_path)})
    assert found == tmp_path / f"holdfast-recovery-{os.geteuid()}"
    assert found.stat().st_mode & 0o066 == 0
    assert recovery_root({"HOLDFAST_RECOVERY": str(tmp_path / "a/b")}) == tmp_path / "a/b"
    with pytest.raises(UsageError, match="not an absolute path"):
        recovery_root({"HOLDFAST_RECOVERY": "scratch"})
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(UsageError, match="closed to others"):
        recovery_root({"HOLDFAST_RECOVERY": str(tmp_path / "open")})
    (tmp_path / "link").symlink_to(found)
    with pytest.raises(UsageError, match="closed to others"):
        recovery_root({"HOLDFAST_RECOVERY": str(tmp_path / "link")})
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        recovery_root({"HOLDFAST_RECOVERY": str(tmp_path / "file/below")})
