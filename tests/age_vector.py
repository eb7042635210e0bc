"""Reads and runs test vectors in the form of the public age test kit; run as a program over directories of them.

A vector is lines of ``key: value``, an empty line, and an age file: ``expect``, ``payload`` (SHA-256 of everything
that may be released), ``identity``, ``passphrase``, ``armored``, ``compressed``, ``file key``, ``comment``.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.crypto import age
from holdfast.errors import DecryptError, NoIdentityMatch

_KNOWN = {"expect", "payload", "identity", "passphrase", "armored", "compressed", "file key", "comment"}


@dataclass(frozen=True)
class Vector:
    """One file and what is to come of it."""

    expect: str
    payload_sha256: str | None
    identities: tuple[age.Identity, ...]
    file: bytes

    @classmethod
    def parse(cls, data: bytes) -> Vector:
        """Read a vector; raises ValueError for a key or compression that is not known."""
        head, _, file = data.partition(b"\n\n")
        fields = [line.partition(": ")[::2] for line in head.decode("utf-8").splitlines()]
        if unknown := {key for key, _ in fields} - _KNOWN:
            raise ValueError(f"unknown keys {unknown}")
        single = dict(fields)
        identities = [i for key, value in fields if key == "identity" for i in age.parse_identity_file(value)]
        passphrases = [age.PassphraseIdentity(value.encode()) for key, value in fields if key == "passphrase"]
        return cls(single["expect"], single.get("payload"), (*identities, *passphrases), _inflated(file, single))

    def run(self, piece_bytes: int = 1 << 20) -> str:
        """``as expected``, or what happened instead."""
        released = hashlib.sha256()
        outcome = "success"
        pieces = [self.file[start : start + piece_bytes] for start in range(0, len(self.file), piece_bytes)]
        try:
            for piece in age.decrypt(pieces, self.identities or (age.generate_identity(),)):
                released.update(piece)
        except DecryptError as error:
            outcome = _kind(error)
        if outcome != self.expect:
            return f"{outcome} instead of {self.expect}"
        if self.payload_sha256 is not None and released.hexdigest() != self.payload_sha256:
            return "other bytes were released"
        return "as expected"


def _inflated(file: bytes, fields: dict[str, str]) -> bytes:
    compression = fields.get("compressed")
    if compression is None:
        return file
    if compression != "zlib":
        raise ValueError(f"unknown compression {compression}")
    return zlib.decompress(file)


def _kind(error: DecryptError) -> str:
    if isinstance(error, NoIdentityMatch):
        return "no match"
    if "authentication code is wrong" in error.message:
        return "HMAC failure"
    if error.message.startswith("age armor"):
        return "armor failure"
    return "payload failure" if error.message.startswith("age payload") else "header failure"


def main(directories: Sequence[str]) -> int:
    """Run every file of the directories; print what is not as expected; 1 if there is any."""
    paths = sorted(path for directory in directories for path in Path(directory).iterdir() if path.is_file())
    outcomes = {path: Vector.parse(path.read_bytes()).run() for path in paths}
    failed = {path: outcome for path, outcome in outcomes.items() if outcome != "as expected"}
    for path, outcome in failed.items():
        print(f"{path}: {outcome}")
    print(f"{len(paths) - len(failed)} of {len(paths)} as expected")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
