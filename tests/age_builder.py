"""Builds age files line by line with arithmetic of its own, so that each can be wrong in exactly one way."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

FILE_KEY = hashlib.sha256(b"file key").digest()[:16]
SECRET = hashlib.sha256(b"identity").digest()
OTHER_SECRET = hashlib.sha256(b"another identity").digest()
NONCE = hashlib.sha256(b"payload nonce").digest()[:16]
CHUNK = 64 * 1024
PASSPHRASE = b"correct horse"
LOW_ORDER_POINTS = (
    bytes(32),
    (1).to_bytes(32, "little"),
    (2**255 - 20).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """One block of HKDF-SHA-256."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def b64(data: bytes) -> str:
    """Base64 without padding."""
    return base64.b64encode(data).decode().rstrip("=")


def not_canonical(text: str) -> str:
    """The same bytes spelled with an unused bit set; ``text`` must have unused bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def seal(key: bytes, data: bytes, nonce: bytes = bytes(12)) -> bytes:
    """ChaCha20-Poly1305."""
    return ChaCha20Poly1305(key).encrypt(nonce, data, None)


def body(data: bytes) -> list[str]:
    """A stanza's body, its last line shorter than the others."""
    text = b64(data)
    return [text[start : start + 64] for start in range(0, len(text) + 1, 64)]


def point(secret: bytes) -> bytes:
    """The public side of an X25519 secret."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def x25519(secret: bytes = SECRET, *, share: bytes | None = None, file_key: bytes = FILE_KEY) -> list[str]:
    """A stanza to ``secret``'s owner; of a given share only the all-zero result of a low-order point is known."""
    shared = bytes(32)
    if share is None:
        ephemeral = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"ephemeral" + secret).digest())
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(point(secret)))
    key = hkdf(shared, share + point(secret), b"age-encryption.org/v1/X25519")
    return [f"-> X25519 {b64(share)}", *body(seal(key, file_key))]


def scrypt(
    passphrase: bytes = PASSPHRASE, work: str = "2", *, salt: bytes = bytes(16), file_key: bytes = FILE_KEY
) -> list[str]:
    """A stanza to a passphrase; a ``work`` that is no small number is only written, not done."""
    cost = 1 << int(work) if len(work) < 3 and work.isdecimal() and 0 < int(work) < 15 else 2
    key = hashlib.scrypt(passphrase, salt=b"age-encryption.org/v1/scrypt" + salt, n=cost, r=8, p=1, dklen=32)
    return [f"-> scrypt {b64(salt)} {work}", *body(seal(key, file_key))]


def mac(lines: Sequence[str], file_key: bytes = FILE_KEY) -> bytes:
    """The MAC over header lines up to and with the hyphens."""
    covered = "".join(line + "\n" for line in lines).encode() + b"---"
    return hmac.digest(hkdf(file_key, b"", b"header"), covered, "sha256")


def header(*stanzas: Sequence[str], version: str = "age-encryption.org/v1", file_key: bytes = FILE_KEY) -> bytes:
    """A header with a right MAC over whatever the lines are."""
    lines = [version, *(line for stanza in stanzas for line in stanza)]
    return "".join(line + "\n" for line in [*lines, f"--- {b64(mac(lines, file_key))}"]).encode()


def chunk(number: int, data: bytes, *, is_final: bool, file_key: bytes = FILE_KEY) -> bytes:
    """One sealed chunk of the payload."""
    key = hkdf(file_key, NONCE, b"payload")
    return seal(key, data, number.to_bytes(11, "big") + bytes([is_final]))


def payload(data: bytes, file_key: bytes = FILE_KEY) -> bytes:
    """A right payload, its nonce in front."""
    count = max(1, -(-len(data) // CHUNK))
    parts = [data[number * CHUNK : (number + 1) * CHUNK] for number in range(count)]
    sealed = [chunk(number, part, is_final=number == count - 1, file_key=file_key) for number, part in enumerate(parts)]
    return NONCE + b"".join(sealed)


def age_file(data: bytes = b"hello", *stanzas: Sequence[str]) -> bytes:
    """A right age file, to ``SECRET`` unless stanzas are given."""
    return header(*(stanzas or [x25519()])) + payload(data)


def armor(data: bytes, line_end: str = "\n") -> bytes:
    """A right ASCII armor."""
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    whole = ["-----BEGIN AGE ENCRYPTED FILE-----", *lines, "-----END AGE ENCRYPTED FILE-----", ""]
    return line_end.join(whole).encode()
