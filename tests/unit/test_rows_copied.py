"""The rows of a script of pg_restore are found whole, however its bytes come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import IntegrityError
from holdfast.operation.rows.entries import Entry, parse_entries
from holdfast.operation.rows.texts import RowId
from holdfast.postgres.copied import copied_tables
from holdfast.postgres.relations import QualifiedName

_SCRIPT = (
    b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET client_encoding = 'LATIN1';\n"
    b"SET search_path = '';\n\n--\n-- Data\n--\n\nCOPY public.\"a\nb\" (id, note) FROM stdin;\n"
    b"1\tone\n2\t\\\\.\n\\.\n\n\nCOPY public.empty (id) FROM stdin;\n\\.\n\n"
    b'COPY public."COPY x" (id) FROM stdin;\nCOPY y FROM stdin;\n\\.\n\n\\unrestrict abc\n'
)


@given(st.lists(st.integers(1, len(_SCRIPT)), max_size=30))
def test_finds_every_table_in_pieces_of_any_size(cuts: list[int]) -> None:
    """Names with line breaks, rows that look like commands, tables without rows."""
    places = [0, *sorted(set(cuts)), len(_SCRIPT)]
    pieces = [_SCRIPT[begin:end] for begin, end in pairwise(places)]
    found = [(table.command, table.encoding, b"".join(table.pieces)) for table in copied_tables(pieces)]
    assert found == [
        (b'COPY public."a\nb" (id, note) FROM stdin', "LATIN1", b"1\tone\n2\t\\\\.\n"),
        (b"COPY public.empty (id) FROM stdin", "LATIN1", b""),
        (b'COPY public."COPY x" (id) FROM stdin', "LATIN1", b"COPY y FROM stdin;\n"),
    ]


def test_tables_that_are_not_read_are_passed_over() -> None:
    """What nobody reads of one table does not stand in the next."""
    assert len(list(copied_tables([_SCRIPT]))) == 3


@pytest.mark.parametrize("end", [_SCRIPT.index(b"one"), _SCRIPT.index(b"note"), _SCRIPT.index(b"\\.\n\n\nCOPY") + 1])
def test_refuses_rows_that_are_cut_off(end: int) -> None:
    """A table without its mark of the end may lack rows."""
    with pytest.raises(IntegrityError, match="cut off"):
        list(copied_tables([_SCRIPT[:end]]))


def test_entries_come_back_as_they_were() -> None:
    """Any text stands in a line of its own."""
    id = RowId(QualifiedName('s "x"', "t\nt"), ("1", "é\n"))
    entry = Entry("overwrite", id, ("a",), {"a": None, "b": "x\n\u2028"}, {"a": "", "b": "{}"})
    assert entry.line().count(b"\n") == 1
    assert parse_entries(entry.line().split(b"\n")) == (entry,)
    with pytest.raises(IntegrityError):
        parse_entries([b'{"table": 1}'])
