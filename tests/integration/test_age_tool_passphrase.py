"""Passphrases between the ``age`` tool, which asks for them on a terminal, and this code."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from holdfast.crypto import age
from holdfast.errors import NoIdentityMatch

PASSPHRASE = "correct horse battery staple"
DEADLINE_S = 60


def run_on_terminal(argv: list[str | Path], answers: list[str]) -> str:
    """Run a program on a terminal of its own and answer one prompt after the other; what it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(["setsid", "--ctty", "--wait", *argv], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown, pending, ends_at = "", list(answers), time.monotonic() + DEADLINE_S
    try:
        while True:
            assert select.select([ours], [], [], max(0.0, ends_at - time.monotonic()))[0], f"it hangs after: {shown}"
            try:
                data = os.read(ours, 1024)
            except OSError:
                # Linux reports the end of the last process on a terminal as an input/output error.
                data = b""
            if not data:
                break
            shown += data.decode()
            if pending and shown.rstrip().endswith(":"):
                os.write(ours, f"{pending.pop(0)}\n".encode())
                shown += "\n<answered>\n"
        assert child.wait(DEADLINE_S) == 0, shown
        return shown
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(ours)


@pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armored"])
def test_what_age_encrypts_with_a_passphrase_is_opened_here(tmp_path: Path, armor: list[str]) -> None:
    """At the work factor the tool chooses; another passphrase does not fit."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"hello" * 20_000)
    run_on_terminal(["age", "-p", *armor, "-o", sealed, plain], [PASSPHRASE, PASSPHRASE])
    file = sealed.read_bytes()
    assert b"".join(age.decrypt([file], [age.PassphraseIdentity(PASSPHRASE.encode())])) == plain.read_bytes()
    with pytest.raises(NoIdentityMatch):
        list(age.decrypt([file], [age.PassphraseIdentity(b"incorrect horse")]))


def test_what_is_encrypted_here_with_a_passphrase_is_opened_by_age(tmp_path: Path) -> None:
    """The tool takes any work factor up to its limit."""
    sealed, plain = tmp_path / "sealed", tmp_path / "plain"
    recipient = age.PassphraseRecipient(PASSPHRASE.encode(), work_factor=12)
    sealed.write_bytes(b"".join(age.encrypt([b"hello"], [recipient])))
    run_on_terminal(["age", "-d", "-o", plain, sealed], [PASSPHRASE])
    assert plain.read_bytes() == b"hello"
