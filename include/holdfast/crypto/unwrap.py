"""From a header and identities to the file key, with the header authenticated by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from holdfast.crypto.header import Header
from holdfast.crypto.stanza import Identity
from holdfast.errors import NoIdentityMatch

_KNOWN_KINDS = {"X25519": "X25519", "mlkem768x25519": "post-quantum", "scrypt": "passphrase"}


def unwrap_file_key(header: Header, identities: Sequence[Identity]) -> bytes:
    """The key that the first fitting identity unwraps; raises NoIdentityMatch or DecryptError."""
    for identity in identities:
        file_key = identity.unwrap(header.stanzas)
        if file_key is not None:
            header.verify(file_key)
            return file_key
    raise NoIdentityMatch(
        f"age header: no key at hand opens it ({len(identities)} tried), it is for {_audience(header)}",
        hint=_hint(header),
    )


def _audience(header: Header) -> str:
    kinds = Counter(_KNOWN_KINDS.get(stanza.kind, "unknown") for stanza in header.stanzas)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _hint(header: Header) -> str:
    if header.stanzas[0].kind == "scrypt":
        return "This file needs a passphrase, the very one it was encrypted with."
    return "Use an identity file that belongs to one of the recipients the file was encrypted to."
