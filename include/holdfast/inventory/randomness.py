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

# Templates, variables, encoded characters, times and bracketed parts: what stands in them is looked at by itself.
_MARKUP = re.compile(
    r"\$\{[^{}\s]{1,80}\}|\{\{[^{}\s]{1,80}\}\}"
    r"|(?<![A-Za-z0-9])\$[A-Z][A-Z0-9_]{2,}(?![A-Za-z0-9])|%[A-Z][A-Z0-9_]{2,}%|<[A-Za-z][\w.-]{1,40}>"
    r"|%[0-9A-F]{2}|\d{4}-\d\d-\d\dT[\d:.]{5,12}(?:Z|[+-]\d\d:?\d\d)?"
)
# Ids of restore points and of all else that bears one.
_ID = re.compile(r"\b[0-9]{8}T[0-9]{6}Z-[a-z][a-z0-9_]*-[0-9a-f]{6}\b")
_PAIRED = re.compile(
    r"\(([^()\s]*)\)|\[([^][\s]*)\]|\{([^{}\s]*)\}|\"([^\"\s]*)\"|'([^'\s]*)'|`([^`\s]*)`|\*\*([^*\s]*)\*\*"
)
_SYMBOL = re.compile(r"[!\"#$%&'()*+;<=>?\[\\\]^`{|}~]")
# What paths, URLs and lists put between words; with @ of addresses, no symbols.
_PARTING = frozenset("./:,_-")
# A word or an abbreviation, words run together, a number; with numbers before, between and behind.
_WRITTEN = re.compile(
    r"\d{0,2}(?:[A-Z]?[a-z]{3,}|[A-Z][a-z]{1,2}|[a-z]{1,3}|[A-Z]{2,}s?|[A-Z])?\d*"
    r"|\d{0,2}(?:[A-Z]?[a-z]{2,}|[A-Z]{2,4})(?:\d{0,3}[A-Z]?[a-z]{2,}|[A-Z]{2,4})+\d{0,4}"
)
_TRAILING = ".,;:"
# A phrase in quotes or brackets leaves one of them to its first word and one to its last.
_EDGES = "/\"'`()[]{}*"
_LEAST_MIXED = 10


def has_random_token(text: str) -> bool:
    """Whether a part of ``text`` without spaces looks generated rather than written."""
    if any(_is_random(run) for form in _RUNS for run in form.findall(text)):
        return True
    return any(is_mixed(word) for word in text.split())


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


def is_mixed(word: str) -> bool:
    """Whether a word mixes letters, digits and symbols as generated passwords do, and nothing that is written does."""
    if len(word) < _LEAST_MIXED or "://" in word:
        return False
    core = _MARKUP.sub("/", _ID.sub("/", word)).rstrip(_TRAILING)
    # What stands in brackets may have quotes of its own.
    core = _PAIRED.sub(_parted, _PAIRED.sub(_parted, core)).strip(_EDGES)
    if len(core) < _LEAST_MIXED - 1:
        return False
    symbols = _SYMBOL.findall(core)
    changes = sum(_is_change(*pair) for pair in pairwise(core)) / (len(core) - 1)
    unwritten = sum(len(piece) for piece in _CHUNK.findall(core) if not _is_written(piece))
    is_unparted = _PARTING.isdisjoint(core)
    has_digits, has_both_cases = any(map(str.isdigit, core)), core.lower() != core != core.upper()
    if not has_both_cases:
        is_likely = (unwritten >= 5 and changes >= 0.5) or (len(set(symbols)) >= 2 and changes >= 0.85)
        return bool(symbols) and has_digits and is_unparted and is_likely
    is_unwritten = unwritten >= max(3, 0.2 * len(core)) and changes >= 0.4
    is_motley = changes >= (0.7 if len(set(symbols)) == 2 else 0.6)
    return (
        (bool(symbols) and is_unwritten)
        or (has_digits and unwritten >= 0.5 * len(core) and changes >= 0.45)
        or (bool(symbols) and has_digits and is_unparted and changes >= 0.45)
        or (len(set(symbols)) >= 2 and (is_unparted or has_digits or len(set(symbols)) >= 3) and is_motley)
    )


def _parted(found: re.Match[str]) -> str:
    return "/" + "".join(part or "" for part in found.groups()) + "/"


def _is_written(piece: str) -> bool:
    """Whether letters and digits without a sign between them may be words, abbreviations and numbers."""
    is_odd = any(_is_odd(*pair) for pair in pairwise(piece) if "".join(pair).isalpha())
    return _WRITTEN.fullmatch(piece) is not None and not is_odd


def _is_change(left: str, right: str) -> bool:
    """Whether two neighbours are of different kinds, but for a capital that begins a word."""
    kinds = _kind(left) + _kind(right)
    if kinds[0] != kinds[1]:
        return kinds != "Aa"
    return left != right if kinds == "##" else kinds.isalpha() and _is_odd(left, right)


def _kind(sign: str) -> str:
    return "a" if sign.islower() else "A" if sign.isupper() else "0" if sign.isdigit() else "#"
