"""Dates, ratings, polarities and texts, as dumps write them."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import functions as F
from sentiment.dump import dates, profiles, values
from sentiment.dump.profiles import DateStyle
from sentiment.quality import prose

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

READ = "text string, title string, author string, item_title string"
USUAL = profiles.known(None)["usual"]

DATES: dict[str, date | None] = {
    "2008-02-12": date(2008, 2, 12),
    "2008-02-12T23:59:59Z": date(2008, 2, 13),  # in Paris
    "2008-07-12T22:30:00.000+00:00": date(2008, 7, 13),
    "2008-02-12 00:30:00+02:00": date(2008, 2, 11),
    "2008-02-12T20:00-0530": date(2008, 2, 13),
    "2008-02-12 23:30": date(2008, 2, 12),
    "2008/02/12": date(2008, 2, 12),
    "2008-2-1": date(2008, 2, 1),
    "20080212": date(2008, 2, 12),
    "20081312": None,
    "2008-02-12 10:00-12:00": date(2008, 2, 12),
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
    "il y a 2 jours": None,
    "Vu en mars 2008": None,
    "mars 2008": None,
    "2008": None,
    "2008-02": None,
    "12/25/2008": None,
    "39490": None,
    "12/02/08 12:29": date(2008, 2, 12),
    "1/2/69": date(1969, 2, 1),
    "1/2/68": date(2068, 2, 1),
    "05-oct-94": date(1994, 10, 5),
    "5.févr.94": date(1994, 2, 5),
    "3 mars 14:05": None,
    "Publiée le 12/02/2008 à 10h00": date(2008, 2, 12),
    "Publiée le 3 Août 2024 - Modifiée le 5 août 2024": date(2024, 8, 3),
    "3 aou\u0302t 2024": date(2024, 8, 3),
    "3\u00a0août\u202f2024": date(2024, 8, 3),
    "11 April 2018": date(2018, 4, 11),
    "April 11, 2018": date(2018, 4, 11),
    "Jul 26 2024": date(2024, 7, 26),
    "26th of August 2024": date(2024, 8, 26),
    "Sun, 03 Mar 2024 23:05:00 GMT": date(2024, 3, 4),
    "Sun Mar 03 14:05:00 CET 2024": date(2024, 3, 3),
    "Sun Mar 03 23:30:00 +0000 2024": date(2024, 3, 4),
    "Mar 3, 2024 11:30 PM UTC": date(2024, 3, 4),
    "Noté 4,5 mars 2024": None,
    "3 marsouins 2024": None,
    "3 jui 2024": None,
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
    "4 sur 5": 4.0,
    "1e1": None,
    "4 étoiles": 4.0,
    "4,5 étoiles sur 5": 4.5,
    "5/5 étoiles": 5.0,
    "3.5 stars": 3.5,
    "4*": 4.0,
    "80%": 4.0,
    "16/20": 4.0,
    "Note : 4,5": 4.5,
    "Note: 9/10": 4.5,
    "★★★★☆": 4.0,
    "★★★½": 3.5,
    "⭐️⭐️⭐️": 3.0,
    "★★★★★★★★☆☆": 4.0,
    "4 ou 5": None,
    "Excellent": None,
    "true": None,
    "4,5 mars": None,
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
    "NÉGATIF": 0,
    "negatif": 0,
    "ne\u0301gatif": 0,
    "-1": 0,
    "-1.0": 0,
    "LABEL_0": 0,
    "LABEL_1": 1,
    "neutre": None,
    "5 stars": None,
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


TAGGED = {
    "Première ligne<br>\nDeuxième ligne<BR />Troisième": "Première ligne\nDeuxième ligne\nTroisième",
    "<p class='a'>Très <b>bon</b> film.</p><p>&Agrave; voir &amp; revoir</p>": "Très bon film.\nÀ voir & revoir",
    "<table><tr><td>4</td><td>5</td></tr></table>": "4 5",
    "I <3 ce film, 1 < 2 et 3 > 2": "I <3 ce film, 1 < 2 et 3 > 2",
    "  sans balise \n": "  sans balise \n",
    "&lt;b&gt;": "<b>",
    "<div></div>": "",
    "a <!-- rien --> b": "a  b",
    "l'été &eacute;": "l'été é",
}
DAMAGED = {
    "Un pur chef d'Å“uvre, la mise en scène est parfaite.": "Un pur chef d'œuvre, la mise en scène est parfaite.",
    "FranÃ§ois a adorÃ©, lâ€™acteur est bon.": "François a adoré, l’acteur est bon.",
    "Âme, Ã, PÂQUES et « Ça » : câlin à 10 €.": "Âme, Ã, PÂQUES et « Ça » : câlin à 10 €.",
    "“ guillemets ”  et\tblancs\r\n": "“ guillemets ”  et\tblancs\r\n",
    "Mon cÅ“ur &amp; “ moi ”": "Mon cœur & “ moi ”",
    'À voir, Å"uvre rare, cÅ"ur léger': "À voir, œuvre rare, cœur léger",
    "Déjà vu Ã\xa0 Paris, lâ€™été": "Déjà vu à Paris, l’été",
}


def evaluated(spark: SparkSession, inputs: list[str], expression: Column) -> list[Any]:
    frame = spark.createDataFrame(list(enumerate(inputs)), "n int, v string")
    return [row["got"] for row in frame.select("n", expression.alias("got")).orderBy("n").collect()]


def test_dates(spark: SparkSession) -> None:
    days = evaluated(spark, list(DATES), dates.date(F.col("v"), USUAL.dates))
    assert dict(zip(DATES, days, strict=True)) == DATES


def test_month_first_only_where_a_profile_asks_for_it(spark: SparkSession) -> None:
    american = dates.date(F.col("v"), [DateStyle.month_first])
    assert evaluated(spark, ["12/02/2008", "12/02/08", "12 mars 2008"], american) == [
        date(2008, 12, 2),
        date(2008, 12, 2),
        None,
    ]


@pytest.mark.parametrize("language", dates.MONTHS)
def test_every_month_is_read_by_its_name_and_as_it_is_usually_cut(spark: SparkSession, language: DateStyle) -> None:
    cuts = [(f"7 {name[:n]}{'.' if n < len(name) else ''} 2024", month)
            for month, name in enumerate(dates.MONTHS[language], 1)
            for n in range(4 if name[:3] == "jui" else 3, len(name) + 1)]  # fmt: skip
    days = evaluated(spark, [text for text, _ in cuts], dates.date(F.col("v"), [language]))
    assert days == [date(2024, month, 7) for _, month in cuts]


def test_no_name_stands_for_months_of_two_languages() -> None:
    months: dict[str, set[int]] = {}
    for language in dates.MONTHS:
        for name, number in dates.names([language]):
            months.setdefault(name, set()).add(number)
    assert [name for name, numbers in months.items() if len(numbers) > 1] == []


def test_a_profile_of_one_language_reads_no_other(spark: SparkSession) -> None:
    french = dates.date(F.col("v"), [DateStyle.french])
    assert evaluated(spark, ["11 April 2018", "11 avril 2018"], french) == [None, date(2018, 4, 11)]


MISSING = ["nan", "None", "NaT", "N/A", "null", "NULL", "#NOM?", "-", "", " ", "\n", "\u00a0"]


def test_a_missing_value_is_null_however_it_is_written(spark: SparkSession) -> None:
    assert evaluated(spark, MISSING, values.short(F.col("v"))) == [None] * len(MISSING)
    assert evaluated(spark, [" 4,5\n", "Nantes", "--"], values.short(F.col("v"))) == ["4,5", "Nantes", "--"]


def test_a_neutral_label_is_null(spark: SparkSession) -> None:
    neutral = ["neutre", "Mixte", "MITIGÉ", "neutral", "bof", "1"]
    assert evaluated(spark, neutral, values.labelled(F.col("v"), USUAL)) == [None] * 4 + ["bof", "1"]


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


def test_tags_are_taken_out_only_where_a_profile_has_html(spark: SparkSession) -> None:
    html = USUAL.model_copy(update={"html": True, "html_entities": False})
    assert dict(zip(TAGGED, evaluated(spark, list(TAGGED), values.text(F.col("v"), html)), strict=True)) == TAGGED


def test_texts_are_repaired_only_where_a_profile_asks_for_it(spark: SparkSession) -> None:
    repair = USUAL.model_copy(update={"repair": True})
    texts = evaluated(spark, list(DAMAGED), values.text(F.col("v"), repair))
    assert dict(zip(DAMAGED, texts, strict=True)) == DAMAGED
    assert evaluated(spark, ["cÅ“ur"], values.text(F.col("v"), USUAL)) == ["cÅ“ur"]
    null = spark.createDataFrame([(None,)], "v string").select(values.text(F.col("v"), repair).alias("got"))
    assert [row["got"] for row in null.collect()] == [None]


def test_hostile_texts_take_no_longer_than_long_ones(spark: SparkSession) -> None:
    """A million characters each, in which a careless expression would search back and forth, or overflow the stack."""
    every = USUAL.model_copy(update={"html": True, "repair": True})
    pieces = ("<a", "<br ", "&", "&a", "<", "</p", "Ã", "[a", "a.", "a@a.", "www.", "J?a", "<a b='", "\ufffd", " ")
    texts = [piece * (1_000_000 // len(piece)) for piece in pieces]
    began = time.monotonic()
    frame = spark.createDataFrame([(text, None, None, None) for text in texts], READ)
    read = frame.withColumn("text", values.text(F.col("text"), every))
    judged = read.select(F.expr(prose.N_DAMAGED), F.expr(prose.is_prose("text")), F.expr(prose.language_part("text")))
    assert len(judged.collect()) == len(texts)
    assert time.monotonic() - began < 60


def test_item_types(spark: SparkSession) -> None:
    kinds = F.element_at(F.split("v", ","), 1), F.nullif(F.element_at(F.split("v", ","), 2), F.lit(""))
    inputs = ["Movie,x", "Série,x", "podcast,x", ",http://h/series/1", ",http://h/film/1", ",x"]
    item_type = values.item_type(F.nullif(kinds[0], F.lit("")), kinds[1], USUAL)
    assert evaluated(spark, inputs, item_type) == ["film", "series", "podcast", "series", "film", None]
