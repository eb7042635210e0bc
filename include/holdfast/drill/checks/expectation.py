"""Compares what a query has answered with what the policy expects of it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from holdfast.drill.checks.asking import Rows
from holdfast.policy.drill import Between, RowsFound

_BOOL = 16
# int8, int2, int4, oid, float4, float8, numeric (source: PostgreSQL, pg_type.dat).
_NUMBERS = frozenset((20, 21, 23, 26, 700, 701, 1700))
_LONGEST_SHOWN = 60

Expectation = Between | RowsFound | bool | int | float | str


def rows_needed(expect: Expectation) -> int:
    """How many rows have to be read before it is known whether there are too many."""
    return expect.rows if isinstance(expect, RowsFound) else 1


def difference(expect: Expectation, found: Rows) -> str | None:
    """What is not as expected, telling no more of the answer than a number or truth value; None if well."""
    if isinstance(expect, RowsFound):
        return _rows_difference(expect.rows, found)
    if not found.rows:
        return "it yields no row instead of one"
    if len(found.types) != 1:
        return f"it yields {len(found.types)} columns instead of one value"
    if found.is_more:
        return "it yields several rows instead of one"
    value, kind = found.rows[0][0], found.types[0]
    if value is None:
        return "it yields NULL instead of a value"
    if isinstance(expect, Between):
        return _between_difference(expect, value, kind)
    return None if _is_equal(expect, value, kind) else f"{_shown(value, kind)} instead of {_expected(expect)}"


def _rows_difference(wanted: int, found: Rows) -> str | None:
    if found.is_more:
        return f"it yields more than {wanted} rows"
    count = len(found.rows)
    return None if count == wanted else f"it yields {count} rows instead of {wanted}"


def _between_difference(limits: Between, value: str, kind: int) -> str | None:
    number = _number(value, kind)
    if number is None:
        return f"{_shown(value, kind)}, which is no number"
    if limits.at_least is not None and not number >= Decimal(str(limits.at_least)):
        return f"{_shown(value, kind)} is less than {limits.at_least:g}"
    if limits.at_most is not None and not number <= Decimal(str(limits.at_most)):
        return f"{_shown(value, kind)} is more than {limits.at_most:g}"
    return None


def _is_equal(expect: bool | int | float | str, value: str, kind: int) -> bool:
    if isinstance(expect, bool):
        return kind == _BOOL and expect == (value == "t")
    if isinstance(expect, str):
        return expect == _text(value, kind)
    return _number(value, kind) == Decimal(str(expect))


def _number(value: str, kind: int) -> Decimal | None:
    """The number, exactly; None for what is none, and for NaN, which is neither more nor less than anything."""
    if kind not in _NUMBERS:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return None if number.is_nan() else number


def _text(value: str, kind: int) -> str:
    """As PostgreSQL casts it to text."""
    return {"t": "true", "f": "false"}.get(value, value) if kind == _BOOL else value


def _expected(expect: bool | int | float | str) -> str:
    if isinstance(expect, bool):
        return str(expect).lower()
    return repr(expect) if isinstance(expect, str) else f"{expect}"


def _shown(value: str, kind: int) -> str:
    if kind == _BOOL or kind in _NUMBERS:
        # A numeric may have thousands of digits.
        return _text(value, kind) if len(value) <= _LONGEST_SHOWN else f"a number of {len(value)} digits"
    # A text may be anybody's name or address, and evidence is kept for years.
    return f"a text of {len(value)} characters"
