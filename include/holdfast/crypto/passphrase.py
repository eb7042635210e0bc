"""The scrypt recipient type: a passphrase, alone in its file, as public and secret side at once."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.crypto import raw_base64
from holdfast.crypto.stanza import Stanza
from holdfast.crypto.wrapping import open_file_key, seal_file_key
from holdfast.errors import DecryptError, UsageError

KIND = "scrypt"
DEFAULT_WORK_FACTOR = 18
# The file's writer chooses the work; 22 costs 4 GiB and some ten seconds, and the age tool stops there too.
MAX_WORK_FACTOR = 22
_SALT_BYTES = 16
_SALT_PREFIX = b"age-encryption.org/v1/scrypt"
_WORK_FACTOR = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class PassphraseRecipient:
    """Encrypts to whoever knows the passphrase; ``work_factor`` is the base-two logarithm of scrypt's N."""

    passphrase: bytes = field(repr=False)
    work_factor: int = DEFAULT_WORK_FACTOR

    def __post_init__(self) -> None:
        _check_passphrase(self.passphrase)
        if not 1 <= self.work_factor <= MAX_WORK_FACTOR:
            raise UsageError(f"scrypt work factor {self.work_factor}: not between 1 and {MAX_WORK_FACTOR}")

    def __str__(self) -> str:
        return "a passphrase"

    @property
    def label(self) -> str:
        """Never shared, because a passphrase must stand alone."""
        return "passphrase"

    def wrap(self, file_key: bytes) -> Stanza:
        """A stanza under a fresh salt."""
        salt = os.urandom(_SALT_BYTES)
        body = seal_file_key(_wrap_key(self.passphrase, salt, self.work_factor), file_key)
        return Stanza(KIND, (raw_base64.encode(salt), str(self.work_factor)), body)


@dataclass(frozen=True, slots=True)
class PassphraseIdentity:
    """Decrypts what was encrypted to the same passphrase."""

    passphrase: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_passphrase(self.passphrase)

    def recipient(self) -> PassphraseRecipient:
        """The public side, which is the same passphrase."""
        return PassphraseRecipient(self.passphrase)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key, or None for another passphrase; DecryptError for a malformed or too costly stanza."""
        for stanza in stanzas:
            if stanza.kind == KIND:
                return self._open(stanza)
        return None

    def _open(self, stanza: Stanza) -> bytes | None:
        stanza.check_shape(arguments=2)
        salt = stanza.argument_bytes(0, _SALT_BYTES)
        work_factor = _parse_work_factor(stanza)
        try:
            wrap_key = _wrap_key(self.passphrase, salt, work_factor)
        except MemoryError as error:
            needed_mib = (1 << work_factor) * 1024 // 1024**2
            raise DecryptError(
                f"age header: scrypt work factor {work_factor} needs more memory than there is",
                hint=f"Decrypt it on a machine with {needed_mib} MiB of free memory.",
            ) from error
        return open_file_key(wrap_key, stanza.body)


def _check_passphrase(passphrase: bytes) -> None:
    if not passphrase:
        raise UsageError("age passphrase: is empty")


def _parse_work_factor(stanza: Stanza) -> int:
    text = stanza.arguments[1]
    if _WORK_FACTOR.fullmatch(text) is None:
        raise stanza.fault("work factor is not a decimal number without leading zeros")
    if len(text) > 2 or int(text) > MAX_WORK_FACTOR:
        raise DecryptError(
            f"age header: scrypt work factor {text[:20]} is above the limit of {MAX_WORK_FACTOR}",
            hint="Whoever made this file asks for more work than is safe to do; encrypt it anew with less.",
        )
    return int(text)


def _wrap_key(passphrase: bytes, salt: bytes, work_factor: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=_SALT_PREFIX + salt, length=32, n=1 << work_factor, r=8, p=1).derive(passphrase)
