"""Nights whose films are only named, whose addresses are the reviews', or whose files are the films: in Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sentiment.orchestration import summary
from sentiment.store import sources

from tests.kit.rows import newest_run, novelty, rows, run_sql

FIRST = date(2026, 6, 1)
SECOND = FIRST + timedelta(days=1)
Publish = Callable[..., None]


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records), "utf-8")
    return path


def films(source: str) -> dict[str, tuple[int, str | None]]:
    """Return the reviews of each film that the view has, and the film's title."""
    query = (
        "SELECT v.item_id, v.n_reviews, i.item_title FROM sentiment.v_film_sentiment v "
        "LEFT JOIN sentiment.item i USING (source, item_id) WHERE source = :s"
    )
    return {row.item_id: (row.n_reviews, row.item_title) for row in rows(query, s=source)}


def review(n: int, **values: Any) -> dict[str, Any]:
    return {"pseudo": f"a{n}", "critique": f"Vu {n} fois, c'est beau.", "date": "2026-05-20"} | values


def test_every_film_that_is_only_named_has_a_row(tmp_path: Path, publish: Publish) -> None:
    source = "by_title"
    named = ["L'Été", "L’ÉTÉ ", "l'e\u0301te\u0301", "Le Lac", "Le  Lac"]
    records = [review(n, film=title) for n, title in enumerate(named)]
    records += [review(8, film="Le Lac", type="série"), review(9, film="La Rive", film_id="f1"), review(10)]
    publish(source, FIRST, written(tmp_path / "a.jsonl", records))
    assert films(source) == {
        "title:l'ete": (3, "L'Été"),
        "title:le lac": (2, "Le Lac"),
        "title(series):le lac": (1, "Le Lac"),
        "f1": (1, "La Rive"),
        "": (1, None),
    }
    # The title of a review stays as the dump has it.
    shown = rows("SELECT DISTINCT item_title FROM sentiment.review WHERE source = :s", s=source)
    assert {row[0] for row in shown} == {"L'Été", "L’ÉTÉ", "l'e\u0301te\u0301", "Le Lac", "Le  Lac", "La Rive", None}


def test_the_address_of_a_review_is_no_film_and_a_shared_title_is(tmp_path: Path, publish: Publish) -> None:
    site = "https://www.example.org/film/12/critique"
    publish(
        "by_url", FIRST, written(tmp_path / "a.jsonl", [review(n, url=f"{site}/{n}", film="Le Lac") for n in range(4)])
    )
    assert films("by_url") == {"title:le lac": (4, "Le Lac")}
    table = tmp_path / "ratings.csv"
    lines = ["Title,Rating,Review", *(f'"Film {n % 2}",4,"Vu {n} fois."' for n in range(4)), "Film 9,3.5,"]
    table.write_text("\n".join(lines), "utf-8")
    publish("by_name", FIRST, table)
    assert films("by_name") == {"title:film 0": (2, "Film 0"), "title:film 1": (2, "Film 1")}
    assert sources.fixed("by_name").mapped["item_title"] == "Title"  # type: ignore[union-attr, index]
    # Later nights read both as the first, whatever their own few values show.
    few = written(tmp_path / "few" / "b.jsonl", [review(20 + n, url=f"{site}/same", film="Le Lac") for n in range(4)])
    publish("by_url", SECOND, few)
    assert films("by_url") == {"title:le lac": (8, "Le Lac")}
    table.write_text('Title,Rating,Review,User\nFilm 5,4,"Vu cinq fois.",Zoé\n', "utf-8")
    publish("by_name", SECOND, table)
    assert films("by_name")["title:film 5"] == (1, "Film 5")


def test_files_that_are_films(tmp_path: Path, publish: Publish, profile: Callable[..., str]) -> None:
    source, mine = "by_file", profile('item_from = "file"')
    for name in ("amelie.csv", "forrest_gump.csv"):
        path = tmp_path / "dump" / name
        path.parent.mkdir(exist_ok=True)
        # Nothing but the name separates the two files.
        path.write_text("note,critique\n4,Un beau film.\n4,Un beau film.\n", "utf-8")
    publish(source, FIRST, tmp_path / "dump", profile=mine)
    assert novelty(source, FIRST) == {"new": 4}
    assert films(source) == {"title:amelie": (2, "amelie"), "title:forrest gump": (2, "forrest gump")}
    # Moved and listed in another order they are what they were.
    (tmp_path / "again").mkdir()
    for path in sorted((tmp_path / "dump").iterdir()):
        path.rename(tmp_path / "again" / f"{path.stem.replace('_', '-')}.csv")
    publish(source, SECOND, tmp_path / "again", profile=mine, allow=("same_dump",))
    assert novelty(source, SECOND) == {"known": 4}


def test_a_source_of_an_earlier_version_is_read_anew_and_not_changed(tmp_path: Path, publish: Publish) -> None:
    source = "earlier"
    records = [review(n, film="Le Lac") for n in range(6)]
    publish(source, FIRST, written(tmp_path / "a.jsonl", records))
    # As version 2 of the reading had it: no item where there was no id.
    run_sql("UPDATE sentiment.run SET reading_version = 2 WHERE source = :s", s=source)
    run_sql("UPDATE sentiment.source_rule SET version = 2 WHERE source = :s", s=source)
    run_sql("UPDATE sentiment.review SET item_id = NULL, content_hash = md5(review_id) WHERE source = :s", s=source)
    run_sql("UPDATE sentiment.night_review SET content_hash = md5(review_id) WHERE source = :s", s=source)
    # A name that is known since doesn't enter the identity either.
    again = [record | {"content_id": "c1"} for record in records[:3]] + records[3:5]
    publish(source, SECOND, written(tmp_path / "b.jsonl", [*again, records[5] | {"critique": "Revu : non, vraiment."}]))
    assert novelty(source, SECOND) == {"known": 5, "new": 1}
    assert "5 known reviews are read anew" in summary.of_run(newest_run(source))
    items = rows("SELECT item_id, count(*) FROM sentiment.review WHERE source = :s GROUP BY 1", s=source)
    assert {row[0]: row[1] for row in items} == {"c1": 3, "title:le lac": 3, None: 1}
