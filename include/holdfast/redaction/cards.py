"""Numbers of payment cards: told from ids, sizes and times by their issuers' prefixes, grouping and check digit."""

from __future__ import annotations

import re

from holdfast.redaction.spelling import MASK

# Visa, Mastercard, American Express, Discover, JCB, Maestro and UnionPay. Cards of 12 to 14 and of 19 digits count only
# where they are grouped: bare, they would be sizes in bytes, times in milliseconds, or PostgreSQL's system identifiers.
_CARD = re.compile(
    r"(?:(?<![0-9A-Za-z])|(?<=\\[nrt]))(?<![0-9][.-])"
    r"(?:[3-6][0-9]{14,15}|(?P<amex>3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5})"
    r"|(?P<diners>3[0689][0-9]{2}[ -][0-9]{6}[ -][0-9]{4})"
    r"|2[2-7][0-9]{14}|[2-6][0-9]{3}(?P<gap>[ -])[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?:(?P=gap)[0-9]{3})?)"
    r"(?![0-9A-Za-z]|[.-][0-9])"
)
# Every one of these has it, and it costs a third.
_MARK = re.compile(r"[0-9]{4}[0-9 -][0-9]{4}")
_ISSUERS = re.compile(
    r"4[0-9]{15}|4[0-9]{18}|5[1-8][0-9]{14}|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)[0-9]+|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}|35[0-9]{14}|6(?:011|[24-9])[0-9]+"
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def hide_cards(text: str) -> str:
    """``text`` with every number masked that can be a payment card's."""
    return _CARD.sub(_mask, text) if _MARK.search(text) else text


def _mask(found: re.Match[str]) -> str:
    digits = found[0].replace(" ", "").replace("-", "")
    return MASK if _ISSUERS.fullmatch(digits) and _has_check_digit(digits) else found[0]


def _has_check_digit(digits: str) -> bool:
    """Luhn's formula (ISO/IEC 7812-1, annex B)."""
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0
