"""What is written into the comment of a database of ours: which operation made it or put it aside, and for how long."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import ValidationError

from holdfast.manifest.model import Record


class Marker(Record):
    """The comment of a database that an operation made beside the live one, or that it replaced.

    ``keep_until`` and ``replaced_at`` are of replaced ones. A comment can be written by the database's owner: it says
    what a database is for, and proves nothing.
    """

    holdfast: Literal[1] = 1
    state: Literal["beside", "replaced"]
    app: str
    environment: str
    operation: str
    restore_point: str
    live: str
    replaced_at: datetime | None = None
    keep_until: datetime | None = None

    @classmethod
    def read(cls, comment: str | None) -> Self | None:
        """The marker that a comment is, None for anybody else's words."""
        try:
            return None if comment is None else cls.model_validate_json(comment)
        except ValidationError:
            return None

    def replaced(self, at: datetime) -> Self:
        """The same for the database that was put aside then."""
        return self.model_copy(update={"state": "replaced", "replaced_at": at})

    def __str__(self) -> str:
        return self.model_dump_json(exclude_none=True)
