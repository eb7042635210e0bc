"""QR codes are read off the pictures that applications store, and what is no such picture is told for what it is."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress

import pytest
import segno
from PIL import Image

from holdfast.drill.checks.pictures import Unreadable, qr_texts

LINK = "https://campus.example/verify/CERT-2019-000123"


def picture(text: str = LINK, kind: str = "png", **options: object) -> bytes:
    out = io.BytesIO()
    segno.make_qr(text).save(out, kind=kind, **options)
    return out.getvalue()


def converted(data: bytes, kind: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert(mode).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("scale", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("border", [0, 1, 4])
def test_pictures_of_any_size_are_read(scale: int, border: int) -> None:
    assert qr_texts(picture(scale=scale, border=border)) == [LINK]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_other_kinds_are_read(kind: str) -> None:
    assert qr_texts(converted(picture(scale=6), kind)) == [LINK]


def test_colours_and_transparency_are_read() -> None:
    assert qr_texts(picture(scale=5, dark="darkblue", light=None)) == [LINK]
    assert qr_texts(picture(scale=5, dark="white", light="black")) == [LINK]
    assert qr_texts(converted(picture(scale=5, light=None), "PNG", "RGBA")) == [LINK]


def test_text_beyond_ascii_is_read() -> None:
    assert qr_texts(picture("https://campus.example/verify/Zürich-日本", scale=4)) == [
        "https://campus.example/verify/Zürich-日本"
    ]


def test_several_codes_are_read() -> None:
    one, other = (Image.open(io.BytesIO(picture(text, scale=5))).convert("RGB") for text in (LINK, "other"))
    sheet = Image.new("RGB", (one.width + other.width, one.height), "white")
    sheet.paste(one, (0, 0))
    sheet.paste(other, (one.width, 0))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    assert sorted(qr_texts(out.getvalue())) == sorted([LINK, "other"])


@pytest.mark.parametrize(
    ("data", "reason", "is_of_kind"),
    [
        (b"", "no PNG, JPEG or WebP", False),
        (b"no picture at all", "no PNG, JPEG or WebP", False),
        (picture(scale=5)[:120], "damaged", False),
        (picture(kind="svg"), "SVG", True),
        (b"\xef\xbb\xbf <?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG", True),
        (picture(kind="pdf"), "no PNG, JPEG or WebP", False),
    ],
)
def test_what_is_no_picture_is_told(data: bytes, reason: str, is_of_kind: bool) -> None:
    with pytest.raises(Unreadable, match=reason) as raised:
        qr_texts(data)
    assert raised.value.is_of_kind is is_of_kind


def test_picture_without_a_code_is_told() -> None:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(out, "PNG")
    with pytest.raises(Unreadable, match="no QR code"):
        qr_texts(out.getvalue())


@pytest.mark.parametrize("side", [8_000, 40_000])
def test_bomb_is_not_unpacked(side: int) -> None:
    """A few bytes may claim to be gigabytes of pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    body = b"IDAT" + zlib.compress(bytes(1000))
    data = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(Unreadable, match="more than 40,000,000 pixels"):
        qr_texts(data)


def test_every_cut_or_changed_picture_is_answered() -> None:
    """Whatever bytes stand there: texts, or Unreadable; nothing else comes out."""
    whole = picture(scale=2)
    for place in range(0, len(whole), 7):
        for data in (whole[:place], whole[:place] + b"\xff\x00" + whole[place + 2 :]):
            with suppress(Unreadable):
                qr_texts(data)
