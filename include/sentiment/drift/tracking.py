"""Compare published nights with the pinned reference and with the night before. No Spark: counts only.

One path for tonight, for a night that comes late, and for a replay: from some night on, in the order of nights,
with the state that the night before left. So all of them end in the same tables, to the last digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import alarms, channels, distances, history, performance, reference
from sentiment.drift.alarms import Acknowledged, Alarm
from sentiment.drift.channels import HIGH, LOW, Decision, State
from sentiment.drift.counts import Sums
from sentiment.drift.history import EMPTY, Cell, Key, Stream
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS
from sentiment.drift.performance import Calibrator
from sentiment.drift.reference import Reference
from sentiment.drift.watched import BY_NAME, KEY, LOGIT_EDGES, MAIN_SERIES
from sentiment.errors import ParameterError
from sentiment.runs import opening

NIGHTS_AT_ONCE = 30
"""So many nights are in memory, however long the history."""


def track(run_id: str) -> Counter[str]:
    """Judge the run's night, and those after it if it came late; counts its series by status."""
    run = opening.get_run(run_id)
    return replay(Stream(run.source, run.model_id), run.night, None, run_id=run_id)[run.night]


def replay(
    stream: Stream, first: date, last: date | None, *, reference_id: str | None = None, run_id: str = "replay"
) -> dict[date, Counter[str]]:
    """Recompute nights from stored counts, in order; what differs is written as superseding rows.

    Nights after `last` that rest on these are recomputed too, unless a reference is named: then `last` is the last.
    Returns, for each night, its series by status. Raises ParameterError where no night of the range is published.
    """
    with transaction() as c:
        reference.lock(c, stream)
        nights = history.nights_between(c, stream, first, last if reference_id else None)
        if not nights or (last is not None and nights[0] > last):
            raise ParameterError(
                f"No night of {stream.source} by {stream.model_id} is published from {first} on.", "sentiment runs"
            )
        pinned = reference.load(c, stream, reference_id)
        statuses: dict[date, Counter[str]] = {}
        teller = _Teller(c, stream, pinned, nights[0], run_id)
        for start in range(0, len(nights), NIGHTS_AT_ONCE):
            statuses |= teller.tell(nights[start : start + NIGHTS_AT_ONCE])
        teller.finish(nights[-1])
    return statuses


def acknowledge(alarm_id: str, reason: str, who: str) -> Acknowledged:
    """Let an open alarm be told as acknowledged from its newest night on. Raises what `alarms.acknowledge` does."""
    noted = alarms.acknowledge(alarm_id, reason, who)
    replay(noted.stream, noted.night, None, run_id=f"ack {alarm_id}")
    return noted


@dataclass
class _Teller:
    """Walks over nights, with what the nights before left."""

    c: sa.Connection
    stream: Stream
    pinned: Reference | None
    first: date
    run_id: str

    def __post_init__(self) -> None:
        self.before: date | None = history.night_before(self.c, self.stream, self.first)
        films = self.pinned.films if self.pinned else ()
        self.films = films
        loaded = history.load(self.c, self.stream, [self.before], films) if self.before else {}
        self.night_before = loaded[self.before] if self.before else {}
        self.ended: list[Alarm] = []
        self.open: dict[Key, Alarm] = {}
        if self.pinned is not None:
            self.state, self.opened = _state_before(self.c, self.pinned, self.first)
            self.open = alarms.open_before(self.c, self.pinned, self.first)
            self.acknowledged = alarms.acknowledgements(self.c, self.pinned)

    def tell(self, nights: Sequence[date]) -> dict[date, Counter[str]]:
        counted = history.load(self.c, self.stream, nights, self.films)
        rows: list[dict[str, Any]] = []
        for night in nights:
            cells = counted[night]
            rows += self._baseline(night, cells) if self.pinned else _unjudged(night, cells)
            rows += _consecutive(night, cells, self.night_before, self.before)
            _write_performance(self.c, self.stream, self.pinned, night, cells, self.run_id)
            self.before, self.night_before = night, cells
        _write(self.c, self.stream, nights, rows, self.run_id)
        return {
            night: Counter(row["status"] for row in rows if row["night"] == night and row["drift_type"] == "BASELINE")
            for night in nights
        }

    def finish(self, last: date) -> None:
        """Write the alarms; those that opened in these nights before, and do no more, are withdrawn."""
        if self.pinned is None:
            return
        told = [*self.ended, *self.open.values()]
        alarms.withdraw_from(self.c, self.pinned, self.first, last, told)
        alarms.write(self.c, self.pinned, told, self.run_id)

    def _baseline(self, night: date, cells: history.Night) -> Iterator[dict[str, Any]]:
        pinned = self.pinned
        assert pinned is not None
        sums = history.sums_of([cells], pinned.series)
        if cells.get(MAIN_SERIES, EMPTY).n_values < MIN_NIGHT_REVIEWS:
            sums = sums.masked(np.zeros_like(sums.n, dtype=bool))
        days = np.array([night.weekday()])
        z, effect = pinned.model.z(sums, days)[0], pinned.model.effect(sums, days)[0]
        said = channels.Night(z, effect, sums.n[0])
        no = night.toordinal()
        decision = channels.decide(self.state, said, no, pinned.limits, pinned.model.floor, pinned.may_alarm)
        self._follow(night, decision)
        for i, key in enumerate(pinned.series):
            yield self._row(night, i, key, cells.get(key, EMPTY), z[i], decision)
        self.state = decision.state

    def _follow(self, night: date, decision: Decision) -> None:
        assert self.pinned is not None
        for i in np.flatnonzero(decision.opened | (self.state.alarm != 0)):
            key = self.pinned.series[i]
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

    def _row(self, night: date, i: int, key: Key, cell: Cell, z: float, decision: Decision) -> dict[str, Any]:
        assert self.pinned is not None
        pinned, state = self.pinned, decision.state
        judged = bool(decision.judged[i])
        alarmed = bool(decision.alarm[i])
        return {
            **_empty_row(night, key, "BASELINE", pinned.reference_id, cell),
            **(_distances(cell, pinned.bins[i], key) if judged else {}),
            **_deltas(cell, pinned, i, judged),
            "n_reference": int(pinned.model.n[i]),
            "effect": float(decision.effect[i]) if judged else None,
            "z": float(z) if judged else None,
            "threshold": _finite(pinned.limits.shewhart[i]),
            "cusum_threshold": _finite(pinned.limits.cusum[i]),
            "cusum_low": float(state.cusum[LOW, i]),
            "cusum_high": float(state.cusum[HIGH, i]),
            "low_effect": float(state.effect[LOW, i]),
            "low_n": float(state.n[LOW, i]),
            "low_since": _day(state.since[LOW, i]),
            "high_effect": float(state.effect[HIGH, i]),
            "high_n": float(state.n[HIGH, i]),
            "high_since": _day(state.since[HIGH, i]),
            "alarm_side": int(state.alarm[i]),
            "alarm_opened": self.opened.get(key) if alarmed else None,
            "status": self._status(night, key, judged, alarmed, bool(decision.watch[i])),
        }

    def _status(self, night: date, key: Key, judged: bool, alarmed: bool, watched: bool) -> str:
        if not judged:
            return "insufficient_data"
        if alarmed:
            opened = self.opened[key]
            noted = any(a.holds(opened, night) for a in self.acknowledged.get(key, ()))
            return "acknowledged" if noted else "alarm"
        return "watch" if watched else "ok"


def _finite(limit: float) -> float | None:
    return float(limit) if np.isfinite(limit) else None


def _day(ordinal: int) -> date | None:
    return date.fromordinal(int(ordinal)) if ordinal > 0 else None


def _ordinal(night: date | None) -> int:
    return night.toordinal() if night else -1


STATE = (
    *("cusum_low", "cusum_high", "low_effect", "low_n", "low_since", "high_effect", "high_n", "high_since"),
    *("alarm_side", "alarm_opened"),
)


def _state_before(c: sa.Connection, pinned: Reference, night: date) -> tuple[State, dict[Key, date]]:
    """What the last judged night before `night` left, and since when each open alarm is open."""
    state, opened = channels.begin(pinned.n_series), {}
    rows = c.execute(
        sa.text(
            "SELECT DISTINCT ON (slice_key, slice_value, column_name) slice_key, slice_value, column_name, "
            f"{', '.join(STATE)} FROM drift.drift_metrics WHERE granularity = 'day' AND drift_type = 'BASELINE' "
            "AND source = :source AND model_id = :model_id AND reference_id = :reference_id AND night = ("
            "SELECT max(night) FROM drift.drift_metrics WHERE granularity = 'day' AND drift_type = 'BASELINE' "
            "AND source = :source AND model_id = :model_id AND reference_id = :reference_id AND night < :night) "
            "ORDER BY slice_key, slice_value, column_name, revision DESC"
        ),
        {**pinned.stream.keys, "reference_id": pinned.reference_id, "night": night},
    )
    index = {key: i for i, key in enumerate(pinned.series)}
    for row in rows:
        key = history.key_of(row)
        i = index[key]
        state.cusum[:, i] = row.cusum_low, row.cusum_high
        state.effect[:, i] = row.low_effect, row.high_effect
        state.n[:, i] = row.low_n, row.high_n
        state.since[:, i] = _ordinal(row.low_since), _ordinal(row.high_since)
        state.alarm[i] = row.alarm_side
        if row.alarm_opened:
            opened[key] = row.alarm_opened
    return state, opened


def _empty_row(night: date, key: Key, drift_type: str, reference_id: str, cell: Cell) -> dict[str, Any]:
    empty = dict.fromkeys(MEASURES)
    return {
        **empty,
        "night": night,
        **history.as_columns(key),
        "drift_type": drift_type,
        "reference_id": reference_id,
        "n": int(cell.n),
        "n_reference": 0,
        "effect_floor": BY_NAME[key[2]].effect_floor,
        "status": "insufficient_data",
    }


def _deltas(cell: Cell, pinned: Reference, i: int, judged: bool) -> dict[str, Any]:
    if not judged:
        return {}
    bins = pinned.bins[i]
    nulls = bins[0] / bins.sum() if bins.sum() else 0.0
    return {
        "count_delta": cell.n - float(pinned.model.n[i] / pinned.model.n_nights[i]),
        "avg_delta": cell.total / cell.n_values - float(pinned.model.mean[i]),
        "percent_null_delta": 100 * (cell.n_null / cell.n - float(nulls)),
    }


def _distances(cell: Cell, bins: distances.Counts, key: Key) -> dict[str, Any]:
    if cell.bins is None:
        return {}
    return asdict(distances.between(np.asarray(cell.bins, dtype=np.float64), bins, BY_NAME[key[2]].edges))


def _unjudged(night: date, cells: history.Night) -> Iterator[dict[str, Any]]:
    for key in history.series_in([cells]):
        yield _empty_row(night, key, "BASELINE", "", cells[key])


def _consecutive(
    night: date, cells: history.Night, other: history.Night, before: date | None
) -> Iterator[dict[str, Any]]:
    """Against the night before: told, never judged."""
    for key in history.series_in([cells]):
        now, then = cells[key], other.get(key, EMPTY)
        row = _empty_row(night, key, "CONSECUTIVE", str(before or ""), now)
        if min(now.n_values, then.n_values) >= MIN_NIGHT_REVIEWS and now.bins is not None and then.bins is not None:
            row |= _distances(now, np.asarray(then.bins, dtype=np.float64), key) | _against(now, then)
        yield row


def _against(now: Cell, then: Cell) -> dict[str, Any]:
    effect = now.total / now.n_values - then.total / then.n_values
    variance = _variance(now) + _variance(then)
    return {
        "n_reference": int(then.n),
        "count_delta": now.n - then.n,
        "avg_delta": effect,
        "percent_null_delta": 100 * (now.n_null / now.n - then.n_null / then.n),
        "effect": effect,
        "z": effect / variance**0.5 if variance else 0.0,
        "status": "ok",
    }


def _variance(cell: Cell) -> float:
    one = Sums(
        *(
            np.array([v])
            for v in (cell.n_values, cell.total, cell.square, cell.item_sq, cell.item_cross, cell.item_n_sq)
        )
    )
    return float(one.clustered_variance()[0])


MEASURES = (
    *distances.Distances.__dataclass_fields__,
    *("count_delta", "avg_delta", "percent_null_delta", "n", "n_reference", "effect", "effect_floor", "z"),
    *("threshold", "cusum_threshold", "status"),
    *STATE,
)
KEYS = ("night", *KEY, "drift_type", "reference_id")
STREAM = ("granularity", "source", "model_id")


def _write(c: sa.Connection, stream: Stream, nights: Sequence[date], rows: list[dict[str, Any]], run_id: str) -> None:
    """Add each comparison as the next revision, unless the current one says the same."""
    current, newest = _current(c, stream, nights)
    constant = {**stream.keys, "granularity": "day", "run_id": run_id}
    fresh = []
    for row in rows:
        key = tuple(row[k] for k in KEYS)
        if key == newest.get(key[:-1], (None,))[0] and current[key] == tuple(row[m] for m in MEASURES):
            continue
        revision = newest[key[:-1]][1] + 1 if key[:-1] in newest else 0
        fresh.append({**row, **constant, "revision": revision})
    if fresh:
        names = (*STREAM, *KEYS, "revision", *MEASURES, "run_id")
        c.execute(_TABLE.insert(), [{name: row[name] for name in names} for row in fresh])


_TABLE = sa.table(
    "drift_metrics", *(sa.column(name) for name in (*STREAM, *KEYS, "revision", *MEASURES, "run_id")), schema="drift"
)

Full = tuple[Any, ...]


def _current(
    c: sa.Connection, stream: Stream, nights: Sequence[date]
) -> tuple[dict[Full, Full], dict[Full, tuple[Full, int]]]:
    """What the newest revisions say, by full key; and for each comparison its newest key and revision."""
    rows = c.execute(
        sa.text(
            "SELECT DISTINCT ON (night, slice_key, slice_value, column_name, drift_type) "
            f"{', '.join((*KEYS, *MEASURES))}, revision FROM drift.drift_metrics WHERE granularity = 'day' "
            "AND source = :source AND model_id = :model_id AND night = ANY(:nights) "
            "ORDER BY night, slice_key, slice_value, column_name, drift_type, revision DESC"
        ),
        {**stream.keys, "nights": list(nights)},
    )
    current, newest = {}, {}
    for row in rows:
        key = tuple(row[: len(KEYS)])
        current[key] = tuple(row[len(KEYS) : -1])
        newest[key[:-1]] = (key, row.revision)
    return current, newest


def _write_performance(
    c: sa.Connection, stream: Stream, pinned: Reference | None, night: date, cells: history.Night, run_id: str
) -> None:
    """Estimated accuracy and F1 beside the realised ones; renewed by replays."""
    scored, labelled, positive = (
        history.bins_of([cells], ("all", "all", name))[1:] for name in ("logit", "labelled_logit", "positive_logit")
    )
    calibrator: Calibrator | None = pinned.calibrator if pinned else None
    estimated = (
        performance.estimate(scored, calibrator, LOGIT_EDGES, _design_effect(pinned, cells))
        if calibrator and pinned
        else performance.NOTHING
    )
    values = {
        **stream.keys,
        "night": night,
        "reference_id": pinned.reference_id if pinned else "",
        "n_scored": int(scored.sum()),
        "n_labelled": int(labelled.sum()),
        "run_id": run_id,
        **{f"estimated_{name}": value for name, value in asdict(estimated).items()},
        **{
            f"realised_{name}": value
            for name, value in asdict(performance.realised(labelled, positive, LOGIT_EDGES)).items()
        },
    }
    names = list(values)
    said = [n for n in names if n not in {"night", "source", "model_id", "run_id"}]
    c.execute(
        sa.text(
            f"INSERT INTO drift.performance AS p ({', '.join(names)}) VALUES ({', '.join(':' + n for n in names)}) "
            f"ON CONFLICT (night, source, model_id) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in names)} "
            f"WHERE ({', '.join('p.' + n for n in said)}) IS DISTINCT FROM ({', '.join('excluded.' + n for n in said)})"
        ),
        values,
    )


def _design_effect(pinned: Reference | None, cells: history.Night) -> float:
    """Variance of the night's positive share over that of as many independent reviews, by the null model."""
    cell = cells.get(MAIN_SERIES, EMPTY)
    if pinned is None or MAIN_SERIES not in pinned.series or cell.n_values <= 1:
        return 1.0
    i = pinned.series.index(MAIN_SERIES)
    partners = max(cell.item_n_sq / cell.n_values - 1, 0.0)
    return float(max((1 + pinned.model.icc[i] * partners) * pinned.model.dispersion[i], 1.0))


NEWEST = 7


def newest(source: str | None) -> list[tuple[Any, ...]]:
    """The newest nights: night, source, model, series by status, estimated and realised accuracy as text."""
    counted = ", ".join(f"count(*) FILTER (WHERE status = '{status}') AS {status}" for status in STATUSES)
    with transaction() as c:
        rows = c.execute(
            sa.text(
                f"SELECT night, source, model_id, {counted}, p.estimated_accuracy AS estimated, "
                "p.estimated_accuracy_error AS error, p.realised_accuracy AS realised "
                "FROM drift.v_drift LEFT JOIN drift.performance p USING (night, source, model_id) "
                "WHERE drift_type = 'BASELINE' AND source = coalesce(:source, source) "
                "AND night > (SELECT max(night) FROM drift.performance) - :days "
                "GROUP BY night, source, model_id, p.estimated_accuracy, p.estimated_accuracy_error, "
                "p.realised_accuracy ORDER BY night DESC, source, model_id"
            ),
            {"source": source, "days": NEWEST},
        )
        return [(*row[:-3], _accuracy(row.estimated, row.error), _accuracy(row.realised, None)) for row in rows]


STATUSES = ("ok", "watch", "alarm", "acknowledged", "insufficient_data")


def _accuracy(value: float | None, error: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if error is None else f"{value:.1%} ± {1.96 * error:.1%}"
