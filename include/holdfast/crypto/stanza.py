"""Stanzas of an age header, and what a recipient and an identity must be able to do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.crypto import raw_base64
from holdfast.errors import DecryptError

FILE_KEY_BYTES = 16
SEALED_FILE_KEY_BYTES = FILE_KEY_BYTES + 16


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapping of the file key: its kind, further arguments, and the wrapped key."""

    kind: str
    arguments: tuple[str, ...]
    body: bytes

    def argument_bytes(self, place: int, length: int) -> bytes:
        """The base64 argument at ``place``; raises DecryptError unless it is canonical and ``length`` bytes."""
        try:
            data = raw_base64.decode(self.arguments[place])
        except ValueError as error:
            raise self.fault(f"argument {place + 1} {error}") from error
        if len(data) != length:
            raise self.fault(f"argument {place + 1} is {len(data)} bytes instead of {length}")
        return data

    def check_shape(self, arguments: int) -> None:
        """Raise DecryptError unless it has that many arguments and the body of a wrapped file key.

        The body's length is looked at before any decryption, so that one ciphertext cannot be made to
        open under many keys (age.md, "partitioning oracle attacks").
        """
        if len(self.arguments) != arguments:
            raise self.fault(f"has {len(self.arguments)} arguments instead of {arguments}")
        if len(self.body) != SEALED_FILE_KEY_BYTES:
            raise self.fault(f"body is {len(self.body)} bytes instead of {SEALED_FILE_KEY_BYTES}")

    def fault(self, reason: str) -> DecryptError:
        """The error that this stanza is malformed."""
        return DecryptError(f"age header: {self.kind} stanza: {reason}")


class Recipient(Protocol):
    """The public side: wraps a file key so that one identity can unwrap it. ``str`` gives its text form."""

    @property
    def label(self) -> str:
        """All recipients of one file must bear the same label, else the weaker kind decides its strength."""
        ...

    def wrap(self, file_key: bytes) -> Stanza:
        """A new stanza for ``file_key``."""
        ...


class Identity(Protocol):
    """The secret side. Neither ``str`` nor ``repr`` shows the secret."""

    def recipient(self) -> Recipient:
        """The public side."""
        ...

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key, or None where no stanza is for this identity.

        Stanzas of other kinds are passed over; a malformed one of its own kind raises DecryptError.
        """
        ...
