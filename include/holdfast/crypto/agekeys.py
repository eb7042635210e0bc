"""Reads recipients, identity files and passphrase files, never repeating a secret in an error."""

from __future__ import annotations

from pathlib import Path

from holdfast.crypto import bech32, hybrid, x25519
from holdfast.crypto.hybrid import HybridIdentity, HybridRecipient
from holdfast.crypto.passphrase import PassphraseIdentity
from holdfast.crypto.secret_file import read_secret_file
from holdfast.crypto.stanza import Identity, Recipient
from holdfast.crypto.x25519 import X25519Identity, X25519Recipient
from holdfast.errors import UsageError

_IDENTITY_START = "AGE-SECRET-KEY-"
_RECIPIENT_HINT = "A recipient is age1… (or age1pq1…), as `holdfast keys new` and `age-keygen -y` print it."
_IDENTITY_HINT = "Each line is one AGE-SECRET-KEY-…, as `holdfast keys new` and `age-keygen` write it."


def parse_recipient(text: str) -> Recipient:
    """A recipient from ``age1…`` or ``age1pq1…``; raises UsageError, which never shows a secret key."""
    text = text.strip()
    if text.upper().startswith(_IDENTITY_START):
        raise UsageError("age recipient: this is a secret key, not a recipient", hint=_RECIPIENT_HINT)
    shown = text if len(text) <= 20 else text[:16] + "…"
    if not text.startswith("age1"):
        raise UsageError("age recipient: does not begin with age1", hint=_RECIPIENT_HINT)
    try:
        prefix, data = bech32.decode(text)
    except ValueError as error:
        raise UsageError(f"age recipient {shown}: {error}", hint=_RECIPIENT_HINT) from error
    if prefix == hybrid.RECIPIENT_PREFIX:
        return HybridRecipient(data)
    if prefix == x25519.RECIPIENT_PREFIX:
        return X25519Recipient(data)
    raise UsageError(f"age recipient {shown}: recipients of plugins are not supported", hint=_RECIPIENT_HINT)


def parse_identity_file(text: str) -> tuple[Identity, ...]:
    """Every identity of a file as ``age-keygen`` writes it: one a line, comments and blank lines between.

    Raises UsageError, which names the line and never shows it.
    """
    if text.lstrip().startswith(("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE")):
        raise UsageError(
            "age identity file: is itself encrypted",
            hint="Decrypt it with `age -d` into a file of mode 0600 (or to memory, under /dev/shm) and name that.",
        )
    identities = tuple(
        _parse_identity(line.strip(), number)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    )
    if not identities:
        raise UsageError("age identity file: holds no identity", hint=_IDENTITY_HINT)
    return identities


def load_identities(path: Path, *, refuse_exposed: bool = True) -> tuple[Identity, ...]:
    """The identities of a file; raises UsageError that names it, also where everybody may read it.

    With ``refuse_exposed=False`` the last is allowed; ``secret_file.is_exposed`` says so.
    """
    data = read_secret_file(path, "identity", refuse_exposed=refuse_exposed)
    try:
        return parse_identity_file(data.decode("utf-8", errors="replace"))
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error


def load_passphrase(path: Path, *, refuse_exposed: bool = True) -> PassphraseIdentity:
    """The passphrase that stands in a file of one line; raises UsageError that names the file."""
    data = read_secret_file(path, "passphrase", refuse_exposed=refuse_exposed)
    passphrase = data.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in passphrase:
        raise UsageError(f"passphrase file {path}: holds more than one line")
    try:
        return PassphraseIdentity(passphrase)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from error


def generate_identity(*, post_quantum: bool = False) -> X25519Identity | HybridIdentity:
    """A new identity: X25519, or the post-quantum hybrid."""
    return HybridIdentity.generate() if post_quantum else X25519Identity.generate()


def _parse_identity(line: str, number: int) -> Identity:
    where = f"age identity file line {number}"
    if line.startswith("age1"):
        raise UsageError(f"{where}: is a recipient, which cannot decrypt", hint=_IDENTITY_HINT)
    if not line.startswith(_IDENTITY_START):
        raise UsageError(f"{where}: does not begin with {_IDENTITY_START}", hint=_IDENTITY_HINT)
    try:
        prefix, data = bech32.decode(line)
        if prefix == hybrid.IDENTITY_PREFIX:
            return HybridIdentity(data)
        if prefix == x25519.IDENTITY_PREFIX:
            return X25519Identity(data)
    except (ValueError, UsageError) as error:
        raise UsageError(f"{where}: {error}", hint=_IDENTITY_HINT) from error
    raise UsageError(f"{where}: is of an unknown kind", hint=_IDENTITY_HINT)
