"""Ed25519 signatures: PEM keys, and detached signatures that ``openssl pkeyutl -verify -rawin`` checks too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from holdfast.crypto.secret_file import read_secret_file
from holdfast.errors import SignatureError, UsageError

SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public side, kept in ``signing.pub`` (SubjectPublicKeyInfo PEM)."""

    key: Ed25519PublicKey = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Verifier:
        """The key of a PEM file; raises UsageError that names the file."""
        try:
            key = load_pem_public_key(path.read_bytes())
        except OSError as error:
            raise UsageError(f"verify key {path}: {(error.strerror or 'cannot be read').lower()}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"verify key {path}: not a public key in PEM form", hint=_PUBLIC_HINT) from error
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(f"verify key {path}: not an Ed25519 key", hint=_PUBLIC_HINT)
        return cls(key)

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the raw public key, to name it in messages."""
        return hashlib.sha256(self.key.public_bytes_raw()).hexdigest()[:16]

    def verify(self, data: bytes, signature: bytes) -> None:
        """Raise SignatureError unless ``signature`` (64 raw bytes) over ``data`` was made by this key."""
        if len(signature) != SIGNATURE_BYTES:
            raise SignatureError(f"signature is {len(signature)} bytes instead of {SIGNATURE_BYTES}")
        try:
            self.key.verify(signature, data)
        except InvalidSignature as error:
            raise SignatureError(f"signature does not fit the bytes and key {self.key_id}") from error

    def pem(self) -> bytes:
        """The text of ``signing.pub``."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Signer:
    """The secret side, kept in ``signing.pem`` (PKCS#8 PEM)."""

    key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Signer:
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Signer:
        """The key of a PEM file; raises UsageError that names it, also where everybody may read the file."""
        data = read_secret_file(path, "signing key")
        try:
            key = load_pem_private_key(data, password=None)
        except TypeError as error:
            raise UsageError(
                f"signing key file {path}: is protected by a password",
                hint="Take the password off with `openssl pkey`, and keep the file at mode 0600.",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"signing key file {path}: not a private key in PEM form", hint=_PRIVATE_HINT) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"signing key file {path}: not an Ed25519 key", hint=_PRIVATE_HINT)
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """A detached signature: 64 raw bytes."""
        return self.key.sign(data)

    def verifier(self) -> Verifier:
        """The public side."""
        return Verifier(self.key.public_key())

    def pem(self) -> bytes:
        """The text of ``signing.pem``. It is the secret."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


_PUBLIC_HINT = "Use signing.pub as `holdfast keys new` or `openssl pkey -pubout` writes it."
_PRIVATE_HINT = "Use signing.pem as `holdfast keys new` or `openssl genpkey -algorithm ed25519` writes it."
