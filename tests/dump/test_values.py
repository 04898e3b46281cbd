"""Dates, ratings, polarities and texts, as dumps write them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from sentiment.dump import profiles, values
from sentiment.dump.profiles import DateStyle

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

USUAL = profiles.known(None)["usual"]

DATES: dict[str, date | None] = {
    "2008-02-12": date(2008, 2, 12),
    "2008-02-12T23:59:59Z": date(2008, 2, 12),
    "2008-02-12 10:00": date(2008, 2, 12),
    "12/02/2008": date(2008, 2, 12),
    "1.2.2008": date(2008, 2, 1),
    "12-02-2008 à 14h": date(2008, 2, 12),
    "Publiée le 12 février 2008": date(2008, 2, 12),
    "1er mars 2020": date(2020, 3, 1),
    "3 FÉVR. 2021": date(2021, 2, 3),
    "30 juin 2021": date(2021, 6, 30),
    "14 juil. 2021": date(2021, 7, 14),
    "15 aoû 2021": date(2021, 8, 15),
    "31 déc. 1999": date(1999, 12, 31),
    "1202774400": date(2008, 2, 12),
    "1202774400000": date(2008, 2, 12),
    "1202770800": date(2008, 2, 12),  # 23:00 UTC of the day before: midnight in Paris
    "31/02/2008": None,
    "2008-02-31": None,
    "30 février 2008": None,
    "12 brumaire 2008": None,
    "hier": None,
    "20080212": None,
    "": None,
}
RATINGS: dict[str, float | None] = {
    "4,5": 4.5,
    "4.5/5": 4.5,
    "9/10": 4.5,
    "9 / 10": 4.5,
    "3": 3.0,
    "87/100": 4.4,
    "0": 0.0,
    "5/0": None,
    "-1": None,
    "quatre": None,
    "4 sur 5": None,
    "1e1": None,
}
POLARITIES = {
    "1": 1,
    "0": 0,
    "1.0": 1,
    "true": 1,
    "False": 0,
    "Positif": 1,
    "négatif": 0,
    "NEG": 0,
    "2": None,
    "": None,
}
TEXTS = {
    "a &amp; b": "a & b",
    "l&apos;&eacute;t&#233; &#xE9;": "l'été é",
    "&amp;lt;": "&lt;",
    "R&D; AT&T": "R&D; AT&T",
    "&#99999999; &eacute;": "&#99999999; &eacute;",
    "&#x110000;": "&#x110000;",
    "&#xD83D; &#56832;": "&#xD83D; &#56832;",
    "&#x0D83D; &#0056832; &#00000233;": "&#x0D83D; &#0056832; &#00000233;",
    "&#00000233;": "é",
    "un <b>film</b>": "un <b>film</b>",
}


def evaluated(spark: SparkSession, inputs: list[str], expression: Column) -> list[Any]:
    frame = spark.createDataFrame(list(enumerate(inputs)), "n int, v string")
    return [row["got"] for row in frame.select("n", expression.alias("got")).orderBy("n").collect()]


def test_dates(spark: SparkSession) -> None:
    assert dict(zip(DATES, evaluated(spark, list(DATES), values.date(F.col("v"), USUAL)), strict=True)) == DATES


def test_month_first_only_where_a_profile_asks_for_it(spark: SparkSession) -> None:
    american = USUAL.model_copy(update={"dates": [DateStyle.month_first]})
    assert evaluated(spark, ["12/02/2008"], values.date(F.col("v"), american)) == [date(2008, 12, 2)]


def test_ratings(spark: SparkSession) -> None:
    assert dict(zip(RATINGS, evaluated(spark, list(RATINGS), values.rating(F.col("v"), USUAL)), strict=True)) == RATINGS
    of_ten = USUAL.model_copy(update={"rating_scale": 10.0})
    assert evaluated(spark, ["7", "4/5"], values.rating(F.col("v"), of_ten)) == [3.5, 4.0]


def test_polarities(spark: SparkSession) -> None:
    polarities = evaluated(spark, list(POLARITIES), values.polarity(F.col("v"), USUAL))
    assert dict(zip(POLARITIES, polarities, strict=True)) == POLARITIES


def test_texts(spark: SparkSession) -> None:
    assert dict(zip(TEXTS, evaluated(spark, list(TEXTS), values.text(F.col("v"), USUAL)), strict=True)) == TEXTS
    plain = USUAL.model_copy(update={"html_entities": False})
    assert evaluated(spark, ["a &amp; b"], values.text(F.col("v"), plain)) == ["a &amp; b"]


def test_item_types(spark: SparkSession) -> None:
    kinds = F.element_at(F.split("v", ","), 1), F.nullif(F.element_at(F.split("v", ","), 2), F.lit(""))
    inputs = ["Movie,x", "Série,x", "podcast,x", ",http://h/series/1", ",http://h/film/1", ",x"]
    item_type = values.item_type(F.nullif(kinds[0], F.lit("")), kinds[1], USUAL)
    assert evaluated(spark, inputs, item_type) == ["film", "series", "podcast", "series", "film", None]
