"""A key for listings alone, derived from the signing key.

A host that takes backups holds no identity, yet must read the last listing to know what has changed since. So listings,
which name files but hold none of their bytes, are encrypted to this key too: it is on that host anyway, and opens
nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.crypto.hybrid import HybridIdentity
from holdfast.crypto.signing import Signer
from holdfast.crypto.stanza import Identity, Recipient
from holdfast.crypto.x25519 import X25519Identity

_INFO = b"holdfast/1 listing key"


def listing_identity(signer: Signer, recipients: Sequence[Recipient]) -> Identity:
    """The identity that belongs to the signing key, of the kind that may share a file with ``recipients``."""
    seed = _seed(signer)
    is_hybrid = any(recipient.label == "post-quantum" for recipient in recipients)
    return HybridIdentity(seed) if is_hybrid else X25519Identity(seed)


def listing_identities(signer: Signer) -> tuple[Identity, ...]:
    """Both kinds, to read what was written under either."""
    seed = _seed(signer)
    return X25519Identity(seed), HybridIdentity(seed)


def _seed(signer: Signer) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(signer.key.private_bytes_raw())
