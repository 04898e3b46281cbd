"""Views are what their files hold: applied after the migrations, made anew with their rights, never over a user's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sentiment import database
from sentiment.errors import SetupError
from sentiment.store import migrate, views
from sqlalchemy.exc import DBAPIError

pytestmark = pytest.mark.usefixtures("ready")

RUNS = "sentiment.v_runs"
ALL = list(views.files())
NAMES = """
SELECT schemaname || '.' || viewname FROM pg_views WHERE schemaname IN ('sentiment', 'drift', 'staging')"""


@pytest.fixture
def owner() -> Iterator[sa.Connection]:
    """A transaction of the owner that is rolled back, so that other tests see the views as they are."""
    with database.engine("owner").connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the views' files that a test may change."""
    copy = tmp_path / "views"
    shutil.copytree(views.FOLDER, copy)
    monkeypatch.setattr(views, "FOLDER", copy)
    return copy


def change(folder: Path, view: str, old: str, new: str) -> None:
    path = folder / f"{view}.sql"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def columns(c: sa.Connection, view: str) -> list[str]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:view) AND attnum > 0 ORDER BY attnum"
    return list(c.execute(sa.text(query), {"view": view}).scalars())


def comment(c: sa.Connection, view: str) -> str | None:
    query = "SELECT obj_description(to_regclass(:view), 'pg_class')"
    text: str | None = c.execute(sa.text(query), {"view": view}).scalar_one()
    return text


def test_every_view_has_a_file_and_every_file_a_view(owner: sa.Connection) -> None:
    assert set(owner.execute(sa.text(NAMES)).scalars()) == set(views.files())


@pytest.mark.parametrize("view", sorted(path.stem for path in views.FOLDER.glob("*.sql")))
def test_the_database_has_what_the_file_holds(owner: sa.Connection, view: str) -> None:
    before = views._states(owner, [view])
    owner.exec_driver_sql(views.files()[view], execution_options={"no_parameters": True})
    assert views._states(owner, [view]) == before


def test_an_upgraded_database_needs_no_view_applied(owner: sa.Connection) -> None:
    assert views.apply(owner) == []


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON COLUMN sentiment.v_runs.night IS 'x'",
        "ALTER VIEW sentiment.v_runs RENAME COLUMN night TO nuit",
        "DROP VIEW sentiment.v_runs CASCADE",
    ],
)
def test_a_view_that_somebody_changed_by_hand_is_applied_again(owner: sa.Connection, statement: str) -> None:
    before = views._states(owner, ALL)
    owner.exec_driver_sql(statement)
    # Those that read it are made again with it where it can't be replaced.
    assert views.apply(owner)[0] == RUNS
    assert views._states(owner, ALL) == before
    assert views.apply(owner) == []


def test_a_column_at_the_end_keeps_the_view(owner: sa.Connection, folder: Path) -> None:
    oid = owner.execute(sa.text("SELECT to_regclass('sentiment.v_runs')::oid")).scalar_one()
    change(folder, RUNS, "AS requeue_of\n", "AS requeue_of, 1 AS extra\n")
    assert views.apply(owner) == [RUNS]
    assert columns(owner, RUNS)[-1] == "extra"
    assert owner.execute(sa.text("SELECT to_regclass('sentiment.v_runs')::oid")).scalar_one() == oid


def test_other_columns_make_it_anew_with_its_rights_and_comments(owner: sa.Connection, folder: Path) -> None:
    owner.exec_driver_sql("GRANT SELECT ON sentiment.v_runs TO PUBLIC")
    owner.exec_driver_sql(
        "GRANT UPDATE (run_id, night), SELECT (source) ON sentiment.v_runs TO airflow WITH GRANT OPTION"
    )
    before, described = set(views._grants(owner, RUNS)), comment(owner, RUNS)
    change(folder, RUNS, "SELECT r.run_id, r.night, r.source", "SELECT r.night, r.run_id, r.source")
    assert views.apply(owner) == [RUNS]
    assert columns(owner, RUNS)[:2] == ["night", "run_id"]
    assert set(views._grants(owner, RUNS)) == before
    assert {("SELECT", None), ("SELECT", "sentiment_reader")} <= {(grant.privilege, grant.grantee) for grant in before}
    assert comment(owner, RUNS) == described is not None


def test_own_views_that_read_it_are_created_anew_too(owner: sa.Connection, folder: Path) -> None:
    (folder / "drift.a_reads_runs.sql").write_text(
        "CREATE OR REPLACE VIEW drift.a_reads_runs AS SELECT run_id FROM sentiment.v_runs;"
    )
    assert views.apply(owner) == ["drift.a_reads_runs"]
    owner.exec_driver_sql("GRANT SELECT ON drift.a_reads_runs TO sentiment_reader")
    change(folder, RUNS, "SELECT r.run_id, r.night, r.source", "SELECT r.night, r.run_id, r.source")
    assert views.apply(owner) == [RUNS]
    assert columns(owner, "drift.a_reads_runs") == ["run_id"]
    assert [grant.grantee for grant in views._grants(owner, "drift.a_reads_runs")] == ["sentiment_reader"]
    assert views.apply(owner) == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE VIEW public.mine AS SELECT run_id FROM sentiment.v_runs", "public.mine"),
        ("CREATE MATERIALIZED VIEW public.mine AS SELECT run_id FROM sentiment.v_runs", "public.mine"),
        (
            "CREATE FUNCTION public.mine() RETURNS bigint LANGUAGE sql "
            "BEGIN ATOMIC SELECT count(*) FROM sentiment.v_runs; END",
            "mine()",
        ),
    ],
)
def test_what_a_user_built_on_a_view_is_named_and_stays(
    owner: sa.Connection, folder: Path, statement: str, name: str
) -> None:
    owner.exec_driver_sql(statement)
    before = columns(owner, RUNS)
    change(folder, RUNS, "SELECT r.run_id, r.night, r.source", "SELECT r.night, r.run_id, r.source")
    with pytest.raises(SetupError) as refused, owner.begin_nested():
        views.apply(owner)
    assert name in str(refused.value)
    assert "sentiment db migrate" in refused.value.try_next
    assert columns(owner, RUNS) == before


def test_a_file_that_is_wrong_changes_nothing(owner: sa.Connection, folder: Path) -> None:
    change(folder, RUNS, "r.night", "r.nuit")
    before = columns(owner, RUNS)
    with pytest.raises(DBAPIError), owner.begin_nested():
        views.apply(owner)
    assert columns(owner, RUNS) == before


def test_upgrading_again_has_nothing_to_do() -> None:
    assert migrate.upgrade() == migrate.upgrade() == migrate.head()
