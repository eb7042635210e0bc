"""Bech32 (BIP 173) without its length limit: the text form of age's recipients and identities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


def encode(prefix: str, data: bytes) -> str:
    """``data`` under a human-readable prefix; all upper case where the prefix is."""
    lower = prefix.lower()
    values = list(_regroup(data, 8, 5, pad=True))
    text = lower + "1" + "".join(_ALPHABET[value] for value in values + _checksum(lower, values))
    return text if prefix == lower else text.upper()


def decode(text: str) -> tuple[str, bytes]:
    """(prefix in the case it was written, data); raises ValueError, whose message never holds the text."""
    if text.lower() != text and text.upper() != text:
        raise ValueError("mixes upper and lower case")
    prefix, separator, rest = text.rpartition("1")
    if not separator or not prefix or len(rest) < _CHECKSUM_LENGTH:
        raise ValueError("is too short")
    if not all("!" <= character <= "~" for character in prefix):
        raise ValueError("has an invalid character")
    values = [_ALPHABET.find(character) for character in rest.lower()]
    if -1 in values:
        raise ValueError("has an invalid character")
    if _polymod(_expanded(prefix.lower()) + values) != 1:
        raise ValueError("has a wrong checksum (mistyped or cut short)")
    return prefix, bytes(_regroup(values[:-_CHECKSUM_LENGTH], 5, 8, pad=False))


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expanded(prefix: str) -> list[int]:
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def _checksum(prefix: str, values: list[int]) -> list[int]:
    polymod = _polymod(_expanded(prefix) + values + [0] * _CHECKSUM_LENGTH) ^ 1
    return [polymod >> 5 * (_CHECKSUM_LENGTH - 1 - place) & 31 for place in range(_CHECKSUM_LENGTH)]


def _regroup(values: Iterable[int], from_bits: int, to_bits: int, *, pad: bool) -> Iterator[int]:
    pending = held_bits = 0
    for value in values:
        pending = pending << from_bits | value
        held_bits += from_bits
        while held_bits >= to_bits:
            held_bits -= to_bits
            yield pending >> held_bits
            pending &= (1 << held_bits) - 1
    if pad and held_bits:
        yield pending << to_bits - held_bits
    elif not pad and (held_bits >= from_bits or pending):
        raise ValueError("ends in bits that are not zero")
