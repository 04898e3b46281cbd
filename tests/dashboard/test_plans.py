"""No page reads a large table from end to end, whatever it holds: each statement has an index to go by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment.dashboard import pages
from sentiment.database import transaction
from sentiment.drift.watched import EDGES_ID
from sentiment.sql import statement

from tests.store import small_night

pytestmark = pytest.mark.usefixtures("server")

LARGE = {
    "review", "review_sentiment", "review_version", "sentence_sentiment", "quarantine", "duplicate", "unread_value",
    "film_night", "profile_metrics", "drift_metrics",
}  # fmt: skip
"""Tables that grow by the review, the record, or the film and night."""
SOURCE, NIGHT = "plans", date(2026, 6, 1)
PARAMS: dict[str, Any] = {
    "source": SOURCE, "night": NIGHT, "days": 90, "most": 50, "item_id": "f1", "rule": None, "run_id": "x",
    "review_ids": ["x"], "airflow_run_ids": ["x"], "model_id": "cinema-fr", "slice_key": "all", "slice_value": "all",
    "column_name": "positive", "nights": [NIGHT], "edges_id": EDGES_ID, "item_ids": ["f1"], "invented": "x",
    "newest": 1000, "skipped": 25, **pages.Z_OF_FILMS,
}  # fmt: skip
STATEMENTS = sorted(path.stem for path in (Path(pages.__file__).parent / "sql").glob("*.sql"))


@pytest.fixture(scope="module", autouse=True)
def _night(_database_of_the_module: None) -> None:
    small_night.publish(SOURCE, NIGHT, ["Zoé", "Guy"])


def scans(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the relations that a plan reads from end to end, partitions by their table's name."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"].partition("_20")[0]
    for below in plan.get("Plans", []):
        yield from scans(below)


def plan_of(c: sa.Connection, query: sa.TextClause) -> dict[str, Any]:
    # No statement may be kept from an index for want of rows: a plan with a sequential scan has no other way.
    c.exec_driver_sql("SET LOCAL enable_seqscan = off")
    params = {name: PARAMS[name] for name in query._bindparams}
    explained = c.execute(sa.text(f"EXPLAIN (FORMAT JSON) {query.text}"), params).scalar_one()
    plan: dict[str, Any] = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    return plan


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_large_table_from_end_to_end(name: str) -> None:
    with transaction("reader") as c:
        read = set(scans(plan_of(c, statement(f"dashboard/{name}"))))
    assert not read & (LARGE | {"night_review"})


def test_a_statement_without_an_index_is_seen() -> None:
    with transaction("reader") as c:
        read = set(scans(plan_of(c, sa.text("SELECT count(*) FROM sentiment.review_sentiment WHERE score > 0.5"))))
    assert read & LARGE
