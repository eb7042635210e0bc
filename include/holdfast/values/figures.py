"""How figures are written for people."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size(count_bytes: int) -> str:
    """Bytes with a binary unit and three digits: ``512 B``, ``1.34 GiB``, ``123 MiB``."""
    if count_bytes < 1024:
        return f"{count_bytes} B"
    power = min((count_bytes.bit_length() - 1) // 10, len(_UNITS))
    value = count_bytes / 1024**power
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {_UNITS[power - 1]}"


def count(number: int) -> str:
    """A whole number with its thousands apart: ``1,500,000``."""
    return f"{number:,}"


def seconds(value: float) -> str:
    """A time span: ``0.42 s``, ``3 min 12 s``, ``2 h 05 min``."""
    whole = round(value)
    if whole < 60:
        return f"{value:.2f} s" if value < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
