"""The runner for vectors of the public test kit's form tells right from wrong, over vectors of our own."""

import hashlib
import zlib
from pathlib import Path

import pytest

import age_builder as build
import age_vector
from age_vector import Vector
from holdfast.crypto.hybrid import HybridIdentity
from holdfast.crypto.x25519 import X25519Identity

IDENTITY = f"identity: {X25519Identity(build.SECRET).secret_text()}"
PASSPHRASE = f"passphrase: {build.PASSPHRASE.decode()}"
HYBRID = HybridIdentity(build.SECRET)
A = b"a" * build.CHUNK


def vector(expect: str, *fields: str, file: bytes, payload: bytes | None = None) -> bytes:
    """A vector's text."""
    lines = [f"expect: {expect}", *fields]
    if payload is not None:
        lines.insert(1, f"payload: {hashlib.sha256(payload).hexdigest()}")
    return "\n".join([*lines, "", ""]).encode() + file


def hybrid_file() -> bytes:
    """A file for the hybrid identity."""
    stanza = HYBRID.recipient().wrap(build.FILE_KEY)
    return build.age_file(b"hello", [f"-> {stanza.kind} {stanza.arguments[0]}", *build.body(stanza.body)])


UNENDED = build.header(build.x25519()) + build.NONCE + build.chunk(0, A, is_final=False)
BAD_MAC = build.header(build.x25519(), file_key=bytes(16)) + build.payload(b"hello")
VECTORS = {
    "x25519": vector("success", IDENTITY, file=build.age_file(), payload=b"hello"),
    "empty": vector("success", IDENTITY, "comment: nothing inside", file=build.age_file(b""), payload=b""),
    "scrypt": vector("success", PASSPHRASE, file=build.age_file(b"hello", build.scrypt()), payload=b"hello"),
    "hybrid": vector("success", f"identity: {HYBRID.secret_text()}", file=hybrid_file(), payload=b"hello"),
    "armored": vector("success", IDENTITY, "armored: yes", file=build.armor(build.age_file()), payload=b"hello"),
    "compressed": vector(
        "success", IDENTITY, "compressed: zlib", file=zlib.compress(build.age_file(A * 3)), payload=A * 3
    ),
    "file_key": vector(
        "success", f"file key: {build.FILE_KEY.hex()}", IDENTITY, file=build.age_file(), payload=b"hello"
    ),
    "no_match": vector("no match", IDENTITY, file=build.age_file(b"hello", build.x25519(build.OTHER_SECRET))),
    "hmac": vector("HMAC failure", IDENTITY, file=BAD_MAC),
    "header": vector("header failure", IDENTITY, file=b"age-encryption.org/v2\n"),
    "payload": vector("payload failure", IDENTITY, file=UNENDED, payload=A),
    "armor": vector("armor failure", IDENTITY, "armored: yes", file=build.armor(build.age_file())[:-5]),
}


@pytest.mark.parametrize("text", VECTORS.values(), ids=VECTORS)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 100])
def test_vector(text: bytes, piece_bytes: int) -> None:
    """Comes out as it says."""
    assert Vector.parse(text).run(piece_bytes) == "as expected"


def test_wrong_outcome_is_told() -> None:
    """The runner can fail: another outcome, other bytes, an unknown key."""
    assert Vector.parse(vector("no match", IDENTITY, file=build.age_file())).run() == "success instead of no match"
    wrong = vector("success", IDENTITY, file=build.age_file(), payload=b"other")
    assert Vector.parse(wrong).run() == "other bytes were released"
    with pytest.raises(ValueError, match="unknown keys"):
        Vector.parse(vector("success", "colour: red", file=b""))


def test_directory_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a program over a directory it counts, names what fails and sets its exit status."""
    for name, text in VECTORS.items():
        (tmp_path / name).write_bytes(text)
    assert age_vector.main([str(tmp_path)]) == 0
    (tmp_path / "wrong").write_bytes(vector("success", IDENTITY, file=b""))
    assert age_vector.main([str(tmp_path)]) == 1
    assert "wrong: header failure instead of success" in capsys.readouterr().out
