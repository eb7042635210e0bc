"""Reading pg_restore's table of contents, and choosing tables from it."""

from __future__ import annotations

import pytest

from holdfast.errors import IntegrityError, UsageError
from holdfast.manifest.model import Table
from holdfast.postgres.archive_list import Entry, differences, parse
from holdfast.postgres.selection import choose, selected
from holdfast.postgres.tablenames import parse_name

HEADER = """\
;
; Archive created at 2026-11-22 03:32:37 UTC
;     dbname: src db'x
;     TOC Entries: 58
;     Compression: none
;     Dump Version: 1.16-0
;     Format: CUSTOM
;     Dumped from database version: 18.6
;     Dumped by pg_dump version: 18.6
;
;
; Selected TOC Entries:
;
"""

NOBODY = ""
LISTING = f"""{HEADER}2839; 0 0 ENCODING - ENCODING {NOBODY}
8; 2615 16624 SCHEMA - my schema some owner
2; 3079 16385 EXTENSION - hstore {NOBODY}
982; 1247 16621 TYPE public mood some owner
349; 1255 16687 FUNCTION public f() some owner
225; 1259 16637 TABLE my schema order items ü"x some owner
;	depends on: 8
224; 1259 16636 SEQUENCE my schema order items ü"x_id_seq some owner
;	depends on: 225 8
223; 1259 16626 TABLE public User some owner
;	depends on: 2 2 982
222; 1259 16625 SEQUENCE public User_id_seq some owner
;	depends on: 223
2845; 0 0 SEQUENCE OWNED BY public User_id_seq some owner
;	depends on: 222
240; 1259 16700 TABLE public user some owner
241; 1259 16701 TABLE other items some owner
230; 1259 16666 TABLE public base some owner
231; 1259 16669 TABLE public derived some owner
;	depends on: 230
226; 1259 16650 TABLE public parted some owner
227; 1259 16653 TABLE public parted_1 some owner
;	depends on: 226
2655; 0 0 TABLE ATTACH public parted_1 some owner
;	depends on: 227 226
2658; 2604 16629 DEFAULT public User id some owner
;	depends on: 222 223 223
2823; 0 16626 TABLE DATA public User some owner
;	depends on: 223
2825; 0 16637 TABLE DATA my schema order items ü"x some owner
;	depends on: 225
2826; 0 16653 TABLE DATA public parted_1 some owner
;	depends on: 227
2846; 0 0 SEQUENCE SET public User_id_seq some owner
;	depends on: 222
2661; 2606 16633 CONSTRAINT public User User_pkey some owner
;	depends on: 223
2672; 2620 16690 TRIGGER public User tr some owner
;	depends on: 223 349
2671; 2606 16644 FK CONSTRAINT my schema order items ü"x order items ü"x_u_fkey some owner
;	depends on: 225 223 2661
236; 1259 16680 VIEW public v some owner
;	depends on: 223
"""

LINE = "225; 1259 16637 {} some owner\n"


def table(oid: int, name: str, schema_name: str = "public") -> Table:
    """A table of the snapshot."""
    return Table(schema_name=schema_name, name=name, oid=oid, rows=1)


USER, ORDERS, PARTED_1 = table(16626, "User"), table(16637, 'order\nitems ü"x', "my schema"), table(16653, "parted_1")


def chosen(*names: str) -> set[str]:
    """The entries that come with the named tables."""
    return {
        str(entry).removesuffix(" some owner") for entry in choose(parse(LISTING), names, roles=["some owner"]).entries
    }


def test_header_and_entries() -> None:
    """Versions, oids, kinds, names with spaces, dependencies."""
    listing = parse(LISTING)
    assert (listing.format_version, listing.dumped_from, listing.dumped_by) == ("1.16", "18.6", "18.6")
    assert listing.entries[1] == Entry(8, 2615, 16624, "SCHEMA", "- my schema some owner")
    assert listing.entries[7].depends_on == (2, 2, 982)
    assert [entry.oid for entry in listing.tables] == [16626, 16637, 16653]


def test_schemas_named_like_kinds() -> None:
    """A table in a schema called DATA is still a table; rows of a table have no catalog oid."""
    text = HEADER + "1; 1259 7 TABLE DATA x o\n2; 0 7 TABLE DATA DATA x o\n3; 1259 8 INDEX ATTACH i o\n"
    assert [(entry.kind, entry.rest) for entry in parse(text).entries] == [
        ("TABLE", "DATA x o"),
        ("TABLE DATA", "DATA x o"),
        ("INDEX", "ATTACH i o"),
    ]


@pytest.mark.parametrize(
    "text", ["", HEADER + "no entry\n", LISTING.replace("Dumped by", "Made by"), "1; 0 0 NOVELTY x"]
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """A listing that we cannot read proves nothing."""
    with pytest.raises(IntegrityError, match="archive listing"):
        parse(text)


def test_equal_to_the_snapshot() -> None:
    """Line breaks in names are spaces in a listing."""
    assert differences(parse(LISTING), [USER, ORDERS, PARTED_1]) == ()


def test_missing_surplus_and_renamed_tables_are_named() -> None:
    """Each by its name."""
    found = differences(parse(LISTING), [USER.model_copy(update={"name": "Users"}), ORDERS, table(9, "lost")])
    assert found == (
        "table public.lost is missing in the dump",
        "table public parted_1 some owner is in the dump but not in the snapshot",
        "table public.Users is called otherwise in the dump: public User some owner",
    )


def test_names_in_other_encodings_are_told_by_oid() -> None:
    """A Latin-1 database lists its names in Latin-1."""
    text = HEADER + "1; 0 7 TABLE DATA public \udce4 o\n"
    assert differences(parse(text), [table(7, "ä")]) == ()
    looks_like_utf8 = HEADER + "1; 0 7 TABLE DATA public \u00df o\n"
    assert differences(parse(looks_like_utf8), [table(7, "Ãź")], encoding="LATIN2") == ()
    assert len(differences(parse(looks_like_utf8), [table(7, "Ãź")])) == 1
    assert len(differences(parse(looks_like_utf8), [table(8, "Ãź")], encoding="LATIN2")) == 2


def test_chosen_table_brings_what_belongs_to_it() -> None:
    """Rows, sequence with value, default, key, trigger and what these need; nothing of other tables, no view."""
    assert chosen('"User"') == {
        "TABLE public User", "TABLE DATA public User", "SEQUENCE public User_id_seq",
        "SEQUENCE OWNED BY public User_id_seq", "SEQUENCE SET public User_id_seq", "DEFAULT public User id",
        "CONSTRAINT public User User_pkey", "TRIGGER public User tr", "FUNCTION public f()", "TYPE public mood",
        "EXTENSION - hstore ",
    }  # fmt: skip


def test_supporting_entries_are_marked() -> None:
    """Only what the table's own entries need."""
    selection = choose(parse(LISTING), ['"User"'], roles=["some owner"])
    assert selection.supporting == {2, 982, 349}
    assert selected(selection, [USER, ORDERS, PARTED_1]) == (USER,)
    assert selection.toc.split()[0] == b"2;"


def test_foreign_keys_only_among_chosen_tables() -> None:
    """With both tables the key comes, with one it does not."""
    key = 'FK CONSTRAINT my schema order items ü"x order items ü"x_u_fkey'
    orders = '"my schema"."order items ü""x"'
    assert key in chosen(orders, '"User"')
    assert key not in chosen(orders)
    assert "SCHEMA - my schema" in chosen(orders)
    assert "TABLE DATA public User" not in chosen(orders)


def test_partitions_come_with_their_table() -> None:
    """A partition alone is a table like others, attached to nothing."""
    assert {"TABLE public parted_1", "TABLE DATA public parted_1", "TABLE ATTACH public parted_1"} <= chosen("parted")
    assert chosen("parted_1") == {"TABLE public parted_1", "TABLE DATA public parted_1"}


def test_inherited_definition_comes_without_rows() -> None:
    """And is told."""
    selection = choose(parse(LISTING), ["derived"], roles=["some owner"])
    assert [str(entry) for entry in selection.entries] == [
        "TABLE public base some owner",
        "TABLE public derived some owner",
    ]
    assert len(selection.notes) == 1
    assert "base" in selection.notes[0]


@pytest.mark.parametrize("name", ["base", "public.base", '"base"', 'public."base"', '"public".base', "BASE"])
def test_forms_of_a_name(name: str) -> None:
    """As in SQL."""
    assert chosen(name) == {"TABLE public base"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("user", 'several fit: public."User", public."user"'),
        ("User", "several fit"),
        ("nobody", "not in this restore point"),
        ('"Base"', "not in this restore point"),
        ("my schema.items", "not in this restore point"),
        ("a.b.c", "not a table name"),
        ('"open', "not a table name"),
    ],
)
def test_names_that_fit_none_or_several(name: str, said: str) -> None:
    """A UsageError that lists the candidates."""
    with pytest.raises(UsageError) as caught:
        chosen(name)
    assert said.replace('public."user"', "public.user") in str(caught.value)


def test_bare_name_is_not_the_end_of_a_longer_one() -> None:
    """``items`` is the table of that name, not ``order items``."""
    assert chosen("items") == {"TABLE other items"}


def test_quotes_within_names() -> None:
    """Doubled, as in SQL."""
    wanted = parse_name('"a""b"."c.d"')
    assert (wanted.schema_name, wanted.name, wanted.is_quoted) == ('a"b', "c.d", True)
