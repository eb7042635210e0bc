"""Object keys: every name under which something lies in a store is built and parsed here.

A key is relative to the store's root and uses ``/``. Layout: docs/design.md, "What is in a store".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
HOLD = "hold.json"


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """The keys of one environment of one app."""

    app: str
    environment: str

    def __post_init__(self) -> None:
        for part in (self.app, self.environment):
            if not NAME.fullmatch(part):
                raise UsageError(f"name {part!r}: only a-z, 0-9, - and _ may stand in app and environment names")

    @property
    def root(self) -> str:
        """Prefix of everything that the environment owns, with its closing slash."""
        return f"{self.app}/{self.environment}/"

    @property
    def restore_points(self) -> str:
        """Prefix of all restore points, with its closing slash."""
        return f"{self.root}restore-points/"

    def restore_point(self, id: RestorePointId) -> str:
        """Prefix of one restore point, with its closing slash."""
        return f"{self.restore_points}{id}/"

    def manifest(self, id: RestorePointId) -> str:
        """The object whose existence makes the restore point exist."""
        return self.restore_point(id) + MANIFEST

    def signature(self, id: RestorePointId) -> str:
        """The detached Ed25519 signature over the manifest's bytes."""
        return self.restore_point(id) + SIGNATURE

    def hold(self, id: RestorePointId) -> str:
        """The mark that exempts a restore point from expiry."""
        return self.restore_point(id) + HOLD

    def artifact(self, id: RestorePointId, name: str) -> str:
        """One stored object of the restore point, such as ``database.dump.age``."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
            raise UsageError(f"artifact name {name!r} cannot stand in a key")
        return self.restore_point(id) + name

    def draft(self, id: RestorePointId, step: str) -> str:
        """What one step of a running backup leaves for the next; gone once the manifest stands."""
        return self.artifact(id, f"draft-{step}.json")

    def split_restore_point(self, key: str) -> tuple[str, str] | None:
        """(folder, object name) of a key below the restore points, the folder being an id's text; else None."""
        if not key.startswith(self.restore_points):
            return None
        folder, slash, name = key[len(self.restore_points) :].partition("/")
        return (folder, name) if slash and name else None
