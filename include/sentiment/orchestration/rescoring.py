"""Another model beside the current one: which nights it lacks, how much it covers, and which model the views show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import ParameterError
from sentiment.orchestration.steps import PARIS
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.store import publishing


@dataclass(frozen=True)
class Request:
    """Which published nights to score again, both dates included, and by which model.

    Raises ParameterError for dates that are the wrong way round or lie in the future.
    """

    model: str
    source: str
    first: date
    last: date

    def __post_init__(self) -> None:
        today = datetime.now(PARIS).date()
        if not self.first <= self.last <= today:
            raise ParameterError(
                f"--from is {self.first} and --to {self.last}; expected a range of days up to today, {today} in Paris.",
                f"sentiment rescore --model {self.model} --from {min(self.first, today)} --to {today}",
            )


@dataclass(frozen=True)
class Night:
    """A published night that the model has not scored, and its dump."""

    night: date
    dump_id: str


PENDING = """
SELECT DISTINCT r.night, r.dump_id FROM sentiment.run r
WHERE r.source = :source AND r.status = 'published' AND r.night BETWEEN :first AND :last
  AND NOT EXISTS (SELECT 1 FROM sentiment.run o WHERE o.night = r.night AND o.source = r.source
    AND o.model_id = :model AND o.status = 'published')
  AND EXISTS (SELECT 1 FROM sentiment.night_review n WHERE n.night = r.night AND n.source = r.source)
ORDER BY r.night DESC"""
"""The newest first, for they show the most reviews; months that retention dropped can't be told apart any more."""


def pending(request: Request) -> list[Night]:
    """Nights to score, the newest first; those that the model has published are left out.

    Raises ParameterError for a model that is not here, or is retired.
    """
    registry.register(registry.find(request.model, settings.load()))
    with transaction() as c:
        return [Night(row.night, row.dump_id) for row in c.execute(sa.text(PENDING), vars(request))]


FAILED = """
SELECT error_kind, error, try_next FROM sentiment.run_step s JOIN sentiment.run r USING (run_id)
WHERE s.step = :step AND s.state = 'failed' AND r.model_id = :model AND s.finished_at >= :since
ORDER BY s.token DESC LIMIT 1"""


def failure(model: str, since: datetime) -> tuple[str, str, str] | None:
    """Class, message and next command of the night that failed last since then, if one did."""
    with transaction() as c:
        row = c.execute(sa.text(FAILED), {"step": publishing.RESCORE, "model": model, "since": since}).one_or_none()
    return (row.error_kind, row.error, row.try_next or "") if row else None


STORED = """
SELECT n.file_no, n.record_no, n.review_id, n.novelty, n.content_hash, r.review_id IS NOT NULL AS is_shown,
  coalesce(r.item_id, v.item_id) AS item_id, coalesce(r.item_type, v.item_type) AS item_type,
  coalesce(r.item_title, v.item_title) AS item_title, coalesce(r.author, v.author) AS author,
  coalesce(r.rating, v.rating)::double precision AS rating, coalesce(r.review_date, v.review_date) AS review_date,
  coalesce(r.title, v.title) AS title, coalesce(r.text, v.text) AS text,
  coalesce(r.polarity, v.polarity)::int AS polarity, coalesce(r.text_hash, v.text_hash) AS text_hash
FROM sentiment.night_review n
LEFT JOIN sentiment.review r ON r.review_id = n.review_id AND r.content_hash = n.content_hash
LEFT JOIN sentiment.review_version v ON v.review_id = n.review_id AND v.content_hash = n.content_hash
WHERE n.night = '{night}' AND n.source = '{source}'"""


def stored(run: Run) -> str:
    """SQL: what the run's night said, as `accepted` has it, with its novelty and whether the version is shown.

    The text is null where the version is not kept any more.
    """
    return STORED.format(night=run.night.isoformat(), source=run.source)


HAS_SENTENCES = """
SELECT coalesce(bool_or((s.detail ->> 'sentences')::boolean), false)
FROM sentiment.run r JOIN sentiment.run_step s USING (run_id)
WHERE r.night = :night AND r.source = :source AND r.status = 'published'
  AND s.step = 'find_dump' AND s.state = 'done'"""


def has_sentences(night: date, source: str) -> bool:
    """Whether the night was run with sentences."""
    with transaction() as c:
        return bool(c.execute(sa.text(HAS_SENTENCES), {"night": night, "source": source}).scalar_one())


@dataclass(frozen=True)
class Coverage:
    """What the views would lose by showing another model than now."""

    reviews: int
    nights: int
    """Nights of which the other model has scored nothing, or fewer reviews than it could."""
    sentences: int
    """Reviews of which the other model has scored no sentences."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing would be lost."""
        return not (self.reviews or self.nights or self.sentences)

    def words(self) -> str:
        """Like `3 reviews, 1 nights (or a part of them) and the sentences of 0 reviews`."""
        return (
            f"{self.reviews:,} reviews, {self.nights:,} nights (or a part of them) and the sentences of "
            f"{self.sentences:,} reviews"
        )


LOST_REVIEWS = """
SELECT count(*) FROM sentiment.review r JOIN sentiment.review_sentiment s USING (review_id, text_hash)
WHERE s.model_id = :now AND NOT EXISTS (SELECT 1 FROM sentiment.review_sentiment o
  WHERE o.review_id = r.review_id AND o.text_hash = r.text_hash AND o.model_id = :then)"""
LOST_NIGHTS = """
WITH told AS (SELECT model_id, night, source, sum(n) AS n FROM sentiment.film_night GROUP BY 1, 2, 3)
SELECT count(*) FROM (SELECT * FROM told WHERE model_id = :now) AS a
LEFT JOIN (SELECT * FROM told WHERE model_id = :then) AS b USING (night, source)
WHERE CASE WHEN b.n IS NULL THEN true WHEN b.n >= a.n THEN false ELSE b.n < (
  SELECT count(*) FROM sentiment.night_review n
  LEFT JOIN sentiment.review r ON r.review_id = n.review_id AND r.content_hash = n.content_hash
  LEFT JOIN sentiment.review_version v ON v.review_id = n.review_id AND v.content_hash = n.content_hash
  WHERE n.night = a.night AND n.source = a.source AND coalesce(r.review_id, v.review_id) IS NOT NULL) END"""
"""A night of which the other model has scored fewer reviews counts while some of the rest could still be scored."""
LOST_SENTENCES = """
SELECT count(DISTINCT s.review_id) FROM sentiment.sentence_sentiment s WHERE s.model_id = :now AND NOT EXISTS (
  SELECT 1 FROM sentiment.sentence_sentiment o WHERE o.review_id = s.review_id AND o.model_id = :then)"""
LOST = (LOST_REVIEWS, LOST_NIGHTS, LOST_SENTENCES)


def use(model_id: str, anyway: bool = False) -> Coverage:
    """Let the views show this model from now on; returns what they lose by it.

    Raises ParameterError for a model that is unknown or retired, or, unless `anyway`, that covers less than the
    current one.
    """
    with transaction() as c:
        publishing.lock(c)
        row = c.execute(
            sa.text("SELECT retired_at FROM sentiment.model WHERE model_id = :id FOR UPDATE"), {"id": model_id}
        ).one_or_none()
        if row is None:
            raise ParameterError(f"No model {model_id!r} has scored here.", "sentiment model list")
        if row.retired_at is not None:
            raise ParameterError(f"Model {model_id!r} is retired.", f"sentiment model retire --undo {model_id}")
        current = registry.current(c)
        lost = _lost(c, current, model_id)
        if not (lost.is_whole or anyway):
            raise ParameterError(
                f"{model_id} has not scored {lost.words()} that {current}, the current model, has: the views would "
                "lose them.",
                f"sentiment rescore --model {model_id} --from … --to …, or: sentiment model use {model_id} --anyway",
            )
        c.execute(sa.text("UPDATE sentiment.model SET is_current = false WHERE is_current"))
        c.execute(sa.text("UPDATE sentiment.model SET is_current = true WHERE model_id = :id"), {"id": model_id})
    return lost


def missing(model_id: str) -> Coverage:
    """What the current model has scored and this one has not."""
    with transaction() as c:
        return _lost(c, registry.current(c), model_id)


def _lost(c: sa.Connection, now: str, then: str) -> Coverage:
    names = {"now": now, "then": then}
    return Coverage(*(c.execute(sa.text(query), names).scalar_one() for query in LOST))


def report(model: str, source: str, first: date, last: date) -> str:
    """What the model has published of the range, and what is still between it and being the current one."""
    values = {"model": model, "source": source, "first": first, "last": last}
    with transaction() as c:
        done = c.execute(sa.text(PUBLISHED), values).one()
        current = registry.current(c)
        lost = _lost(c, current, model)
    words = f"{model} has published {done.nights:,} nights of {source}, {first} to {last}: {done.reviews:,} reviews"
    if current == model:
        return f"{words}. It is the current model."
    covers = "It covers all that"
    if not lost.is_whole:
        covers = f"It lacks {lost.words()} that"
    return f"{words}. {covers} {current}, the current model, has. Next: sentiment model use {model}"


PUBLISHED = """
SELECT count(*) AS nights, coalesce(sum(rows_published), 0)::bigint AS reviews FROM sentiment.run
WHERE model_id = :model AND source = :source AND night BETWEEN :first AND :last AND status = 'published'"""
