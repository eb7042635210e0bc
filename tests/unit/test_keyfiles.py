"""New keys are whole, private, and never written over old ones."""

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.crypto import age
from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import TransientError, UsageError

NAMES = ["identity.txt", "recipient.txt", "signing.pem", "signing.pub"]


def mode(path: Path) -> int:
    """Permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_new_keys_fit_together_and_are_private(tmp_path: Path, umask: int) -> None:
    """Whatever the umask: secrets 0600, public files 0644, the directory 0700."""
    out = tmp_path / "keys"
    before = os.umask(umask)
    try:
        made = new_keys(out)
    finally:
        os.umask(before)
    assert sorted(path.name for path in out.iterdir()) == NAMES
    assert [mode(out / name) for name in NAMES] == [0o600, 0o644, 0o600, 0o644]
    assert mode(out) == 0o700 & ~umask
    (identity,) = age.load_identities(made.identity_file)
    assert str(identity.recipient()) == made.recipient == made.recipient_file.read_text().strip()
    verifier = Verifier.load(made.verify_key_file)
    verifier.verify(b"data", Signer.load(made.signing_key_file).sign(b"data"))
    assert verifier.key_id == made.verify_key_id


def test_identity_file_has_the_form_of_age_keygen(tmp_path: Path) -> None:
    """Two comments, then the key."""
    made = new_keys(tmp_path, now=datetime(2026, 11, 22, 2, 0, 0, 5, tzinfo=UTC))
    created, public, secret = made.identity_file.read_text().splitlines()
    assert created == "# created: 2026-11-22T02:00:00Z"
    assert public == f"# public key: {made.recipient}"
    assert secret.startswith("AGE-SECRET-KEY-1")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_existing_file_refuses_all(tmp_path: Path, name: str, kind: str) -> None:
    """Nothing is written, nothing is changed."""
    if kind == "file":
        (tmp_path / name).write_text("precious")
    else:
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / "target")
    with pytest.raises(UsageError, match=f"{name}: exists already, nothing was written"):
        new_keys(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert kind != "file" or (tmp_path / name).read_text() == "precious"


def test_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at the third file takes the first two away again."""
    real, calls = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransientError, match="no space left on device, nothing was written"):
        new_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """As wrong use."""
    (tmp_path / "keys").write_text("")
    with pytest.raises(UsageError, match="nothing was written"):
        new_keys(tmp_path / "keys")
