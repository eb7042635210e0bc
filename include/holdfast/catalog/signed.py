"""Signed objects: a document and its detached signature, written so that a kill between the two converges."""

from __future__ import annotations

from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, ObjectExists, ObjectMissing, SignatureError
from holdfast.storage.protocol import Store


def write_signed(store: Store, key: str, signature_key: str, document: bytes, signer: Signer) -> None:
    """Store ``document`` create-only, its signature first, so that a document never stands unsigned.

    Doing it again with the same bytes is no error. Raises IntegrityError where another document
    stands under the key already.
    """
    signature = signer.sign(document)
    try:
        store.put(signature_key, [signature])
    except ObjectExists:
        _settle_signature(store, key, signature_key, document, signature)
    try:
        store.put(key, [document])
    except ObjectExists:
        _demand_same(store, key, document)


def _settle_signature(store: Store, key: str, signature_key: str, document: bytes, signature: bytes) -> None:
    """A killed attempt left a signature: use it if it is ours, replace it if it signs nothing that stands."""
    if store.get(signature_key) == signature:
        return
    try:
        store.head(key)
    except ObjectMissing:
        store.delete(signature_key)
        store.put(signature_key, [signature])
        return
    _demand_same(store, key, document)


def _demand_same(store: Store, key: str, document: bytes) -> None:
    if store.get(key) != document:
        raise IntegrityError(f"{key}: another document stands there already, nothing was changed")


def read_signed(store: Store, key: str, signature_key: str, verifier: Verifier) -> bytes:
    """The document, its signature checked; raises ObjectMissing or SignatureError naming the key."""
    document = store.get(key)
    try:
        verifier.verify(document, store.get(signature_key))
    except ObjectMissing as error:
        raise SignatureError(f"{key}: its signature {signature_key} is missing", hint=FORGED) from error
    except SignatureError as error:
        raise SignatureError(f"{key}: {error.message}", hint=error.hint or FORGED) from error
    return document


FORGED = (
    "Someone other than the backup host wrote it, or verify_key_file belongs to other keys: do not restore it "
    "before that is clear."
)
