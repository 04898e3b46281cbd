"""Dotted names: the ways to values in nested objects, and Spark's schema that leads there."""

from __future__ import annotations

from sentiment.dump import paths
from sentiment.dump.paths import Spelling

RECORD = {"id": 1, "film": {"id": 9, "genres": ["a"], "at": {"b": {"c": 1, "d": {"e": 2}}}}, "tags": [], "note": None}


def test_a_record_has_the_paths_of_its_values_up_to_a_depth() -> None:
    assert list(paths.scalars(RECORD)) == [("id",), ("film", "id"), ("film", "at", "b", "c"), ("note",)]
    assert paths.columns([RECORD, {"Note": 2}], 10) == (["id", "film.id", "film.at.b.c", "note", "Note"], 3)


def test_objects_keyed_by_ids_make_no_endless_columns() -> None:
    votes = {"votes": {str(n): n for n in range(50)}, "critique": "Bien."}
    columns, n_at_top = paths.columns([votes, {"film": "Le Lac"}], 3)
    assert (columns, n_at_top) == (["votes.0", "votes.1", "votes.2", "critique", "film"], 2)


def test_a_key_that_contains_the_dot_comes_first() -> None:
    assert paths.splits("note") == [("note",)]
    assert paths.splits("a.b.c") == [("a.b.c",), ("a.b", "c"), ("a", "b.c"), ("a", "b", "c")]
    assert max(map(len, paths.splits("a.b.c.d.e"))) == paths.MAX_DEPTH


def test_a_path_is_spelled_as_the_dump_spells_it() -> None:
    spelling = Spelling(["Review.Text", "REVIEW.note", " Film "])
    assert spelling(("review", "text")) == ("Review", "Text")
    assert spelling(("review", "Note")) == ("Review", "note")
    assert spelling(("film",)) == (" Film ",)
    assert spelling(("Author",)) == ("Author",)


def test_the_schema_holds_every_path_once() -> None:
    known = [("review", "text"), ("review", "no`te"), ("film", "id")]
    assert paths.schema(known) == "`review` struct<`text`: string, `no``te`: string>, `film` struct<`id`: string>"
    assert paths.getter("fields2", ("review", "no`te")) == "fields2.`review`.`no``te`"
