"""Secrets that are made once, by chance, and kept in files that only their owner reads."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """All passwords of the embedded servers, each in a file of its name."""

    admin_password: str
    devops_password: str
    dba_password: str
    teamlead_password: str
    developer_password: str
    viewer_password: str
    postgres_password: str
    airflow_database_password: str
    owner_password: str
    backup_password: str
    s3_access_key: str
    s3_secret_key: str
    jwt_secret: str
    api_secret_key: str
    fernet_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"

    @classmethod
    def load(cls, folder: Path) -> Secrets:
        """Read the secrets in ``folder``; make those that are missing."""
        return cls(**{field.name: _load(folder / field.name) for field in fields(cls)})


def _load(path: Path) -> str:
    if not path.exists():
        write_private(path, _new(path.name))
    return path.read_text(encoding="ascii")


def _new(name: str) -> str:
    if name == "fernet_key":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    if name == "s3_access_key":
        return "HF" + secrets.token_hex(9).upper()
    # Hexadecimal, so that it can stand in any URL; the JWT's key must have 64 bytes and more.
    return secrets.token_hex(64 if name in ("jwt_secret", "api_secret_key") else 16)


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that appears whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
