"""What each page shows, read on one connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from sentiment.sql import statement

Rows = Sequence[sa.Row[Any]]
DAYS = 90
"""Days that charts over nights show."""
MOST_MOVERS, MOST_REVIEWS, MOST_RECORDS = 8, 50, 100


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
    alarms: Rows
    movers: Rows


@dataclass(frozen=True)
class DriftPage:
    """Open alarms, and every watched series."""

    selected: Selected
    alarms: Rows
    series: Rows


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
    film: sa.Row[Any] | None
    nights: Rows
    reviews: Rows
    by_doubt: bool


@dataclass(frozen=True)
class QuarantinePage:
    """Refused records: of each night by rule, and one by one of the night's run."""

    selected: Selected
    night: LastNight
    nights: Rows
    records: Rows
    rule: str | None


@dataclass(frozen=True)
class ModelsPage:
    """The models, and the newest evaluation of each."""

    models: Rows
    evaluation: Rows


def select(c: sa.Connection, choice: Choice) -> Selected:
    """Return the requested source and night, or the newest; a source that there is not is the newest one."""
    rows = _rows(c, "sources")
    nights = {row.source: row.newest_night for row in rows}
    source = choice.source if choice.source in nights else next(iter(nights), None)
    return Selected(source, choice.night or (nights[source] if source else None), list(nights))


def morning(c: sa.Connection, choice: Choice) -> Morning:
    """Read the first page."""
    selected = select(c, choice)
    nights = _rows(c, "nights", {**selected.keys, "days": DAYS})
    return Morning(
        selected,
        last_night(c, selected),
        nights,
        _rows(c, "alarms", selected.keys),
        _rows(c, "movers", {**selected.keys, "most": MOST_MOVERS}),
    )


def last_night(c: sa.Connection, selected: Selected) -> LastNight:
    """Read what became of the newest night of a source up to the selected one."""
    unopened = next(iter(_rows(c, "unopened", selected.keys)), None)
    run = next(iter(_rows(c, "newest_run", selected.keys)), None)
    if unopened is not None:
        return LastNight("unopened", None, unopened, [], None)
    if run is None:
        return LastNight("none", None, None, [], None)
    losses = _rows(c, "reasons", {"run_id": run.run_id})
    usual = _rows(c, "usual", {"source": run.source, "night": run.night})[0]
    return LastNight(run.status, run, None, losses, usual.took_s if usual.n_nights >= 3 else None)


def drift(c: sa.Connection, choice: Choice) -> DriftPage:
    """Read the page about drift."""
    selected = select(c, choice)
    return DriftPage(selected, _rows(c, "alarms", selected.keys), _rows(c, "series", {**selected.keys, "days": DAYS}))


def films(c: sa.Connection, choice: Choice, wanted: str) -> FilmsPage:
    """Read the films whose title holds the words, accents aside; without words those that moved most."""
    selected = select(c, choice)
    if wanted.strip():
        rows = c.execute(sa.text("SELECT * FROM sentiment.search_films(:wanted)"), {"wanted": wanted.strip()}).all()
    else:
        rows = list(_rows(c, "movers", {**selected.keys, "most": MOST_REVIEWS}))
    return FilmsPage(selected, wanted, rows)


def film(c: sa.Connection, source: str, item_id: str, by_doubt: bool) -> FilmPage:
    """Read one film's page; its reviews are the newest, or with `by_doubt` those the model is least sure of."""
    keys = {"source": source, "item_id": item_id}
    return FilmPage(
        source,
        item_id,
        next(iter(_rows(c, "film", keys)), None),
        _rows(c, "film_nights", keys),
        _rows(c, "film_reviews", {**keys, "by_doubt": by_doubt, "most": MOST_REVIEWS}),
        by_doubt,
    )


def quarantine(c: sa.Connection, choice: Choice, rule: str | None) -> QuarantinePage:
    """Read the page about refused records."""
    selected = select(c, choice)
    night = last_night(c, selected)
    records: Rows = []
    if night.run is not None:
        records = _rows(c, "refused_records", {"run_id": night.run.run_id, "rule": rule, "most": MOST_RECORDS})
    nights = _rows(c, "refused_by_night", {**selected.keys, "days": DAYS})
    return QuarantinePage(selected, night, nights, records, rule)


def models(c: sa.Connection) -> ModelsPage:
    """Read the page about models."""
    return ModelsPage(_rows(c, "models"), _rows(c, "evaluation"))


def _rows(c: sa.Connection, name: str, params: Mapping[str, Any] | None = None) -> Rows:
    return c.execute(statement(f"dashboard/{name}"), dict(params or {})).all()


TABLES = {
    "nights": ("nights", {"days": DAYS}),
    "alarms": ("alarms", {}),
    "movers": ("movers", {"most": 1000}),
    "drift": ("series", {"days": DAYS}),
    "refused": ("refused_by_night", {"days": DAYS}),
}
"""Name of a table that can be downloaded -> its statement, and what it is given beside source and night."""


def table(c: sa.Connection, name: str, choice: Choice) -> tuple[list[str], Rows]:
    """Return the columns and rows of one of TABLES, of the requested source and night."""
    query, params = TABLES[name]
    result = c.execute(statement(f"dashboard/{query}"), {**select(c, choice).keys, **params})
    return list(result.keys()), result.all()
