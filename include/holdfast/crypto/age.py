"""The age v1 file format (age-encryption.org/v1, C2SP age.md): streams in, streams out, in constant memory.

A file written here opens with the ``age`` tool, and the other way round.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from holdfast.crypto.agekeys import (
    generate_identity,
    load_identities,
    load_passphrase,
    parse_identity_file,
    parse_recipient,
)
from holdfast.crypto.armor import armored, unarmored
from holdfast.crypto.header import MAX_HEADER_BYTES, Header, header_length
from holdfast.crypto.passphrase import PassphraseIdentity, PassphraseRecipient
from holdfast.crypto.payload import NONCE_BYTES, Payload
from holdfast.crypto.ranges import RangeReader
from holdfast.crypto.stanza import FILE_KEY_BYTES, Identity, Recipient
from holdfast.crypto.unwrap import unwrap_file_key
from holdfast.errors import DecryptError, UsageError

__all__ = [
    "Identity",
    "PassphraseIdentity",
    "PassphraseRecipient",
    "RangeReader",
    "Recipient",
    "armored",
    "decrypt",
    "encrypt",
    "generate_identity",
    "load_identities",
    "load_passphrase",
    "parse_identity_file",
    "parse_recipient",
]


def encrypt(pieces: Iterable[bytes], recipients: Sequence[Recipient]) -> Iterator[bytes]:
    """The age file of ``pieces`` for all ``recipients``, in pieces of about 1 MiB.

    Raises UsageError at once for no recipients or for kinds that may not share a file.
    """
    _check_together(recipients)
    file_key = os.urandom(FILE_KEY_BYTES)
    nonce = os.urandom(NONCE_BYTES)
    header = bytes(Header.build([recipient.wrap(file_key) for recipient in recipients], file_key))
    if len(header) > MAX_HEADER_BYTES:
        raise UsageError(f"age encryption: {len(recipients)} recipients are too many for one file")
    return chain([header + nonce], Payload(file_key, nonce).encrypt(pieces))


def decrypt(pieces: Iterable[bytes], identities: Sequence[Identity]) -> Iterator[bytes]:
    """The plaintext of an age file, armored or not, in pieces of up to 64 KiB.

    Every byte is authenticated before it is yielded, but only a normal end says that the file was complete:
    iterating raises DecryptError (NoIdentityMatch where no identity fits) for whatever is wrong with it.
    """
    if not identities:
        raise UsageError("age decryption: no identity is given")
    return _decrypt(pieces, identities)


def _decrypt(pieces: Iterable[bytes], identities: Sequence[Identity]) -> Iterator[bytes]:
    source = unarmored(pieces)
    start, length = _read_header(source)
    file_key = unwrap_file_key(Header.parse(start[:length]), identities)
    payload = length + NONCE_BYTES
    yield from Payload(file_key, start[length:payload]).decrypt(chain([start[payload:]], source))


def _read_header(pieces: Iterator[bytes]) -> tuple[bytes, int]:
    """(the first bytes, at least up to the end of the payload's nonce; the header's length)."""
    start = bytearray()
    length: int | None = None
    for piece in pieces:
        searched = len(start)
        start += piece
        length = length or header_length(start, searched)
        if length is not None and len(start) >= length + NONCE_BYTES:
            return bytes(start), length
    if not start:
        raise DecryptError("not an age file: it is empty")
    raise DecryptError("age header: cut short")


def _check_together(recipients: Sequence[Recipient]) -> None:
    if not recipients:
        raise UsageError("age encryption: no recipient is given")
    labels = {recipient.label for recipient in recipients}
    if len(recipients) > 1 and "passphrase" in labels:
        raise UsageError("age encryption: a passphrase cannot stand beside another recipient")
    if len(labels) > 1:
        raise UsageError(
            "age encryption: post-quantum and classic recipients are mixed",
            hint="The weaker kind would decide: use only age1pq1… recipients, or only age1… ones.",
        )
