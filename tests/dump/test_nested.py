"""Values in nested objects, of JSON and of Parquet's structs: read by dotted names, never as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentiment.dump.receive import receive
from sentiment.errors import DumpRefusedError
from sentiment.quality import rules
from sentiment.runs.model import FIRST_RULE, IdentityRule, Reading
from sentiment.settings import Settings
from sentiment.workspace import Workspace

from tests.dump import receiving

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

BEFORE = IdentityRule(("item_id", "author", "review_date", "text"), version=2)


def decoded(
    spark: SparkSession, path: Path, profile: str | None = None, rule: IdentityRule | None = None, **changes: object
) -> DataFrame:
    return receiving.decoded(spark, path, path.parent, Reading(profile=profile), rule, **changes)


def written(path: Path, records: Sequence[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records), "utf-8")
    return path


def values(row: Row, names: str) -> list[Any]:
    return [row[name] for name in names.split()]


CONTENT = "own_id item_id item_title author rating review_date title text"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {
                "id": "B0", "review": {"text": "Un beau film.", "rating": {"value": 4.5}},
                "author": {"username": {"text": "Zoé"}, "id": 7}, "film": {"id": 99, "title": "Le Lac", "note": 2},
                "date": "2026-03-01",
            },
            ["B0", "99", "Le Lac", "Zoé", 4.5, date(2026, 3, 1), None, "Un beau film."],
        ),
        (
            {
                "id": "rw1", "author": {"nickName": "Z", "username": {"text": "Zoé"}}, "authorRating": 4,
                "submissionDate": "2026-03-03", "summary": {"originalText": "Bravo"},
                "text": {"originalText": {"plaidHtml": "Un beau film."}},
            },
            ["rw1", None, None, "Zoé", 4.0, date(2026, 3, 3), "Bravo", "Un beau film."],
        ),
        (
            {
                "@type": "Review", "reviewBody": "Un beau film.", "author": {"@type": "Person", "name": "Zoé"},
                "itemReviewed": {"name": "Le Lac", "aggregateRating": {"ratingValue": 1}},
                "reviewRating": {"ratingValue": "3.5", "bestRating": 5}, "datePublished": "2026-03-03T10:00:00Z",
            },
            [None, "title:le lac", "Le Lac", "Zoé", 3.5, date(2026, 3, 3), None, "Un beau film."],
        ),
        (
            {"_id": {"$oid": "65e0"}, "critique": "Un beau film.", "date": {"$date": "2026-03-03T10:00:00Z"}},
            ["65e0", None, None, None, None, date(2026, 3, 3), None, "Un beau film."],
        ),
    ],
    ids=["reviews with objects", "texts in objects", "schema.org", "mongo"],
)  # fmt: skip
def test_usual_names_at_the_ends_of_paths(
    spark: SparkSession, tmp_path: Path, record: dict[str, Any], expected: list[Any]
) -> None:
    (row,) = decoded(spark, written(tmp_path / "a.jsonl", [record])).collect()
    assert row["problem"] is None
    assert values(row, CONTENT) == expected


def profile(folder: Path, columns: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "own.toml").write_text(f'about = "own"\n[columns]\n{columns}', "utf-8")
    return folder


def test_dotted_names_of_a_profile(spark: SparkSession, tmp_path: Path) -> None:
    sources = profile(
        tmp_path / "sources", 'text = ["Opinion.Texte"]\nrating = ["opinion.note"]\nauthor = ["qui.nom"]\n'
    )
    records = [
        {"opinion": {"texte": "Un.", "note": 4}, "qui": {"nom": "Zoé"}},
        # A key that is the name itself comes first, and case doesn't count.
        {"opinion.texte": "Deux.", "opinion": {"texte": "non", "NOTE": 3}, "qui": "Zoé"},
        {"opinion": {"texte": "Trois.", "note": [1]}, "qui": None},
    ]
    rows = decoded(spark, written(tmp_path / "a.jsonl", records), "own", sources=sources).collect()
    assert [values(row, "text rating author problem") for row in rows] == [
        ["Un.", 4.0, "Zoé", None],
        ["Deux.", None, None, None],
        ["Trois.", None, None, None],
    ]
    assert [row["rating_text"] for row in rows] == ["4", None, "[1]"]


def test_an_object_is_never_read_as_its_json(spark: SparkSession, tmp_path: Path) -> None:
    sure = {"id": "1", "critique": "Un.", "auteur": "Zoé", "note": 4, "titre": "[REC]", "film": "Le Lac"}
    records = [
        sure,
        sure | {"id": "2", "auteur": {"nom": "Éloïse", "n": 1.50}},
        sure | {"id": "3", "auteur": {"avatar": "x", "n": 12345678.0}, "note": {"sur5": 4}, "titre": ["a"]},
        sure | {"id": "4", "critique": {"corps": "Quatre."}},
        sure | {"id": "5", "critique": "[1] un début et une fin [2]", "auteur": "{Zoé}"},
        sure | {"id": "6", "critique": ["a", "b"]},
        {"id": {"n": 7}, "critique": "Sept.", "film": {"a": {"b": []}}},
    ]
    rows = decoded(spark, written(tmp_path / "a.jsonl", records)).collect()
    assert [values(row, "own_id author rating title text problem") for row in rows] == [
        ["1", "Zoé", 4.0, "[REC]", "Un.", None],
        ["2", "Éloïse", 4.0, "[REC]", "Un.", None],
        ["3", None, None, None, "Un.", None],
        [None, None, None, None, None, "not_single"],
        ["5", "{Zoé}", 4.0, "[REC]", "[1] un début et une fin [2]", None],
        [None, None, None, None, None, "not_single"],
        [None, None, None, None, "Sept.", None],
    ]
    assert rows[2]["rating_text"] == '{"sur5":4}'
    assert rows[2]["nested"].keys() == {"author", "title"}
    assert json.loads(rows[2]["nested"]["author"])["avatar"] == "x"
    assert rows[6]["nested"] == {"own_id": '{"n":7}', "item_title": '{"a":{"b":[]}}'}
    assert [row["nested"] for row in rows[:2]] == [None, None]


def test_what_is_no_single_value_is_unread_or_refused(spark: SparkSession, tmp_path: Path) -> None:
    sure = {"id": "1", "critique": "Un bien beau film.", "auteur": "Zoé", "date": "2026-03-01"}
    records = [sure, sure | {"id": "2", "auteur": {"avatar": "x"}, "date": {"a": "12 février 2008"}}]
    records.append(sure | {"id": "3", "critique": {"corps": "Trois."}})
    rows = decoded(spark, written(tmp_path / "a.jsonl", records))
    facts = {"language": "CAST(NULL AS STRING)", "prepared_blank": "false", "n_damaged": "0"}
    rows = rows.selectExpr("*", *(f"{sql} AS {name}" for name, sql in facts.items()))
    table = rules.table(Settings(home=tmp_path, check_language=False), date(2026, 3, 5))
    first, second, third = rules.judged(rows, table).orderBy("record_no").collect()
    assert (first["reasons"], first["unread"]) == ([], [])
    assert second["reasons"] == []
    assert [tuple(unread) for unread in second["unread"]] == [
        ("review_date", '{"a":"12 février 2008"}', "date_readable"),
        ("author", '{"avatar":"x"}', "author_single"),
    ]
    assert third["reasons"] == ["readable"]
    assert "object or a list" in third["details"]


def test_a_dump_whose_text_is_an_object_lists_the_names_there_are(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [{"review": {"corps": "Un."}, "film": {"id": 1}}] * 2)
    with pytest.raises(DumpRefusedError, match=r"review\.corps, film\.id"):
        receive(str(path), Settings(home=tmp_path), Workspace(str(tmp_path / "lake")))


def test_structs_of_parquet(spark: SparkSession, tmp_path: Path) -> None:
    kind = pa.struct([("text", pa.string()), ("note", pa.float64()), ("date", pa.timestamp("us", "Europe/Paris"))])
    reviews = [
        {"text": "Un.", "note": 4.0, "date": datetime(2026, 3, 1, 12, tzinfo=UTC)},
        {"text": "Deux.", "note": float("nan"), "date": None},
        None,
    ]
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "review": pa.array(reviews, kind),
            "author": [{"name": "Zoé", "photo": b"\xff"}, {"name": None, "photo": None}, None],
            "genres": [["a"], [], None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    rows = decoded(spark, tmp_path / "a.parquet").collect()
    assert [values(row, "own_id text rating review_date author problem") for row in rows] == [
        ["1", "Un.", 4.0, date(2026, 3, 1), "Zoé", None],
        ["2", "Deux.", None, None, None, None],
        ["3", None, None, None, None, None],
    ]


def test_text_in_a_struct_that_is_not_utf8_is_its_record_s_problem(spark: SparkSession, tmp_path: Path) -> None:
    texts = pa.array([b"Un.", b"caf\xe9"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"review": pa.StructArray.from_arrays([texts], ["text"])}), tmp_path / "a.parquet")
    rows = decoded(spark, tmp_path / "a.parquet").collect()
    assert [(row["text"], row["problem"]) for row in rows] == [("Un.", None), (None, "not_utf8")]
    assert "review.text" in rows[1]["problem_detail"]


@pytest.mark.parametrize("rule", [BEFORE, FIRST_RULE])
def test_sources_that_were_published_before_know_their_reviews(
    spark: SparkSession, tmp_path: Path, rule: IdentityRule
) -> None:
    """Neither a name that is known since, nor an item's id that is made of its title enters their identity."""
    flat = [{"film": "Le Lac", "pseudo": "Zoé", "date": "2026-03-01", "critique": "Un."}]
    same = [flat[0] | {"review_body": "non", "content_id": 9, "reviewer": {"name": "x"}}]
    ids = []
    for name, records in (("a", flat), ("b", same)):
        (tmp_path / name).mkdir()
        (row,) = decoded(spark, written(tmp_path / name / "a.jsonl", records), rule=rule).collect()
        ids.append(row["review_id"])
        assert row["item_id"] == ("title:le lac" if name == "a" else "9")
    assert ids[0] == ids[1]
    (now,) = decoded(spark, written(tmp_path / "b" / "c.jsonl", same)).collect()
    assert now["review_id"] != ids[0]
