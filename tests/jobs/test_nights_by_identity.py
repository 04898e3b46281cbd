"""Nights whose identity rule separates their reviews, or not: stopped, mended, published, listed again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.orchestration import forgetting, summary
from sentiment.runs import opening
from sentiment.store import quarantine, sources
from sentiment.store.quarantine import Which

from tests.kit.rows import newest_run, novelty, rows, run_sql

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST = date(2026, 6, 1)
SECOND = FIRST + timedelta(days=1)
FILMS = ("Le Lac", "La Rive")
BY_ITEM = 'identity = ["item_id", "own_id"]'
Write = Callable[..., Path]
Publish = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes records as JSON lines below a name and returns the path."""

    def to(name: str, records: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
        return path

    return to


def review(n: int, film: str, **values: Any) -> dict[str, Any]:
    return {"id": n, "film": film, "author": f"a{n} {film}", "review": f"Vu {n} fois, {film} est beau."} | values


def test_ids_numbered_by_film_stop_the_night_until_the_profile_names_the_film(
    write: Write, publish: Publish, profile: Callable[..., str], spark: SparkSession
) -> None:
    source = "by_film"
    for film in FILMS:
        write(f"dump/{film}.jsonl", [review(n, film) for n in range(6)])
    dump = write("dump/x.jsonl", [{"film": f, "date": "2026-05-30", "review": "Superbe !"} for f in (*FILMS, "Un")])
    with pytest.raises(DumpRefusedError, match=r"^identity: 6 of 9 identities") as refused:
        publish(source, FIRST, dump.parent)
    assert BY_ITEM in refused.value.try_next
    assert "they differ in item_title, author, text" in refused.value.message
    assert "Vu 0 fois" not in refused.value.message
    # What it refused is there to be looked at, and goes when the night is published.
    stopped = "SELECT rule_name, n_records, status FROM sentiment.v_quarantine_reasons WHERE source = :s"
    assert [tuple(row) for row in rows(stopped, s=source)] == [("same_id_other_review", 6, "stopped")]
    raw = rows(
        "SELECT raw, details FROM sentiment.quarantine JOIN sentiment.run USING (run_id) WHERE source = :s", s=source
    )
    assert len(raw) == 6
    assert all(json.loads(bytes(row.raw))["film"] == "Le Lac" for row in raw)
    assert "record 1 of file 0" in min(row.details for row in raw)
    with pytest.raises(ParameterError, match="is stopped") as named:
        opening.check_shown(opening.get_run(newest_run(source)))
    assert "make nightly DUMP=" in named.value.try_next

    mine = profile(BY_ITEM)
    publish(source, FIRST, dump.parent, profile=mine)
    assert novelty(source, FIRST) == {"new": 15}
    assert rows(stopped, s=source) == []
    assert "item_id, own_id, which a second night has yet to confirm" in summary.of_run(newest_run(source))
    publish(source, SECOND, dump.parent, profile=mine, allow=("same_dump",))
    assert novelty(source, SECOND) == {"known": 15}
    assert "yet to confirm" not in summary.of_run(newest_run(source))
    # The rule is the source's by now.
    other = profile('identity = ["own_id"]')
    with pytest.raises(ParameterError, match=r"item_id, own_id, since night 2026-06-01 .*by own_id"):
        publish(source, SECOND + timedelta(days=1), dump.parent, profile=other, allow=("same_dump",))


def test_a_list_without_ids_comes_again_with_a_row_on_top(write: Write, publish: Publish) -> None:
    source, rated = "no_ids", [{"review": f"Vu {n} fois.", "stars": n % 5 + 0.5} for n in range(8)]
    twice = rated[3]
    publish(source, FIRST, write("a.jsonl", [*rated, twice]))
    assert novelty(source, FIRST) == {"new": 9}
    new = {"review": "Vu hier soir.", "stars": 4.5}
    publish(source, SECOND, write("b.jsonl", [new, twice, *reversed(rated)]))
    assert novelty(source, SECOND) == {"new": 1, "known": 9}


def test_a_single_mistaken_id_is_quarantined_and_an_equal_record_is_a_duplicate(write: Write, publish: Publish) -> None:
    source, records = "one_conflict", [review(n, "Le Lac") for n in range(10)]
    records += [records[4], review(7, "La Rive"), records[4]]
    publish(source, FIRST, write("a.jsonl", records))
    assert novelty(source, FIRST) == {"new": 10}
    run_id = newest_run(source)
    conflict = rows("SELECT record_no, reasons, raw FROM sentiment.quarantine WHERE run_id = :r", r=run_id)
    assert [(row.record_no, row.reasons) for row in conflict] == [(12, ["same_id_other_review"])]
    assert json.loads(bytes(conflict[0].raw)) == records[11]
    same = "SELECT record_no, of_record_no FROM sentiment.duplicate WHERE run_id = :r ORDER BY record_no"
    assert [tuple(row) for row in rows(same, r=run_id)] == [(11, 5), (13, 5)]


def test_ids_that_name_other_reviews_the_next_night_stop_it(write: Write, publish: Publish) -> None:
    source = "renumbered"
    publish(source, FIRST, write("a.jsonl", [review(n, "Le Lac") for n in range(40)]))
    changed = [review(n, "Le Lac", review=f"Revu {n} fois, et alors ?") for n in range(40)]
    others = [review(n, "La Rive") for n in range(40)]
    with pytest.raises(DumpRefusedError, match=r"^identity: 40 of the 40 ids") as refused:
        publish(source, SECOND, write("b.jsonl", others))
    assert refused.value.message.count("where a night before had") == 2
    # Another text of the same author about the same film is a change.
    publish(source, SECOND, write("c.jsonl", changed))
    assert novelty(source, SECOND) == {"changed": 40}


def test_the_only_night_may_be_replaced_under_another_rule_and_what_was_removed_stays_so(
    write: Write, publish: Publish, profile: Callable[..., str]
) -> None:
    source = "replaced_rule"
    dump = write("a.jsonl", [review(n, "Le Lac") for n in range(6)])
    publish(source, FIRST, dump)
    (mine,) = (
        row[0]
        for row in rows("SELECT review_id FROM sentiment.review WHERE source = :s AND text LIKE 'Vu 3%'", s=source)
    )
    run_sql("UPDATE sentiment.run_step SET heartbeat_at = now() - interval '1 hour'")
    forgetting.forget(mine, dry_run=False)
    again = write("b.jsonl", [review(n, "Le Lac") for n in range(7)])
    publish(source, FIRST, again, supersede=True, profile=profile(BY_ITEM))
    assert [rule.columns for rule in sources.rules(source)] == [("own_id",), ("item_id", "own_id")]
    assert novelty(source, FIRST) == {"new": 6}
    assert rows("SELECT 1 FROM sentiment.review WHERE source = :s AND text LIKE 'Vu 3%'", s=source) == []


def test_slight_damage_tags_and_links_are_published_and_counted(
    write: Write, publish: Publish, profile: Callable[..., str]
) -> None:
    source = "flagged"
    links = "https://site.example.org/critiques/le-phare-une-suite-2/ www.example.org/le-phare-l-acteur-3"
    texts = {
        1: "Un pur chef d'Å“uvre, la mise en scène est parfaite et l'émotion est là à chaque scène.",
        2: f"Une suite paresseuse, que je déconseille à tous... {links}",
        3: "Très beau.<br />La musique est superbe &amp; l'image aussi.",
        4: "FranÃ§ois a adorÃ©.",
    }
    dump = write("a.jsonl", [review(n, "Le Phare", review=text) for n, text in texts.items()])
    publish(source, FIRST, dump, allow=("quarantine_share",))
    published = "SELECT text FROM sentiment.review WHERE source = :s ORDER BY text"
    expected = [texts[1], texts[2], texts[3].replace("&amp;", "&")]
    assert [row.text for row in rows(published, s=source)] == sorted(expected)
    reported = summary.of_run(newest_run(source))
    assert "Flagged, and published all the same: text_undamaged 1, text_without_tags 1" in reported
    # The same by a profile that has tags taken out and damage repaired; the bytes in quarantine stay as they came.
    publish("mended", FIRST, dump, profile=profile("html = true", "repair = true"))
    expected = [
        texts[1].replace("Å“", "œ"),
        texts[2],
        "Très beau.\nLa musique est superbe & l'image aussi.",
        "François a adoré.",
    ]
    assert [row.text for row in rows(published, s="mended")] == sorted(expected)
    assert "Flagged" not in summary.of_run(newest_run("mended"))
    raw = "SELECT raw FROM sentiment.quarantine JOIN sentiment.run USING (run_id) WHERE source = :s"
    assert [json.loads(bytes(row.raw))["review"] for row in rows(raw, s=source)] == [texts[4]]


def test_values_that_cannot_be_read_are_stored_and_too_many_stop_the_night(
    write: Write, publish: Publish, spark: SparkSession
) -> None:
    source = "scale"
    dump = write("a.jsonl", [review(n, "Le Lac", rating=n % 10 + 1) for n in range(20)])
    with pytest.raises(DumpRefusedError, match=r"^unread_share: 10 of 20 values of rating") as refused:
        publish(source, FIRST, dump)
    assert "is the scale 10? Then rating_scale = 10" in refused.value.message
    assert refused.value.message.count("(file 0, record") == 3
    # Publishing without these values is not what comes first.
    assert refused.value.try_next.index("source profile") < refused.value.try_next.index("ALLOW=unread_share")
    unread = "SELECT value, rule_name FROM sentiment.unread_value JOIN sentiment.run USING (run_id) WHERE source = :s"
    assert {row.value for row in rows(unread, s=source)} == {"6", "7", "8", "9", "10"}
    publish(source, FIRST, dump, allow=("unread_share",))
    assert len(rows(unread, s=source)) == 10
    nulls = "SELECT count(*) FILTER (WHERE rating IS NULL), count(*) FROM sentiment.review WHERE source = :s"
    assert tuple(rows(nulls, s=source)[0]) == (10, 20)
    counted = "SELECT rule_name, n_values, status FROM sentiment.v_unread_values WHERE source = :s"
    assert [tuple(row) for row in rows(counted, s=source)] == [("rating_in_range", 10, "published")]
    assert "rating_in_range 10" in summary.of_run(newest_run(source))


def test_what_a_newer_version_reads_otherwise_is_known_and_read_anew(write: Write, publish: Publish) -> None:
    source, records = "read_anew", [review(n, "Le Lac", rating=2) for n in range(8)]
    publish(source, FIRST, write("a.jsonl", records))
    # As if that night had been read by a version that took these ratings for others.
    run_sql("UPDATE sentiment.run SET reading_version = 0 WHERE source = :s", s=source)
    again = [record | {"rating": 4} for record in records[:3]] + records[3:7]
    publish(source, SECOND, write("b.jsonl", [*again, records[7] | {"review": "Revu : non."}]))
    assert novelty(source, SECOND) == {"known": 7, "changed": 1}
    assert "3 known reviews are read anew" in summary.of_run(newest_run(source))
    ratings = rows("SELECT rating, count(*) FROM sentiment.review WHERE source = :s GROUP BY 1 ORDER BY 1", s=source)
    assert [tuple(row) for row in ratings] == [(2, 5), (4, 3)]
    fresh = "SELECT sum(n), sum(n_fresh) FROM sentiment.film_night WHERE source = :s AND night = :n"
    assert tuple(rows(fresh, s=source, n=SECOND)[0]) == (8, 1)
    # From here on it is this version's own reading, so that another rating is a change.
    publish(source, SECOND + timedelta(days=1), write("c.jsonl", records[:3]), allow=("row_count",))
    assert novelty(source, SECOND + timedelta(days=1)) == {"changed": 3}


def test_rows_without_text_are_no_reviews_and_stop_nothing(write: Write, publish: Publish) -> None:
    source = "no_text"
    empty = [{"film": "Le Lac", "rating": 3.5, "review": text} for text in ("", None, "nan", "N/A")] * 3
    publish(source, FIRST, write("a.jsonl", [*empty, *(review(n, "Le Lac") for n in range(3))]))
    assert novelty(source, FIRST) == {"new": 3}
    refused = rows("SELECT reasons, length(raw) AS n FROM sentiment.quarantine WHERE run_id = :r", r=newest_run(source))
    assert [(row.reasons, row.n) for row in refused] == [(["no_text"], 0)] * 12


def test_all_that_a_stopped_night_refused_is_exported(
    write: Write, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "exported"
    monkeypatch.setattr("sentiment.store.refused.MOST_ROWS", 3)
    spoilt = [review(n, "Le Lac", title="b" * 1001) for n in range(9)]
    with pytest.raises(DumpRefusedError, match=r"^quarantine_share: 9 of 12 .*for example record 1 of file 0, fields"):
        publish(source, FIRST, write("a.jsonl", [*spoilt, *(review(n, "La Rive") for n in range(10, 13))]))
    run_id, path = newest_run(source), tmp_path / "refused.csv"
    stored = rows("SELECT count(*) FROM sentiment.quarantine WHERE run_id = :r", r=run_id)[0][0]
    assert stored == 3
    assert quarantine.export(path, Which(run_id=run_id), overwrite=False) == 9
    records = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [row["record_no"] for row in records] == [str(n) for n in range(1, 10)]
    assert {row["status"] for row in records} == {"stopped"}
    assert quarantine.story(quarantine.get(run_id, 0, 1))["next"] == f"sentiment run show {run_id}"
