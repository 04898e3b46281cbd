"""Statements in files: loaded once by name, with their parameters, and each a file that explains itself."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sentiment import sql

FILES = sorted(sql.PACKAGE.glob("*/sql/**/*.sql"))


def names() -> list[str]:
    relative = [path.relative_to(sql.PACKAGE).with_suffix("").parts for path in FILES]
    return ["/".join((package, *rest)) for package, _, *rest in relative]


def test_an_unknown_statement_is_named_with_its_file() -> None:
    with pytest.raises(LookupError, match=r"store/sql/publish/none\.sql"):
        sql.statement("store/publish/none")


def test_a_statement_is_read_once_and_knows_its_parameters() -> None:
    statement = sql.statement("store/publish/insert_quarantine")
    assert sql.statement("store/publish/insert_quarantine") is statement
    assert "run_id" in statement.compile().params


@pytest.mark.parametrize("name", names())
def test_a_file_begins_with_what_it_does_and_binds_nothing_in_a_comment(name: str) -> None:
    lines = sql.text(name).splitlines()
    assert lines[0].startswith("-- ")
    code = "\n".join(line.partition("--")[0] for line in lines)
    assert set(sql.statement(name).compile().params) == set(sa.text(code).compile().params)
