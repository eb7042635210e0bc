"""Tells generated tokens from words: by neighbouring characters that no word, path or name puts side by side."""

from __future__ import annotations

import re
from itertools import pairwise

# After each letter, those that follow it in fewer than one of 10,000 pairs in English and technical words. Of
# the pairs in random letters, a third are among them.
_RARE = {
    "b": "kqvwxz", "c": "jqwxz", "d": "qxz", "f": "hjkqvwxz", "g": "jkqwx", "h": "fghjkqvwxz", "i": "h",
    "j": "bcdfghjklmnqrtvxyz", "k": "jqxz", "l": "jqwz", "m": "hjqxz", "n": "qx", "o": "q", "p": "jqxz",
    "q": "abcdefghijkmnopqrtvwxyz", "r": "jqxz", "s": "jxz", "t": "jq", "u": "hjquvwy", "v": "bdfhjklnquvwxyz",
    "w": "bfgjkquvwxyz", "x": "bghjknqruvwz", "y": "hjkqvxyz", "z": "bcdfghjklmpqruvwxz",
}  # fmt: skip
# With slashes, as in base64, and without, as a token at the end of a path.
_RUNS = (re.compile(r"[A-Za-z0-9+_=-]+"), re.compile(r"[A-Za-z0-9+_=/-]+"))
_CHUNK = re.compile(r"[A-Za-z0-9]+")
# (characters at least, odd pairs at least, share of odd pairs at least): the longer, the surer.
_BOUNDS = ((12, 4, 0.40), (16, 5, 0.30), (20, 4, 0.20), (26, 4, 0.16))


def has_random_token(text: str) -> bool:
    """Whether a part of ``text`` without spaces looks generated rather than written."""
    return any(_is_random(run) for form in _RUNS for run in form.findall(text))


def _is_random(run: str) -> bool:
    chunks = _CHUNK.findall(run)
    size = sum(map(len, chunks))
    pairs = [pair for chunk in chunks for pair in pairwise(chunk)]
    odd = sum(_is_odd(*pair) for pair in pairs)
    return any(size >= least and odd >= count and odd >= share * len(pairs) for least, count, share in _BOUNDS)


def _is_odd(left: str, right: str) -> bool:
    """A letter beside a digit, or two letters that hardly ever meet."""
    if left.isdigit() or right.isdigit():
        return left.isdigit() != right.isdigit()
    return right.lower() in _RARE.get(left.lower(), "")
