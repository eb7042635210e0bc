"""Tables as a database's catalog describes them: columns, keys, what refers to what, and what comes with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from holdfast.errors import UsageError
from holdfast.postgres.relation_queries import COLUMNS, FOREIGN_KEYS, PARTITIONS, RELATIONS, SEQUENCES, TRIGGERS, UNIQUE
from holdfast.postgres.session import Session
from holdfast.postgres.tablenames import TableName, parse_name


@dataclass(frozen=True, slots=True, order=True)
class QualifiedName:
    """Schema and name of a table, exactly as in the catalog; as text it is quoted where PostgreSQL would quote it."""

    schema: str
    name: str

    def __str__(self) -> str:
        return str(TableName(self.schema, self.name))

    @property
    def identifier(self) -> sql.Identifier:
        """For composing SQL."""
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``type`` is as PostgreSQL prints it; ``cast`` is its base type without length or scale.

    An explicit cast to ``varchar(3)`` would cut text without a word, which one to ``varchar`` does not. ``identity`` is
    ``a`` (always), ``d`` (by default) or empty. ``operators`` is the schema in which the type's ``=`` lies.
    """

    name: str
    type: str
    is_generated: bool = False
    identity: str = ""
    not_null: bool = False
    has_default: bool = False
    cast: str = ""
    operators: str = "pg_catalog"

    @property
    def identifier(self) -> sql.Identifier:
        """For composing SQL."""
        return sql.Identifier(self.name)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """An enforced foreign key: ``columns`` refer, in order, to ``referenced_columns`` of ``references``."""

    name: str
    columns: tuple[str, ...]
    references: QualifiedName
    referenced_columns: tuple[str, ...]
    is_deferrable: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """One ordinary (kind ``r``) or partitioned (``p``) table.

    ``unique_keys`` are those beside the primary key that hold for every row and are made of plain columns.
    ``triggers`` are the enabled ones that people made. ``partitions`` are the direct ones; ``partition_of`` is the
    table that this is a partition of.
    """

    name: QualifiedName
    oid: int
    kind: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    triggers: tuple[str, ...] = ()
    owned_sequences: Mapping[str, QualifiedName] = field(default_factory=dict)
    partitions: tuple[QualifiedName, ...] = ()
    partition_of: QualifiedName | None = None

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def rows_of(self) -> sql.Composed:
        """What stands after FROM for its own rows: those of tables that inherit from it are theirs."""
        return sql.SQL("{}" if self.kind == "p" else "ONLY {}").format(self.name.identifier)


def read_relations(session: Session) -> dict[QualifiedName, Relation]:
    """All tables of the users' schemas, in the order of their names.

    The search path decides whether PostgreSQL writes types with their schema: it is set to nothing for a moment.
    """
    with session.transaction():
        session.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        return _read(session)


def find_relation(relations: Mapping[QualifiedName, Relation], name: str, *, where: str) -> Relation:
    """The one table that a person named as in SQL, such as ``public."User"``; raises UsageError for none or several."""
    wanted = parse_name(name)
    known = {found: TableName(found.schema, found.name) for found in relations}
    fitting = [found for found, table in known.items() if wanted.fits(table)]
    if not fitting:
        fitting = [found for found, table in known.items() if wanted.fits_loosely(table)]
    if len(fitting) == 1:
        return relations[fitting[0]]
    if not fitting:
        raise UsageError(f"table {name}: not in {where}", hint="Quoted names must be exact: 'public.\"User\"'.")
    raise UsageError(
        f"table {name}: several of {where} fit: {', '.join(map(str, sorted(fitting)))}",
        hint="Name one of them exactly, as shown.",
    )


def referring(relations: Iterable[Relation], to: QualifiedName) -> tuple[tuple[Relation, ForeignKey], ...]:
    """Every foreign key that refers to a table, with the table that it belongs to; partitions' copies are left out."""
    return tuple(
        (relation, key)
        for relation in relations
        for key in relation.foreign_keys
        if key.references == to and relation.partition_of is None
    )


def _read(session: Session) -> dict[QualifiedName, Relation]:
    names = {oid: QualifiedName(schema, name) for oid, schema, name, _ in session.execute(RELATIONS).fetchall()}
    kinds = {oid: kind for oid, _, _, kind in session.execute(RELATIONS).fetchall()}
    columns: dict[int, list[Column]] = {}
    for oid, *described in session.execute(COLUMNS).fetchall():
        columns.setdefault(oid, []).append(Column(*described))
    primary: dict[int, tuple[str, ...]] = {}
    unique: dict[int, list[tuple[str, ...]]] = {}
    for oid, is_primary, of in session.execute(UNIQUE).fetchall():
        if is_primary:
            primary[oid] = tuple(of)
        else:
            unique.setdefault(oid, []).append(tuple(of))
    keys: dict[int, list[ForeignKey]] = {}
    for oid, name, of, to, referenced, is_deferrable in session.execute(FOREIGN_KEYS).fetchall():
        if to in names:
            keys.setdefault(oid, []).append(ForeignKey(name, tuple(of), names[to], tuple(referenced), is_deferrable))
    triggers = _grouped(session.execute(TRIGGERS).fetchall())
    sequences: dict[int, dict[str, QualifiedName]] = {}
    for oid, column, schema, name in session.execute(SEQUENCES).fetchall():
        sequences.setdefault(oid, {})[column] = QualifiedName(schema, name)
    attached = session.execute(PARTITIONS).fetchall()
    parents = {child: names[parent] for parent, child in attached if parent in names}
    children: dict[int, list[QualifiedName]] = {}
    for parent, child in attached:
        if child in names:
            children.setdefault(parent, []).append(names[child])
    return {
        name: Relation(
            name=name,
            oid=oid,
            kind=kinds[oid],
            columns=tuple(columns.get(oid, ())),
            primary_key=primary.get(oid, ()),
            unique_keys=tuple(unique.get(oid, ())),
            foreign_keys=tuple(keys.get(oid, ())),
            triggers=tuple(triggers.get(oid, ())),
            owned_sequences=sequences.get(oid, {}),
            partitions=tuple(sorted(children.get(oid, ()))),
            partition_of=parents.get(oid),
        )
        for oid, name in sorted(names.items(), key=lambda item: item[1])
    }


def _grouped(rows: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for oid, name in rows:
        found.setdefault(oid, []).append(name)
    return found
