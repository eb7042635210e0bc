"""The post-quantum hybrid recipient type (ML-KEM-768 with X25519): ``age1pq1…`` and ``AGE-SECRET-KEY-PQ-1…``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from holdfast.crypto import bech32, raw_base64
from holdfast.crypto.stanza import Stanza
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey, Suite

KIND = "mlkem768x25519"
RECIPIENT_PREFIX = "age1pq"
IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-"
_SEED_BYTES = 32
_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
_PUBLIC_BYTES = _MLKEM_PUBLIC_BYTES + 32
_MLKEM_CIPHERTEXT_BYTES = 1088
_ENCAPSULATION_BYTES = _MLKEM_CIPHERTEXT_BYTES + 32
_INFO = b"age-encryption.org/mlkem768x25519"


@dataclass(frozen=True, slots=True)
class HybridRecipient:
    """An ML-KEM-768 encapsulation key followed by a Curve25519 point."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != _PUBLIC_BYTES:
            raise UsageError(f"age recipient: holds {len(self.key)} bytes instead of {_PUBLIC_BYTES}")

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self.key)

    @property
    def label(self) -> str:
        """Secure against quantum computers, as long as no other kind stands beside it."""
        return "post-quantum"

    def wrap(self, file_key: bytes) -> Stanza:
        """A stanza with a fresh encapsulation; raises UsageError for a key that is none."""
        suite = _suite()
        try:
            sealed = suite.encrypt(file_key, self._public_key(), _INFO)
        except ValueError as error:
            raise UsageError("age recipient age1pq1…: is not a usable key") from error
        encapsulation, body = sealed[:_ENCAPSULATION_BYTES], sealed[_ENCAPSULATION_BYTES:]
        return Stanza(KIND, (raw_base64.encode(encapsulation),), body)

    def _public_key(self) -> MLKEM768X25519PublicKey:
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self.key[:_MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(self.key[_MLKEM_PUBLIC_BYTES:]),
        )


@dataclass(frozen=True, slots=True)
class HybridIdentity:
    """The seed that both private keys are expanded from."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != _SEED_BYTES:
            raise UsageError(f"age identity: holds {len(self.seed)} bytes instead of {_SEED_BYTES}")

    @classmethod
    def generate(cls) -> HybridIdentity:
        """A new random identity; raises UsageError where the library lacks ML-KEM."""
        _suite()
        return cls(os.urandom(_SEED_BYTES))

    def recipient(self) -> HybridRecipient:
        """The public side; raises UsageError where the library lacks ML-KEM."""
        _suite()
        mlkem, x25519 = self._private_keys()
        return HybridRecipient(mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """The line of an identity file. It is the secret: write it to a file of mode 0600 and nowhere else."""
        return bech32.encode(IDENTITY_PREFIX, self.seed)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """The file key out of the first stanza made for this identity; DecryptError for a malformed one."""
        own = [(stanza, self._encapsulation(stanza)) for stanza in stanzas if stanza.kind == KIND]
        for stanza, encapsulation in own:
            if (file_key := self._open(stanza, encapsulation)) is not None:
                return file_key
        return None

    def _open(self, stanza: Stanza, encapsulation: bytes) -> bytes | None:
        from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

        suite = _suite()
        mlkem, x25519 = self._private_keys()
        try:
            # HPKE reports a low-order share and a foreign stanza alike; only the second may be passed over.
            x25519.exchange(X25519PublicKey.from_public_bytes(encapsulation[_MLKEM_CIPHERTEXT_BYTES:]))
        except ValueError as error:
            raise stanza.fault("X25519 share is a point of low order") from error
        try:
            return suite.decrypt(encapsulation + stanza.body, MLKEM768X25519PrivateKey(mlkem, x25519), _INFO)
        except InvalidTag:
            return None

    def _private_keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        """Both keys, expanded with SHAKE-256 as X-Wing does (draft-connolly-cfrg-xwing-kem, section 5.2)."""
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

        expanded = hashlib.shake_256(self.seed).digest(_MLKEM_SEED_BYTES + 32)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:]),
        )

    @staticmethod
    def _encapsulation(stanza: Stanza) -> bytes:
        stanza.check_shape(arguments=1)
        return stanza.argument_bytes(0, _ENCAPSULATION_BYTES)


def _suite() -> Suite:
    """The HPKE suite of age's stanza; raises UsageError that says what is missing where it is not to be had."""
    try:
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

        _require_mlkem()
        return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            "age post-quantum keys: the installed cryptography package offers no ML-KEM-768 with X25519",
            hint="Install cryptography 50 or newer from its wheel, or use an X25519 key (age1…).",
        ) from error


def _require_mlkem() -> None:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

    MLKEM768PrivateKey.from_seed_bytes(bytes(_MLKEM_SEED_BYTES))
