"""Which tables are needed, and in which order their rows can be inserted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.operation.rows.lineage import lineage_of
from holdfast.operation.rows.ordering import order
from holdfast.operation.rows.pool import Link
from holdfast.operation.rows.texts import Row, RowId
from holdfast.postgres.relations import Column, ForeignKey, QualifiedName, Relation


def name(text: str) -> QualifiedName:
    """A table of the schema public."""
    return QualifiedName("public", text)


def relation(table: str, *parents: str, not_null: bool = False, is_deferrable: bool = False) -> Relation:
    """A table whose columns ``to_x`` refer to the tables x."""
    columns = [Column("id", "integer", not_null=True)]
    columns += [Column(f"to_{parent}", "integer", not_null=not_null) for parent in parents]
    keys = tuple(ForeignKey(f"fk_{to}", (f"to_{to}",), name(to), ("id",), is_deferrable) for to in parents)
    return Relation(name(table), 1, "r", tuple(columns), ("id",), foreign_keys=keys)


def row(table: str, id: str) -> Row:
    """A row without other values."""
    return Row(RowId(name(table), (id,)), {"id": id})


def link(child: Row, parent: Row, relations: dict[QualifiedName, Relation]) -> Link:
    """That one refers to the other."""
    (key,) = (key for key in relations[child.id.table].foreign_keys if key.references == parent.id.table)
    return Link(child.id, key, parent.id.key, parent.id)


def by_name(*relations: Relation) -> dict[QualifiedName, Relation]:
    """As a catalog gives them."""
    return {each.name: each for each in relations}


def test_lineage_has_children_before_parents_and_names_circles() -> None:
    """A diamond, a table that refers to itself, and one that has nothing to do with it."""
    relations = by_name(
        relation("a", "b", "c"), relation("b", "d"), relation("c", "d", "c"), relation("d"), relation("other", "a")
    )
    lineage = lineage_of(relations, name("a"))
    places = {table.name: place for place, table in enumerate(lineage.tables)}
    assert set(places) == {"a", "b", "c", "d"}
    assert places["a"] < places["b"] < places["d"]
    assert places["c"] < places["d"]
    assert lineage.circular == {name("c")}


def test_rows_of_one_table_that_refer_to_each_other_come_together() -> None:
    """One statement inserts them all."""
    relations = by_name(relation("c", "c", not_null=True))
    first, second = row("c", "1"), row("c", "2")
    found = order(relations, [link(first, second, relations), link(second, first, relations)], [first, second])
    assert found.waves == ((first, second),)
    assert found.postponed == ()


def test_circles_open_where_a_column_may_be_null_or_a_key_is_deferrable() -> None:
    """Otherwise they are refused with the names of the keys."""
    one, two = row("a", "1"), row("b", "1")
    for opening, postponed in (({}, 1), ({"is_deferrable": True, "not_null": True}, 0)):
        relations = by_name(relation("a", "b", not_null=True), relation("b", "a", **opening))
        links = [link(one, two, relations), link(two, one, relations)]
        found = order(relations, links, [one, two])
        assert sorted(each.id for wave in found.waves for each in wave) == [one.id, two.id]
        assert len(found.postponed) == postponed
    relations = by_name(relation("a", "b", not_null=True), relation("b", "a", not_null=True))
    with pytest.raises(UsageError, match=r"in a circle: fk_b of public\.a, fk_a of public\.b"):
        order(relations, [link(one, two, relations), link(two, one, relations)], [one, two])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_a_parent_never_comes_after_its_child(pairs: list[tuple[int, int]]) -> None:
    """Over three tables whose keys cannot wait, with references that make no circle."""
    relations = by_name(*(relation(each, "a", "b", "c", not_null=True) for each in "abc"))
    rows = [row("abc"[number % 3], str(number)) for number in range(10)]
    links = [link(rows[child], rows[parent], relations) for child, parent in pairs if child > parent]
    found = order(relations, links, rows)
    wave_of = {each.id: number for number, wave in enumerate(found.waves) for each in wave}
    assert len(wave_of) == len(rows)
    for each in links:
        assert each.parent is not None
        assert wave_of[each.parent] <= wave_of[each.child]
        assert wave_of[each.parent] < wave_of[each.child] or each.parent.table == each.child.table
