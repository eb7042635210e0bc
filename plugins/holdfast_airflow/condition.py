"""The fields of forms that say which rows of which table are meant."""

from __future__ import annotations

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast_airflow.answers import LONGEST_NAME, text_of


def condition_of(value: object, field: str) -> str | None:
    """A condition in SQL as it was written, None where none was; raises UsageError where it is not one expression."""
    from holdfast.postgres.predicates import Predicate

    if value is not None and not isinstance(value, str):
        raise UsageError(f"{field}: is no text")
    text = text_of(value)
    if text is None:
        return None
    try:
        return str(Predicate.parse(text))
    except UsageError as error:
        raise UsageError(f"{field}: {error.message}", hint=error.hint) from error


def table_param(meaning: str) -> Param:
    """One table."""
    return Param(
        None,
        type="string",
        minLength=1,
        maxLength=LONGEST_NAME,
        title="Table",
        description=f'{meaning}; mixed case in quotes as in SQL: public."User"',
    )


def condition_param(meaning: str, *, is_required: bool) -> Param:
    """A condition on the rows of one table."""
    return Param(
        None,
        type="string" if is_required else ["null", "string"],
        format="multiline",
        maxLength=4000,
        title="Condition",
        description=f"{meaning}: \"createdAt\" >= '2026-01-02' AND status IS NULL",
    )
