"""Dumps of any shape: with ids that repeat within a film, a file or a night, or none; listed again in any order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.settings import Settings

from tests.intake import through

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

READ = ("id", "film", "author", "date", "rating", "polarity", "review")
"""Columns of these dumps that the profile maps."""
VALUES = {
    "film": st.sampled_from(["Le Lac", "La Rive", None]),
    "author": st.sampled_from(["Zoé", "Max", None, ""]),
    "date": st.sampled_from(["2026-11-20", "20/11/2026", "hier", None]),
    "rating": st.sampled_from([4, 4.0, "4,5", "11", None]),
    "polarity": st.sampled_from([0, 1, "oui", "neutre", None]),
    "review": st.sampled_from([f"Vu {n} fois, sans ennui." for n in range(4)]),
}
IDS: dict[str, Callable[[int, Any], str | None]] = {
    "none": lambda number, film: None,
    "unique": lambda number, film: f"r{number}",
    "one a film": lambda number, film: f"{film}-{number // 2}",
}


@st.composite
def dumps(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return records, and the same in another order with new ones anywhere."""
    columns = draw(st.sets(st.sampled_from(sorted(VALUES.keys() - {"review"})))) | {"review"}
    shape = IDS[draw(st.sampled_from(sorted(IDS)))]
    values = st.fixed_dictionaries({name: VALUES[name] for name in sorted(columns)})
    records = draw(st.lists(values, min_size=20, max_size=60))
    identified = [record | {"id": shape(n, record.get("film"))} for n, record in enumerate(records)]
    new = [{"id": "neuf", "review": "Une nouvelle critique.", "author": "Nina"}]
    return identified, draw(st.permutations(identified + new))


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


SAME: dict[Any, Any] = {"": None, "20/11/2026": "2026-11-20", "oui": 1, "neutre": None}
"""Value -> another that is read as the same."""


def content(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(SAME.get(value, value) for value in (record.get(name) for name in READ))


@hypothesis_settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate], database=None,
                     suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(dumps())
def test_no_review_that_differs_from_all_others_is_dropped_and_a_list_that_comes_again_is_known(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    both: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    folder, (first, again) = tmp_path_factory.mktemp("shapes"), both
    config = Settings(home=folder, max_quarantine_share=1)
    one = through(spark, written(folder / "a.jsonl", first), config)
    assert one.n_read == len(first) == len(one.accepted) + len(one.refused) + len(one.repeated)
    n_alike = Counter(map(content, first))
    for row in one.repeated:
        assert n_alike[content(first[row["record_no"] - 1])] > 1, "a review unlike all others was dropped"
    for row in one.refused:
        assert row["reasons"] == ["same_id_other_review"]
    unread = {(row["record_no"], row["column_name"]) for row in one.unread}
    for row in one.accepted:
        record = first[row["record_no"] - 1]
        for name, column in (("rating", "rating"), ("date", "review_date"), ("polarity", "polarity")):
            is_missing = record.get(name) in (None, "neutre")
            assert (row[column] is None) == (is_missing or (row["record_no"], column) in unread)
    other = through(spark, written(folder / "b.jsonl", again), config)
    assert one.ids <= other.ids
    assert len(other.ids - one.ids) == 1
