"""What statements in files repeat is the same everywhere: expressions of Spark, columns of staging and of reviews."""

from __future__ import annotations

import re

import pytest
from sentiment import contract, sql
from sentiment.schemas import STAGED, VERSION


def without_space(text: str) -> str:
    return re.sub(r"\s+", "", re.sub(r"--[^\n]*", "", text))


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("store/publish/insert_film_night", contract.LOGIT_SQL),
        ("store/publish/count_staged", contract.KEY_CHECKSUM_SQL),
    ],
)
def test_expressions_are_those_that_spark_has_too(name: str, expression: str) -> None:
    assert without_space(expression) in without_space(sql.text(name))


@pytest.mark.parametrize(("kind", "name"), [("quarantine", "insert_quarantine"), ("profile", "insert_profile")])
def test_every_staged_column_is_published(kind: str, name: str) -> None:
    columns = ",".join(STAGED[kind].staged)
    assert without_space(sql.text(f"store/publish/{name}")).count(columns) == 2


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("publish/insert_new_reviews", 2),
        ("publish/insert_missing_reviews", 2),
        ("publish/keep_changed_versions", 1),
        ("publish/keep_differing_versions", 1),
        ("settle/keep_shown_versions", 1),
    ],
)
def test_versions_have_every_column_that_a_dump_may_change(name: str, times: int) -> None:
    assert without_space(sql.text(f"store/{name}")).count(",".join(VERSION)) == times


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("publish/keep_changed_versions", "s"),
        ("publish/keep_differing_versions", "s"),
        ("settle/keep_shown_versions", "r"),
    ],
)
def test_replaced_versions_are_read_column_by_column(name: str, alias: str) -> None:
    columns = ",".join(f"{alias}.{column}" for column in VERSION)
    assert columns in without_space(sql.text(f"store/{name}"))


def test_shown_versions_are_replaced_in_every_column() -> None:
    columns = ",".join(f"{column}=v.{column}" for column in VERSION)
    assert columns in without_space(sql.text("store/settle/show_versions"))
