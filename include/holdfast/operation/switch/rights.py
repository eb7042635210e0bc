"""Owners and grants as they were before a restore over the live database, kept until they are given back."""

from __future__ import annotations

from pydantic import JsonValue, TypeAdapter

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.environment import Environment
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId

_RIGHTS = "draft-rights.json"
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class RightsDraft(Record):
    """What ``restore_clean`` gives to be kept."""

    rights: JsonValue


def kept_rights(environment: Environment, operation: RestorePointId, found: bytes) -> bytes:
    """Store what was found first, and return that to every rerun: by then the database may have lost it.

    Raises SignatureError where what stands in the store is not ours.
    """
    key = environment.keys.evidence_object(operation, _RIGHTS)
    standing = read_draft(environment.store, key, RightsDraft, environment.verifier())
    if standing is None:
        standing = RightsDraft(rights=_JSON.validate_json(found))
        write_draft(environment.store, key, standing, environment.signer())
    return _JSON.dump_json(standing.rights)
