"""Values from XCom and from forms, which can be written through Airflow's API: they may have any form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Loose:
    """An object whose fields are given only in the form that is asked for; empty where there was no object."""

    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any) -> Self:
        """The fields of ``value`` where it is an object."""
        return cls(value) if isinstance(value, Mapping) else cls()

    def __bool__(self) -> bool:
        return bool(self.fields)

    def number(self, name: str) -> int | float | None:
        """The field where it is a number."""
        value = self.fields.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def flag(self, name: str) -> bool | None:
        """The field where it is true or false."""
        value = self.fields.get(name)
        return value if isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """The field where it is a text with something in it."""
        value = self.fields.get(name)
        return value if isinstance(value, str) and value else None

    def texts(self, name: str) -> list[str]:
        """The texts in the field where it is a list."""
        return [item for item in self._items(name) if isinstance(item, str)]

    def objects(self, name: str) -> list[Loose]:
        """The objects in the field where it is a list."""
        return [Loose(item) for item in self._items(name) if isinstance(item, Mapping)]

    def object(self, name: str) -> Loose:
        """The field where it is an object."""
        return Loose.of(self.fields.get(name))

    def _items(self, name: str) -> list[Any]:
        value = self.fields.get(name)
        return value if isinstance(value, list) else []
