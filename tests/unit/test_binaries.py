"""Client programs are found where they are, and the one that fits is chosen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.errors import PermanentError, UsageError
from holdfast.postgres.binaries import SEARCH_VARIABLE, Client, client_for, find_clients, major_of, reader_for
from holdfast.postgres.wheel import wheel_folder

DEBIAN_15 = "/usr/lib/postgresql/15/bin"
TOOLS = ("pg_dump", "pg_restore", "pg_dumpall")


def clients(*majors: int) -> tuple[Client, ...]:
    """Clients of which only the major matters."""
    return tuple(Client(Path(f"/pg/{major}"), major) for major in majors)


def test_system_and_wheel_are_found() -> None:
    """Debian's folder and the wheel, without HOLDFAST_PG_BIN; Debian's script in /usr/bin is no client."""
    found = {client.major: client for client in find_clients({"PATH": "/usr/bin:/bin"})}
    assert found[15] == Client(Path(DEBIAN_15), 15)
    assert found[15].version().startswith("15.")
    assert not found[15].has_zstd()
    assert found[18].found_in is None
    assert found[18].version().startswith("18.")
    assert found[18].has_zstd()
    assert found[18].tool("pg_dump") == str(wheel_folder() / "pg_dump")


def test_path_is_searched(tmp_path: Path) -> None:
    """A folder of PATH with all programs counts, its major asked of pg_dump; an incomplete one does not."""
    whole, half = tmp_path / "whole", tmp_path / "half"
    for folder, tools in ((whole, TOOLS), (half, TOOLS[:2])):
        folder.mkdir()
        for tool in tools:
            (folder / tool).symlink_to(wheel_folder() / tool)
    found = find_clients({"PATH": f"{half}{os.pathsep}{whole}"})
    assert Client(whole, 18) in found
    assert all(client.found_in != half for client in found)


def test_variable_replaces_the_search() -> None:
    """Only what HOLDFAST_PG_BIN names."""
    assert find_clients({SEARCH_VARIABLE: DEBIAN_15, "PATH": "/usr/bin"}) == (Client(Path(DEBIAN_15), 15),)


def test_variable_naming_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """A folder without the programs is a mistake, not something to pass over."""
    with pytest.raises(UsageError, match=f"{SEARCH_VARIABLE}: {tmp_path} does not hold"):
        find_clients({SEARCH_VARIABLE: str(tmp_path)})


@pytest.mark.parametrize(("server", "chosen"), [(12, 13), (13, 13), (14, 15), (15, 15), (16, 18)])
def test_oldest_client_that_is_new_enough(server: int, chosen: int) -> None:
    """pg_dump reads older servers, never newer ones."""
    assert client_for(server, clients(13, 15, 18)).major == chosen


def test_older_clients_are_refused() -> None:
    """The error names the server and what was found, the hint what to install."""
    with pytest.raises(PermanentError, match=r"no PostgreSQL client for server 18: found 13 \(/pg/13\)") as caught:
        client_for(18, clients(13))
    assert "postgresql-client-18" in (caught.value.hint or "")
    with pytest.raises(PermanentError, match="found none"):
        client_for(18, ())


@pytest.mark.parametrize(
    ("writer", "server", "chosen"),
    [("15.4", None, 15), ("15.4", 15, 15), ("15.4", 17, 18), ("18.1", 13, 18), ("9.6", 99, 13)],
)
def test_reader_fits_archive_and_server(writer: str, server: int | None, chosen: int) -> None:
    """New enough for the archive, and for the target server where there is one."""
    assert reader_for(writer, server_major=server, clients=clients(13, 15, 18)).major == chosen


def test_no_reader_for_a_newer_archive() -> None:
    """An older pg_restore does not know the format."""
    with pytest.raises(PermanentError, match=r"an archive of pg_dump 18\.1: found 13"):
        reader_for("18.1", clients=clients(13))


@pytest.mark.parametrize(("text", "major"), [("18.6", 18), ("18beta1", 18), ("9.6", 9)])
def test_major(text: str, major: int) -> None:
    """The first number."""
    assert major_of(text) == major
