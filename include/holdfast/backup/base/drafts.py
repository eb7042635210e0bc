"""The draft of a base backup: what storing it leaves for the commit."""

from __future__ import annotations

from holdfast.catalog.catalog import Entry
from holdfast.catalog.drafts import read_draft
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, SignatureError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId

DRAFT = "draft-base.json"


class BaseDraft(Record):
    """A base backup that is stored whole, with all that its manifest will say, but perhaps not yet its WAL."""

    id: str
    manifest: BaseBackupManifest
    notes: tuple[str, ...] = ()


def draft_key(environment: Environment, id: RestorePointId) -> str:
    """Where the draft lies."""
    return environment.keys.base_backup(id, DRAFT)


def finished_draft(environment: Environment, entry: Entry) -> BaseDraft | None:
    """The draft of an attempt that did finish, when all that it names still stands."""
    try:
        draft = read_draft(
            environment.store, draft_key(environment, entry.id), BaseDraft, environment.signer().verifier()
        )
    except (IntegrityError, SignatureError):
        return None
    if draft is None or draft.id != str(entry.id) or draft.manifest.id != draft.id:
        return None
    return None if entry.missing(draft.manifest) else draft
