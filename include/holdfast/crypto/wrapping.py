"""The two primitives that every part of age shares: HKDF-SHA-256, and sealing the file key under a one-time key."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# A wrap key is used for one message only, so its nonce may be constant (age.md, "X25519 recipient stanza").
_NONCE = bytes(12)


def derive_key(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """32 bytes by HKDF-SHA-256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def seal_file_key(wrap_key: bytes, file_key: bytes) -> bytes:
    """The body of a stanza."""
    return ChaCha20Poly1305(wrap_key).encrypt(_NONCE, file_key, None)


def open_file_key(wrap_key: bytes, body: bytes) -> bytes | None:
    """The file key, or None where the body was sealed under another key."""
    try:
        return ChaCha20Poly1305(wrap_key).decrypt(_NONCE, body, None)
    except InvalidTag:
        return None
