"""The Dockerfile, as far as it can be checked without an engine: pinned, locked, unprivileged, complete."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from fix_compose import PROJECT

INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$")


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined, comments left out."""
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r" *\\\n *", " ", "\n".join(lines))
    found = [INSTRUCTION.match(line) for line in joined.splitlines() if line]
    assert all(found)
    return [(match[1], match[2]) for match in found if match]


def _runs(instructions: list[tuple[str, str]]) -> str:
    return "\n".join(text for name, text in instructions if name == "RUN")


def test_base_image_is_pinned(instructions: list[tuple[str, str]]) -> None:
    """One base for both stages, by full version and distribution."""
    [base] = [text for name, text in instructions if name == "ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.12\.\d+-slim-trixie", base)
    assert {text.split()[0] for name, text in instructions if name == "FROM"} == {"${PYTHON}"}


def test_packages_are_installed_by_hash(instructions: list[tuple[str, str]]) -> None:
    """The lock that is tested is what is installed, and it has a hash for every package."""
    [install] = re.findall(r"pip install [^&\n]*", _runs(instructions))
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert install.split()[-1] == "/requirements.txt"
    for requirement in re.split(r"\n(?! )", (PROJECT / "requirements.txt").read_text().strip()):
        if not requirement.startswith("#"):
            assert "==" in requirement and "--hash=sha256:" in requirement, requirement[:80]


def test_image_holds_nothing_of_development(instructions: list[tuple[str, str]]) -> None:
    """What only tests and `make run` need is taken out again."""
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[<>=\[]", name)[0] for extra in ("dev", "embedded") for name in extras[extra]}
    [uninstall] = re.findall(r"pip uninstall --yes ([^&\n]*)", _runs(instructions))
    assert set(uninstall.split()) == wanted


def test_image_has_the_tools_that_backups_and_break_glass_need(instructions: list[tuple[str, str]]) -> None:
    """Every supported major of PostgreSQL, servers too, from PostgreSQL's own repository; the public tools."""
    runs = _runs(instructions)
    assert "/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y" in runs
    servers = {f"postgresql-{major}" for major in (15, 16, 17, 18)}
    assert "create_main_cluster = false" in runs
    assert servers | {"age", "openssl", "zstd", "tinyproxy-bin", "curl"} <= set(runs.split())
    assert not re.search(r"curl .*\| *(sh|bash)|wget |ADD http|--trusted|allow-unauthenticated", runs)


def test_image_runs_as_an_ordinary_user(instructions: list[tuple[str, str]]) -> None:
    """Compose names another one, who may write where an ordinary user must."""
    assert next(step for step in instructions if step[0] in ("USER", "CMD")) == ("USER", "holdfast")
    assert "RUN" not in [name for name, _ in instructions[instructions.index(("USER", "holdfast")) :]]
    assert "--mode 1777" in _runs(instructions)


def test_everything_copied_is_in_the_build_context(instructions: list[tuple[str, str]]) -> None:
    """.dockerignore lets in what is copied, and no state, secret or history beside it."""
    allowed = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [text.split() for name, text in instructions if name == "COPY"]
    sources = {parts[0] for parts in copied if not parts[0].startswith("--")}
    assert sources == set(allowed)
    for source in sources:
        assert (PROJECT / source).exists(), source
    for path in (".holdfast", ".git", ".env", "secrets", "tests"):
        assert not any(fnmatch(path, pattern) for pattern in allowed), path


def test_programs_of_the_image_are_sound() -> None:
    """What compose starts exists, can be executed where it must, and is free of syntax errors."""
    text = (PROJECT / "docker-compose.yaml").read_text() + (PROJECT / "Dockerfile").read_text()
    for name in set(re.findall(r"/opt/holdfast/(deploy/[\w.-]+)", text)):
        path = PROJECT / name
        if path.suffix == ".sh":
            subprocess.run(["sh", "-n", path], check=True)
            assert path.stat().st_mode & 0o111, name
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text())
        else:
            compile(path.read_text(), path, "exec")


def test_gateway_lets_through_only_named_hosts(tmp_path: Path) -> None:
    """Its list is anchored and literal: a name that merely ends or begins like an allowed one is refused."""
    hosts = {"HOLDFAST_STORE_HOSTS": "s3.example.com a.b"}
    shown = tmp_path / "tinyproxy"
    shown.write_text('#!/bin/sh\ncat "$3" "$(dirname "$3")/hosts"\n')
    shown.chmod(0o755)
    done = subprocess.run(
        [PROJECT / "deploy" / "store-gateway.sh"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path), **hosts},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "FilterDefaultDeny Yes" in done.stdout
    assert "ConnectPort 443" in done.stdout
    assert done.stdout.splitlines()[-3:] == [r"^s3\.example\.com$", r"^a\.b$", r"^gateway\.health$"]
