"""Bring the views to what their files hold: `sql/views/<schema>.<view>.sql`, with comments and grants.

Runs after the migrations, in one transaction. A view is applied again where its file has changed, or the view itself
since: `view_version` has a hash of each. Numbered migrations never read the files, so that they stay what they were.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from graphlib import TopologicalSorter

import sqlalchemy as sa
from psycopg2.sql import SQL, Composable, Identifier
from sqlalchemy.exc import DBAPIError

from sentiment import sql
from sentiment.errors import SetupError, quoted

log = logging.getLogger(__name__)

FOLDER = sql.VIEWS
# invalid_table_definition: CREATE OR REPLACE VIEW can only add columns at the end.
CANNOT_REPLACE = "42P16"
# dependent_objects_still_exist
DEPENDED_ON = "2BP01"
PRIVILEGES = {
    name: SQL(name)
    for name in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
}
KINDS = {"v": "view", "m": "materialized view"}
"""`pg_class.relkind` of what may read a view -> how DROP calls it."""


@dataclass(frozen=True)
class Grant:
    """A right on a view, or on one of its columns; `grantee` None: everybody."""

    privilege: str
    grantee: str | None
    column: str | None
    is_grantable: bool


def files() -> dict[str, str]:
    """Return the views' files: name with schema -> text, a view after those that it reads."""
    texts = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.sql"))}
    reads = {
        name: [other for other in texts if other != name and re.search(rf"\b{re.escape(other)}\b", text)]
        for name, text in texts.items()
    }
    return {name: texts[name] for name in TopologicalSorter(reads).static_order()}


def apply(c: sa.Connection) -> list[str]:
    """Apply the views whose file, or which themselves, have changed since they were applied; return their names.

    Raises SetupError where a view can only be made anew and something of a user's depends on it.
    """
    texts = files()
    changed = _changed(c, texts)
    stale = [name for name in texts if name in changed]
    for name in stale:
        _apply(c, name, texts)
    if stale:
        _record(c, stale, texts)
        log.info("applied %s", ", ".join(stale))
    return stale


def _changed(c: sa.Connection, texts: dict[str, str]) -> set[str]:
    states = _states(c, list(texts))
    rows = c.execute(sa.text("SELECT view_name, file_sha256, state_sha256 FROM view_version"))
    applied = {row.view_name: (row.file_sha256, row.state_sha256) for row in rows}
    return {name for name, text in texts.items() if applied.get(name) != (sql.sha256(text), states.get(name))}


def _states(c: sa.Connection, names: list[str]) -> dict[str, str]:
    rows = c.execute(sql.statement("store/catalogue/view_states"), {"names": names})
    return {row.name: row.state_sha256 for row in rows}


def _record(c: sa.Connection, names: list[str], texts: dict[str, str]) -> None:
    states = _states(c, names)
    c.execute(sa.text("DELETE FROM view_version WHERE view_name = ANY(:names)"), {"names": names})
    c.execute(
        sa.text("INSERT INTO view_version (view_name, file_sha256, state_sha256) VALUES (:name, :file, :state)"),
        [{"name": name, "file": sql.sha256(texts[name]), "state": states[name]} for name in names],
    )


def _apply(c: sa.Connection, name: str, texts: dict[str, str]) -> None:
    try:
        # In a savepoint, so that the transaction goes on where the view can't be replaced.
        with c.begin_nested():
            sql.execute(c, SQL(texts[name]))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != CANNOT_REPLACE:
            raise
        _make_anew(c, name, texts)


def _make_anew(c: sa.Connection, name: str, texts: dict[str, str]) -> None:
    """Drop a view with those of `texts` that read it, and make them again, with the rights they had."""
    dependents = c.execute(sql.statement("store/catalogue/dependent_relations"), {"name": name}).all()
    for row in dependents:
        if f"{row.schema}.{row.name}" not in texts:
            quote = c.dialect.identifier_preparer.quote
            dependent = f"{KINDS.get(row.kind, 'relation')} {quote(row.schema)}.{quote(row.name)}"
            raise _in_the_way(name, f"the {dependent}", f"DROP {dependent}")
    dropped = [view for view in texts if view in {name, *(f"{row.schema}.{row.name}" for row in dependents)}]
    grants = {view: _grants(c, view) for view in dropped}
    try:
        with c.begin_nested():
            sql.execute(c, SQL("DROP VIEW {}").format(SQL(", ").join([_identifier(view) for view in dropped])))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != DEPENDED_ON:
            raise
        detail = getattr(getattr(error.orig, "diag", None), "message_detail", None) or str(error.orig).strip()
        raise _in_the_way(name, detail, "DROP <that object>") from error
    for view in dropped:
        sql.execute(c, SQL(texts[view]))
        _restore(c, view, grants[view])


def _in_the_way(name: str, dependent: str, statement: str) -> SetupError:
    return SetupError(
        f"The view {name} has to be made anew, and something depends on it: {dependent}.",
        f'psql "$(sentiment db url --role owner)" --command={quoted(statement)}; sentiment db migrate; '
        "then make it again",
    )


def _identifier(name: str) -> Identifier:
    return Identifier(*name.split("."))


def _grants(c: sa.Connection, view: str) -> list[Grant]:
    rows = c.execute(sql.statement("store/catalogue/view_grants"), {"name": view})
    return [
        Grant(row.privilege, None if row.is_public else row.grantee, row.column, row.is_grantable)
        for row in rows
        if row.privilege in PRIVILEGES
    ]


def _restore(c: sa.Connection, view: str, grants: list[Grant]) -> None:
    """Grant again what was granted; of columns, those that are still there."""
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0"
    columns = set(c.execute(sa.text(query), {"name": view}).scalars())
    for grant in grants:
        if grant.column is None or grant.column in columns:
            sql.execute(c, _granting(view, grant))


def _granting(view: str, grant: Grant) -> Composable:
    what: Composable = PRIVILEGES[grant.privilege]
    if grant.column is not None:
        what = SQL("{} ({})").format(what, Identifier(grant.column))
    to: Composable = SQL("PUBLIC") if grant.grantee is None else Identifier(grant.grantee)
    template = SQL("GRANT {} ON {} TO {} WITH GRANT OPTION") if grant.is_grantable else SQL("GRANT {} ON {} TO {}")
    return template.format(what, _identifier(view), to)
