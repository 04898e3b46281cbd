"""The data dictionary: what the catalogue says of our schemas, as Markdown.

The comments are written in the migrations; `docs/data-dictionary.md` is what they say, never edited by hand.
Left out are partitions, which say what their parent says, and the work tables of `staging`, which come and go.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

SCHEMAS = ("sentiment", "drift", "staging")
KINDS = {"r": "table", "p": "table, partitioned", "v": "view", "S": "sequence"}
"""`pg_class.relkind` -> the word for it: the only kinds there are here."""

_SCHEMAS = """
SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment
FROM pg_namespace WHERE nspname = ANY(:schemas) ORDER BY array_position(:schemas, nspname::text)
"""
_RELATIONS = """
SELECT n.nspname AS schema, c.oid, c.relname AS name, c.relkind::text AS kind,
  obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(:schemas) AND n.nspname <> 'staging' AND c.relkind = ANY(:kinds) AND NOT c.relispartition
ORDER BY c.relkind = 'S', c.relkind <> 'v', c.relname
"""
_COLUMNS = """
SELECT attrelid AS oid, attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
  col_description(attrelid, attnum) AS comment
FROM pg_attribute WHERE attrelid = ANY(:oids) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum
"""
_FUNCTIONS = """
SELECT n.nspname AS schema, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
  pg_get_function_result(p.oid) AS result, obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(:schemas) AND NOT EXISTS (
  SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY p.proname, p.oid
"""


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
    """What the catalogue says; any role may ask it."""
    schemas = {"schemas": list(SCHEMAS)}
    relations = _relations(connection)
    functions = connection.execute(sa.text(_FUNCTIONS), schemas).all()
    named = connection.execute(sa.text(_SCHEMAS), schemas).all()
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
    found = connection.execute(sa.text(_RELATIONS), {"schemas": list(SCHEMAS), "kinds": list(KINDS)}).all()
    columns: dict[int, list[Column]] = {r.oid: [] for r in found}
    described = [r.oid for r in found if r.kind != "S"]
    for row in connection.execute(sa.text(_COLUMNS), {"oids": described}):
        columns[row.oid].append(Column(row.name, row.type, row.required, row.comment))
    return [(r.schema, Relation(r.name, KINDS[r.kind], r.comment, tuple(columns[r.oid]))) for r in found]


def uncommented(schemas: list[Schema]) -> list[str]:
    """Names of everything that has no comment, `schema.relation.column`."""
    missing = [s.name for s in schemas if not s.comment]
    for s in schemas:
        missing += [f"{s.name}.{r.name}" for r in s.relations if not r.comment]
        missing += [f"{s.name}.{f.name}" for f in s.functions if not f.comment]
        missing += [f"{s.name}.{r.name}.{c.name}" for r in s.relations for c in r.columns if not c.comment]
    return missing


def render(schemas: list[Schema]) -> str:
    """The page, the same for the same catalogue."""
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
