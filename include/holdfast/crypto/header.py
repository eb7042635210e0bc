"""The textual header of an age file: read strictly, written canonically, and bound to the file key by a MAC."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.crypto import raw_base64
from holdfast.crypto.stanza import Stanza
from holdfast.crypto.wrapping import derive_key
from holdfast.errors import DecryptError

# The format sets no limit; this leaves room for hundreds of recipients and keeps hostile input from filling memory.
MAX_HEADER_BYTES = 1024 * 1024
VERSION_LINE = b"age-encryption.org/v1\n"

_COLUMNS = 64
_BODY_BYTES_PER_LINE = _COLUMNS // 4 * 3
_ARGUMENTS = re.compile(r"-> ([!-~]+(?: [!-~]+)*)")
_MAC_LINE = re.compile(r"--- ([A-Za-z0-9+/]{43})\n")
_MAC_LINE_BYTES = 48


@dataclass(frozen=True, slots=True)
class Header:
    """The stanzas, the bytes that the MAC covers, and the MAC."""

    stanzas: tuple[Stanza, ...]
    covered: bytes
    mac: bytes

    @classmethod
    def build(cls, stanzas: Sequence[Stanza], file_key: bytes) -> Header:
        """The header that gives ``file_key`` to the recipients of ``stanzas``."""
        covered = VERSION_LINE + b"".join(map(_stanza_text, stanzas)) + b"---"
        return cls(tuple(stanzas), covered, _mac(covered, file_key))

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Read a header, which is exactly the first ``header_length`` bytes of a file; raises DecryptError.

        Grammar: age.md, "ABNF definition of file header". A scrypt stanza must be the only one.
        """
        check_version(data)
        try:
            text = data[len(VERSION_LINE) :].decode("ascii")
        except UnicodeDecodeError as error:
            raise DecryptError("age header: holds a byte that is not ASCII") from error
        mac = _parse_mac(text[-_MAC_LINE_BYTES:])
        stanzas = tuple(_stanzas(text[:-_MAC_LINE_BYTES].split("\n")[:-1]))
        if not stanzas:
            raise DecryptError("age header: has no recipient")
        if len(stanzas) > 1 and any(stanza.kind == "scrypt" for stanza in stanzas):
            raise DecryptError("age header: a passphrase stands beside other recipients")
        return cls(stanzas, data[:-_MAC_LINE_BYTES] + b"---", mac)

    def __bytes__(self) -> bytes:
        return self.covered + f" {raw_base64.encode(self.mac)}\n".encode("ascii")

    def verify(self, file_key: bytes) -> None:
        """Raise DecryptError unless whoever wrote the header knew ``file_key``."""
        if not hmac.compare_digest(self.mac, _mac(self.covered, file_key)):
            raise DecryptError("age header: its authentication code is wrong, the header was changed")


def check_version(data: bytes | bytearray) -> None:
    """Raise DecryptError where ``data``, however short, cannot be the start of an age v1 file."""
    start = bytes(data[: len(VERSION_LINE)])
    if VERSION_LINE.startswith(start):
        return
    if start.startswith(VERSION_LINE[:-3]):
        raise DecryptError("age header: this version of the format is not supported, only v1 is")
    raise DecryptError("not an age file: the first line is not age-encryption.org/v1")


def header_length(data: bytes | bytearray, searched: int = 0) -> int | None:
    """Bytes up to the end of the MAC line, None where more is needed; the first ``searched`` are known to lack it.

    Raises DecryptError as soon as ``data`` cannot become an acceptable header.
    """
    check_version(data)
    # Base64 has no hyphen, so a line that starts with three of them is the last one, and all such are equally long.
    mark = data.find(b"\n---", max(0, searched - _MAC_LINE_BYTES))
    length = (mark + 1 if mark >= 0 else len(data)) + _MAC_LINE_BYTES
    if length > MAX_HEADER_BYTES:
        raise DecryptError(f"age header: longer than {MAX_HEADER_BYTES} bytes")
    return length if mark >= 0 and length <= len(data) else None


def _mac(covered: bytes, file_key: bytes) -> bytes:
    return hmac.digest(derive_key(file_key, salt=b"", info=b"header"), covered, "sha256")


def _stanza_text(stanza: Stanza) -> bytes:
    text = raw_base64.encode(stanza.body)
    # One column further than the text: a body that fills its last line is followed by an empty one.
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text) + 1, _COLUMNS)]
    return "\n".join([" ".join(["->", stanza.kind, *stanza.arguments]), *lines, ""]).encode("ascii")


def _parse_mac(line: str) -> bytes:
    found = _MAC_LINE.fullmatch(line)
    if found is None:
        raise DecryptError("age header: malformed authentication code line")
    try:
        return raw_base64.decode(found[1])
    except ValueError as error:
        raise DecryptError(f"age header: authentication code {error}") from error


def _stanzas(lines: list[str]) -> Iterator[Stanza]:
    rest = iter(enumerate(lines, start=2))
    for number, line in rest:
        found = _ARGUMENTS.fullmatch(line)
        if found is None:
            raise DecryptError(f"age header line {number}: not a recipient stanza")
        kind, *arguments = found[1].split(" ")
        yield Stanza(kind, tuple(arguments), _body(rest))


def _body(rest: Iterator[tuple[int, str]]) -> bytes:
    body = bytearray()
    for number, line in rest:
        if len(line) > _COLUMNS:
            raise DecryptError(f"age header line {number}: longer than {_COLUMNS} columns")
        try:
            piece = raw_base64.decode(line)
        except ValueError as error:
            raise DecryptError(f"age header line {number}: {error}") from error
        body += piece
        if len(piece) < _BODY_BYTES_PER_LINE:
            return bytes(body)
    raise DecryptError("age header: a recipient stanza does not end in a short line")
