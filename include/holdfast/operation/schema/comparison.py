"""How one schema became another, told by the names of what is new, gone and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from holdfast.operation.schema.model import ObjectName, Schema

_MOST = 200
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """One line for each object that is only in the later schema, only in the earlier, or otherwise in the later."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Is every definition the same?"""
        return not (self.added or self.removed or self.changed)

    def lines(self) -> tuple[str, ...]:
        """All of it for people, in an order that depends on nothing but the names; of very many only the first."""
        every = (
            *(f"added: {each}" for each in self.added),
            *(f"removed: {each}" for each in self.removed),
            *(f"changed: {each}" for each in self.changed),
        )
        rest = len(every) - _MOST
        return (*every[:_MOST], f"and {rest} more") if rest > 0 else every


def compare_schemas(earlier: Schema, later: Schema) -> SchemaDifference:
    """What happened on the way from the one to the other."""
    added = sorted(later.objects.keys() - earlier.objects.keys())
    removed = sorted(earlier.objects.keys() - later.objects.keys())
    return SchemaDifference(
        added=tuple(map(str, added)),
        removed=tuple(map(str, removed)),
        changed=(*_changed(earlier, later), *_extensions(earlier.extensions, later.extensions)),
    )


def _changed(earlier: Schema, later: Schema) -> Iterator[str]:
    for name in sorted(earlier.objects.keys() & later.objects.keys()):
        details = list(_details(earlier.parts.get(name.name, {}), later.parts.get(name.name, {}), name))
        if details:
            yield f"{name}: {'; '.join(details)}"
        elif earlier.objects[name] != later.objects[name]:
            yield str(name)


def _details(earlier: Mapping[ObjectName, str], later: Mapping[ObjectName, str], name: ObjectName) -> Iterator[str]:
    """What became of a table's columns and checks; the order of columns is part of the table's own definition."""
    if name.kind not in ("table", "foreign table", "view"):
        return
    for part in sorted(earlier.keys() | later.keys()):
        before, after = earlier.get(part), later.get(part)
        if before is None and after is not None:
            yield f"{part} added ({_short(after)})"
        elif after is None and before is not None:
            yield f"{part} removed ({_short(before)})"
        elif before is not None and after is not None and before != after:
            yield f"{part} was {_short(before)}, is {_short(after)}"


def _extensions(earlier: Mapping[str, str], later: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(earlier.keys() & later.keys()):
        if earlier[name] != later[name]:
            yield f"extension {name}: was of version {earlier[name]}, is of version {later[name]}"


def _short(definition: str) -> str:
    line = " ".join(definition.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
