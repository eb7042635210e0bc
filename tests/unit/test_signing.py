"""Signatures: made here, checked here, refused when anything differs, and keys refused with a reason."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto.signing import SIGNATURE_BYTES, Signer, Verifier
from holdfast.errors import SignatureError, UsageError

SIGNER = Signer.generate()


def secret_file(path: Path, data: bytes) -> Path:
    """A file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


@given(st.binary(max_size=300))
def test_signature_is_accepted(data: bytes) -> None:
    """64 raw bytes over any data."""
    signature = SIGNER.sign(data)
    assert len(signature) == SIGNATURE_BYTES
    SIGNER.verifier().verify(data, signature)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_change_is_refused(data: bytes, draw: st.DataObject) -> None:
    """One bit of the data or of the signature."""
    signature = SIGNER.sign(data)
    joined = bytearray(data + signature)
    joined[draw.draw(st.integers(0, len(joined) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(SignatureError, match=SIGNER.verifier().key_id):
        SIGNER.verifier().verify(bytes(joined[: len(data)]), bytes(joined[len(data) :]))


def test_other_key_is_refused() -> None:
    """A signature says who made it."""
    with pytest.raises(SignatureError):
        Signer.generate().verifier().verify(b"data", SIGNER.sign(b"data"))


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_signature_of_wrong_length_is_refused(size: int) -> None:
    """With its length."""
    with pytest.raises(SignatureError, match=f"{size} bytes instead of 64"):
        SIGNER.verifier().verify(b"data", bytes(size))


def test_files_round_trip(tmp_path: Path) -> None:
    """PKCS#8 and SubjectPublicKeyInfo."""
    signer = Signer.load(secret_file(tmp_path / "signing.pem", SIGNER.pem()))
    (tmp_path / "signing.pub").write_bytes(SIGNER.verifier().pem())
    verifier = Verifier.load(tmp_path / "signing.pub")
    verifier.verify(b"data", signer.sign(b"data"))
    assert verifier.key_id == SIGNER.verifier().key_id
    assert len(verifier.key_id) == 16


RSA = generate_private_key(65537, 2048)
BAD_SIGNING_KEYS = {
    "not a private key": b"no key",
    "a private key in": SIGNER.verifier().pem(),
    "not an Ed25519 key": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "protected by a password": SIGNER.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    ),
}


@pytest.mark.parametrize(("reason", "data"), BAD_SIGNING_KEYS.items(), ids=BAD_SIGNING_KEYS)
def test_bad_signing_key_is_refused(tmp_path: Path, reason: str, data: bytes) -> None:
    """With file, reason and a way out."""
    path = secret_file(tmp_path / "signing.pem", data)
    with pytest.raises(UsageError, match=reason) as caught:
        Signer.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("not a public key", b"no key"),
        ("not a public key", SIGNER.pem()),
        ("not an Ed25519 key", RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    ],
    ids=["garbage", "private key", "rsa"],
)
def test_bad_verify_key_is_refused(tmp_path: Path, reason: str, data: bytes) -> None:
    """With file, reason and a way out."""
    path = tmp_path / "signing.pub"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=reason) as caught:
        Verifier.load(path)
    assert caught.value.hint


def test_exposed_and_missing_files_are_refused(tmp_path: Path) -> None:
    """Whoever can read the signing key can forge backups."""
    path = secret_file(tmp_path / "signing.pem", SIGNER.pem())
    path.chmod(0o604)
    with pytest.raises(UsageError, match="everybody") as caught:
        Signer.load(path)
    assert caught.value.hint == f"Run: chmod 600 {path}"
    for load in (Signer.load, Verifier.load):
        with pytest.raises(UsageError, match="no such file"):
            load(tmp_path / "missing")


def test_key_is_never_shown() -> None:
    """Neither repr nor str holds it."""
    assert repr(SIGNER) == str(SIGNER) == "Signer()"
