"""Whether the keys that the policy names are there, and fit together and what was written with them."""

from __future__ import annotations

from holdfast.crypto.header import Header, header_length
from holdfast.crypto.unwrap import unwrap_file_key
from holdfast.errors import DecryptError, PermanentError, SignatureError, UsageError
from holdfast.watch.facts import Trouble
from holdfast.watch.reading.round import Reading

_IDENTITY, _SIGNING = "identity", "signing key"
# One recipient takes some 200 bytes of a header, a post-quantum one 1,700.
_HEADER_BYTES, _MOST_HEADER_BYTES = 1 << 10, 1 << 20
_NO_IDENTITY = "this host has no identity, so whether backups can be decrypted is not looked at here"


def read_keys(reading: Reading) -> None:
    """Give ``reading`` the keys that can be used here, and tell of those that cannot."""
    try:
        reading.verifier = reading.environment.verifier()
    except PermanentError as error:
        reading.tell(_trouble("signature_mismatch", _SIGNING, error))
    else:
        _look_at_signer(reading)
    _look_at_identity(reading)


def opening_fault(reading: Reading, key: str) -> str | None:
    """Why no identity at hand opens the object of that key, by its header alone; None where one does.

    Raises ObjectMissing and StoreError.
    """
    store = reading.environment.store
    try:
        start = store.read_range(key, 0, _HEADER_BYTES)
        length = header_length(start)
        if length is None and len(start) == _HEADER_BYTES:
            start = store.read_range(key, 0, _MOST_HEADER_BYTES)
            length = header_length(start)
        if length is None:
            return "age header: cut short"
        unwrap_file_key(Header.parse(start[:length]), reading.identities)
    except DecryptError as error:
        return error.message
    return None


def _look_at_signer(reading: Reading) -> None:
    """What is signed on this host must be what is believed on this host."""
    if reading.environment.policy.keys.signing_key_file is None or reading.verifier is None:
        return
    try:
        signer = reading.environment.signer()
    except UsageError as error:
        # The same policy serves hosts that take no backups; where one is to be taken, its run fails and is told.
        reading.notes.append(error.message)
        return
    try:
        reading.verifier.verify(b"holdfast", signer.sign(b"holdfast"))
    except SignatureError:
        text = "keys.verify_key_file does not belong to keys.signing_key_file: what is signed here is not believed here"
        hint = "Use signing.pem and signing.pub that were made together."
        reading.tell(Trouble(kind="signature_mismatch", subject=_SIGNING, text=text, hint=hint))


def _look_at_identity(reading: Reading) -> None:
    environment = reading.environment
    try:
        found = environment.identities()
    except PermanentError as error:
        reading.tell(_trouble("not_decryptable", _IDENTITY, error))
        return
    if found is None:
        reading.notes.append(_NO_IDENTITY)
        return
    reading.identities = found
    try:
        reading.is_fitting = environment.identities_fit(found)
    except PermanentError as error:
        reading.tell(_trouble("identity_mismatch", "recipients", error))
        return
    if not reading.is_fitting:
        text = "keys.identity_file opens nothing that is encrypted to the policy's recipients"
        hint = "keys.identity_file and keys.recipients belong to different keys: correct one of them."
        reading.tell(Trouble(kind="identity_mismatch", subject=_IDENTITY, text=text, hint=hint))


def _trouble(kind: str, subject: str, error: PermanentError) -> Trouble:
    return Trouble.model_validate({"kind": kind, "subject": subject, "text": error.message, "hint": error.hint})
