"""The scripts that build the venv: what is whole is left alone, what is half is built anew, what lacks is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
# Stands for uv, whose real work needs a network: makes real venvs, installs nothing, tells what it was asked.
_UV = """#!/bin/sh
echo "$1 $2" >>"$CALLS"
case "$1 $2" in
    "venv "*) for venv; do :; done; exec "$PYTHON" -m venv --without-pip "$venv" ;;
    "pip sync") [ ! -e "$CALLS.broken" ] || { echo "  * no route to host" >&2; exit 2; } ;;
    "python find") exit 1 ;;
esac
"""


class Project:
    """A project that has nothing but the scripts and a list of packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.programs = folder / "programs"
        shutil.copytree(TOOLS, folder / "tools")
        (folder / "requirements.txt").write_text("one==1\n")
        (folder / "include").mkdir()
        self.program("uv", _UV)

    @property
    def state(self) -> Path:
        return self.folder / ".holdfast"

    def program(self, name: str, text: str) -> None:
        """A program that is found before all others."""
        self.programs.mkdir(exist_ok=True)
        path = self.programs / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [self.folder / "tools" / script, *arguments],
            env={
                "PATH": f"{self.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "CALLS": str(self.calls),
                "PYTHON": sys.executable,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def bootstrap(self) -> list[str]:
        """What uv was asked to do, questions apart, by a bootstrap that must succeed."""
        done = self.run("bootstrap.sh", self.state)
        assert done.returncode == 0, done.stderr
        return [line for line in self.calls.read_text().splitlines() if line.split()[0] in ("venv", "pip")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_finished_venv_is_left_alone(project: Project) -> None:
    """The second time nothing is asked of uv; a changed lock is installed into the same venv."""
    assert project.bootstrap() == ["venv --quiet", "pip sync"]
    assert project.bootstrap() == []
    (project.folder / "requirements.txt").write_text("one==2\n")
    assert project.bootstrap() == ["pip sync"]


def test_interrupted_venv_is_built_anew(project: Project) -> None:
    """A package may be there by half, which nobody could see later."""
    project.bootstrap()
    left_over = project.state / "venv/half"
    left_over.touch()
    (project.state / "venv.building").touch()
    assert project.bootstrap() == ["venv --quiet", "pip sync"]
    assert not left_over.exists()


def test_failed_installation_is_told_in_one_line_and_made_good(project: Project) -> None:
    """The line has uv's reason and where all of it stands; the next run starts over."""
    broken = Path(f"{project.calls}.broken")
    broken.touch()
    failed = project.run("bootstrap.sh", project.state)
    log = project.state / "logs/packages.log"
    assert failed.returncode == 1
    assert failed.stderr == (
        f"holdfast: cannot install the packages of requirements.txt (no route to host); see {log}\n"
    )
    broken.unlink()
    assert project.bootstrap() == ["venv --quiet", "pip sync"]


def test_full_disk_is_told_before_anything_is_made(project: Project) -> None:
    """In one line, with what is needed and what is left."""
    project.program("df", "#!/bin/sh\necho header\necho '/dev/x 9 9 123456 9% /'\n")
    failed = project.run("bootstrap.sh", project.state)
    assert failed.returncode == 1
    assert failed.stderr == f"holdfast: needs 2000 MB free in {project.state}, 123 MB are left\n"
    assert not (project.state / "venv").exists()


def test_command_runs_the_working_tree(project: Project) -> None:
    """`holdfast` is there without any build, and through a link too."""
    project.bootstrap()
    package = project.folder / "include/holdfast/cli"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("import sys\ndef main(): print(sys.argv[1:]); return 5\n")
    link = project.folder / "link"
    link.symlink_to(project.state / "venv/bin/holdfast")
    ran = subprocess.run([link, "a b", "c"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (5, "['a b', 'c']\n")


def test_python_that_does_not_run_is_passed_over(project: Project) -> None:
    """A version manager's shim stands on PATH even where it has nothing to call."""
    project.program("python3.12", "#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    project.program("python3.13", "#!/bin/sh\nexit 127\n")
    chosen = project.folder / ".pyenv/versions/3.12.99/bin/python"
    chosen.parent.mkdir(parents=True)
    chosen.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    chosen.chmod(0o755)
    found = project.run("find-python.sh", project.state, project.programs / "uv")
    assert found.returncode == 0, found.stderr
    python = found.stdout.strip()
    version = subprocess.run([python, "-c", "import sys; print(sys.version_info >= (3, 12))"], capture_output=True)
    assert version.stdout == b"True\n"


def test_uv_that_does_not_run_is_passed_over(project: Project) -> None:
    """The one that runs is taken, though it is later on the list."""
    project.program("uv", "#!/bin/sh\nexit 127\n")
    own = project.folder / ".local/bin/uv"
    own.parent.mkdir(parents=True)
    own.write_text(_UV)
    own.chmod(0o755)
    found = project.run("find-uv.sh", project.state)
    assert found.stdout.strip() == str(own)


def test_clean_leaves_only_the_keys(project: Project) -> None:
    """Without them, no backup that was made with them could ever be read."""
    for name in ("keys/identity.txt", "venv/bin/python", "run.lock"):
        path = project.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert project.run("clean.sh", project.state).returncode == 0
    assert [path.name for path in project.state.iterdir()] == ["keys"]
