"""Signatures and key files made here are accepted by ``openssl`` alone, and its keys and signatures here."""

import subprocess
from pathlib import Path

import pytest

from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer, Verifier

MANIFEST = b'{"id": "20261122T020000Z-nightly-4f9c2a"}\n'


def openssl(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """One command of openssl."""
    return subprocess.run(["openssl", *words], capture_output=True, check=False)


def verification(folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The command of the break-glass page."""
    manifest, signature, key = folder / "manifest.json", folder / "manifest.sig", folder / "signing.pub"
    return openssl(*("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-sigfile", signature, "-in", manifest))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A folder with keys, a manifest and its signature."""
    new_keys(tmp_path)
    (tmp_path / "manifest.json").write_bytes(MANIFEST)
    (tmp_path / "manifest.sig").write_bytes(Signer.load(tmp_path / "signing.pem").sign(MANIFEST))
    return tmp_path


def test_openssl_accepts_a_signature(signed: Path) -> None:
    """With the public key file and nothing of ours."""
    done = verification(signed)
    assert (done.returncode, done.stdout.strip()) == (0, b"Signature Verified Successfully"), done.stderr


def test_openssl_refuses_a_changed_manifest(signed: Path) -> None:
    """One byte more is enough."""
    (signed / "manifest.json").write_bytes(MANIFEST + b"\n")
    assert verification(signed).returncode != 0


def test_keys_and_signatures_of_openssl_are_taken(tmp_path: Path) -> None:
    """Sites that keep their keys elsewhere make them with openssl."""
    pem, public, signature, manifest = (tmp_path / name for name in ("k.pem", "k.pub", "m.sig", "m.json"))
    manifest.write_bytes(MANIFEST)
    for words in (
        ("genpkey", "-algorithm", "ed25519", "-out", pem),
        ("pkey", "-in", pem, "-pubout", "-out", public),
        ("pkeyutl", "-sign", "-rawin", "-inkey", pem, "-in", manifest, "-out", signature),
    ):
        done = openssl(*words)
        assert done.returncode == 0, done.stderr
    pem.chmod(0o600)
    Verifier.load(public).verify(MANIFEST, signature.read_bytes())
    assert Signer.load(pem).sign(MANIFEST) == signature.read_bytes()
