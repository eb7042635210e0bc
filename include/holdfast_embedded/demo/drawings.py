"""Small real files: a PNG of squares, a QR code and a PDF of one line, the same bytes for the same text."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import segno

_SQUARES = 16
_SQUARE_PX = 6


def png(text: str) -> bytes:
    """A black and white picture of squares, chosen by the text."""
    bits = int.from_bytes(hashlib.sha256(text.encode()).digest())
    rows = []
    for row in range(_SQUARES):
        pixels = [bits >> (row * _SQUARES + column) & 1 for column in range(_SQUARES) for _ in range(_SQUARE_PX)]
        packed = int("".join(map(str, pixels)), 2).to_bytes(len(pixels) // 8)
        rows += [b"\0" + packed] * _SQUARE_PX
    side = _SQUARES * _SQUARE_PX
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def qr(text: str) -> bytes:
    """A picture of a QR code that says the text."""
    picture = io.BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="png", scale=4)
    return picture.getvalue()


def pdf(text: str) -> bytes:
    """One page with one line of Latin text; other characters become question marks."""
    shown = text.encode("latin-1", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    stream = b"BT /F1 18 Tf 40 150 Td (" + shown + b") Tj ET"
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 300] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        font,
    )
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(body))
    return body + head + table + trailer
