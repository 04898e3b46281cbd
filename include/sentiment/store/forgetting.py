"""Forget a review and its author's name in the tables, and remember by hash not to take them in again."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from sentiment import contract, ledger
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.store import retention
from sentiment.store.publishing import LOCK_KEY


@dataclass(frozen=True)
class Target:
    """What is to be forgotten: a review in all its versions, and its author's names."""

    review_id: str
    source: str
    authors: tuple[str, ...]
    texts: tuple[str, ...]
    text_hashes: tuple[str, ...]
    """Of texts that no other review has."""
    run_ids: tuple[str, ...]
    """Every run of the source: where the lake may hold it."""

    @property
    def needles(self) -> list[bytes]:
        """Id, texts and names, as UTF-8 and Windows-1252 files spell them, plain, in JSON and in CSV."""
        return sorted({n for word in (self.review_id, *self.texts, *self.authors) for n in _spelt(word)})

    @property
    def values(self) -> dict[str, object]:
        """Parameters of this module's SQL."""
        return {
            "id": self.review_id,
            "source": self.source,
            "authors": list(self.authors),
            "needles": self.needles,
            "review_keys": [contract.forgotten_hash("review", self.source, self.review_id)],
            "author_keys": [contract.forgotten_hash("author", self.source, name) for name in self.authors],
        }


def _spelt(word: str) -> set[bytes]:
    escaped = json.dumps(word)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: rf"\u{found[0][2:].upper()}", escaped)
    spelt = {word, escaped, upper, json.dumps(word, ensure_ascii=False)[1:-1], word.replace('"', '""')}
    spelt |= {s.replace("/", r"\/") for s in spelt}
    encoded = {s.encode() for s in spelt}
    with suppress(UnicodeEncodeError):
        encoded |= {s.encode("cp1252") for s in spelt}
    return encoded


def keys() -> set[str]:
    """The keys of every review and author that was forgotten (`contract.forgotten_key`)."""
    with transaction() as c:
        return set(c.exec_driver_sql("SELECT key_hash FROM sentiment.forgotten").scalars())


def find(review_id: str) -> Target:
    """The review, shown or kept; ParameterError where it is neither."""
    with transaction() as c:
        versions = c.execute(sa.text(VERSIONS), {"id": review_id}).all()
        if not versions:
            raise ParameterError(
                f"There is no review {review_id!r}.",
                'psql "$(sentiment db url)" -c "TABLE sentiment.v_review_sentiment"',
            )
        source = versions[0].source
        runs = c.execute(sa.text("SELECT run_id FROM sentiment.run WHERE source = :s"), {"s": source}).scalars().all()
    return Target(
        review_id,
        source,
        tuple(sorted({v.author for v in versions if v.author})),
        tuple(sorted({v.text for v in versions})),
        tuple(sorted({v.text_hash for v in versions if not v.is_shared})),
        tuple(runs),
    )


VERSIONS = """
SELECT v.source, v.author, v.text, v.text_hash, EXISTS (
    SELECT 1 FROM sentiment.review o WHERE o.text_hash = v.text_hash AND o.review_id <> :id) AS is_shared
FROM (SELECT source, author, text, text_hash FROM sentiment.review WHERE review_id = :id
      UNION SELECT source, author, text, text_hash FROM sentiment.review_version WHERE review_id = :id) AS v"""


def refuse_while_live() -> None:
    """InfrastructureError while any step works: it may hold what is to go."""
    for run_id in ledger.live_tokens().values():
        raise InfrastructureError(f"Run {run_id} is at work.", "sentiment runs (and try again when it is done)")


def remember(target: Target) -> None:
    """Leave tombstones, then empty what was kept of refused records and drop dead attempts' staging."""
    with transaction() as c:
        c.execute(sa.text(TOMBSTONES), target.values)
    with transaction() as c:
        c.execute(sa.text(REFUSED["remove"]), target.values)
    for leftover in retention.staging():
        leftover.remove()


def remove(target: Target) -> None:
    """Take the review out of every table and the names off the author's other reviews, in one transaction."""
    with transaction() as c:
        c.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
        refuse_while_live()
        for statement in (*DELETE, *UNNAME):
            c.execute(sa.text(statement), target.values)


def found(target: Target) -> dict[str, int]:
    """Place -> rows that hold it: the id anywhere in any table, names, and refused records."""
    with transaction() as c:
        places = {
            **{
                t: f"SELECT count(*) FROM {t} AS t WHERE strpos(t::text, :id) > 0"
                for t in c.execute(sa.text(TABLES)).scalars()
            },
            **{f"{t}.author": f"SELECT count(*) FROM {t} WHERE {NAMED}" for t in WITH_AUTHOR},
            "refused records": REFUSED["count"],
        }
        counts = {place: c.execute(sa.text(query), target.values).scalar_one() for place, query in places.items()}
    return {place: n for place, n in counts.items() if n}


TOMBSTONES = """
INSERT INTO sentiment.forgotten (kind, key_hash) SELECT 'review', unnest(cast(:review_keys AS text[]))
UNION ALL SELECT 'author', unnest(cast(:author_keys AS text[])) ON CONFLICT DO NOTHING"""

DELETE = [
    f"DELETE FROM sentiment.{table} WHERE review_id = :id"
    for table in ("review_sentiment", "review_version", "night_review", "review")
]
WITH_AUTHOR = ("sentiment.review", "sentiment.review_version")
NAMED = "source = :source AND author = ANY(cast(:authors AS text[]))"
UNNAME = [f"UPDATE {table} SET author = NULL WHERE {NAMED}" for table in WITH_AUTHOR]

_HELD = """run_id IN (SELECT run_id FROM sentiment.run WHERE source = :source) AND EXISTS (
  SELECT 1 FROM unnest(cast(:needles AS bytea[])) AS needle
  WHERE position(needle IN raw) > 0 OR position(needle IN convert_to(details, 'UTF8')) > 0)"""
REFUSED = {
    "remove": f"UPDATE sentiment.quarantine SET raw = '', details = '' WHERE {_HELD}",
    "count": f"SELECT count(*) FROM sentiment.quarantine WHERE {_HELD}",
}
"""A record that merely mentions the name loses its payload too: better one too many."""

TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('sentiment', 'drift', 'staging') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1"""
