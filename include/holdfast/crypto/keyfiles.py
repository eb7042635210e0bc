"""Makes a new set of key files, whole or not at all, and never over existing ones."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from holdfast.crypto.agekeys import generate_identity
from holdfast.crypto.signing import Signer
from holdfast.errors import HoldfastError, TransientError, UsageError

_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The four files of a directory, and the two public facts worth printing."""

    identity_file: Path
    recipient_file: Path
    signing_key_file: Path
    verify_key_file: Path
    recipient: str
    verify_key_id: str


def new_keys(out: Path, *, now: datetime | None = None) -> KeyFiles:
    """Write identity.txt, recipient.txt, signing.pem and signing.pub into ``out``, which is made where missing.

    ``now`` (aware) stands in identity.txt; the clock's time where it is not given. Raises UsageError where
    any of the files exists or the directory cannot be used; then none of them was written.
    """
    identity, signer = generate_identity(), Signer.generate()
    recipient, verifier = str(identity.recipient()), signer.verifier()
    created = (now or datetime.now(UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    identity_text = f"# created: {created}\n# public key: {recipient}\n{identity.secret_text()}\n"
    files = KeyFiles(
        identity_file=out / "identity.txt",
        recipient_file=out / "recipient.txt",
        signing_key_file=out / "signing.pem",
        verify_key_file=out / "signing.pub",
        recipient=recipient,
        verify_key_id=verifier.key_id,
    )
    _write_all(
        out,
        [
            (files.identity_file, identity_text.encode("ascii"), _SECRET_MODE),
            (files.recipient_file, f"{recipient}\n".encode("ascii"), _PUBLIC_MODE),
            (files.signing_key_file, signer.pem(), _SECRET_MODE),
            (files.verify_key_file, verifier.pem(), _PUBLIC_MODE),
        ],
    )
    return files


def _write_all(out: Path, files: list[tuple[Path, bytes, int]]) -> None:
    for path, _, _ in files:
        if os.path.lexists(path):
            raise _taken(path)
    written: list[Path] = []
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, data, mode in files:
            _write_new(path, data, mode, written)
        _sync_directory(out)
    except OSError as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise _translated(out, error) from error


def _write_new(path: Path, data: bytes, mode: int, written: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    written.append(path)
    with os.fdopen(descriptor, "wb") as file:
        # The umask may have taken away what the mode gives, or a default ACL added to it.
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _taken(path: Path) -> UsageError:
    return UsageError(
        f"key file {path}: exists already, nothing was written",
        hint="Name another directory: without its old identity no older backup can be read.",
    )


def _translated(out: Path, error: OSError) -> HoldfastError:
    reason = (error.strerror or "cannot be written").lower()
    misuse = (PermissionError, NotADirectoryError, FileExistsError)
    kind = UsageError if isinstance(error, misuse) else TransientError
    return kind(f"key directory {out}: {reason}, nothing was written")
