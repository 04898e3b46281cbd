"""What the tables must hold, computed from the dumps in plain Python: nothing here is shared with the pipeline."""

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
MAX_LOGIT = 12.0
Probability = Callable[[str], float]


@dataclass(frozen=True)
class Review:
    """One accepted record: its place, identity, and everything a later dump may change."""

    record_no: int
    review_id: str
    content: tuple[Any, ...]

    @property
    def item_id(self) -> str:
        return str(self.content[0])

    @property
    def text(self) -> str:
        return str(self.content[7])


@dataclass
class Night:
    """One dump read as a night: what goes where, and how new each review was when it was published."""

    accepted: list[Review] = field(default_factory=list)
    quarantined: dict[int, bytes] = field(default_factory=dict)
    duplicates: int = 0
    novelty: dict[str, str] = field(default_factory=dict)

    @property
    def read(self) -> int:
        return len(self.accepted) + len(self.quarantined) + self.duplicates

    def fresh(self) -> list[Review]:
        return [review for review in self.accepted if self.novelty[review.review_id] != "known"]


def read(dump: Path, source: str, night: date) -> Night:
    """Read a sample dump (JSON lines, plain) by rules of our own."""
    found, seen = Night(), set()
    for number, raw in enumerate(dump.read_bytes().splitlines(), 1):
        record = _sound(raw, night)
        if record is None:
            found.quarantined[number] = raw
        elif record["id"] in seen:
            found.duplicates += 1
        else:
            seen.add(record["id"])
            identity = hashlib.sha256("\x1f".join(("id", source, record["id"])).encode()).hexdigest()[:32]
            found.accepted.append(Review(number, identity, _content(record)))
    return found


def _sound(raw: bytes, night: date) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(raw.decode("utf-8"))
    except ValueError:
        return None
    text, rating = record.get("review") or "", record.get("rating")
    if "\0" in text or not VISIBLE.search(MARKUP.sub("", text)):
        return None
    if rating is not None and not 0.5 <= rating <= 5:
        return None
    return record if date.fromisoformat(record["date"]) <= night + timedelta(days=1) else None


CONTENT = "item_id, item_type, item_title, author, rating, review_date, title, text, polarity"


def _content(record: dict[str, Any]) -> tuple[Any, ...]:
    names = ("film_id", "type", "film", "author", "rating", "date", "title", "review", "polarity")
    values = {name: record.get(name) for name in names}
    values["date"] = date.fromisoformat(record["date"])
    return tuple(values.values())


class Oracle:
    """The nights of one source as they should be, after every publish and supersede it was told of."""

    def __init__(self, source: str, probability: Probability, whole: bool = True) -> None:
        self.source, self.probability, self.whole = source, probability, whole
        self.nights: dict[date, Night] = {}

    def publish(self, night: date, dump: Path) -> None:
        """The dump stands for the night from now on, whatever stood for it before."""
        told = read(dump, self.source, night)
        before: dict[str, Review] = {}
        for earlier in sorted(n for n in self.nights if n < night):
            before |= {review.review_id: review for review in self.nights[earlier].accepted}
        for review in told.accepted:
            old = before.get(review.review_id)
            known = "known" if old and old.content == review.content else "changed"
            told.novelty[review.review_id] = known if old else "new"
        self.nights[night] = told

    def violations(self) -> list[str]:
        """Every difference between the tables and what they must hold, in words; none when all is well."""
        with transaction() as c:
            c.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            checks = (self._reviews, self._sentiments, self._nights, self._films, self._runs, self._traces)
            return [f"{self.source}: {words}" for check in checks for words in check(c)]

    def _rows(self, c: sa.Connection, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in c.execute(sa.text(query), {"source": self.source})]

    def _shown(self) -> dict[str, Review]:
        shown: dict[str, Review] = {}
        for night in sorted(self.nights):
            shown |= {review.review_id: review for review in self.nights[night].accepted}
        return shown

    def _reviews(self, c: sa.Connection) -> list[str]:
        first: dict[str, date] = {}
        for night in sorted(self.nights, reverse=True):
            first |= dict.fromkeys((review.review_id for review in self.nights[night].accepted), night)
        wanted = {i: (*r.content, first[i]) for i, r in self._shown().items()}
        rows = self._rows(c, f"SELECT review_id, {CONTENT}, first_night FROM sentiment.review WHERE source = :source")
        found = {row[0]: (*row[1:5], None if row[5] is None else float(row[5]), *row[6:]) for row in rows}
        return _differences("review", wanted, found)

    def _sentiments(self, c: sa.Connection) -> list[str]:
        wanted = {}
        for review_id, review in self._shown().items():
            p = self.probability(review.text)
            text_hash = hashlib.sha256(unicodedata.normalize("NFC", review.text).encode()).hexdigest()
            wanted[review_id] = ("pos" if p >= 0.5 else "neg", round(p, 4), text_hash)
        rows = self._rows(
            c,
            "SELECT s.review_id, s.label, s.p_positive, s.text_hash FROM sentiment.review_sentiment s "
            "JOIN sentiment.review r USING (review_id) WHERE r.source = :source",
        )
        return _differences("review_sentiment", wanted, {r[0]: (r[1], round(r[2], 4), r[3]) for r in rows})

    def _nights(self, c: sa.Connection) -> list[str]:
        wanted = {
            (night, review.record_no): (review.review_id, told.novelty[review.review_id])
            for night, told in self.nights.items()
            for review in told.accepted
        }
        query = "SELECT night, record_no, review_id, novelty FROM sentiment.night_review WHERE source = :source"
        return _differences("night_review", wanted, {row[:2]: row[2:] for row in self._rows(c, query)})

    def _films(self, c: sa.Connection) -> list[str]:
        wanted = {}
        for night, told in self.nights.items():
            for item_id in {review.item_id for review in told.accepted}:
                mine = [self.probability(r.text) for r in told.accepted if r.item_id == item_id]
                fresh = [self.probability(r.text) for r in told.fresh() if r.item_id == item_id]
                logits = [_logit(p) for p in fresh]
                wanted[night, item_id] = (
                    len(mine),
                    sum(p >= 0.5 for p in mine),
                    sum(UNCERTAIN[0] <= p <= UNCERTAIN[1] for p in mine),
                    len(fresh),
                    sum(p >= 0.5 for p in fresh),
                    round(sum(logits), 2),
                    round(sum(x * x for x in logits), 1),
                )
        query = (
            "SELECT night, item_id, n, n_positive, n_uncertain, n_fresh, n_fresh_positive, sum_logit, sum_logit_sq "
            "FROM sentiment.film_night WHERE source = :source"
        )
        rows = self._rows(c, query)
        return _differences("film_night", wanted, {r[:2]: (*r[2:7], round(r[7], 2), round(r[8], 1)) for r in rows})

    def _runs(self, c: sa.Connection) -> list[str]:
        names = "rows_published" + (
            ", rows_read, rows_accepted, rows_quarantined, rows_duplicate" if self.whole else ""
        )
        query = f"SELECT night, {names} FROM sentiment.run WHERE source = :source AND status = 'published'"
        rows = self._rows(c, query)
        found = {row[0]: row[1:] for row in rows}
        wanted = {
            night: (len(t.accepted), *((t.read, len(t.accepted), len(t.quarantined), t.duplicates) * self.whole))
            for night, t in self.nights.items()
        }
        twice = [f"run: two published for {night}" for night in found if [r[0] for r in rows].count(night) > 1]
        return twice + _differences("run", wanted, found) + self._quarantine(c)

    def _quarantine(self, c: sa.Connection) -> list[str]:
        query = (
            "SELECT night, record_no, raw FROM sentiment.quarantine JOIN sentiment.run USING (run_id) "
            "WHERE source = :source AND status = 'published'"
        )
        found = {row[:2]: (bytes(row[2]),) for row in self._rows(c, query)}
        wanted = {(night, n): (raw,) for night, told in self.nights.items() for n, raw in told.quarantined.items()}
        return _differences("quarantine", wanted, found)

    def _traces(self, c: sa.Connection) -> list[str]:
        """Rows that lead to no published run, reviews no night of their run says, leftovers in staging."""
        return [f"{what}: {n}" for what, n in self._rows(c, TRACES) if n]


def _logit(p: float) -> float:
    return max(-MAX_LOGIT, min(MAX_LOGIT, math.log(p / (1 - p))))


def _differences(table: str, wanted: dict[Any, tuple[Any, ...]], found: dict[Any, tuple[Any, ...]]) -> list[str]:
    missing, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    other = [key for key in wanted.keys() & found.keys() if wanted[key] != found[key]]
    words = [f"{table}: {len(missing)} missing, e.g. {min(missing)}"] if missing else []
    words += [f"{table}: {len(more)} too many, e.g. {min(more)}"] if more else []
    words += [f"{table}: {len(other)} differ, e.g. {k} is {found[k]}, not {wanted[k]}" for k in sorted(other)[:1]]
    return words


TRACES = """
WITH good AS (SELECT run_id FROM sentiment.run WHERE source = :source AND status = 'published')
SELECT 'review of no published run' AS what, count(*) AS n FROM sentiment.review r
  WHERE source = :source AND run_id NOT IN (SELECT run_id FROM good)
UNION ALL SELECT 'review that no night of its run says', count(*) FROM sentiment.review r
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
UNION ALL SELECT 'kept version that is shown, or that no night says', count(*) FROM sentiment.review_version v
  WHERE v.source = :source AND (EXISTS (SELECT 1 FROM sentiment.review r WHERE r.review_id = v.review_id
      AND r.content_hash = v.content_hash)
    OR NOT EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.review_id = v.review_id
      AND n.content_hash = v.content_hash))
UNION ALL SELECT 'staging table left', count(*) FROM pg_tables t JOIN good g
  ON strpos(t.tablename, replace(g.run_id, '-', '_')) > 0 WHERE t.schemaname = 'staging'
"""
