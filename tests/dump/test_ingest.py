"""Records -> typed rows of the contract, whatever they look like."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.dump.ingest import to_rows
from sentiment.dump.receive import receive
from sentiment.lake import Lake
from sentiment.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

JSONL = [
    b'{"id": "a1", "film_id": "f1", "film": "Le Lac", "type": "film", "author": "Zo\xc3\xa9", "date": "2026-11-20",'
    b' "rating": "4,5", "title": "Bravo", "review": "C\'est beau.", "polarity": 1}',
    b'{"review": "Nul.", "polarity": 0}',
    b'{"review": "Nul.", "polarity": 0}',
    b'{"review": "caf\xe9"}',
    b'{"review": "broken',
    b'{"review": "Bien", "rating": "onze", "date": "hier", "polarity": "oui"}',
    b'{"id": "", "review": "e\\u0301tonnant"}',
    b'{"id": "b1", "review": "\\u00e9tonnant"}',
]


def ingest(spark: SparkSession, tmp_path: Path, name: str, content: bytes) -> list[Row]:
    path, lake = tmp_path / name, Lake(str(tmp_path / "lake"))
    path.write_bytes(content)
    dump = receive(str(path), Settings(home=tmp_path), lake)
    received = lake.read(spark, lake.committed("received", f"dump={dump.dump_id}"))
    return to_rows(received, "allocine", dump.layouts).orderBy("record_no").collect()


def test_json_lines(spark: SparkSession, tmp_path: Path) -> None:
    rows = ingest(spark, tmp_path, "a.jsonl", b"\n".join(JSONL))
    assert len(rows) == len(JSONL)
    first = rows[0].asDict()
    wanted: dict[str, Any] = {
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
    assert {k: first[k] for k in wanted} == wanted
    assert [r["problem"] for r in rows] == [None, None, None, "not_utf8", "not_jsonl", None, None, None]
    assert [r["raw"] for r in rows] == [bytearray(line) for line in JSONL]
    odd = rows[5]
    assert (odd["rating"], odd["review_date"], odd["polarity"]) == (None, None, None)
    assert (odd["rating_text"], odd["date_text"], odd["polarity_text"]) == ("onze", "hier", "oui")


def test_strangers_with_the_same_words_stay_apart_and_nfc_is_one_text(spark: SparkSession, tmp_path: Path) -> None:
    rows = ingest(spark, tmp_path, "a.jsonl", b"\n".join(JSONL))
    assert rows[1]["review_id"] != rows[2]["review_id"]
    assert rows[1]["text_hash"] == rows[2]["text_hash"]
    assert rows[6]["text_hash"] == rows[7]["text_hash"]
    assert rows[6]["text"] == "e\u0301tonnant"
    assert len({r["review_id"] for r in rows}) == len(rows)


def test_csv(spark: SparkSession, tmp_path: Path) -> None:
    content = 'id;note;critique\n1;4,5;"deux\nlignes ""citées"""\n2;3;"a";"trop"\n3;;simple\n'.encode()
    rows = ingest(spark, tmp_path, "a.csv", content)
    assert [r["text"] for r in rows] == ['deux\nlignes "citées"', None, "simple"]
    assert [r["rating"] for r in rows] == [4.5, None, None]
    assert [r["problem"] for r in rows] == [None, "not_csv", None]


def test_an_id_makes_the_same_review_of_any_place(spark: SparkSession, tmp_path: Path) -> None:
    one = ingest(spark, tmp_path, "a.jsonl", b'{"id": "x", "review": "Un"}')
    two = ingest(spark, tmp_path, "b.jsonl", b'{"id": "y", "review": "Un"}\n{"id": "x", "review": "Deux"}')
    assert one[0]["review_id"] == two[1]["review_id"] != two[0]["review_id"]
    assert one[0]["content_hash"] != two[1]["content_hash"]
