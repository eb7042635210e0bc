"""Recipients, identity files and passphrase files: what is taken, what is refused, and that no error shows a secret."""

from pathlib import Path

import pytest

import age_builder as build
from holdfast.crypto import age, bech32
from holdfast.crypto.secret_file import is_exposed
from holdfast.crypto.x25519 import X25519Identity, X25519Recipient
from holdfast.errors import HoldfastError, UsageError

IDENTITY = X25519Identity(build.SECRET)
SECRET_TEXT = IDENTITY.secret_text()
RECIPIENT = str(IDENTITY.recipient())
HYBRID = age.generate_identity(post_quantum=True)
# C2SP age.md, "The X25519 recipient type".
SPEC_IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
SPEC_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"


def test_text_forms_are_the_specifications() -> None:
    """The published pair."""
    (identity,) = age.parse_identity_file(SPEC_IDENTITY)
    assert str(identity.recipient()) == SPEC_RECIPIENT
    assert age.parse_recipient(f" {SPEC_RECIPIENT}\n") == identity.recipient()


def test_identity_file_with_comments_and_several_identities() -> None:
    """As people keep them: comments, blank lines, CRLF, both kinds."""
    text = f"# made by hand\r\n\r\n{SECRET_TEXT}\r\n#{SECRET_TEXT}\n  \n  {HYBRID.secret_text()}  \n{SPEC_IDENTITY}"
    assert age.parse_identity_file(text)[:2] == (IDENTITY, HYBRID)
    assert len(age.parse_identity_file(text)) == 3


BAD_RECIPIENTS = {
    "empty": "",
    "word": "recipient",
    "ssh": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q",
    "capitals": RECIPIENT.upper(),
    "mixed case": RECIPIENT[:-1] + RECIPIENT[-1].upper(),
    "mistyped": RECIPIENT[:-1] + ("q" if RECIPIENT[-1] != "q" else "p"),
    "cut": RECIPIENT[:-1],
    "two": f"{RECIPIENT} {RECIPIENT}",
    "plugin": bech32.encode("age1yubikey", bytes(33)),
    "too short": bech32.encode("age", bytes(31)),
    "too long": bech32.encode("age", bytes(33)),
    "secret key": SECRET_TEXT,
    "secret key in lower case": SECRET_TEXT.lower(),
    "secret key cut": SECRET_TEXT[:-3],
    "hybrid secret key": HYBRID.secret_text(),
}


def assert_no_secret(error: HoldfastError) -> None:
    """Not even a part of any secret stands in what people will see."""
    shown = f"{error.message} {error.hint} {error!r}".upper()
    for secret in (SECRET_TEXT, HYBRID.secret_text()):
        data = secret.rpartition("1")[2]
        assert not any(data[start : start + 8] in shown for start in range(len(data) - 8))


@pytest.mark.parametrize("text", BAD_RECIPIENTS.values(), ids=BAD_RECIPIENTS)
def test_bad_recipient_is_refused(text: str) -> None:
    """As wrong use, and a secret key given by mistake is not repeated."""
    with pytest.raises(UsageError) as caught:
        age.parse_recipient(text)
    assert caught.value.message.startswith("age recipient")
    assert_no_secret(caught.value)


@pytest.mark.parametrize("point", build.LOW_ORDER_POINTS, ids=lambda point: point.hex()[:8])
def test_recipient_of_low_order_is_refused(point: bytes) -> None:
    """Everybody could read what is encrypted to it."""
    with pytest.raises(UsageError, match="low order"):
        age.encrypt([b""], [X25519Recipient(point)])


BAD_IDENTITY_FILES = {
    "empty": "",
    "comments": "# nothing\n\n",
    "mistyped": f"{SPEC_IDENTITY}\n{SECRET_TEXT[:-1]}{'Q' if SECRET_TEXT[-1] != 'Q' else 'P'}\n",
    "lower case": SECRET_TEXT.lower(),
    "mixed case": SECRET_TEXT[:-1] + SECRET_TEXT[-1].lower(),
    "two on a line": f"{SECRET_TEXT} {SECRET_TEXT}",
    "recipient": RECIPIENT,
    "plugin": bech32.encode("AGE-PLUGIN-YUBIKEY-", bytes(20)),
    "too long": bech32.encode("AGE-SECRET-KEY-", build.SECRET + b"\0"),
    "hybrid too short": bech32.encode("AGE-SECRET-KEY-PQ-", build.SECRET[:-1]),
    "other kind": bech32.encode("AGE-SECRET-KEY-NEW-", build.SECRET),
    "garbage behind": f"{SECRET_TEXT}\nAGE-SECRET-KEY-1\n",
    "ssh": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n",
}


@pytest.mark.parametrize("text", BAD_IDENTITY_FILES.values(), ids=BAD_IDENTITY_FILES)
def test_bad_identity_file_is_refused(text: str) -> None:
    """The line is named and not shown."""
    with pytest.raises(UsageError) as caught:
        age.parse_identity_file(text)
    assert caught.value.hint
    assert_no_secret(caught.value)


def test_encrypted_identity_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Binary and armored ones."""
    file = b"".join(age.encrypt([SECRET_TEXT.encode()], [age.PassphraseRecipient(b"pass", 2)]))
    for name, data in (("binary", file), ("armored", b"".join(age.armored([file])))):
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        with pytest.raises(UsageError, match=f"{name}: age identity file: is itself encrypted") as caught:
            age.load_identities(path)
        assert "age -d" in str(caught.value.hint)


def test_files_that_everybody_may_read_are_refused(tmp_path: Path) -> None:
    """Unless asked otherwise; the group may, for that is how secrets are mounted."""
    path = tmp_path / "identity.txt"
    path.write_text(f"{SECRET_TEXT}\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="everybody on this machine may read it") as caught:
        age.load_identities(path)
    assert caught.value.hint == f"Run: chmod 600 {path}"
    assert is_exposed(path)
    assert age.load_identities(path, refuse_exposed=False) == (IDENTITY,)
    path.chmod(0o640)
    assert age.load_identities(path) == (IDENTITY,)
    assert not is_exposed(path)


def test_missing_and_monstrous_files_are_refused(tmp_path: Path) -> None:
    """With the file's name."""
    with pytest.raises(UsageError, match=r"identity file .*missing: no such file"):
        age.load_identities(tmp_path / "missing")
    with pytest.raises(UsageError, match="is a directory"):
        age.load_identities(tmp_path)
    with pytest.raises(UsageError, match="larger than"):
        age.load_identities(Path("/dev/zero"))


@pytest.mark.parametrize("text", [b"pass phrase", b"pass phrase\n", b"pass phrase\r\n"])
def test_passphrase_file(tmp_path: Path, text: bytes) -> None:
    """One line, its end left away."""
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_bytes(text)
    assert age.load_passphrase(path) == age.PassphraseIdentity(b"pass phrase")


@pytest.mark.parametrize("text", [b"", b"\n", b"one\ntwo\n"])
def test_bad_passphrase_file_is_refused(tmp_path: Path, text: bytes) -> None:
    """Empty, or of more than one line."""
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_bytes(text)
    with pytest.raises(UsageError, match=str(path)):
        age.load_passphrase(path)


def test_use_without_keys_is_refused_at_once() -> None:
    """Before anything is read or written."""
    with pytest.raises(UsageError, match="no recipient"):
        age.encrypt([b""], [])
    with pytest.raises(UsageError, match="no identity"):
        age.decrypt([b""], [])
    with pytest.raises(UsageError, match="beside another"):
        age.encrypt([b""], [age.PassphraseRecipient(b"pass", 2), IDENTITY.recipient()])


def test_secret_is_never_shown() -> None:
    """Neither repr nor str of an identity holds its key."""
    assert str(build.SECRET) not in repr(IDENTITY) + str(IDENTITY)
    assert SECRET_TEXT not in repr(IDENTITY) + str(IDENTITY)
