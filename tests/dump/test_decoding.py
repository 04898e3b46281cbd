"""Records -> typed rows of the contract, whatever they look like."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.dump.profiles import CONTENT
from sentiment.runs.model import IdentityRule, Reading

from tests.dump import receiving

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

PLAIN = Reading()
JSONL = [
    b'{"id": "a1", "film_id": "f1", "film": "Le Lac", "type": "film", "author": "Zo\xc3\xa9", "date": "2026-11-20",'
    b' "rating": "4,5", "title": "Bravo", "review": "C\'est beau.", "polarity": 1}',
    b'{"review": "Nul.", "polarity": 0}',
    b'{"review": "Nul.", "polarity": 0}',
    b'{"review": "caf\xe9"}',
    b'{"review": "broken',
    b'{"review": "Bien", "rating": "onze", "date": "hier", "polarity": "bof"}',
    b'{"id": "", "review": "e\\u0301tonnant"}',
    b'{"id": "b1", "review": "\\u00e9tonnant"}',
]


def decoded(
    spark: SparkSession,
    tmp_path: Path,
    name: str,
    content: bytes | None,
    reading: Reading = PLAIN,
    rule: IdentityRule | None = None,
) -> list[Row]:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    return receiving.decoded(spark, path, tmp_path, reading, rule).collect()


def test_json_lines(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "a.jsonl", b"\n".join(JSONL))
    assert len(rows) == len(JSONL)
    first = rows[0].asDict()
    expected: dict[str, Any] = {
        "item_id": "f1",
        "item_title": "Le Lac",
        "item_type": "film",
        "author": "Zoé",
        "review_date": date(2026, 11, 20),
        "rating": 4.5,
        "title": "Bravo",
        "text": "C'est beau.",
        "polarity": 1,
        "problem": None,
    }
    assert {k: first[k] for k in expected} == expected
    assert [r["problem"] for r in rows] == [None, None, None, "not_utf8", "not_json", None, None, None]
    assert [r["raw"] for r in rows] == [bytearray(line) for line in JSONL]
    odd = rows[5]
    assert (odd["rating"], odd["review_date"], odd["polarity"]) == (None, None, None)
    assert (odd["rating_text"], odd["date_text"], odd["polarity_text"]) == ("onze", "hier", "bof")


def test_identical_texts_of_unknown_authors_stay_apart_and_nfc_is_one_text(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "a.jsonl", b"\n".join(JSONL))
    # They differ in their number alone, which `numbered` gives them.
    assert rows[1]["equal_key"] == rows[2]["equal_key"] is not None
    assert rows[1]["text_hash"] == rows[2]["text_hash"]
    assert rows[6]["text_hash"] == rows[7]["text_hash"]
    assert rows[6]["text"] == "e\u0301tonnant"
    readable = [r["review_id"] for r in rows if r["problem"] is None]
    assert (len(readable), len(set(readable))) == (6, 5)


def test_a_source_of_an_earlier_version_is_identified_by_what_that_version_read(
    spark: SparkSession, tmp_path: Path
) -> None:
    lines = [{"film": "Le Lac", "pseudo": "nan", "date": day, "critique": "Bien."} for day in ("03/03/24", "hier")]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    former, now = (
        decoded(spark, tmp_path, "a.jsonl", content, rule=IdentityRule(CONTENT, version)) for version in (2, 3)
    )
    # Then neither day was read, and the author was called nan.
    assert former[0]["review_id"] == former[1]["review_id"]
    assert now[0]["review_id"] != now[1]["review_id"]
    assert [(row["review_date"], row["author"]) for row in former] == [(date(2024, 3, 3), None), (None, None)]


def test_csv(spark: SparkSession, tmp_path: Path) -> None:
    content = 'id;note;critique\n1;4,5;"deux\nlignes ""citées"""\n2;3;"a";"trop"\n3;;simple\n'.encode()
    rows = decoded(spark, tmp_path, "a.csv", content)
    assert [r["text"] for r in rows] == ['deux\nlignes "citées"', None, "simple"]
    assert [r["rating"] for r in rows] == [4.5, None, None]
    assert [r["problem"] for r in rows] == [None, "not_csv", None]


def test_a_dump_in_a_named_encoding(spark: SparkSession, tmp_path: Path) -> None:
    content = "id;critique\n1;C’était déçu à 5 €\n2;œuvre".encode("cp1252") + b"\n3;\x81\n"
    rows = decoded(spark, tmp_path, "a.csv", content, Reading(encoding="windows-1252"))
    assert [r["text"] for r in rows] == ["C’était déçu à 5 €", "œuvre", None]
    assert [r["problem"] for r in rows] == [None, None, "not_in_encoding"]


def test_a_row_in_another_encoding_has_a_suggestion(spark: SparkSession, tmp_path: Path) -> None:
    content = "id;critique\n1;bien\n2;C’était très décevant, à éviter\n".encode("cp1252")
    rows = decoded(spark, tmp_path, "a.csv", content)
    assert (rows[0]["problem"], rows[1]["problem"]) == (None, "not_utf8")
    assert re.search(r"\b4\b.*\butf-8\b.*\bwindows-1252\b", rows[1]["problem_detail"])


def test_ragged_rows_are_not_csv(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "a.csv", b"id,note,critique\n1,4\n2,4,bien\n3,4,bien,trop\n")
    assert [r["problem"] for r in rows] == ["not_csv", None, "not_csv"]
    assert re.search(r"\b3\b", rows[0]["problem_detail"])
    assert rows[1]["text"] == "bien"


def test_columns_in_any_case_in_files_of_two_formats(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "b.csv").write_text("Critique;Note\nDeux;4,5/5\n", "utf-8")
    (folder / "a.json").write_text('[{"Review": "Un", "RATING": 8, "x": {"y": []}}]', "utf-8")
    rows = decoded(spark, tmp_path, "drop", None)
    assert [(r["file_no"], r["text"], r["rating"]) for r in rows] == [(0, "Un", 8.0), (1, "Deux", 4.5)]


def test_the_official_shape(spark: SparkSession, tmp_path: Path) -> None:
    line = {"film-url": "http://h/series/ficheserie-1/critiques/", "review": "A &amp; B &eacute;", "polarity": 0}
    rows = decoded(spark, tmp_path, "a.jsonl", json.dumps(line).encode())
    row = rows[0]
    assert (row["item_id"], row["item_type"], row["text"], row["polarity"]) == (
        line["film-url"],
        "series",
        "A & B é",
        0,
    )


def test_an_id_makes_the_same_review_wherever_it_stands(spark: SparkSession, tmp_path: Path) -> None:
    one = decoded(spark, tmp_path, "a.jsonl", b'{"id": "x", "review": "Un"}')
    two = decoded(spark, tmp_path, "b.jsonl", b'{"id": "y", "review": "Un"}\n{"id": "x", "review": "Deux"}')
    assert one[0]["review_id"] == two[1]["review_id"] != two[0]["review_id"]
