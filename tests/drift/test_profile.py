"""Profiles count what they should, from rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyspark.sql import functions as F
from sentiment.drift import bands, profile, simulate
from sentiment.drift.simulate import Audience
from sentiment.drift.watched import COUNTED, EDGES_ID, FILM_SLICES, REST
from sentiment.labels import Band

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

FRESH = (
    "item_id string, item_type string, rating double, polarity int, text string, p_positive double, "
    "n_wordpieces int, n_unknown int"
)
FRENCH, ENGLISH = "je ne sais pas si le film est bien", "this one is not in the language we know"
REVIEWS: list[tuple[Any, ...]] = [
    ("f1", "film", 4.0, None, "un bien beau film", 0.9, 6, 0),
    ("f1", "film", 1.0, None, "nul", 0.2, 3, 1),
    ("f1", "film", None, 0, FRENCH, 0.5, 42, 0),
    ("f2", "series", 5.0, 1, ENGLISH, 1.0, 3, 0),
]


def scored(spark: SparkSession, reviews: list[tuple[Any, ...]]) -> DataFrame:
    """Return reviews with the score that a model of two labels gives."""
    return spark.createDataFrame(reviews, FRESH).withColumn("score", F.expr("greatest(p_positive, 1 - p_positive)"))


def profiled(
    spark: SparkSession, reviews: list[tuple[Any, ...]], band: Band = bands.UNRECORDED
) -> dict[tuple[str, str, str], Row]:
    rows = profile.count(scored(spark, reviews), band).collect()
    return {(r["slice_key"], r["slice_value"], r["column_name"]): r for r in rows}


def test_profile_counts_by_hand(spark: SparkSession) -> None:
    rows = profiled(spark, REVIEWS)
    main = {name: row for (key, _, name), row in rows.items() if key == "all"}
    assert set(main) == {w.name for w in COUNTED}
    positive = main["positive"]
    assert (positive["n"], positive["n_null"], positive["avg"], positive["n_items"]) == (4, 0, 0.75, 2)
    assert list(positive["bin_counts"]) == [0, 1, 3]
    # by film: s = (2, 1), n = (3, 1)
    assert (positive["sum_item_sq"], positive["sum_item_cross"], positive["sum_item_n_sq"]) == (5, 7, 10)
    rating = main["rating"]
    assert (rating["n"], rating["n_null"], rating["min"], rating["max"]) == (4, 1, 1.0, 5.0)
    assert list(rating["bin_counts"]) == [1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]
    assert list(main["rating_missing"]["bin_counts"]) == [0, 3, 1]
    assert list(main["not_french"]["bin_counts"]) == [2, 1, 1]
    assert list(main["uncertain"]["bin_counts"]) == [0, 3, 1]
    # the third is predicted positive, its label negative; the others agree with rating or polarity
    assert list(main["agreement"]["bin_counts"]) == [0, 1, 3]
    assert main["labelled_logit"]["n_null"] == 0
    assert main["positive_logit"]["n_null"] == 2
    assert rows["rating_band", "none", "positive"]["n"] == 1
    assert rows["item_type", "series", "positive"]["avg"] == 1.0
    assert rows["film", "f1", "positive"]["n"] == 3
    length = main["text_chars"]
    assert length["stddev"] == pytest.approx(np.std([len(r[4]) for r in REVIEWS]))
    assert length["avg_length"] == length["avg"]
    assert all(sum(r["bin_counts"]) == r["n"] for r in rows.values())
    assert {r["edges_id"] for r in rows.values()} == {EDGES_ID}
    assert {name for key, _, name in rows if key != "all"} == {w.name for w in COUNTED if w.in_slices}


@pytest.mark.parametrize(("band", "uncertain"), [((0.2, 0.9), 3), ((0.21, 0.89), 1), ((0.0, 1.0), 4)])
def test_uncertain_are_those_within_the_band_its_limits_included(
    spark: SparkSession, band: Band, uncertain: int
) -> None:
    rows = profiled(spark, REVIEWS, band)
    assert list(rows[bands.UNCERTAIN]["bin_counts"]) == [0, 4 - uncertain, uncertain]
    others = {key: row for key, row in profiled(spark, REVIEWS).items() if key != bands.UNCERTAIN}
    assert {key: row for key, row in rows.items() if key != bands.UNCERTAIN} == others


def test_the_most_reviewed_films_have_slices_and_the_others_share_one(spark: SparkSession) -> None:
    reviews = [
        (f"film {no:02d}", "film", 4.0, None, "bien", 0.9, 3, 0)
        for no in range(FILM_SLICES + 2)
        for _ in range(2 if no >= 2 else 1)
    ]
    rows = profiled(spark, [*reviews, (None, None, None, None, "bien", 0.9, 3, 0)])
    films = {value: row["n"] for (key, value, _), row in rows.items() if key == "film"}
    assert films == {f"film {no:02d}": 2 for no in range(2, FILM_SLICES + 2)} | {REST: 3}


def test_one_endless_text_hardly_moves_the_mean(spark: SparkSession) -> None:
    rows = profiled(spark, [*REVIEWS, ("f1", "film", None, None, "x" * 20_000, 0.5, 20_000, 0)])
    assert rows["all", "all", "text_chars"]["max"] == 2000
    assert rows["all", "all", "pieces_per_word"]["max"] == 5


def test_the_score_job_counts_generated_texts_as_the_simulator_does(spark: SparkSession) -> None:
    """Ties the simulator, which draws sums, to the path that counts rows."""
    audience = Audience(reviews=300, films=12, watched_films=5)
    night = simulate.nights(audience, 1, np.random.default_rng(1))
    rows = profiled(spark, [
        (f"film-{film + 1:02d}", "film", None, None, FRENCH, 0.9 if no < positive else 0.1, 9, 0)
        for film, (n, positive) in enumerate(zip(night.film_n[0], night.film_positive[0], strict=True))
        for no in range(n)
    ])  # fmt: skip
    for key in (("all", "all", "positive"), *(("film", f"film-{no:02d}", "positive") for no in range(1, 6))):
        drawn, counted = night.sums[0, simulate.series_of(audience).index(key)], rows[key]
        assert counted["n"] == drawn.n
        assert counted["avg"] == pytest.approx(drawn.mean)
        sums = (counted["sum_item_sq"], counted["sum_item_cross"], counted["sum_item_n_sq"])
        assert sums == (drawn.item_sq, drawn.item_cross, drawn.item_n_sq)
