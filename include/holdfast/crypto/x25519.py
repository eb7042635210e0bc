"""The X25519 recipient type: ``age1…`` and ``AGE-SECRET-KEY-1…``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from holdfast.crypto import bech32, raw_base64
from holdfast.crypto.stanza import Stanza
from holdfast.crypto.wrapping import derive_key, open_file_key, seal_file_key
from holdfast.errors import UsageError

KIND = "X25519"
RECIPIENT_PREFIX = "age"
IDENTITY_PREFIX = "AGE-SECRET-KEY-"
_KEY_BYTES = 32
_INFO = b"age-encryption.org/v1/X25519"


@dataclass(frozen=True, slots=True)
class X25519Recipient:
    """A Curve25519 point to encrypt to."""

    point: bytes

    def __post_init__(self) -> None:
        if len(self.point) != _KEY_BYTES:
            raise UsageError(f"age recipient: holds {len(self.point)} bytes instead of {_KEY_BYTES}")

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.point)

    @property
    def label(self) -> str:
        """Not secure against quantum computers."""
        return "classic"

    def wrap(self, file_key: bytes) -> Stanza:
        """A stanza under a fresh ephemeral secret; raises UsageError for a point no honest key has."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        try:
            shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.point))
        except ValueError as error:
            raise UsageError(f"age recipient {self}: is a point of low order") from error
        wrap_key = derive_key(shared, salt=share + self.point, info=_INFO)
        return Stanza(KIND, (raw_base64.encode(share),), seal_file_key(wrap_key, file_key))


@dataclass(frozen=True, slots=True)
class X25519Identity:
    """A Curve25519 scalar to decrypt with."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != _KEY_BYTES:
            raise UsageError(f"age identity: holds {len(self.secret)} bytes instead of {_KEY_BYTES}")

    @classmethod
    def generate(cls) -> X25519Identity:
        """A new random identity."""
        return cls(os.urandom(_KEY_BYTES))

    def recipient(self) -> X25519Recipient:
        """The public side."""
        return X25519Recipient(self._private_key().public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """The line of an identity file. It is the secret: write it to a file of mode 0600 and nowhere else."""
        return bech32.encode(IDENTITY_PREFIX, self.secret)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key out of the first stanza made for this identity; DecryptError for a malformed one."""
        own = [(stanza, self._share(stanza)) for stanza in stanzas if stanza.kind == KIND]
        point = self.recipient().point
        for stanza, share in own:
            try:
                # Raises for the all-zero result of a low-order share (RFC 7748, section 6.1).
                shared = self._private_key().exchange(X25519PublicKey.from_public_bytes(share))
            except ValueError as error:
                raise stanza.fault("ephemeral share is a point of low order") from error
            wrap_key = derive_key(shared, salt=share + point, info=_INFO)
            if (file_key := open_file_key(wrap_key, stanza.body)) is not None:
                return file_key
        return None

    def _private_key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.secret)

    @staticmethod
    def _share(stanza: Stanza) -> bytes:
        stanza.check_shape(arguments=1)
        return stanza.argument_bytes(0, _KEY_BYTES)
