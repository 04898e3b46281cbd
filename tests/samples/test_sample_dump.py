"""The sample dump: the same bytes twice, counts that add up, nights that refer to earlier ones, clean French."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from sentiment.errors import ParameterError
from sentiment.samples import sample_dump, sample_vocabulary
from sentiment.samples.sample_dump import SampleDump, write
from sentiment.samples.sample_lines import COLUMNS, FAR_FUTURE, Defect
from sentiment.samples.sample_review import review

NIGHT = date(2026, 11, 22)
SOUND: dict[str, Any] = {"defect_share": 0.0, "duplicate_share": 0.0}
# An article or pronoun before a vowel, an article that should be fused, two spaces, a slot that was not filled.
CLUMSY = re.compile(r"\b(?:de|que|le|la|je|ne|se|me) [aeiouéèêàâîôœ]|\bde les? |\bà les? |  | [.,]|[{}]", re.IGNORECASE)

Row = dict[str, Any]


def lines(path: Path) -> list[bytes]:
    packed = path.read_bytes()
    return (gzip.decompress(packed) if path.suffix == ".gz" else packed).splitlines(keepends=True)


def rows(spec: SampleDump, folder: Path) -> list[Row]:
    path = folder / f"{spec.night}.jsonl"
    write(spec, path)
    return [json.loads(line) for line in lines(path)]


def by_id(records: list[Row]) -> dict[str, Row]:
    return {record["id"]: record for record in records}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("night", datetime(2026, 11, 22)),
        ("night", date(3000, 1, 1)),
        ("n_reviews", 0),
        ("n_reviews", 2.0),
        ("n_reviews", True),
        ("seed", "1"),
        ("positive_share", 1.1),
        ("known_share", -0.1),
        ("defect_share", float("nan")),
        ("duplicate_share", None),
        ("changed_share", 1),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=name):
        SampleDump(**({"night": NIGHT} | {name: value}))


def test_more_known_reviews_than_seven_nights_hold_are_refused() -> None:
    SampleDump(NIGHT, 1000, known_share=0.87, changed_share=0, **SOUND)
    with pytest.raises(ParameterError, match=r"known_share.*\b100\b.*\b900\b"):
        SampleDump(NIGHT, 1000, known_share=0.9, changed_share=0, **SOUND)


def test_another_suffix_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"\.csv\.gz"):
        write(SampleDump(NIGHT, 20), tmp_path / "sub" / "dump.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", sample_dump.SUFFIXES)
def test_the_same_spec_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"one{suffix}", tmp_path / f"another{suffix}"
    write(SampleDump(NIGHT, 300), first)
    write(SampleDump(NIGHT, 300), second)
    assert first.read_bytes() == second.read_bytes()
    write(SampleDump(NIGHT, 300, seed=2), second)
    assert first.read_bytes() != second.read_bytes()


def test_packed_and_plain_hold_the_same(tmp_path: Path) -> None:
    for suffix in (".jsonl", ".csv"):
        write(SampleDump(NIGHT, 200), tmp_path / f"a{suffix}")
        write(SampleDump(NIGHT, 200), tmp_path / f"a{suffix}.gz")
        assert lines(tmp_path / f"a{suffix}") == lines(tmp_path / f"a{suffix}.gz")


def test_csv_holds_the_same_values_as_json(tmp_path: Path) -> None:
    spec = SampleDump(NIGHT, 400, **SOUND)
    write(spec, tmp_path / "a.csv")
    table = list(csv.reader(io.StringIO((tmp_path / "a.csv").read_text("utf-8"), newline="")))
    assert table[0] == list(COLUMNS)
    expected = [["" if v is None else str(v) for v in record.values()] for record in rows(spec, tmp_path)]
    assert table[1:] == expected


def test_a_dump_is_replaced_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("before")

    def fail(*_: object, **__: object) -> None:
        assert not list(tmp_path.glob(f"*{NIGHT}*"))
        raise OSError("disk full")

    monkeypatch.setattr(sample_dump, "review", fail)
    with pytest.raises(OSError, match="disk full"):
        write(SampleDump(NIGHT, 20), path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("n", [1, 7, 20, 333, 2000])
def test_counts_add_up(tmp_path: Path, n: int) -> None:
    summary = write(SampleDump(NIGHT, n), tmp_path / "a.jsonl")
    defects = sum(summary.defects.values())
    assert len(lines(tmp_path / "a.jsonl")) == summary.records == n
    assert summary.fresh + summary.known + summary.changed + summary.duplicates + defects == n
    assert summary.positive + summary.negative == summary.fresh + summary.known + summary.changed
    if n >= 20:
        assert summary.duplicates >= 1
        assert defects >= 1


def test_known_reviews_are_fresh_ones_of_earlier_nights(tmp_path: Path) -> None:
    spec = SampleDump(NIGHT, 700, known_share=0.2, changed_share=0.05, **SOUND)
    earlier: dict[str, Row] = {}
    for lag in range(1, 8):
        night = replace(spec, night=NIGHT - timedelta(days=lag), known_share=0, changed_share=0)
        earlier |= by_id(rows(replace(night, n_reviews=525), tmp_path))
    tonight = by_id(rows(spec, tmp_path))
    again = {i: record for i, record in tonight.items() if i in earlier}
    changed = {i for i, record in again.items() if record != earlier[i]}
    assert (len(tonight), len(again), len(changed)) == (700, 140 + 35, 35)
    for i in changed:
        assert again[i]["review"] != earlier[i]["review"]
        same = ("film_id", "film", "type", "author", "date", "polarity")
        assert [again[i][c] for c in same] == [earlier[i][c] for c in same]


def test_another_sentiment_level_changes_no_review(tmp_path: Path) -> None:
    before = NIGHT - timedelta(days=1)
    calm = by_id(rows(SampleDump(before, 1500, known_share=0, changed_share=0, **SOUND), tmp_path))
    gloomy = by_id(rows(SampleDump(NIGHT, 1500, positive_share=0.3, changed_share=0, **SOUND), tmp_path))
    again = set(calm) & set(gloomy)
    assert len(again) == pytest.approx(150 / 7, abs=2)
    assert all(calm[i] == gloomy[i] for i in again)


def test_duplicates_repeat_a_record_of_the_same_dump(tmp_path: Path) -> None:
    spec = SampleDump(NIGHT, 500, defect_share=0, duplicate_share=0.04)
    records = rows(spec, tmp_path)
    assert len(records) - len(by_id(records)) == 20
    assert len({json.dumps(r) for r in records}) == len(by_id(records))


def broken(tmp_path: Path) -> tuple[list[bytes], dict[str, int]]:
    """Write a dump of one sound record and 160 defects."""
    only_defects = SampleDump(NIGHT, 161, known_share=0, changed_share=0, defect_share=0.993, duplicate_share=0)
    summary = write(only_defects, tmp_path / "a.jsonl")
    return lines(summary.path), summary.defects


def defect_of(line: bytes) -> Defect | None:
    """Return the defect that a line shows, None for a sound one."""
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError:
        return Defect.INVALID_UTF8
    except json.JSONDecodeError:
        return Defect.UNPARSEABLE
    text = record.get("review")
    checks = {
        Defect.MISSING_TEXT: text is None,
        Defect.BLANK_TEXT: text is not None and not text.strip(),
        Defect.MARKUP_ONLY: text is not None and text.strip().startswith("<p>"),
        Defect.NUL_IN_TEXT: text is not None and "\0" in text,
        Defect.RATING_OUT_OF_RANGE: (record["rating"] or 1) > 5,
        Defect.FUTURE_DATE: record["date"] == FAR_FUTURE,
    }
    return next((defect for defect, holds in checks.items() if holds), None)


def test_every_defect_is_what_it_is_counted_as(tmp_path: Path) -> None:
    records, counted = broken(tmp_path)
    recognised = Counter(defect for line in records if (defect := defect_of(line)))
    assert counted == {defect.value: 20 for defect in Defect}
    assert recognised == Counter(dict.fromkeys(Defect, 20))


def test_missing_text_is_null_or_has_no_key(tmp_path: Path) -> None:
    missing = [line for line in broken(tmp_path)[0] if defect_of(line) is Defect.MISSING_TEXT]
    assert {b'"review"' in line for line in missing} == {True, False}


def test_defects_of_csv(tmp_path: Path) -> None:
    spec = SampleDump(NIGHT, 400, known_share=0, changed_share=0, defect_share=0.2, duplicate_share=0)
    summary = write(spec, tmp_path / "a.csv")
    raw = (tmp_path / "a.csv").read_bytes()
    table = list(csv.reader(io.StringIO(raw.decode("utf-8", "replace"), newline="")))[1:]
    ragged = [row for row in table if len(row) != len(COLUMNS)]
    assert {len(row) for row in ragged} <= {7, 12}
    assert len(ragged) == summary.defects["unparseable"]
    assert sum(any("�" in v for v in row) for row in table) == summary.defects["invalid_utf8"]
    assert len(table) == 400


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return rows(SampleDump(NIGHT, 4000, **SOUND), tmp_path_factory.mktemp("sample"))


def test_texts_differ_and_vary_in_length(sample: list[Row]) -> None:
    texts = [record["review"] for record in sample]
    lengths = [len(text.split()) for text in texts]
    assert len(set(texts[:2000])) > 0.99 * 2000
    assert 45 <= median(lengths) <= 75
    assert any(n > 400 for n in lengths)
    assert sum(n <= 4 for n in lengths) > 10


def test_rating_follows_sentiment(sample: list[Row]) -> None:
    ratings: dict[int, list[float]] = {0: [], 1: []}
    for record in sample:
        if record["rating"] is not None and record["polarity"] is not None:
            ratings[record["polarity"]].append(record["rating"])
    assert max(ratings[0]) <= 3.0 <= min(ratings[1])
    assert {r * 2 % 1 for r in ratings[0] + ratings[1]} == {0.0}
    for column in ("rating", "title", "polarity"):
        assert any(record[column] is None for record in sample)


def test_sentiment_level_is_the_requested_one(tmp_path: Path) -> None:
    for share in (0.0, 0.35, 1.0):
        summary = write(SampleDump(NIGHT, 2000, positive_share=share), tmp_path / "a.jsonl")
        share_written = summary.positive / (summary.positive + summary.negative)
        assert share_written == pytest.approx(share, abs=0.04 if 0 < share < 1 else 0)


def test_nights_vary_as_samples_do(tmp_path: Path) -> None:
    nights = [SampleDump(NIGHT + timedelta(days=i), 60) for i in range(6)]
    assert len({write(spec, tmp_path / "a.jsonl").positive for spec in nights}) > 1


def test_films_are_skewed_and_differ(sample: list[Row]) -> None:
    volumes = Counter(record["film_id"] for record in sample)
    assert 100 <= len(volumes) <= 120
    top = [film for film, _ in volumes.most_common(12)]
    assert sum(volumes[film] for film in top) > 0.35 * len(sample)
    shares = [positive_share(sample, film) for film in top]
    assert max(shares) - min(shares) > 0.25
    assert {record["type"] for record in sample} == {"film", "series"}


def positive_share(sample: list[Row], film: str) -> float:
    labels = [r["polarity"] for r in sample if r["film_id"] == film and r["polarity"] is not None]
    return float(sum(labels) / len(labels))


def test_dates_are_at_or_shortly_before_the_night(tmp_path: Path) -> None:
    records = rows(SampleDump(NIGHT, 300, known_share=0, changed_share=0, **SOUND), tmp_path)
    ages = {(NIGHT - date.fromisoformat(record["date"])).days for record in records}
    assert ages == {0, 1, 2, 3}


def test_sentences_are_well_formed(sample: list[Row]) -> None:
    for record in sample:
        for text in (record["review"], record["title"] or ""):
            assert not CLUMSY.search(text), text


def test_texts_use_what_reviews_use(sample: list[Row]) -> None:
    everything = " ".join(record["review"] for record in sample)
    assert all(mark in everything for mark in "éèêàçœ'’!…«❤👎\n")


def test_every_sentence_can_be_written() -> None:
    vocabulary = sample_vocabulary.load()
    assert len(sample_vocabulary.catalogue().films) == len({f.title for f in sample_vocabulary.catalogue().films})
    for polarity in (0, 1):
        texts = "".join(str(review(5, NIGHT, polarity, k)["review"]) for k in range(1500))
        assert "{" not in texts
    assert all(vocabulary.sentences.values())
    assert all(vocabulary.lists.values())


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("fade", ("fade", "fade", "fades", "fades")),
        ("confus/confuse", ("confus", "confuse", "confus", "confuses")),
        ("creux/creuse", ("creux", "creuse", "creux", "creuses")),
        ("très beau/très belle/très beaux/très belles", ("très beau", "très belle", "très beaux", "très belles")),
    ],
)
def test_adjectives_agree(entry: str, forms: tuple[str, ...]) -> None:
    assert sample_vocabulary.four_forms(entry) == forms


def test_nouns_fuse_with_their_article() -> None:
    things = {noun.le: noun for noun in sample_vocabulary.load().nouns["thing"]}
    assert (things["le scénario"].du, things["le scénario"].au) == ("du scénario", "au scénario")
    assert (things["l'intrigue"].du, things["l'intrigue"].au) == ("de l'intrigue", "à l'intrigue")
    assert (things["les chansons"].du, things["les chansons"].agreement) == ("des chansons", 3)
