"""The data dictionary: schemas, relations, columns and functions with their comments in the catalogue, as Markdown.

Comments of tables and functions are written in migrations, those of views in the views' files;
`docs/data-dictionary.md` is generated from them and never edited by hand. Not in it: partitions, whose comments are
their parent's, and the work tables of `staging`, which come and go.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from sentiment.sql import statement

SCHEMAS = ("sentiment", "drift", "staging")
KINDS = {"r": "table", "p": "table, partitioned", "v": "view", "S": "sequence"}
"""`pg_class.relkind` -> the word for it: the only kinds there are here."""


@dataclass(frozen=True)
class Column:
    """A column; `required` where it is declared NOT NULL, which a view's never is."""

    name: str
    type: str
    required: bool
    comment: str | None


@dataclass(frozen=True)
class Relation:
    """A table, view or sequence; sequences have no columns worth telling."""

    name: str
    kind: str
    comment: str | None
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Function:
    """A function: its name with the arguments, and what it returns."""

    name: str
    result: str
    comment: str | None


@dataclass(frozen=True)
class Schema:
    """A schema with all that is in it, views first."""

    name: str
    comment: str | None
    relations: tuple[Relation, ...]
    functions: tuple[Function, ...]


def read(connection: sa.Connection) -> list[Schema]:
    """Return the schemas as the catalogue has them; any role may read it."""
    schemas = {"schemas": list(SCHEMAS)}
    relations = _relations(connection)
    functions = connection.execute(statement("store/dictionary/functions"), schemas).all()
    named = connection.execute(statement("store/dictionary/schemas"), schemas).all()
    return [
        Schema(
            s.name,
            s.comment,
            tuple(relation for schema, relation in relations if schema == s.name),
            tuple(Function(f.name, f.result, f.comment) for f in functions if f.schema == s.name),
        )
        for s in named
    ]


def _relations(connection: sa.Connection) -> list[tuple[str, Relation]]:
    """Schema and relation, in the order of the page."""
    relations = connection.execute(
        statement("store/dictionary/relations"), {"schemas": list(SCHEMAS), "kinds": list(KINDS)}
    ).all()
    columns: dict[int, list[Column]] = {r.oid: [] for r in relations}
    described = [r.oid for r in relations if r.kind != "S"]
    for row in connection.execute(statement("store/dictionary/columns"), {"oids": described}):
        columns[row.oid].append(Column(row.name, row.type, row.required, row.comment))
    return [(r.schema, Relation(r.name, KINDS[r.kind], r.comment, tuple(columns[r.oid]))) for r in relations]


def uncommented(schemas: list[Schema]) -> list[str]:
    """Return the names of everything that has no comment, `schema.relation.column`."""
    missing = [s.name for s in schemas if not s.comment]
    for s in schemas:
        missing += [f"{s.name}.{r.name}" for r in s.relations if not r.comment]
        missing += [f"{s.name}.{f.name}" for f in s.functions if not f.comment]
        missing += [f"{s.name}.{r.name}.{c.name}" for r in s.relations for c in r.columns if not c.comment]
    return missing


def render(schemas: list[Schema]) -> str:
    """Return the schemas as one page of Markdown; the same catalogue gives the same page."""
    lines = [
        "# Data dictionary",
        "",
        "Written by `sentiment db dictionary` from the database's comments: a table's are in a migration, a view's"
        " in its file.",
    ]
    for schema in schemas:
        lines += ["", f"## Schema `{schema.name}`", "", f"{schema.comment}."]
        for relation in schema.relations:
            lines += _relation(schema, relation)
        if schema.functions:
            lines += _functions(schema)
    return "\n".join([*lines, ""])


def _relation(schema: Schema, relation: Relation) -> list[str]:
    lines = ["", f"### `{schema.name}.{relation.name}` ({relation.kind})", "", f"{relation.comment}."]
    if not relation.columns:
        return lines
    rows = [
        f"| `{c.name}` | {c.type}{' not null' if c.required else ''} | {_cell(c.comment)} |" for c in relation.columns
    ]
    return [*lines, "", "| column | type | what it is |", "|---|---|---|", *rows]


def _functions(schema: Schema) -> list[str]:
    rows = [f"| `{f.name}` | {_cell(f.result)} | {_cell(f.comment)} |" for f in schema.functions]
    head = ["| function | returns | what it does |", "|---|---|---|"]
    return ["", f"### Functions of `{schema.name}`", "", *head, *rows]


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
