"""What drift alarms find and what they cry over nothing, on simulated nights; the drift step over years of history."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import cases, reference, replays, tracking
from sentiment.drift.history import Stream
from sentiment.drift.replays import Found
from sentiment.drift.simulate import Audience, Shift
from sentiment.drift.watched import COUNTED, EDGES_ID, FILM_SLICES

from bench import breaks
from tests.kit.homes import own_home

REVIEWS, NIGHTS, BUDGET = 800, 180, 1.0
SHIFTS = {"-3": Shift(share=-0.03), "-6": Shift(share=-0.06)}
WITHIN = {"-3": (14, 0.90), "-6": (5, 0.95)}
BESIDE = ((2.0, NIGHTS), (3.0, NIGHTS), (1.5, 60))
"""Design effects and reference nights that are printed beside."""
YEARS, SLICES, STEP_BUDGET_S = 5, 40, 10.0
TIMES_FLAT = 1.5
"""Peak memory of the step after all years over that after the first, at most."""

Row = tuple[str, ...]


@dataclass
class Table:
    """A printed table; `failed` counts rows that miss what must be shown."""

    title: str
    columns: list[str]
    rows: list[Row]
    failed: int = 0

    def add(self, met: bool | None, *cells: str) -> None:
        """Add a row; None where nothing is asked of it."""
        self.rows.append((*cells, "" if met is None else "yes" if met else "NO"))
        self.failed += met is False


def measure(n_replays: int, tell: Callable[[str], None]) -> list[Table]:
    """All tables of the acceptance, in order."""
    began = time.monotonic()
    tables = [*_simulated(n_replays, tell), _cases(min(n_replays, 50), tell)]
    tell(f"simulated in {time.monotonic() - began:.0f} s")
    return [*tables, _real(tell), _step(tell)]


def _simulated(n_replays: int, tell: Callable[[str], None]) -> list[Table]:
    title = f"{REVIEWS} new reviews a night, {n_replays} replays, each with a reference of its own"
    wanted = Table(title, ["design effect", "reference", "measured", "found", "asked", "met"], [])
    found = _replayed(1.5, NIGHTS, n_replays, tell)
    _add(wanted, found["ours"], 1.5, NIGHTS, asked=True)
    for effect, nights in BESIDE:
        _add(wanted, _replayed(effect, nights, n_replays, tell)["ours"], effect, nights, asked=False)
    return [wanted, _beside(found)]


def _replayed(effect: float, nights: int, n_replays: int, tell: Callable[[str], None]) -> dict[str, Found]:
    def progress(number: int) -> None:
        if number % 50 == 0:
            tell(f"design effect {effect:g}, {nights} reference nights: replay {number} of {n_replays}")

    audience = Audience(reviews=REVIEWS, design_effect=effect)
    return replays.measure(audience, nights, n_replays, SHIFTS, budget=BUDGET, tell=progress)


def _add(table: Table, found: Found, effect: float, nights: int, asked: bool) -> None:
    where = (f"{effect:g}", f"{nights} nights")
    rate, low, high = found.rate()
    whole = float(np.mean(found.false_whole))
    said = f"{rate:.2f} ({low:.2f} to {high:.2f}); whole night alone {whole:.2f}"
    table.add(
        rate <= BUDGET if asked else None, *where, "false alarms in 365 quiet nights", said, f"at most {BUDGET:g}"
    )
    for shift, (limit, least) in WITHIN.items():
        share = found.within(shift, limit)
        said = f"{share:.1%}; median {found.median(shift):.0f} nights"
        asks = f"at least {least:.0%}" if asked else ""
        table.add(share >= least if asked else None, *where, f"{shift} points within {limit} nights", said, asks)


def _beside(found: dict[str, Found]) -> Table:
    table = Table(
        f"The same nights by other rules (design effect 1.5, {NIGHTS} reference nights)",
        ["rule", "false alarms a year", "-3 in 14 nights", "median", "-6 in 5 nights", "median", "ours better"],
        [],
    )
    ours = found["ours"]
    for name, other in found.items():
        cells = [f"{other.rate()[0]:.1f}"]
        for shift, (limit, _) in WITHIN.items():
            middle = other.median(shift)
            cells += [f"{other.within(shift, limit):.0%}", "never" if middle >= replays.NEVER else f"{middle:.0f}"]
        table.add(None if other is ours else _better(name, ours, other), name, *cells)
    return table


def _better(name: str, ours: Found, other: Found) -> bool:
    """As it is used: fewer false alarms, or it finds less. With our false alarms: nothing found later, more found."""
    shares = [(ours.within(s, limit), other.within(s, limit)) for s, (limit, _) in WITHIN.items()]
    if not name.endswith(replays.EQUAL):
        return ours.rate()[0] < other.rate()[0] or all(mine > its for mine, its in shares)
    sooner = all(ours.median(shift) <= other.median(shift) for shift in SHIFTS)
    return sooner and all(mine >= its for mine, its in shares)


def _cases(n_replays: int, tell: Callable[[str], None]) -> Table:
    tell("single cases")
    table = Table(f"Single cases, {n_replays} replays each", ["what happens", "found", "asked", "met"], [])
    for case in cases.all_cases(Audience(reviews=REVIEWS), NIGHTS, n_replays):
        table.add(case.met, case.what, case.found, case.asked)
    return table


def _real(tell: Callable[[str], None]) -> Table:
    table = Table("The real path", ["what happens", "found", "asked", "met"], [])
    with own_home():
        for met, *cells in (*breaks.stopped(tell), *breaks.same_tables(tell)):
            table.add(met, *cells)
    return table


def _step(tell: Callable[[str], None]) -> Table:
    table = Table(
        f"The drift step with {YEARS} years x {SLICES} slices of history", ["measured", "found", "asked", "met"], []
    )
    with own_home():
        stream, first = Stream("bench", "cinema-fr"), date(2021, 1, 4)
        tell(f"counting {YEARS} years of nights")
        with transaction("owner") as c:
            fill(c, stream, first, YEARS * 365)
        reference.pin(stream, first, first + timedelta(days=NIGHTS))
        a_year_on, last = first + timedelta(days=365), first + timedelta(days=YEARS * 365 - 1)
        tracking.replay(stream, a_year_on, a_year_on, reference_id=_current(stream))
        early = _peak(stream, a_year_on)
        began = time.monotonic()
        tracking.replay(stream, a_year_on + timedelta(days=1), None)
        replayed = time.monotonic() - began
        _forget(stream, last)
        began = time.monotonic()
        tracking.replay(stream, last, last, reference_id=_current(stream))
        seconds = time.monotonic() - began
        late = _peak(stream, last)
    table.add(seconds <= STEP_BUDGET_S, "the last night", f"{seconds:.1f} s", f"at most {STEP_BUDGET_S:g} s")
    said = f"{late / 2**20:.1f} MiB; after one year {early / 2**20:.1f} MiB"
    table.add(late <= TIMES_FLAT * early, "peak memory of the step", said, "flat")
    table.add(None, f"replay of {YEARS - 1} years", f"{replayed:.0f} s", "")
    return table


def _peak(stream: Stream, night: date) -> int:
    """Bytes that Python and numpy hold at most while that night alone is judged, as if for the first time."""
    _forget(stream, night)
    tracemalloc.start()
    try:
        tracking.replay(stream, night, night, reference_id=_current(stream))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _forget(stream: Stream, night: date) -> None:
    with transaction() as c:
        where = "source = :source AND model_id = :model_id AND night = :night"
        c.execute(sa.text(f"DELETE FROM drift.drift_metrics WHERE {where}"), {**stream.keys, "night": night})


def _current(stream: Stream) -> str:
    return next(r.reference_id for r in reference.listed() if r.is_current and r.stream == stream)


def fill(c: sa.Connection, stream: Stream, first: date, n_nights: int) -> None:
    """Counts of so many nights, made by the server: every column of the whole night, and slices."""
    values = {**stream.keys, "first": first, "n_nights": n_nights, "edges_id": EDGES_ID}
    for watched in COUNTED:
        slices = SLICES - FILM_SLICES if watched.in_slices else 0
        bins = "0, " + ", ".join(["40"] * (watched.n_bins - 1))
        kind = {"column": watched.name, "data_type": watched.data_type, "slices": slices}
        c.execute(sa.text(PROFILES.format(bins=bins)), {**values, **kind})
    c.execute(sa.text(FILMS), {**values, "films": 3 * FILM_SLICES})


PROFILES = """
INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  avg, stddev, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id)
SELECT cast(:first AS date) + night, :source, :model_id, CASE WHEN slice = 0 THEN 'all' ELSE 'item_type' END,
  CASE WHEN slice = 0 THEN 'all' ELSE 'type ' || slice END, :column, :data_type, 800, 0,
  0.6 + 0.02 * sin(night * 12.9898 + slice * 78.233), 0.49, :edges_id, ARRAY[{bins}]::bigint[], 60, 5900, 9600, 16000,
  'bench'
FROM generate_series(0, :n_nights - 1) AS night, generate_series(0, :slices) AS slice"""

FILMS = """
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, run_id)
SELECT cast(:first AS date) + night, :source, 'film ' || film, :model_id, 14, 8, 14,
  8 + (2 * sin(night * 12.9898 + film * 78.233))::int, 'bench'
FROM generate_series(0, :n_nights - 1) AS night, generate_series(1, :films) AS film"""
