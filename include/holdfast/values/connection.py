"""A connection: where a server is and how to log in; read from Airflow or from ``AIRFLOW_CONN_<ID>``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """The parts of an Airflow connection. ``repr`` and ``str`` never show password or extra."""

    conn_id: str
    conn_type: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict, repr=False)


def port_number(written: object) -> int | None:
    """The port that a number or text stands for; None where it is none from 1 to 65535."""
    text = str(written)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    return number if 0 < number < 65_536 else None


class Connections(Protocol):
    """Looks connections up by id."""

    def get(self, conn_id: str) -> Connection:
        """The connection of that id; raises UsageError where there is none."""
        ...
