"""What each page shows, read on one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from math import exp
from statistics import NormalDist
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from sentiment.dashboard import segments
from sentiment.dashboard.reading import Rows
from sentiment.drift.watched import EDGES_ID, LOGIT_EDGES
from sentiment.errors import ParameterError
from sentiment.samples.sample_dump import INVENTED
from sentiment.sql import statement

PARIS = ZoneInfo("Europe/Paris")
DAYS = 90
"""Days that charts over nights show."""
CALIBRATION_DAYS = 28
NEWEST_REVIEWS = 1000
"""Newest reviews of a film that stand for it where all would be too many to read."""
MOST_MOVERS, MOST_REVIEWS, MOST_RECORDS, MOST_FILMS = 8, 25, 100, 200
Z_OF_FILMS = {"z_of_films": [NormalDist().inv_cdf(1 - 0.025 / 2**power) for power in range(32)]}
"""By powers of 2: the normal quantile by which so many 95 percent intervals hold at once (Bonferroni)."""


@dataclass(frozen=True)
class Choice:
    """Which night a visitor looks at; None: the newest source, the newest night."""

    source: str | None = None
    night: date | None = None


@dataclass(frozen=True)
class Selected:
    """A source and a night that there are; `source` None where the database has no run at all."""

    source: str | None
    night: date | None
    sources: list[str]
    is_invented: bool
    """Whether the source's reviews are made up."""
    newest_night: date | None
    """The newest night of the source, whatever the selected one."""
    as_of: datetime
    """When the page was read."""

    @property
    def days_old(self) -> int | None:
        """Return how many days have ended in Paris since the newest night; None without one."""
        return (self.as_of.astimezone(PARIS).date() - self.newest_night).days - 1 if self.newest_night else None

    @property
    def keys(self) -> dict[str, Any]:
        """Return what statements about a night are given."""
        return {"source": self.source, "night": self.night}


@dataclass(frozen=True)
class LastNight:
    """What became of a night."""

    state: str
    """A status of `v_runs`, `unopened` where it failed before its run was opened, `none` where there is no night."""
    run: sa.Row[Any] | None
    unopened: sa.Row[Any] | None
    losses: Rows
    """Records that the night lost by each rule (`refused`), and values that it left out (`unread`)."""
    usual_s: float | None
    """Median duration of the published nights of the 60 days before; null without three."""

    @property
    def needs_action(self) -> bool:
        """Whether a person has to do something."""
        return self.state in {"failed", "stopped", "interrupted", "unopened"}

    @property
    def error(self) -> str | None:
        """Return the sentence of what ended the night."""
        row = self.unopened if self.state == "unopened" else self.run
        return None if row is None else row.error

    @property
    def try_next(self) -> str | None:
        """Return the command to type next, as the command line prints it."""
        row = self.unopened if self.state == "unopened" else self.run
        return None if row is None else row.try_next


@dataclass(frozen=True)
class Morning:
    """The first page: a night, what people think, what changed."""

    selected: Selected
    night: LastNight
    nights: Rows
    marks: Rows
    """Nights from which on something else than the reviews is new."""
    alarms: Rows
    movers: Rows

    @property
    def n_open(self) -> int:
        """Return how many open alarms nobody has acknowledged."""
        return sum(row.status == "alarm" for row in self.alarms)


@dataclass(frozen=True)
class DriftPage:
    """Open alarms, and every watched series."""

    selected: Selected
    alarms: Rows
    series: Rows

    @property
    def newest(self) -> Rows:
        """Return each series' row of the newest night."""
        last = max((row.night for row in self.series), default=None)
        return [row for row in self.series if row.night == last]


@dataclass(frozen=True)
class FilmsPage:
    """Films whose title holds the words."""

    selected: Selected
    wanted: str
    films: Rows


@dataclass(frozen=True)
class FilmPage:
    """One film, its nights and its reviews."""

    source: str
    item_id: str
    selected: Selected
    film: sa.Row[Any] | None
    nights: Rows
    ratings: Rows
    """Reviews of each rating, and how many of them are positive."""
    reviews: Rows
    segments: dict[str, list[segments.Segment]]
    """Review id -> its text in pieces, of reviews whose sentences are scored."""
    by_doubt: bool
    page_no: int
    has_more: bool


@dataclass(frozen=True)
class QuarantinePage:
    """Refused records: of each night by rule, and one by one of the night's run."""

    selected: Selected
    night: LastNight
    nights: Rows
    records: Rows
    duplicates: Rows
    rule: str | None


@dataclass(frozen=True)
class ModelsPage:
    """The models, the newest evaluation of each, and how their scores fare."""

    selected: Selected
    models: Rows
    evaluation: Rows
    calibration: list[Bin]
    agreement: Rows


@dataclass(frozen=True)
class Bin:
    """Labelled reviews whose predicted probability lies in one range."""

    predicted: float
    """Probability of a positive review at the middle of the range, 0 to 1."""
    n: int
    n_positive: int
    """Of these, truly positive by their label or rating."""


@dataclass(frozen=True)
class AboutPage:
    """What each figure counts."""

    selected: Selected


@dataclass(frozen=True)
class RunPage:
    """What an Airflow run has done: of a night, its run; else nothing."""

    selected: Selected
    dag_id: str
    night: LastNight | None


def select(c: sa.Connection, choice: Choice) -> Selected:
    """Return the requested source and night, or the newest; a source that there is not is the newest one."""
    by_source = {row.source: row.newest_night for row in rows(c, "sources")}
    source = choice.source if choice.source in by_source else next(iter(by_source), None)
    newest = by_source[source] if source else None
    is_invented = rows(c, "invented", {"source": source, "invented": INVENTED})[0].invented
    return Selected(source, choice.night or newest, list(by_source), is_invented, newest, datetime.now(UTC))


def morning(c: sa.Connection, choice: Choice) -> Morning:
    """Read the first page."""
    selected = select(c, choice)
    return _morning(c, selected, last_night(c, selected))


def morning_of_run(c: sa.Connection, run_id: str) -> Morning:
    """Read the first page as of a run's night, with that run; raises what `of_run` raises."""
    night = of_run(c, run_id)
    assert night.run is not None
    return _morning(c, select(c, Choice(night.run.source, night.run.night)), night)


def _morning(c: sa.Connection, selected: Selected, night: LastNight) -> Morning:
    return Morning(
        selected,
        night,
        rows(c, "nights", {**selected.keys, "days": DAYS}),
        rows(c, "marks", {**selected.keys, "days": DAYS}),
        rows(c, "alarms", selected.keys),
        rows(c, "movers", {**selected.keys, **Z_OF_FILMS, "most": MOST_MOVERS}),
    )


def last_night(c: sa.Connection, selected: Selected) -> LastNight:
    """Read what became of the newest night of a source up to the selected one."""
    unopened = next(iter(rows(c, "unopened", selected.keys)), None)
    run_id = next((row.run_id for row in rows(c, "newest_run", selected.keys)), None)
    if unopened is not None:
        return LastNight("unopened", None, unopened, [], None)
    return of_run(c, run_id) if run_id else LastNight("none", None, None, [], None)


def of_run(c: sa.Connection, run_id: str) -> LastNight:
    """Read what became of a run; ParameterError where there is none of this id."""
    run = next(iter(rows(c, "run", {"run_id": run_id})), None)
    if run is None:
        raise ParameterError(f"There is no run {run_id!r}.", "sentiment runs")
    losses = rows(c, "reasons", {"run_id": run_id})
    usual = rows(c, "usual", {"source": run.source, "night": run.night})[0]
    return LastNight(run.status, run, None, losses, usual.took_s if usual.n_nights >= 3 else None)


def run_of_airflow(c: sa.Connection, dag_id: str, airflow_run_id: str) -> RunPage:
    """Read the night that a run of Airflow's worked on, if it did."""
    # A plus sign in an address is read as a space, and Airflow's ids have some.
    ids = {"airflow_run_ids": [airflow_run_id, airflow_run_id.replace(" ", "+")]}
    run = next(iter(rows(c, "run_of_airflow", ids)), None)
    if run is not None:
        return RunPage(select(c, Choice(run.source, run.night)), dag_id, of_run(c, run.run_id))
    unopened = next(iter(rows(c, "unopened_of_airflow", ids)), None)
    if unopened is not None:
        night = LastNight("unopened", None, unopened, [], None)
        return RunPage(select(c, Choice(unopened.source, unopened.night)), dag_id, night)
    return RunPage(select(c, Choice()), dag_id, None)


def drift(c: sa.Connection, choice: Choice) -> DriftPage:
    """Read the page about drift."""
    selected = select(c, choice)
    return DriftPage(selected, rows(c, "alarms", selected.keys), rows(c, "series", {**selected.keys, "days": DAYS}))


def films(c: sa.Connection, choice: Choice, wanted: str) -> FilmsPage:
    """Read the films whose title holds the words, accents aside; without words those that moved most."""
    selected = select(c, choice)
    if wanted.strip():
        query = "SELECT * FROM sentiment.search_films(:wanted) LIMIT :most"
        listed: Rows = c.execute(sa.text(query), {"wanted": wanted.strip(), "most": MOST_FILMS}).all()
    else:
        listed = rows(c, "movers", {**selected.keys, **Z_OF_FILMS, "most": MOST_REVIEWS})
    return FilmsPage(selected, wanted, listed)


def film(c: sa.Connection, source: str, item_id: str, by_doubt: bool, page_no: int = 1) -> FilmPage:
    """Read one film's page; its reviews are the newest, or with `by_doubt` those the model is least sure of.

    Of either `page_no`, from 1, has `MOST_REVIEWS`.
    """
    keys = {"source": source, "item_id": item_id}
    newest = {**keys, "newest": NEWEST_REVIEWS}
    query = "film_doubtful_reviews" if by_doubt else "film_reviews"
    # One more than is shown: whether there is another page.
    listed = rows(c, query, {**newest, "most": MOST_REVIEWS + 1, "skipped": (page_no - 1) * MOST_REVIEWS})
    reviews = listed[:MOST_REVIEWS]
    scored = rows(c, "sentences_of_reviews", {"review_ids": [row.review_id for row in reviews]})
    return FilmPage(
        source,
        item_id,
        select(c, Choice(source)),
        next(iter(rows(c, "film", newest)), None),
        rows(c, "film_nights", keys),
        rows(c, "film_ratings", newest),
        reviews,
        segments.cut(reviews, scored),
        by_doubt,
        page_no,
        len(listed) > MOST_REVIEWS and page_no < NEWEST_REVIEWS // MOST_REVIEWS,
    )


def quarantine(c: sa.Connection, choice: Choice, rule: str | None) -> QuarantinePage:
    """Read the page about refused records."""
    selected = select(c, choice)
    night = last_night(c, selected)
    records: Rows = []
    duplicates: Rows = []
    if night.run is not None:
        keys = {"run_id": night.run.run_id, "most": MOST_RECORDS}
        records = rows(c, "refused_records", {**keys, "rule": rule})
        duplicates = rows(c, "duplicates", keys)
    nights = rows(c, "refused_by_night", {**selected.keys, "days": DAYS})
    return QuarantinePage(selected, night, nights, records, duplicates, rule)


def models(c: sa.Connection, choice: Choice) -> ModelsPage:
    """Read the page about models."""
    selected = select(c, choice)
    bins = rows(c, "calibration", {**selected.keys, "days": CALIBRATION_DAYS, "edges_id": EDGES_ID})
    return ModelsPage(
        selected,
        rows(c, "models"),
        rows(c, "evaluation"),
        # The first bin is that of null values.
        [
            Bin(predicted, int(row.n_labelled), int(row.n_positive or 0))
            for predicted, row in zip(_probabilities(), bins[1:], strict=False)
            if row.n_labelled
        ],
        rows(c, "agreement", selected.keys),
    )


def _probabilities() -> list[float]:
    """Return the probability of a positive review at the middle of each bin of the logit."""
    logits = [LOGIT_EDGES[0] - 0.5, *((a + b) / 2 for a, b in pairwise(LOGIT_EDGES)), LOGIT_EDGES[-1] + 0.5]
    return [1 / (1 + exp(-logit)) for logit in logits]


def about(c: sa.Connection, choice: Choice) -> AboutPage:
    """Read what the page about the data shows."""
    return AboutPage(select(c, choice))


def rows(c: sa.Connection, name: str, params: Mapping[str, Any] | None = None) -> Rows:
    """Return the rows of a statement of the dashboard."""
    return c.execute(statement(f"dashboard/{name}"), dict(params or {})).all()


TABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "nights": ("nights", {"days": DAYS}),
    "marks": ("marks", {"days": DAYS}),
    "alarms": ("alarms", {}),
    "movers": ("movers", {**Z_OF_FILMS, "most": 1000}),
    "drift": ("series", {"days": DAYS}),
    "refused": ("refused_by_night", {"days": DAYS}),
    "agreement": ("agreement", {}),
}
"""Name of a table that can be downloaded -> its statement, and what it takes beside source and night."""


def table(c: sa.Connection, name: str, choice: Choice) -> tuple[list[str], Rows]:
    """Return the columns and rows of one of TABLES, of the requested source and night."""
    query, params = TABLES[name]
    result = c.execute(statement(f"dashboard/{query}"), {**select(c, choice).keys, **params})
    return list(result.keys()), result.all()
