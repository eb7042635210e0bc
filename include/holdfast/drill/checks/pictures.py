"""Reads the text of a QR code off a picture: PNG, JPEG or WebP."""

from __future__ import annotations

import io
import warnings

import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

_FORMATS = ("PNG", "JPEG", "WEBP")
_MOST_PIXELS = 40_000_000
_QUIET_ZONE_PIXELS = 16
# Codes of one pixel a module are too small to be found.
_SMALL_PIXELS = 300
_TIMES = 4


class Unreadable(Exception):
    """No QR code was read, and why. ``is_of_kind``: the picture may be sound, it is of a kind that is not read here."""

    def __init__(self, reason: str, *, is_of_kind: bool = False) -> None:
        super().__init__(reason)
        self.is_of_kind = is_of_kind


def qr_texts(data: bytes) -> list[str]:
    """The texts of all QR codes in a picture; raises Unreadable where there is none."""
    picture = _opened(data)
    found = _codes(picture)
    if not found and max(picture.size) <= _SMALL_PIXELS:
        enlarged = (picture.width * _TIMES, picture.height * _TIMES)
        found = _codes(picture.resize(enlarged, Image.Resampling.NEAREST))
    if not found:
        raise Unreadable("no QR code is found in the picture")
    return found


def _codes(picture: Image.Image) -> list[str]:
    framed = ImageOps.expand(picture, border=_QUIET_ZONE_PIXELS, fill=255)
    kinds = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    found = zxingcpp.read_barcodes(framed, formats=kinds, text_mode=zxingcpp.TextMode.Plain)
    return [code.text for code in found]


def _opened(data: bytes) -> Image.Image:
    """The picture in shades of grey, on white where it is transparent."""
    if _is_svg(data):
        raise Unreadable("the picture is an SVG, which is not read; store a PNG, JPEG or WebP", is_of_kind=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if picture.width * picture.height > _MOST_PIXELS:
            raise Unreadable(f"the picture has more than {_MOST_PIXELS:,} pixels", is_of_kind=True)
        if picture.has_transparency_data:
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
        return picture.convert("L")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"the picture has more than {_MOST_PIXELS:,} pixels", is_of_kind=True) from error
    except UnidentifiedImageError as error:
        raise Unreadable("it is no PNG, JPEG or WebP picture") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise Unreadable(f"the picture is damaged: {error}") from error


def _is_svg(data: bytes) -> bool:
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith(b"<") and b"<svg" in start
