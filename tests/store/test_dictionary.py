"""The committed data dictionary equals the catalogue, and everything in it has a comment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from psycopg2.sql import SQL, Identifier
from sentiment import cli, database
from sentiment.dump import layout, stream
from sentiment.errors import ParameterError
from sentiment.settings import PROJECT_ROOT
from sentiment.sql import execute
from sentiment.store import dictionary
from sentiment.store.staging import Staging
from typer.testing import CliRunner

pytestmark = pytest.mark.usefixtures("server")

PAGE = PROJECT_ROOT / "docs" / "data-dictionary.md"


def test_the_committed_page_is_todays() -> None:
    with database.transaction("reader") as c:
        page = dictionary.render(dictionary.read(c))
    assert PAGE.read_text("utf-8") == page, "run: sentiment db dictionary"


COMMENTS = """
SELECT column_name, col_description('sentiment.dump_file'::regclass, ordinal_position::int)
FROM information_schema.columns
WHERE table_schema = 'sentiment' AND table_name = 'dump_file' AND column_name IN ('format', 'compression')"""


def test_formats_and_compressions_are_those_that_are_read() -> None:
    with database.transaction("reader") as c:
        listed = {name: set(re.findall(r"\w+", comment)) - {"or"} for name, comment in c.execute(sa.text(COMMENTS))}
    assert listed == {"format": set(layout.FORMATS), "compression": {"none", *stream.MAGIC.values()}}


def test_everything_is_described() -> None:
    with database.transaction("reader") as c:
        assert dictionary.uncommented(dictionary.read(c)) == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE drift.mute (n int)", ["drift.mute", "drift.mute.n"]),
        ("CREATE VIEW sentiment.mute AS SELECT 1 AS n", ["sentiment.mute", "sentiment.mute.n"]),
        ("CREATE SEQUENCE sentiment.mute", ["sentiment.mute"]),
        ("CREATE FUNCTION sentiment.mute(n int) RETURNS int RETURN n", ["sentiment.mute(n integer)"]),
        ("COMMENT ON SCHEMA staging IS NULL", ["staging"]),
    ],
)
def test_what_has_no_comment_is_named(statement: str, named: list[str]) -> None:
    with database.engine("owner").connect() as c:
        c.execute(sa.text(statement))
        assert dictionary.uncommented(dictionary.read(c)) == named


def test_partitions_and_work_tables_are_no_part_of_it() -> None:
    staging = Staging("20310105-00000000", 1)
    with database.engine("owner").connect() as c:
        before = dictionary.render(dictionary.read(c))
        c.execute(sa.text("SELECT sentiment.ensure_month('2031-01-05')"))
        execute(c, SQL("CREATE TABLE {} (n int)").format(Identifier("staging", staging.name("review"))))
        assert dictionary.render(dictionary.read(c)) == before


def test_the_command_prints_or_writes_the_page(tmp_path: Path) -> None:
    written = tmp_path / "page.md"
    assert CliRunner().invoke(cli.app, ["db", "dictionary", "--output", "-"]).stdout == PAGE.read_text("utf-8")
    assert CliRunner().invoke(cli.app, ["db", "dictionary", "--output", str(written)]).exit_code == 0
    assert written.read_bytes() == PAGE.read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["db", "dictionary", "--output", str(tmp_path / "no" / "page.md")])
    assert isinstance(done.exception, ParameterError)
    assert "--output" in done.exception.message
