"""Figures as people read them."""

from __future__ import annotations

import pytest

from holdfast.values import figures


@pytest.mark.parametrize(
    ("bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1_234_567, "1.18 MiB"),
        (999 << 20, "999 MiB"),
        ((1 << 30) - 1, "1024 MiB"),
        (1 << 30, "1.00 GiB"),
        (5000 << 40, "5000 TiB"),
    ],
)
def test_size(bytes: int, text: str) -> None:
    """Binary units, three digits."""
    assert figures.size(bytes) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00 s"),
        (3.416, "3.42 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (192.0, "3 min 12 s"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    """Seconds while they are few, then minutes, then hours."""
    assert figures.seconds(value) == text
