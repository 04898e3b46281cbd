"""Compute what the tables must hold from the dumps alone, in plain Python.

Beside the database connection nothing here is shared with the pipeline, so that no mistake is made twice.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sentiment.database import transaction

VISIBLE = re.compile(r"\w")
MARKUP = re.compile(r"<[^>]*>|&[a-z]+;|https?://\S+")
UNCERTAIN = (0.35, 0.65)
"""Probabilities between which a review counts as uncertain, both included."""

LONGEST_TITLE_BYTES = 1000
MAX_LOGIT = 12.0
"""Bound of a film's logits, as the pipeline counts them: a probability of 1.0 would have an infinite one."""

Probability = Callable[[str], float]
"""The probability that a text is positive."""


@dataclass(frozen=True)
class Review:
    """One accepted record: its number in the dump, its identity, and all that a later dump may change.

    `content` is in the order of the columns that REVIEWS selects.
    """

    record_no: int
    review_id: str
    content: tuple[Any, ...]

    @property
    def item_id(self) -> str:
        """The film's id."""
        return str(self.content[0])

    @property
    def text(self) -> str:
        """The text as the dump has it."""
        return str(self.content[7])


@dataclass
class Night:
    """A dump read as a night.

    `quarantined` has the bytes of each refused record by its number, none of one without text; `duplicates` the number
    of the record that each equals; `unread` the values that can't be read, by record and column. `novelty` is new,
    changed or known by review, as of the time of publishing.
    """

    accepted: list[Review] = field(default_factory=list)
    quarantined: dict[int, bytes] = field(default_factory=dict)
    duplicates: dict[int, int] = field(default_factory=dict)
    unread: dict[tuple[int, str], str] = field(default_factory=dict)
    novelty: dict[str, str] = field(default_factory=dict)

    @property
    def n_read(self) -> int:
        """Number of all records of the dump."""
        return len(self.accepted) + len(self.quarantined) + len(self.duplicates)

    def fresh(self) -> list[Review]:
        """Return the reviews that are new or changed."""
        return [review for review in self.accepted if self.novelty[review.review_id] != "known"]


def read(dump: Path, source: str, night: date) -> Night:
    """Read a sample dump (JSON lines, not compressed) by rules of the oracle's own."""
    result, first, seen = Night(), dict[str, int](), dict[str, tuple[Any, ...]]()
    for number, raw in enumerate(dump.read_bytes().splitlines(), 1):
        record = _sound(raw)
        if record is None:
            result.quarantined[number] = b"" if _has_no_text(raw) else raw
            continue
        unread = _take_unread(record, night)
        if record["id"] in first and seen[record["id"]] != _content(record):
            result.quarantined[number] = raw
            continue
        result.unread |= {(number, column): value for column, value in unread.items()}
        if record["id"] in first:
            result.duplicates[number] = first[record["id"]]
        else:
            first[record["id"]], seen[record["id"]] = number, _content(record)
            # The unit separator keeps apart what plain concatenation would make equal.
            identity = hashlib.sha256("\x1f".join(("id", source, record["id"])).encode()).hexdigest()[:32]
            result.accepted.append(Review(number, identity, _content(record)))
    return result


def _has_no_text(raw: bytes) -> bool:
    try:
        record = json.loads(raw.decode("utf-8"))
    except ValueError:
        return False
    return not (record.get("review") or "").strip()


def _take_unread(record: dict[str, Any], night: date) -> dict[str, str]:
    """Empty what can't be read of a record; return it by column."""
    unread, rating = dict[str, str](), record.get("rating")
    if rating is not None and not 0.5 <= rating <= 5:
        unread["rating"], record["rating"] = str(rating), None
    # A dump is written after its night, so it may have reviews of the next day.
    if date.fromisoformat(record["date"]) > night + timedelta(days=1):
        unread["review_date"], record["date"] = record["date"], None
    return unread


def _sound(raw: bytes) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(raw.decode("utf-8"))
    except ValueError:
        return None
    text = record.get("review") or ""
    if len((record.get("title") or "").encode()) > LONGEST_TITLE_BYTES:
        return None
    # Postgres stores no NUL in a text; a text of tags and links alone has nothing to score.
    if "\0" in text or not VISIBLE.search(MARKUP.sub("", text)):
        return None
    return record


def _content(record: dict[str, Any]) -> tuple[Any, ...]:
    names = ("film_id", "type", "film", "author", "rating", "date", "title", "review", "polarity")
    values = {name: record.get(name) for name in names}
    values["date"] = date.fromisoformat(record["date"]) if record["date"] else None
    return tuple(values.values())


class Oracle:
    """The nights of one source as they should be after every call of `publish`.

    `all_steps` is true where all steps ran, so that the run also counts what was read and refused.
    """

    def __init__(self, source: str, probability: Probability, all_steps: bool = True) -> None:
        self.source, self.probability, self.all_steps = source, probability, all_steps
        self.nights: dict[date, Night] = {}

    def publish(self, night: date, dump: Path) -> None:
        """Expect the dump's records for the night, instead of those of an earlier dump."""
        published = read(dump, self.source, night)
        before: dict[str, Review] = {}
        for earlier in sorted(n for n in self.nights if n < night):
            before |= {review.review_id: review for review in self.nights[earlier].accepted}
        for review in published.accepted:
            old = before.get(review.review_id)
            known = "known" if old and old.content == review.content else "changed"
            published.novelty[review.review_id] = known if old else "new"
        self.nights[night] = published

    def violations(self) -> list[str]:
        """Return a description of every difference between the tables and what they must hold.

        Each begins with the source and, where one table is wrong, with that table's name.
        """
        with transaction() as c:
            c.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            checks = (self._reviews, self._sentiments, self._nights, self._films, self._runs, self._traces)
            return [f"{self.source}: {violation}" for check in checks for violation in check(c)]

    def _rows(self, c: sa.Connection, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in c.execute(sa.text(query), {"source": self.source})]

    def _shown(self) -> dict[str, Review]:
        shown: dict[str, Review] = {}
        for night in sorted(self.nights):
            shown |= {review.review_id: review for review in self.nights[night].accepted}
        return shown

    def _reviews(self, c: sa.Connection) -> list[str]:
        first_night: dict[str, date] = {}
        # Backwards, so that the earliest night that lists a review is written last.
        for night in sorted(self.nights, reverse=True):
            first_night |= dict.fromkeys((review.review_id for review in self.nights[night].accepted), night)
        expected = {i: (*r.content, first_night[i]) for i, r in self._shown().items()}
        rows = self._rows(c, REVIEWS)
        actual = {row[0]: (*row[1:5], None if row[5] is None else float(row[5]), *row[6:]) for row in rows}
        return _differences("review", expected, actual)

    def _sentiments(self, c: sa.Connection) -> list[str]:
        expected = {}
        for review_id, review in self._shown().items():
            p = self.probability(review.text)
            text_hash = hashlib.sha256(unicodedata.normalize("NFC", review.text).encode()).hexdigest()
            # The last digits of a prediction depend on the texts that the network scores in the same batch.
            expected[review_id] = ("pos" if p >= 0.5 else "neg", round(p, 4), text_hash)
        rows = self._rows(c, SENTIMENTS)
        return _differences("review_sentiment", expected, {r[0]: (r[1], round(r[2], 4), r[3]) for r in rows})

    def _nights(self, c: sa.Connection) -> list[str]:
        expected = {
            (date_, review.record_no): (review.review_id, night.novelty[review.review_id])
            for date_, night in self.nights.items()
            for review in night.accepted
        }
        return _differences("night_review", expected, {row[:2]: row[2:] for row in self._rows(c, NIGHT_REVIEWS)})

    def _films(self, c: sa.Connection) -> list[str]:
        expected = {
            (date_, item_id): self._film(night, item_id)
            for date_, night in self.nights.items()
            for item_id in {review.item_id for review in night.accepted}
        }
        # Sums of floats depend on their order, which SQL leaves open.
        rows = [(*row[:7], round(row[7], 2), round(row[8], 1)) for row in self._rows(c, FILM_NIGHTS)]
        return _differences("film_night", expected, {row[:2]: row[2:] for row in rows})

    def _film(self, night: Night, item_id: str) -> tuple[Any, ...]:
        probabilities = [self.probability(r.text) for r in night.accepted if r.item_id == item_id]
        fresh = [self.probability(r.text) for r in night.fresh() if r.item_id == item_id]
        logits = [_logit(p) for p in fresh]
        return (
            len(probabilities),
            sum(p >= 0.5 for p in probabilities),
            sum(UNCERTAIN[0] <= p <= UNCERTAIN[1] for p in probabilities),
            len(fresh),
            sum(p >= 0.5 for p in fresh),
            round(sum(logits), 2),
            round(sum(x * x for x in logits), 1),
        )

    def _runs(self, c: sa.Connection) -> list[str]:
        expected: dict[Any, tuple[Any, ...]] = {
            date_: (len(n.accepted), n.n_read, len(n.accepted), len(n.quarantined), len(n.duplicates))
            for date_, n in self.nights.items()
        }
        actual: dict[Any, tuple[Any, ...]] = {}
        twice = []
        for night, *counts in self._rows(c, PUBLISHED_RUNS):
            if night in actual:
                twice.append(f"run: two published for {night}")
            actual[night] = tuple(counts)
        if not self.all_steps:
            # Only the number of published rows is counted by publishing itself.
            expected, actual = ({key: row[:1] for key, row in rows.items()} for rows in (expected, actual))
        return twice + _differences("run", expected, actual) + self._quarantine(c)

    def _quarantine(self, c: sa.Connection) -> list[str]:
        actual = {row[:2]: (bytes(row[2]),) for row in self._rows(c, QUARANTINE)}
        expected = {(date_, n): (raw,) for date_, night in self.nights.items() for n, raw in night.quarantined.items()}
        return [*_differences("quarantine", expected, actual), *self._duplicates(c), *self._unread(c)]

    def _duplicates(self, c: sa.Connection) -> list[str]:
        expected = {(date_, n): (of,) for date_, night in self.nights.items() for n, of in night.duplicates.items()}
        return _differences("duplicate", expected, {row[:2]: row[2:] for row in self._rows(c, DUPLICATES)})

    def _unread(self, c: sa.Connection) -> list[str]:
        expected = {
            (date_, *at): (value,) for date_, night in self.nights.items() for at, value in night.unread.items()
        }
        return _differences("unread_value", expected, {row[:3]: row[3:] for row in self._rows(c, UNREAD_VALUES)})

    def _traces(self, c: sa.Connection) -> list[str]:
        return [f"{trace}: {n}" for trace, n in self._rows(c, TRACES) if n]


def besides_staging(violations: list[str]) -> list[str]:
    """Return the violations other than staging tables left over, which a killed attempt leaves to the next one."""
    return [violation for violation in violations if LEFTOVER_STAGING not in violation]


def _logit(p: float) -> float:
    return max(-MAX_LOGIT, min(MAX_LOGIT, math.log(p / (1 - p))))


def _differences(table: str, expected: dict[Any, tuple[Any, ...]], actual: dict[Any, tuple[Any, ...]]) -> list[str]:
    missing, surplus = expected.keys() - actual.keys(), actual.keys() - expected.keys()
    other = sorted(key for key in expected.keys() & actual.keys() if expected[key] != actual[key])
    texts = [f"{table}: {len(missing)} missing, e.g. {min(missing)}"] if missing else []
    texts += [f"{table}: {len(surplus)} too many, e.g. {min(surplus)}"] if surplus else []
    texts += [f"{table}: {len(other)} differ, e.g. {k} is {actual[k]}, not {expected[k]}" for k in other[:1]]
    return texts


REVIEWS = """
SELECT review_id, item_id, item_type, item_title, author, rating, review_date, title, text, polarity, first_night
FROM sentiment.review WHERE source = :source
"""
SENTIMENTS = """
SELECT s.review_id, s.label, s.p_positive, s.text_hash
FROM sentiment.review_sentiment s JOIN sentiment.review r USING (review_id) WHERE r.source = :source
"""
NIGHT_REVIEWS = "SELECT night, record_no, review_id, novelty FROM sentiment.night_review WHERE source = :source"
FILM_NIGHTS = """
SELECT night, item_id, n, n_positive, n_uncertain, n_fresh, n_fresh_positive, sum_logit, sum_logit_sq
FROM sentiment.film_night WHERE source = :source
"""
PUBLISHED_RUNS = """
SELECT night, rows_published, rows_read, rows_accepted, rows_quarantined, rows_duplicate
FROM sentiment.run WHERE source = :source AND status = 'published'
"""
QUARANTINE = """
SELECT night, record_no, raw FROM sentiment.quarantine JOIN sentiment.run USING (run_id)
WHERE source = :source AND status = 'published'
"""
DUPLICATES = """
SELECT night, record_no, of_record_no FROM sentiment.duplicate JOIN sentiment.run USING (run_id)
WHERE source = :source AND status = 'published'
"""
UNREAD_VALUES = """
SELECT night, record_no, column_name, value FROM sentiment.unread_value JOIN sentiment.run USING (run_id)
WHERE source = :source AND status = 'published'
"""
LEFTOVER_STAGING = "leftover staging table"
TRACES = """
WITH good AS (SELECT run_id FROM sentiment.run WHERE source = :source AND status = 'published')
SELECT 'review of no published run' AS what, count(*) AS n FROM sentiment.review r
  WHERE source = :source AND run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'review that no night of its run has', count(*) FROM sentiment.review r
  WHERE source = :source AND NOT EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.review_id = r.review_id
    AND n.run_id = r.run_id AND n.content_hash = r.content_hash)
UNION ALL SELECT 'night_review of no published run', count(*) FROM sentiment.night_review
  WHERE source = :source AND run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'film_night of no published run', count(*) FROM sentiment.film_night
  WHERE source = :source AND run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'profile of no published run', count(*) FROM drift.profile_metrics
  WHERE source = :source AND run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'sentiment of no published run', count(*) FROM sentiment.review_sentiment s
  JOIN sentiment.review r USING (review_id) WHERE r.source = :source AND s.run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'old version that is shown, or that no night has', count(*) FROM sentiment.review_version v
  WHERE v.source = :source AND (EXISTS (SELECT 1 FROM sentiment.review r WHERE r.review_id = v.review_id
      AND r.content_hash = v.content_hash)
    OR NOT EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.review_id = v.review_id
      AND n.content_hash = v.content_hash))
UNION ALL SELECT 'leftover staging table', count(*) FROM pg_tables t JOIN good g
  ON strpos(t.tablename, replace(g.run_id, '-', '_')) > 0 WHERE t.schemaname = 'staging'
"""
"""Numbers of rows that lead to no published run, of reviews that no night has, and of tables left in staging."""
