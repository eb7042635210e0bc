"""How pnpm and the demo's application are installed: once, for every account, and by the user's own configuration."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fix_demo_app import DemoApp
from holdfast.errors import PermanentError
from holdfast_embedded.node import Node
from holdfast_embedded.stack import install_app
from holdfast_embedded.state import State

DEMO = Path(__file__).parents[2] / "include/holdfast_embedded/demo"


@pytest.fixture
def state(tmp_path: Path) -> State:
    """The state folder of somebody who starts for the first time."""
    state = State(tmp_path / "state")
    state.prepare()
    return state


@pytest.fixture
def closed_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whose ~/.npmrc names a registry that does not answer."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text("registry=http://127.0.0.1:9/\n")
    for name in [name for name in os.environ if re.match("(npm|pnpm)_config_", name, re.IGNORECASE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def tree(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def test_everybody_may_run_what_is_installed_and_only_once(
    state: State, strict_umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever umask made it; the second time nothing is asked of the network."""
    node = Node(state.tools, state.logs / "node.log")
    node.install_app(state.app)
    for folder in (state.tools / "pnpm", state.tools / "bin", state.app):
        for path in (folder, *folder.rglob("*")):
            mode = path.stat().st_mode
            assert mode & 0o005 == (0o005 if stat.S_ISDIR(mode) else mode & 0o001 | 0o004), path
    assert (node.bin / "pnpm").stat().st_mode & 0o111 == 0o111
    before = tree(state.app), tree(state.tools / "pnpm")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    node.install_app(state.app)
    assert (tree(state.app), tree(state.tools / "pnpm")) == before


def test_make_run_says_in_one_line_what_lacks(
    state: State, closed_registry: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user's registry is asked and no other; everything but the drill's commands still works."""
    install_app(state)
    (line,) = capsys.readouterr().out.splitlines()
    assert "coursepedia production: its drill cannot run its commands: cannot install pnpm: " in line
    assert "127.0.0.1:9" in line
    assert "node.log" in line
    assert not state.app.exists()


def test_installation_that_fails_leaves_the_former_one_whole(
    demo_app: DemoApp, state: State, closed_registry: None
) -> None:
    """Of a newer version, whose packages cannot be fetched."""
    shutil.copytree(demo_app.folder, state.app, symlinks=True)
    shutil.copytree(demo_app.folder.parents[1] / "tools" / "pnpm", state.tools / "pnpm", symlinks=True)
    (state.app / ".installed").write_text("another version")
    before = tree(state.app)
    with pytest.raises(
        PermanentError, match=r"cannot install app: GET http://127\.0\.0\.1:9/\S+ error \(\w+\); see .*node\.log"
    ):
        Node(state.tools, state.logs / "node.log").install_app(state.app)
    assert tree(state.app) == before


@pytest.mark.parametrize("file", ["app/pnpm-lock.yaml", "pnpm/package-lock.json"])
def test_locks_name_contents_and_no_place(file: str) -> None:
    """Every package by its hash; where it comes from is the user's configuration's to say."""
    text = (DEMO / file).read_text()
    assert "sha512-" in text
    assert not re.search(r"tarball|resolved|registry|\.tgz", text)
