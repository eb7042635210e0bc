"""deploy/make-secrets.sh: every secret of a deployment, made once, and readable by its owner alone."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from fix_compose import PROJECT, make_secrets, variables_of
from holdfast.crypto import age
from holdfast.crypto.signing import Signer, Verifier


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder of fresh secrets, without those of the demo."""
    folder = tmp_path / "secrets"
    variables_of(make_secrets(folder))
    return folder


def _contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_only_their_owner_can_read_them(secrets: Path) -> None:
    """Files are 0600 and belong to whom the containers run as; their folder is closed."""
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    owner = 10001 if os.geteuid() == 0 else os.geteuid()
    for path in secrets.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert path.stat().st_uid == owner, path
        assert path.stat().st_size > 0, path


def test_second_call_changes_nothing(secrets: Path) -> None:
    """An upgrade may call it again: it adds what is new and keeps what is there."""
    before = _contents(secrets)
    variables_of(make_secrets(secrets))
    assert _contents(secrets) == before
    variables_of(make_secrets(secrets, "--demo"))
    after = _contents(secrets)
    assert before.items() <= after.items()
    assert all(name.startswith("demo_") for name in set(after) - set(before))


def test_two_deployments_share_no_secret(secrets: Path, tmp_path: Path) -> None:
    """Everything is made by chance."""
    other = tmp_path / "other"
    variables_of(make_secrets(other))
    mine, others = _contents(secrets), _contents(other)
    assert {name for name in mine if mine[name] == others[name]} == {
        "connections.yaml",
        "connections-alerts.yaml",
        "connections-operations.yaml",
        "connections-recovery.yaml",
        "passwd",
    }


def test_urls_carry_the_passwords_of_their_servers(secrets: Path) -> None:
    """Redis knows only the hash of the password that the broker's URL logs in with."""
    found = _contents(secrets)
    assert found["database_url"] == f"postgresql+psycopg2://airflow:{found['postgres_password']}@postgres:5432/airflow"
    assert found["broker_url"] == f"redis://airflow:{found['redis_password']}@redis:6379/0"
    assert hashlib.sha256(found["redis_password"].encode()).hexdigest() in found["redis_users"]
    assert found["redis_password"] not in found["redis_users"]
    assert len(found["jwt_secret"].strip()) >= 64


def test_keys_are_those_of_the_engine(secrets: Path) -> None:
    """What age and OpenSSL made, the engine encrypts to, opens, signs and verifies with."""
    recipient = age.parse_recipient((secrets / "recipient.txt").read_text().strip())
    identities = age.load_identities(secrets / "identity.txt")
    assert b"".join(age.decrypt(age.encrypt([b"backup"], [recipient]), identities)) == b"backup"
    Verifier.load(secrets / "signing.pub").verify(b"manifest", Signer.load(secrets / "signing.pem").sign(b"manifest"))


def test_half_made_secret_is_not_left(tmp_path: Path) -> None:
    """A tool that fails leaves no empty file, which a second call would take for a secret."""
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "age-keygen").write_text("#!/bin/sh\nexit 1\n")
    (broken / "age-keygen").chmod(0o755)
    folder = tmp_path / "secrets"
    done = make_secrets(folder, PATH=f"{broken}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "identity.txt could not be made" in done.stderr
    assert not [path for path in folder.iterdir() if path.name.startswith("identity")]


def test_missing_tool_and_folder_are_named(tmp_path: Path) -> None:
    """One clear line, and nothing made."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "id", "openssl"):
        found = subprocess.run(["sh", "-c", f"command -v {tool}"], capture_output=True, text=True, check=True)
        (tools / tool).symlink_to(found.stdout.strip())
    done = make_secrets(tmp_path / "secrets", PATH=str(tools))
    assert done.returncode == 1
    assert "age-keygen is missing" in done.stderr
    assert not (tmp_path / "secrets").exists()
    script = PROJECT / "deploy" / "make-secrets.sh"
    without_folder = subprocess.run([script], capture_output=True, text=True, check=False)
    assert without_folder.returncode == 1
    assert "give the folder" in without_folder.stderr


def test_containers_are_never_to_run_as_root(tmp_path: Path) -> None:
    """Secrets of root's would make compose start every service as root."""
    done = make_secrets(tmp_path / "secrets", HOLDFAST_UID="0", HOLDFAST_GID="0")
    assert done.returncode == 1
    assert "ordinary user" in done.stderr
