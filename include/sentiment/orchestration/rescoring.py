"""Score published nights by another model beside the current one, and choose which model the views show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import ParameterError, quoted
from sentiment.orchestration.ingesting import PARIS
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.sql import statement, with_literals
from sentiment.store import publishing


@dataclass(frozen=True)
class Request:
    """Which published nights to score again, both dates included, and by which model.

    Raises ParameterError for dates in the wrong order or in the future.
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
                f"sentiment rescore --model {quoted(self.model)} --from {min(self.first, today)} --to {today}",
            )


@dataclass(frozen=True)
class Night:
    """A published night that the model has not scored, and its dump."""

    night: date
    dump_id: str


def pending(request: Request) -> list[Night]:
    """Return the nights to score, the newest first; those that the model has published are left out.

    Raises ParameterError for a model that is not here, or is retired.
    """
    # Before Spark starts: this raises where the model is gone, has changed or is retired.
    registry.register(registry.find(request.model, settings.load()))
    with transaction() as c:
        rows = c.execute(statement("orchestration/rescoring/pending_nights"), vars(request))
        return [Night(row.night, row.dump_id) for row in rows]


def stored_night_query(run: Run) -> str:
    """Return the query, without parameters, that lists the reviews of a run's night as `accepted` had them.

    Its rows have the review's columns, its novelty, and whether the version is shown; the text is null where the
    version is not kept any more.
    """
    return with_literals("orchestration/rescoring/stored_night", {"night": run.night, "source": run.source})


def has_sentences(night: date, source: str) -> bool:
    """Return whether the sentences of a published night were scored."""
    with transaction() as c:
        row = c.execute(
            statement("orchestration/rescoring/night_has_sentences"), {"night": night, "source": source}
        ).scalar_one()
    return bool(row)


@dataclass(frozen=True)
class Coverage:
    """What the views would lose by showing another model than the current one."""

    reviews: int
    nights: int
    """Nights of which the other model has scored nothing, or fewer reviews than it could."""
    sentences: int
    """Reviews of which the other model has scored no sentences."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing would be lost."""
        return not (self.reviews or self.nights or self.sentences)

    def summary(self) -> str:
        """Return the counts that are not zero, like `3 reviews, 1 nights (or a part of them)`, or `nothing`."""
        texts = {
            f"{self.reviews:,} reviews": self.reviews,
            f"{self.nights:,} nights (or a part of them)": self.nights,
            f"the sentences of {self.sentences:,} reviews": self.sentences,
        }
        return ", ".join(text for text, n in texts.items() if n) or "nothing"


def use(model_id: str, anyway: bool = False) -> Coverage:
    """Let the views show this model from now on; return what they lose by it.

    Raises ParameterError for a model that is unknown or retired, or, unless `anyway`, that covers less than the
    current one.
    """
    with transaction() as c:
        # No night may be published between the comparison and the switch.
        publishing.lock(c)
        _check_in_use(c, model_id)
        current = registry.current(c)
        lost = _lost(c, current, model_id)
        if not (lost.is_complete or anyway):
            first, last = _range(c, current)
            raise ParameterError(
                f"{model_id} has not scored {lost.summary()} that {current}, the current model, has: the views would "
                "lose them.",
                f"sentiment rescore --model {model_id} --from {first} --to {last}, or: sentiment model use {model_id} "
                "--anyway",
            )
        # Two statements: the unique index is checked row by row, so one statement might meet two current models.
        c.execute(sa.text("UPDATE sentiment.model SET is_current = false WHERE is_current"))
        c.execute(sa.text("UPDATE sentiment.model SET is_current = true WHERE model_id = :id"), {"id": model_id})
    return lost


def _range(c: sa.Connection, model_id: str | None) -> tuple[date, date]:
    """Return the first and the last night that a model's runs published; today's where there is none."""
    query = "SELECT min(night), max(night) FROM sentiment.run WHERE model_id = :id AND status = 'published'"
    first, last = c.execute(sa.text(query), {"id": model_id}).one()
    today = date.today()
    return first or today, last or today


def _check_in_use(c: sa.Connection, model_id: str) -> None:
    """Lock a model's row; ParameterError where there is none or the model is retired."""
    row = c.execute(
        sa.text("SELECT retired_at FROM sentiment.model WHERE model_id = :id FOR UPDATE"), {"id": model_id}
    ).one_or_none()
    if row is None:
        raise ParameterError(f"No model {model_id!r} has scored here.", "sentiment model list")
    if row.retired_at is not None:
        raise ParameterError(f"Model {model_id!r} is retired.", f"sentiment model retire --undo {model_id}")


def missing(model_id: str) -> Coverage:
    """Return what the current model has scored and this one has not."""
    with transaction() as c:
        return _lost(c, registry.current(c), model_id)


def _lost(c: sa.Connection, current: str, other: str) -> Coverage:
    models = {"current": current, "other": other}
    return Coverage(
        reviews=c.execute(statement("orchestration/rescoring/lost_reviews"), models).scalar_one(),
        nights=c.execute(statement("orchestration/rescoring/lost_nights"), models).scalar_one(),
        sentences=c.execute(statement("orchestration/rescoring/lost_sentences"), models).scalar_one(),
    )


def report(model: str, source: str, first: date, last: date) -> str:
    """Return what the model has published of the range, and what it lacks before the views could show it."""
    values = {"model": model, "source": source, "first": first, "last": last}
    with transaction() as c:
        published = c.execute(statement("orchestration/rescoring/published_range"), values).one()
        current = registry.current(c)
        lost = _lost(c, current, model)
    summary = (
        f"{model} has published {published.nights:,} nights of {source}, {first} to {last}: "
        f"{published.reviews:,} reviews"
    )
    if current == model:
        return f"{summary}. It is the current model."
    covers = "It covers all that" if lost.is_complete else f"It lacks {lost.summary()} that"
    return f"{summary}. {covers} {current}, the current model, has. Next: sentiment model use {model}"
