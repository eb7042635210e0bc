"""Base64 as age's header uses it: the standard alphabet, no padding, and one spelling per value."""

from __future__ import annotations

import binascii


def encode(data: bytes) -> str:
    """``data`` without padding or line ends."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of ``text``; raises ValueError unless it is exactly what ``encode`` would write."""
    try:
        data = binascii.a2b_base64(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise ValueError("is not base64") from error
    # Encoding again compares padding, stray characters and unused bits all at once.
    if encode(data) != text:
        raise ValueError("is not canonical base64")
    return data
