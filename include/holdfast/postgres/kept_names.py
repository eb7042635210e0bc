"""Names for databases that are put aside, within the length that PostgreSQL keeps."""

from __future__ import annotations

from collections.abc import Container

from holdfast.values.ids import RestorePointId

_NAME_BYTES = 63


def kept_name(name: str, point_id: RestorePointId | str, taken: Container[str]) -> str:
    """``<name>_before_<id>``, with a number behind it where that is ``taken``; at most PostgreSQL's 63 bytes."""
    id = RestorePointId.parse(str(point_id))
    ending = f"_before_{id}"
    if len(ending) > _NAME_BYTES - 8:
        ending = f"_before_{str(id)[:16]}-{id.suffix}"
    number = 1
    while True:
        end = ending if number == 1 else f"{ending}_{number}"
        found = shortened(name, _NAME_BYTES - len(end.encode())) + end
        if found not in taken:
            return found
        number += 1


def shortened(name: str, limit_bytes: int) -> str:
    """The beginning of a name that takes no more bytes in UTF-8, without half a letter."""
    return name.encode()[:limit_bytes].decode(errors="ignore")
