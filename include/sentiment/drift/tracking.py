"""Compare published nights with the pinned reference and with the night before. No Spark: counts only.

One path for tonight, for a night that comes late, and for a replay: from some night on, in the order of nights,
with the state that the night before left. So all of them end in the same tables, to the last digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import alarms, bands, channels, comparisons, confidence, estimates, history, reference, revisions
from sentiment.drift.alarms import Acknowledged, Alarm
from sentiment.drift.channels import HIGH, LOW, Decision
from sentiment.drift.comparisons import Row, Status
from sentiment.drift.counts import Array
from sentiment.drift.history import EMPTY, Stream
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS
from sentiment.drift.reference import Reference
from sentiment.drift.watched import MAIN_SERIES, Key
from sentiment.errors import ParameterError
from sentiment.runs import opening
from sentiment.runs.model import READING_VERSION
from sentiment.sql import statement

# Nights in memory at a time, however long the history.
NIGHTS_AT_ONCE = 30


def track(run_id: str) -> Counter[str]:
    """Judge the run's night, and the nights after it if it came late; return the night's series by status."""
    run = opening.get_run(run_id)
    stream = Stream(run.source, run.model_id)
    statuses = replay(stream, run.night, None, run_id=run_id)[run.night]
    if not _acknowledge_new_reading(stream):
        return statuses
    return replay(stream, run.night, None, run_id=run_id)[run.night]


READING_STEP = "this version reads values otherwise, or leaves out those that can't be read, where one before refused"
"""Why an alarm is acknowledged that a new version of the reading has made."""
RULES_OF_STEP = [
    "text_present", "rating_in_range", "date_readable", "date_not_future", "polarity_known", "fields_not_too_long"
]  # fmt: skip
"""Rules that refused records in a version before which are published, or are no reviews, since."""


def _acknowledge_new_reading(stream: Stream) -> bool:
    """Acknowledge what a new version of the reading has made of refused and missing values; return whether it had."""
    params = {**stream.keys, "reading_version": READING_VERSION, "rules": RULES_OF_STEP}
    with transaction() as c:
        rows = c.execute(statement("drift/alarms/of_new_reading"), params).mappings().all()
        for row in rows:
            acknowledgement = {**stream.keys, **row, "reason": READING_STEP, "person": "sentiment"}
            c.execute(statement("drift/alarms/acknowledge"), acknowledgement)
    return bool(rows)


def replay(
    stream: Stream, first: date, last: date | None, *, reference_id: str | None = None, run_id: str = "replay"
) -> dict[date, Counter[str]]:
    """Recompute nights from stored counts, in order; insert what differs as superseding rows.

    Nights after `last` that rest on these are recomputed too, unless a reference is named: then `last` is the last.
    Returns each night's number of series by status. Raises ParameterError where no night of the range is published.
    """
    with transaction() as c:
        return replay_in(c, stream, first, last, reference_id=reference_id, run_id=run_id)


def replay_in(
    c: sa.Connection, stream: Stream, first: date, last: date | None, *, reference_id: str | None = None, run_id: str
) -> dict[date, Counter[str]]:
    """Do what `replay` does in the caller's transaction."""
    reference.lock(c, stream)
    nights = history.nights_between(c, stream, first, last if reference_id else None)
    if not nights or (last is not None and nights[0] > last):
        raise ParameterError(
            f"No night of {stream.source} by {stream.model_id} is published from {first} on.", "sentiment runs"
        )
    pinned = reference.load(c, stream, reference_id)
    if reference_id is None:
        # A night may have been counted before the reference was pinned, and published since.
        bands.recount(c, stream, confidence.band(pinned), nights[0])
    statuses: dict[date, Counter[str]] = {}
    walk = _Walk(c, stream, pinned, nights[0], run_id)
    for start in range(0, len(nights), NIGHTS_AT_ONCE):
        statuses |= walk.judge(nights[start : start + NIGHTS_AT_ONCE])
    walk.finish(nights[-1])
    return statuses


def acknowledge(alarm_id: str, reason: str, person: str) -> Acknowledged:
    """Acknowledge an open alarm from its newest night on. Raises what `alarms.acknowledge` raises."""
    acknowledged = alarms.acknowledge(alarm_id, reason, person)
    replay(acknowledged.stream, acknowledged.night, None, run_id=f"ack {alarm_id}")
    return acknowledged


@dataclass
class _Walk:
    """Judges nights in order, with the state that the nights before left."""

    c: sa.Connection
    stream: Stream
    pinned: Reference | None
    first: date
    run_id: str

    def __post_init__(self) -> None:
        self.films = self.pinned.films if self.pinned else ()
        self.band = confidence.band(self.pinned)
        self.before: date | None = history.night_before(self.c, self.stream, self.first)
        loaded = history.load(self.c, self.stream, [self.before], self.films, self.band) if self.before else {}
        self.cells_before = loaded[self.before] if self.before else {}
        self.ended: list[Alarm] = []
        self.open: dict[Key, Alarm] = {}
        if self.pinned is not None:
            self.state, self.opened = revisions.state_before(self.c, self.pinned, self.first)
            self.open = alarms.open_before(self.c, self.pinned, self.first)
            self.acknowledged = alarms.acknowledgements(self.c, self.pinned)

    def judge(self, nights: Sequence[date]) -> dict[date, Counter[str]]:
        """Compare nights and store the comparisons; return each night's number of series by status."""
        cells_by_night = history.load(self.c, self.stream, nights, self.films, self.band)
        rows: list[Row] = []
        statuses: dict[date, Counter[str]] = {}
        for night in nights:
            cells = cells_by_night[night]
            judged = list(self._with_reference(night, cells, self.pinned))
            statuses[night] = Counter(row["status"] for row in judged)
            rows += judged
            rows += comparisons.with_night_before(night, cells, self.cells_before, self.before)
            estimates.write(self.c, self.stream, self.pinned, night, cells, self.run_id)
            self.before, self.cells_before = night, cells
        revisions.write(self.c, self.stream, nights, rows, self.run_id)
        return statuses

    def finish(self, last: date) -> None:
        """Write the alarms; withdraw those that opened in these nights before and did not open again."""
        if self.pinned is None:
            return
        standing = [*self.ended, *self.open.values()]
        alarms.withdraw(self.c, self.pinned, self.first, last, standing)
        alarms.write(self.c, self.pinned, standing, self.run_id)

    def _with_reference(self, night: date, cells: history.Night, pinned: Reference | None) -> Iterator[Row]:
        if pinned is None:
            yield from comparisons.without_reference(night, cells)
            return
        z, decision = self._decide(night, cells, pinned)
        self._follow(night, decision, pinned)
        for i, key in enumerate(pinned.series):
            row = comparisons.with_reference(night, i, key, cells.get(key, EMPTY), z[i], decision, pinned)
            yield row | {
                "alarm_opened": self.opened.get(key) if decision.alarm[i] else None,
                "status": self._status(night, i, key, decision).value,
            }
        yield from comparisons.unknown_to(pinned, night, cells)
        self.state = decision.state

    def _decide(self, night: date, cells: history.Night, pinned: Reference) -> tuple[Array, Decision]:
        sums = history.sums_of([cells], pinned.series)
        if cells.get(MAIN_SERIES, EMPTY).n_values < MIN_NIGHT_REVIEWS:
            sums = sums.masked(np.zeros_like(sums.n, dtype=bool))
        days = np.array([night.weekday()])
        z, effect = pinned.model.z(sums, days)[0], pinned.model.effect(sums, days)[0]
        statistics = channels.Night(z, effect, sums.n[0])
        # The night's ordinal as its number: a later replay, which starts elsewhere, gives it the same one.
        decision = channels.decide(
            self.state, statistics, night.toordinal(), pinned.limits, pinned.model.floor, pinned.may_alarm
        )
        return z, decision

    def _follow(self, night: date, decision: Decision, pinned: Reference) -> None:
        """Open and close alarms as decided."""
        for i in np.flatnonzero(decision.opened | (self.state.alarm != 0)):
            key = pinned.series[i]
            if decision.opened[i]:
                side = int(decision.alarm[i])
                since = int(decision.state.since[HIGH if side > 0 else LOW, i])
                channel = "shewhart" if decision.by_shewhart[i] else "cusum"
                began = date.fromordinal(since) if channel == "cusum" and since > 0 else night
                self.open[key] = Alarm(key, side, channel, began, night)
                self.opened[key] = night
            elif decision.alarm[i] == 0:
                self.ended.append(alarms.closed(self.open.pop(key), night))
                self.opened.pop(key, None)

    def _status(self, night: date, i: int, key: Key, decision: Decision) -> Status:
        if not decision.judged[i]:
            return Status.insufficient_data
        if decision.alarm[i]:
            opened = self.opened[key]
            acknowledged = any(a.holds(opened, night) for a in self.acknowledged.get(key, ()))
            return Status.acknowledged if acknowledged else Status.alarm
        return Status.warning if decision.warning[i] else Status.ok
