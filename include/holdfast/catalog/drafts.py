"""Drafts: what one step of a long piece of work leaves in the store for the next, signed by its host."""

from __future__ import annotations

import base64
import binascii

from pydantic import BaseModel, ConfigDict, ValidationError

from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, ObjectExists, ObjectMissing, SignatureError
from holdfast.manifest.model import Record
from holdfast.storage.protocol import Store


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="forbid")
    payload: str
    signature: str


def write_draft(store: Store, key: str, draft: Record, signer: Signer) -> None:
    """Store a draft create-only; one that stands already is left, for the caller has looked at it."""
    payload = draft.model_dump_json()
    signature = base64.b64encode(signer.sign(payload.encode())).decode()
    store.put(key, [_Envelope(payload=payload, signature=signature).model_dump_json().encode()])


def read_draft[Draft: Record](store: Store, key: str, kind: type[Draft], verifier: Verifier) -> Draft | None:
    """The draft under ``key``, None where there is none yet; raises SignatureError or IntegrityError."""
    try:
        document = store.get(key)
    except ObjectMissing:
        return None
    try:
        envelope = _Envelope.model_validate_json(document)
        verifier.verify(envelope.payload.encode(), base64.b64decode(envelope.signature, validate=True))
        return kind.model_validate_json(envelope.payload)
    except (ValidationError, binascii.Error) as error:
        raise IntegrityError(f"{key}: not a draft of this version of holdfast") from error
    except SignatureError as error:
        raise SignatureError(
            f"{key}: {error.message}",
            hint="Every host that takes part in a backup must use the same signing key.",
        ) from error


def replace_draft(store: Store, key: str, draft: Record, signer: Signer) -> None:
    """Store a draft where an earlier attempt of the same run may have left one."""
    try:
        write_draft(store, key, draft, signer)
    except ObjectExists:
        store.delete(key)
        write_draft(store, key, draft, signer)
