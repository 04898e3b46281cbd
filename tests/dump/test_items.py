"""Films: ids of those that are only named, addresses and titles that are the review's, films named by file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F
from sentiment.dump import items, profiles
from sentiment.dump.records import Record
from sentiment.runs.model import Layout, Reading

from tests.dump.receiving import take, written

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

USUAL = profiles.get_profile("usual", None)
SITE = "https://www.example.org"


@pytest.mark.parametrize(
    ("title", "kind", "expected"),
    [
        ("Le Phare du nord", None, "title:le phare du nord"),
        ("  LE  PHARE\u00a0du\tnord ", "film", "title:le phare du nord"),
        ("Été à l’Île d'Œuf", "film", "title:ete a l'ile d'oeuf"),
        ("E\u0301te\u0301", None, "title:ete"),
        ("Été", "series", "title(series):ete"),
        ("Ёлки", "film", "title:елки"),
        ("\u0301 ", "film", None),
        (None, "film", None),
    ],
)
def test_an_item_that_is_only_named(
    spark: SparkSession, title: str | None, kind: str | None, expected: str | None
) -> None:
    rows = spark.createDataFrame([(title, kind)], "title string, kind string")
    assert rows.select(items.id_of_title(F.col("title"), F.col("kind"))).collect()[0][0] == expected


def test_the_id_of_a_long_title_is_bounded(spark: SparkSession) -> None:
    titles = ["é" * 490 + end for end in ("a", "b")] + ["e" * 996 + end for end in ("a", "b")]
    rows = spark.createDataFrame([(title,) for title in titles], "title string")
    ids = [row[0] for row in rows.select(items.id_of_title(F.col("title"), F.lit("film"))).collect()]
    assert len(set(ids)) == 4
    assert all(len(item_id.encode()) <= 1000 and item_id.startswith("title:") for item_id in ids)


def inferred(columns: str, rows: Sequence[Sequence[str]]) -> dict[str, str | None]:
    out, records = io.StringIO(), []
    for number, row in enumerate(rows, 1):
        out.seek(0)
        out.truncate()
        csv.writer(out, delimiter=";", lineterminator="").writerow(row)
        records.append(Record(number, 0, out.getvalue().encode(), len(out.getvalue())))
    return items.inferred(Layout("csv", columns.split(), ";"), records, USUAL)


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        # A review's own address: another column names the film, or the address itself has it.
        ("film critique url", [("Le Lac", "Bien.", f"{SITE}/p/{n}") for n in range(5)], {"url": None}),
        ("critique url", [("Bien.", f"{SITE}/film/12/critique/{n}") for n in range(5)], {"url": None}),
        ("critique URL", [("Bien.", f"{SITE}/avis-{n}.html") for n in range(5)], {"URL": None}),
        ("film_id critique url", [("f1", "Bien.", f"{SITE}/film/{n % 2}") for n in range(5)], {"url": None}),
        # A film's: shared, or nothing else names one.
        ("film critique url", [("Le Lac", "Bien.", f"{SITE}/film/{n % 2}") for n in range(6)], {}),
        ("critique url", [("Bien.", f"{SITE}/film/{n % 2}/critiques/") for n in range(6)], {}),
        ("critique url", [("Bien.", f"{SITE}/film/{n}") for n in range(5)], {}),
        # A name that is a film's address leaves no doubt.
        ("film critique film-url", [("Le Lac", "Bien.", f"{SITE}/critique/{n}") for n in range(5)], {}),
        # A title that records share, or that stands where no text is, or of records without author or id.
        ("id title review", [(str(n), "Le Lac", "Bien.") for n in range(5)], {"title": "item_title"}),
        ("id Titre critique", [(str(n), f"Film {n}", "Bien." * (n % 2)) for n in range(5)], {"Titre": "item_title"}),
        ("Title Rating Review", [(f"Film {n}", "3", "Bien.") for n in range(5)], {"Title": "item_title"}),
        # A review's title.
        ("id user titre critique", [(str(n), "a", f"Bravo {n}", "Bien.") for n in range(5)], {}),
        ("id user titre critique", [(str(n), "a", "", "Bien.") for n in range(5)], {}),
        ("id film title critique", [(str(n), "Le Lac", "Bravo", "Bien.") for n in range(5)], {}),
        ("id titre_avis critique", [(str(n), "Bravo", "Bien.") for n in range(5)], {}),
        ("id title critique url", [(str(n), f"Bravo {n}", "Bien.", f"{SITE}/f/{n % 2}") for n in range(4)], {}),
        # A name beside a year is a film's.
        ("Name Year Review", [(f"Film {n}", "2019", "Bien.") for n in range(3)], {"Name": "item_title"}),
        ("Name Review", [("Zoé", "Bien.")], {}),
    ],
)
def test_what_values_show(columns: str, rows: Sequence[Sequence[str]], expected: dict[str, str | None]) -> None:
    assert inferred(columns, rows) == expected


def test_values_of_nested_json_count_like_others() -> None:
    lines = [{"film": {"title": "Le Lac"}, "critique": "Bien.", "url": f"{SITE}/p/{n}"} for n in range(4)]
    records = [Record(n, 0, json.dumps(line).encode(), 1) for n, line in enumerate(lines, 1)]
    assert items.inferred(Layout("jsonl", ["film.title", "critique", "url"]), records, USUAL) == {"url": None}


def test_a_source_s_later_nights_read_its_columns_as_the_first() -> None:
    layouts, columns = [Layout("csv", ["url", "title", "review"], inferred={"url": None})], ["url", "title", "review"]

    def fixed(**mapped: str) -> dict[str, str | None]:
        (layout,) = items.as_fixed(layouts, columns, USUAL, mapped)
        return layout.inferred

    assert fixed(item_id="URL", title="title", text="review") == {}
    assert fixed(title="title", text="review") == {"url": None}
    assert fixed(item_title="title", text="review") == {"url": None, "title": "item_title"}


@pytest.mark.parametrize(
    ("uri", "title"),
    [
        ("/dumps/amelie.csv", "amelie"),
        ("/dumps/forrest_gump.csv.gz", "forrest gump"),
        ("s3://bucket/key/le-lac.jsonl.zst", "le lac"),
        ("/dumps/M.A.S.H.csv", "M.A.S.H"),
        ("/dumps/archive.zip!films/La_Rive.csv", "La Rive"),
        ("/dumps/_.csv", None),
    ],
)
def test_the_title_that_a_file_s_name_is(uri: str, title: str | None) -> None:
    assert items.file_title(uri) == title


def test_films_named_by_file_make_names_part_of_the_dump(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    profile = 'item_from = "file"\n' + (profiles.BUNDLED / "usual.toml").read_text("utf-8")
    (sources / "by_file.toml").write_text(profile, "utf-8")
    folder = tmp_path / "dump"
    folder.mkdir()
    # The same bytes: what the films are is in the names alone.
    for name in ("amelie.csv", "forrest_gump.csv"):
        written(folder / name, b"note;critique\n4;Un beau film.\n")

    def titles(profile: str = "by_file") -> tuple[str, list[str | None]]:
        dump, _ = take(folder, tmp_path, Reading(profile=profile), sources=sources)
        return dump.dump_id, [layout.file_title for layout in dump.layouts]

    first, named = titles()
    assert named == ["amelie", "forrest gump"]
    assert titles() == (first, named)
    (folder / "amelie.csv").rename(folder / "zorro.csv")
    second, renamed = titles()
    assert renamed == ["forrest gump", "zorro"]
    assert first != second
    plain, unnamed = titles("usual")
    assert unnamed == [None, None]
    assert plain not in (first, second)
