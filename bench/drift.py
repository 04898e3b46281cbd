"""What drift alarms detect, and their false alarms, on simulated nights; the drift step over years of history."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import reference, replays, tracking
from sentiment.drift.history import Stream
from sentiment.drift.replays import Outcome
from sentiment.drift.simulate import Audience, Shift
from sentiment.drift.watched import COUNTED, EDGES_ID, FILM_SLICES

from bench import breaks, drift_cases, drift_rivals
from bench.drift_rivals import EQUAL, PIPELINE
from tests.kit.homes import own_home

REVIEWS, NIGHTS, BUDGET = 800, 180, 1.0
SHIFTS = {"-3": Shift(share=-0.03), "-6": Shift(share=-0.06)}
WITHIN = {"-3": (14, 0.90), "-6": (5, 0.95)}
"""Shift -> nights within which it must be detected, and the share of replays that must detect it by then."""
FURTHER = ((2.0, NIGHTS), (3.0, NIGHTS), (1.5, 60))
"""Design effects and reference nights that are printed, too, without a requirement."""
YEARS, SLICES, STEP_BUDGET_S = 5, 40, 10.0
TIMES_FLAT = 1.5
"""Peak memory of the step after all years over that after the first, at most."""

Row = tuple[str, ...]


@dataclass
class Table:
    """A printed table; `failed` counts rows that miss their requirement."""

    title: str
    columns: list[str]
    rows: list[Row]
    failed: int = 0

    def add(self, met: bool | None, *cells: str) -> None:
        """Add a row; `met` is None for a row without a requirement."""
        self.rows.append((*cells, "" if met is None else "yes" if met else "NO"))
        self.failed += met is False


def measure(n_replays: int, progress: Callable[[str], None]) -> list[Table]:
    """Return all tables of the acceptance, in order."""
    began = time.monotonic()
    tables = [*_simulated(n_replays, progress), _cases(min(n_replays, 50), progress)]
    progress(f"simulated in {time.monotonic() - began:.0f} s")
    return [*tables, _real(progress), _step(progress)]


def _simulated(n_replays: int, progress: Callable[[str], None]) -> list[Table]:
    title = f"{REVIEWS} new reviews a night, {n_replays} replays, each with a reference of its own"
    table = Table(title, ["design effect", "reference", "measured", "found", "asked", "met"], [])
    outcomes = _replayed(1.5, NIGHTS, n_replays, progress)
    _add(table, outcomes[PIPELINE], 1.5, NIGHTS, required=True)
    for effect, nights in FURTHER:
        _add(table, _replayed(effect, nights, n_replays, progress)[PIPELINE], effect, nights, required=False)
    return [table, _rules(outcomes)]


def _replayed(effect: float, nights: int, n_replays: int, progress: Callable[[str], None]) -> dict[str, Outcome]:
    def drawn(number: int) -> None:
        if number % 50 == 0:
            progress(f"design effect {effect:g}, {nights} reference nights: replay {number} of {n_replays}")

    audience = Audience(reviews=REVIEWS, design_effect=effect)
    drawings = replays.simulated(audience, nights, n_replays, SHIFTS, budget=BUDGET, progress=drawn)
    return drift_rivals.compare(drawings, SHIFTS)


def _add(table: Table, outcome: Outcome, effect: float, nights: int, required: bool) -> None:
    setting = (f"{effect:g}", f"{nights} nights")
    rate, low, high = outcome.rate()
    main = float(np.mean(outcome.false_main))
    result = f"{rate:.2f} ({low:.2f} to {high:.2f}); whole night alone {main:.2f}"
    met = rate <= BUDGET if required else None
    table.add(met, *setting, "false alarms in 365 quiet nights", result, f"at most {BUDGET:g}")
    for shift, (limit, least) in WITHIN.items():
        share = outcome.within(shift, limit)
        result = f"{share:.1%}; median {outcome.median(shift):.0f} nights"
        requirement = f"at least {least:.0%}" if required else ""
        met = share >= least if required else None
        table.add(met, *setting, f"{shift} points within {limit} nights", result, requirement)


def _rules(outcomes: dict[str, Outcome]) -> Table:
    table = Table(
        f"The same nights by other rules (design effect 1.5, {NIGHTS} reference nights)",
        ["rule", "false alarms a year", "-3 in 14 nights", "median", "-6 in 5 nights", "median", "pipeline better"],
        [],
    )
    pipeline = outcomes[PIPELINE]
    for rule, other in outcomes.items():
        cells = [f"{other.rate()[0]:.1f}"]
        for shift, (limit, _) in WITHIN.items():
            median = other.median(shift)
            cells += [f"{other.within(shift, limit):.0%}", "never" if median >= replays.NEVER else f"{median:.0f}"]
        table.add(None if other is pipeline else _better(rule, pipeline, other), rule, *cells)
    return table


def _better(rule: str, pipeline: Outcome, other: Outcome) -> bool:
    """Return whether the pipeline's rule is better than `rule`, whose outcome is `other`.

    Than a rule with its usual cut-off: fewer false alarms, or more detected. Than one with as many false alarms as the
    pipeline: nothing detected later, and as much detected at least.
    """
    shares = [(pipeline.within(s, limit), other.within(s, limit)) for s, (limit, _) in WITHIN.items()]
    if not rule.endswith(EQUAL):
        return pipeline.rate()[0] < other.rate()[0] or all(share > other_share for share, other_share in shares)
    sooner = all(pipeline.median(shift) <= other.median(shift) for shift in SHIFTS)
    return sooner and all(share >= other_share for share, other_share in shares)


def _cases(n_replays: int, progress: Callable[[str], None]) -> Table:
    progress("single cases")
    table = Table(f"Single cases, {n_replays} replays each", ["what happens", "found", "asked", "met"], [])
    for case in drift_cases.all_cases(Audience(reviews=REVIEWS), NIGHTS, n_replays):
        table.add(case.met, case.event, case.result, case.requirement)
    return table


def _real(progress: Callable[[str], None]) -> Table:
    table = Table("The real path", ["what happens", "found", "asked", "met"], [])
    with own_home():
        for met, *cells in (*breaks.stopped(progress), *breaks.same_tables(progress)):
            table.add(met, *cells)
    return table


def _step(progress: Callable[[str], None]) -> Table:
    table = Table(
        f"The drift step with {YEARS} years x {SLICES} slices of history", ["measured", "found", "asked", "met"], []
    )
    with own_home():
        stream, first = Stream("bench", "cinema-fr"), date(2021, 1, 4)
        progress(f"counting {YEARS} years of nights")
        with transaction("owner") as c:
            fill(c, stream, first, YEARS * 365)
        reference.pin(stream, first, first + timedelta(days=NIGHTS))
        a_year_on, last = first + timedelta(days=365), first + timedelta(days=YEARS * 365 - 1)
        tracking.replay(stream, a_year_on, a_year_on, reference_id=_current(stream))
        early = _peak(stream, a_year_on)
        began = time.monotonic()
        tracking.replay(stream, a_year_on + timedelta(days=1), None)
        replayed = time.monotonic() - began
        _delete_comparisons(stream, last)
        began = time.monotonic()
        tracking.replay(stream, last, last, reference_id=_current(stream))
        seconds = time.monotonic() - began
        late = _peak(stream, last)
    table.add(seconds <= STEP_BUDGET_S, "the last night", f"{seconds:.1f} s", f"at most {STEP_BUDGET_S:g} s")
    peaks = f"{late / 2**20:.1f} MiB; after one year {early / 2**20:.1f} MiB"
    table.add(late <= TIMES_FLAT * early, "peak memory of the step", peaks, "flat")
    table.add(None, f"replay of {YEARS - 1} years", f"{replayed:.0f} s", "")
    return table


def _peak(stream: Stream, night: date) -> int:
    """Return the most bytes that Python and numpy hold while that night alone is judged, as if for the first time."""
    _delete_comparisons(stream, night)
    tracemalloc.start()
    try:
        tracking.replay(stream, night, night, reference_id=_current(stream))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


DELETE_COMPARISONS = sa.text(
    "DELETE FROM drift.drift_metrics WHERE source = :source AND model_id = :model_id AND night = :night"
)


def _delete_comparisons(stream: Stream, night: date) -> None:
    with transaction() as c:
        c.execute(DELETE_COMPARISONS, {**stream.keys, "night": night})


def _current(stream: Stream) -> str:
    return next(r.reference_id for r in reference.listed() if r.is_current and r.stream == stream)


def fill(c: sa.Connection, stream: Stream, first: date, n_nights: int) -> None:
    """Insert counts of so many nights, made by the server: every column of the whole night, and slices."""
    params = {**stream.keys, "first": first, "n_nights": n_nights, "edges_id": EDGES_ID}
    for watched in COUNTED:
        slices = SLICES - FILM_SLICES if watched.in_slices else 0
        bins = [0, *[40] * (watched.n_bins - 1)]
        column = {"column": watched.name, "data_type": watched.data_type, "slices": slices, "bins": bins}
        c.execute(INSERT_PROFILES, {**params, **column})
    c.execute(INSERT_FILMS, {**params, "films": 3 * FILM_SLICES})


INSERT_PROFILES = sa.text("""
INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  avg, stddev, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id)
SELECT cast(:first AS date) + night, :source, :model_id, CASE WHEN slice = 0 THEN 'all' ELSE 'item_type' END,
  CASE WHEN slice = 0 THEN 'all' ELSE 'type ' || slice END, :column, :data_type, 800, 0,
  0.6 + 0.02 * sin(night * 12.9898 + slice * 78.233), 0.49, :edges_id, cast(:bins AS bigint[]), 60, 5900, 9600, 16000,
  'bench'
FROM generate_series(0, :n_nights - 1) AS night, generate_series(0, :slices) AS slice""")

INSERT_FILMS = sa.text("""
INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, run_id)
SELECT cast(:first AS date) + night, :source, 'film ' || film, :model_id, 14, 8, 14,
  8 + (2 * sin(night * 12.9898 + film * 78.233))::int, 'bench'
FROM generate_series(0, :n_nights - 1) AS night, generate_series(1, :films) AS film""")
