"""`make run` on a copy of the project that has no state yet, as someone does who just cloned it."""

from __future__ import annotations

import re
import stat
import subprocess

import pytest

from fix_make_run import BASE_BACKUP, LINE, PROJECT, Copy, Round, Serving

ENVIRONMENTS = ["campustrack development", "campustrack staging", "campustrack production", "coursepedia production"]
# The environments whose policy has the tier restore_check.
CHECKED = {"campustrack staging", "campustrack production", "coursepedia production"}

pytestmark = pytest.mark.timeout(1200)  # a machine under load, and a venv to build


def test_first_run_backs_up_every_environment(project_copy: Copy, first_round: Round) -> None:
    """One command, no preparation: a restore point of each, which the watch agrees to, the login, and a clean end."""
    lines = LINE.findall(first_round.said)
    assert [title for title, *_ in lines] == ENVIRONMENTS
    for _, _, size, rows, *_ in lines:
        assert int(size.replace(",", "")) > 10_000
        assert int(rows.replace(",", "")) > 500
    media_files = {title: int(files or 0) for title, *_, files, _, _ in lines}
    assert media_files.pop("coursepedia production") > 500
    assert set(media_files.values()) == {0}
    assert {title for title, *_, check in lines if check.startswith("passed")} == CHECKED
    (base_backup,) = BASE_BACKUP.findall(first_round.said)
    assert (base_backup[0], base_backup[2]) == ("coursepedia production", "full")
    assert "watch: every environment was looked at, nothing is wrong" in first_round.said, first_round.said
    address, password = first_round.ui
    assert int(address.rpartition(":")[2]) not in project_copy.taken_ports
    assert password == (project_copy.state / "secrets/admin_password").read_text()
    assert first_round.processes == set()


def test_state_is_one_folder_whose_secrets_nobody_else_reads(project_copy: Copy, first_round: Round) -> None:
    """Nothing appears outside of it; secret files are 0600 in folders of 0700."""
    ours = {path.name for path in PROJECT.iterdir()} | {".holdfast", "output.txt"}
    assert {path.name for path in project_copy.folder.iterdir()} <= ours
    for folder in (project_copy.state / "secrets", project_copy.state / "keys"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private = [
        *(project_copy.state / "secrets").iterdir(),
        project_copy.state / "keys/identity.txt",
        project_copy.state / "keys/signing.pem",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_no_secret_is_in_any_log(project_copy: Copy, first_round: Round) -> None:
    """Neither the servers' logs nor the tasks' hold a generated password or key."""
    names = ("backup_password", "owner_password", "s3_secret_key", "jwt_secret", "fernet_key")
    secrets = [(project_copy.state / "secrets" / name).read_bytes() for name in names]
    for log in (project_copy.state / "logs").rglob("*"):
        if log.is_file():
            text = log.read_bytes()
            assert not [name for name, secret in zip(names, secrets, strict=True) if secret in text], log


def test_second_run_reuses_the_state_until_it_is_interrupted(first_round: Round, serving: Serving) -> None:
    """An own database replaces a demo one, another one fails by name, a third run is refused, Ctrl-C ends all."""
    first, said = first_round.said, serving.round.said
    taken = {title: rows for title, _, _, rows, *_ in LINE.findall(said)}
    assert set(taken) == set(ENVIRONMENTS) - {"campustrack staging"}, said
    assert taken["campustrack development"] == taken["coursepedia production"] == "4,321"
    failures = [line for line in said.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 2
    assert failures[0].startswith("failed: campustrack staging: ")
    assert "no_such_database" in failures[0]
    # The questions of the demo's policy do not fit a database of one's own.
    assert failures[1].startswith("failed: coursepedia production: restore check: queries: ")
    # Nor may its role replicate.
    assert "; base backup: base_backup: " in failures[1]
    assert not {each for _, each, *_ in LINE.findall(first)} & {each for _, each, *_ in LINE.findall(said)}
    assert_listed(serving.copy, [LINE.findall(text)[-1][1] for text in (first, said)])
    assert_refused(serving.copy)
    serving.interrupt()


def assert_listed(copy: Copy, restore_points: list[str]) -> None:
    """The command line sees the same restore points, by the line that `make run` prints for it."""
    found = re.search(r"^command line: (.*)$", copy.said(), re.MULTILINE)
    assert found is not None
    listed = subprocess.run(
        ["sh", "-c", found[1]], cwd=copy.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert listed.returncode == 0, listed.stderr
    assert re.findall(r"\d{8}T\d{6}Z-nightly-[0-9a-f]{6}", listed.stdout) == restore_points


def assert_refused(copy: Copy) -> None:
    """Another `make run` in the same folder says so in one line."""
    other = subprocess.run(
        ["make", "--silent", "run"], cwd=copy.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert other.returncode != 0
    assert re.fullmatch(r"holdfast: another `make run` \(process \d+\) is up in .*\n", other.stdout)
