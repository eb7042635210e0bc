"""The listing's bytes: lines in blocks, each a Zstandard frame, then a footer that says where which block begins.

``zstd -d`` gives all lines and the footer, a last line of its own. One path is found by reading the footer and one
block, each trusted by the SHA-256 that the signed manifest leads to.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import zstandard

from holdfast.errors import IntegrityError
from holdfast.media.entries import path_of
from holdfast.media.records import ListingFacts

_BLOCK_BYTES = 256 * 1024
_LEVEL = 3
_FOOTER_LIMIT_BYTES = 256 << 20
_READ_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """One frame of lines: where it lies in the decrypted listing, its SHA-256, and the path of its first line."""

    offset: int
    length: int
    sha256: str
    first: bytes


class ListingWriter:
    """Turns lines into the listing's plaintext; afterwards knows what the manifest says of it."""

    def __init__(self) -> None:
        self.lines = 0
        self._offset = 0
        self._blocks: list[dict[str, object]] = []
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
        self._footer = b""

    def frames(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The frames of ``lines``, which bear no newline, and the footer's."""
        held: list[bytes] = []
        held_bytes = 0
        for line in lines:
            held.append(line)
            held_bytes += len(line)
            if held_bytes >= _BLOCK_BYTES:
                yield self._block(held)
                held, held_bytes = [], 0
        if held:
            yield self._block(held)
        footer = json.dumps({"type": "footer", "blocks": self._blocks}, separators=(",", ":")).encode() + b"\n"
        self._footer = self._compressor.compress(footer)
        yield self._footer

    def facts(self, stored_bytes: int, sha256: str) -> ListingFacts:
        """What the manifest records, once all frames were taken; size and hash are of the encrypted whole."""
        return ListingFacts(
            bytes=stored_bytes,
            sha256=sha256,
            lines=self.lines,
            footer_offset=self._offset,
            footer_bytes=len(self._footer),
            footer_sha256=hashlib.sha256(self._footer).hexdigest(),
        )

    def _block(self, lines: list[bytes]) -> bytes:
        frame = self._compressor.compress(b"\n".join(lines) + b"\n")
        # The first line is kept as it stands: parsing its path can wait for who searches.
        self._blocks.append(
            {
                "offset": self._offset,
                "bytes": len(frame),
                "sha256": hashlib.sha256(frame).hexdigest(),
                "first": json.loads(lines[0]),
            }
        )
        self.lines += len(lines)
        self._offset += len(frame)
        return frame


def read_blocks(plaintext: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines of a decrypted listing, a block at a time, its footer left out; in bounded memory.

    Raises IntegrityError where it is no listing or its footer is missing. That the bytes are those that were signed
    is for the caller to check, by the SHA-256 of the stored object.
    """
    rest = b""
    is_ended = False
    for piece in _decompressed(plaintext):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if lines and lines[-1].startswith(b'{"type":"footer"'):
            lines.pop()
            is_ended = True
        if lines:
            yield lines
    if rest or not is_ended:
        raise IntegrityError("media listing: cut short, its footer is missing")


def _decompressed(plaintext: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    try:
        for piece in plaintext:
            if found := decompressor.decompress(piece):
                yield found
    except zstandard.ZstdError as error:
        raise IntegrityError(f"media listing: not Zstandard: {error}") from error


class ListingSearch:
    """Finds lines of single paths by reading the footer and the blocks they stand in, nothing else.

    ``read(offset, length)`` gives bytes of the decrypted listing. Raises IntegrityError where they are not those
    that were signed.
    """

    def __init__(self, read: Callable[[int, int], bytes], facts: ListingFacts) -> None:
        self._read = read
        self._last = (0, 0, b"")
        footer = self._frame(facts.footer_offset, facts.footer_bytes, facts.footer_sha256)
        self._blocks = [_parsed(block) for block in json.loads(footer)["blocks"]]
        self._firsts = [block.first for block in self._blocks]

    def line(self, path: bytes) -> bytes | None:
        """The line of that path; None where the snapshot has none."""
        at = bisect.bisect_right(self._firsts, path) - 1
        if at < 0:
            return None
        return next((line for line in self._lines(self._blocks[at : at + 1]) if path_of(line) == path), None)

    def below(self, prefix: bytes = b"") -> Iterator[bytes]:
        """The lines, in order, of all paths that begin with ``prefix``: of all paths where it is empty."""
        start = max(0, bisect.bisect_left(self._firsts, prefix) - 1)
        end = len(self._blocks) if not prefix else bisect.bisect_left(self._firsts, _after(prefix))
        found = self._lines(self._blocks[start:end])
        return found if not prefix else (line for line in found if path_of(line).startswith(prefix))

    def _lines(self, blocks: Sequence[Block]) -> Iterator[bytes]:
        """The lines of blocks that follow one another, several blocks read at once."""
        at = 0
        while at < len(blocks):
            start, upto = blocks[at].offset, at
            while upto < len(blocks) and blocks[upto].offset + blocks[upto].length - start <= _READ_BYTES:
                upto += 1
            batch = blocks[at : max(upto, at + 1)]
            frames = self._near(start, batch[-1].offset + batch[-1].length - start)
            for block in batch:
                frame = frames[block.offset - start :][: block.length]
                yield from _checked(frame, block.sha256).split(b"\n")[:-1]
            at += len(batch)

    def _near(self, offset: int, length: int) -> bytes:
        """Bytes of the listing; the last ones are kept, for a path and what lies below it mostly stand together."""
        if self._last[:2] != (offset, length):
            self._last = (offset, length, self._read(offset, length))
        return self._last[2]

    def _frame(self, offset: int, length: int, sha256: str) -> bytes:
        return _checked(self._read(offset, length), sha256)


def _checked(frame: bytes, sha256: str) -> bytes:
    """What a frame holds, once it is known to be the one that was signed."""
    if hashlib.sha256(frame).hexdigest() != sha256:
        raise IntegrityError("media listing: a block is not the one that was signed")
    return zstandard.ZstdDecompressor().decompress(frame, max_output_size=_FOOTER_LIMIT_BYTES)


def _after(prefix: bytes) -> bytes:
    """The first of all texts that come behind those that begin with ``prefix``; no path has 4096 bytes of 255."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\xff" * 4096


def _parsed(block: dict[str, object]) -> Block:
    return Block(
        int(str(block["offset"])),
        int(str(block["bytes"])),
        str(block["sha256"]),
        path_of(json.dumps(block["first"]).encode()),
    )
