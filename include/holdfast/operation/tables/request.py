"""What is asked for: which tables, and whether rows that only the live database has may stay."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from holdfast.manifest.model import Record

Mode = Literal["replace", "merge"]


class TablesRequest(Record):
    """Tables as a person names them (``public."User"``, ``User``).

    ``replace`` gives the live tables exactly the backup's rows; ``merge`` leaves rows that only live has.
    """

    tables: tuple[str, ...] = Field(min_length=1)
    mode: Mode = "replace"
