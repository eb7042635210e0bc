"""The fields of an inventory file (docs/policy.md). Unknown fields are refused; all values are frozen."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, field_validator, model_validator

Area = Literal["database", "session", "payment", "smtp", "oauth", "storage", "monitoring", "other"]


def _lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _day(value: Any) -> Any:
    """YAML reads a bare date as one; a number would be taken for seconds since 1970."""
    if isinstance(value, str | date) and not isinstance(value, datetime):
        return value
    raise ValueError("expected a date such as 2027-01-31")


Text = Annotated[StrictStr, Field(min_length=1, max_length=500)]
Day = Annotated[date, BeforeValidator(_day)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Variable(_Part):
    """One variable of the application: who owns it, who can rotate it, where its secret is kept, until when.

    Only variables of the area ``other`` need not say who rotates them and where they are kept.
    """

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,199}$")]
    area: Annotated[Area, BeforeValidator(_lowered)]
    owner: Text
    rotated_by: tuple[Text, ...] = ()
    kept_in: Text | None = None
    rotate_by: Day | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _is_told(self) -> Variable:
        if self.area != "other" and not self.rotated_by:
            raise ValueError(f"rotated_by is missing: say who can rotate this {self.area} variable")
        if self.area != "other" and self.kept_in is None:
            raise ValueError(f"kept_in is missing: say where the secret of this {self.area} variable lives")
        return self


class Inventory(_Part):
    """All variables of one application's environment, each named once."""

    variables: tuple[Variable, ...] = Field(min_length=1)

    @field_validator("variables")
    @classmethod
    def _once_each(cls, variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
        names = [variable.name for variable in variables]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return variables

    @property
    def names(self) -> frozenset[str]:
        """The names of all variables."""
        return frozenset(variable.name for variable in self.variables)

    def encode(self) -> bytes:
        """The bytes that are stored: UTF-8 JSON with its format's name, two-space indents, a closing newline."""
        return _Stored(variables=self.variables).model_dump_json(indent=2).encode() + b"\n"


class _Stored(_Part):
    format: Literal["holdfast-inventory/1"] = "holdfast-inventory/1"
    variables: tuple[Variable, ...]
