"""References: ranges of published nights, frozen. They are pinned, listed and compared, never edited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.drift import history, null_model, performance, thresholds
from sentiment.drift.channels import Thresholds
from sentiment.drift.counts import Array, Sums
from sentiment.drift.history import Key, Stream
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS, MIN_SERIES_NIGHTS, NullModel
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import BY_NAME, EDGES_ID, FILM_SLICES, LOGIT_EDGES, MAIN_SERIES
from sentiment.errors import DataError, ParameterError

MIN_NIGHTS = 56
"""Eight of each weekday; with fewer neither weekdays nor dispersion can be told."""
ADVISED_NIGHTS = 180
"""From so many on the budget of false alarms is kept as `python -m bench --only drift` shows."""
BUDGET = 1.0
"""False alarms a year, all series together."""


@dataclass(frozen=True)
class Reference:
    """A pinned reference as nights are compared with it; arrays are over `series`."""

    reference_id: str
    stream: Stream
    nights: tuple[date, ...]
    series: tuple[Key, ...]
    model: NullModel
    limits: Thresholds
    may_alarm: Array
    films: tuple[str, ...]
    bins: tuple[Array, ...]
    calibrator: Calibrator | None
    budget: float
    left_out: tuple[date, ...]

    @property
    def n_series(self) -> int:
        return len(self.series)


def pin(stream: Stream, first: date, last: date, budget: float = BUDGET) -> Reference:
    """Freeze the published nights of a range, those in alarm left out, and compare with it from now on.

    Raises ParameterError for a range that ends before it begins, DataError naming how many nights are missing.
    """
    if first > last:
        raise ParameterError(f"--from {first} is after --to {last}.", f"sentiment reference pin --from {last} --to …")
    if not 0 < budget <= 52:
        raise ParameterError(f"budget {budget} is not between 0 and 52 false alarms a year.", "sentiment reference pin")
    with transaction() as c:
        lock(c, stream)
        alarmed = _nights_in_alarm(c, stream, first, last)
        nights = [n for n in history.nights_between(c, stream, first, last) if n not in alarmed]
        films = history.most_reviewed_films(c, stream, nights, FILM_SLICES)
        counted = history.load(c, stream, nights, films)
        large = [n for n in nights if _fresh(counted[n]) >= MIN_NIGHT_REVIEWS]
        _check_enough(stream, first, last, len(large), len(alarmed))
        found = _frozen(stream, large, [counted[n] for n in large], films, budget, sorted(alarmed))
        _store(c, found, first, last)
    return found


def lock(c: sa.Connection, stream: Stream) -> None:
    """Let nobody else track or pin this stream until the transaction ends."""
    c.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext('sentiment.drift'), hashtext(:name))"),
        {"name": f"{stream.source} {stream.model_id}"},
    )


def _nights_in_alarm(c: sa.Connection, stream: Stream, first: date, last: date) -> set[date]:
    """Nights on which the whole night was in alarm, in any column; a slice's alarm leaves the night in."""
    query = (
        "SELECT DISTINCT night FROM drift.v_drift WHERE source = :source AND model_id = :model_id "
        "AND drift_type = 'BASELINE' AND slice_key = 'all' AND status IN ('alarm', 'acknowledged') "
        "AND night BETWEEN :first AND :last"
    )
    return set(c.execute(sa.text(query), {**stream.keys, "first": first, "last": last}).scalars())


def _fresh(night: history.Night) -> float:
    return night.get(MAIN_SERIES, history.EMPTY).n_values


def _check_enough(stream: Stream, first: date, last: date, there: int, alarmed: int) -> None:
    if there >= MIN_NIGHTS:
        return
    out = f" ({alarmed} in alarm were left out)" if alarmed else ""
    raise DataError(
        f"From {first} to {last} there are {there} published nights of {stream.source} by {stream.model_id} with at "
        f"least {MIN_NIGHT_REVIEWS} new reviews{out}; a reference needs {MIN_NIGHTS}: {MIN_NIGHTS - there} nights are "
        "missing.",
        "sentiment runs --limit 400, then a longer range, or wait for more nights",
    )


def _frozen(
    stream: Stream,
    nights: Sequence[date],
    counted: Sequence[history.Night],
    films: Sequence[str],
    budget: float,
    left_out: Sequence[date],
) -> Reference:
    watched = {key: BY_NAME[key[2]] for key in history.series_in(counted)}
    sums = history.sums_of(counted, list(watched))
    days = np.array([night.weekday() for night in nights], dtype=np.int64)
    floor = np.array([w.effect_floor for w in watched.values()])
    shares = np.array([float(w.is_share) for w in watched.values()])
    model = null_model.fit(sums, days, floor, shares)
    keep = np.flatnonzero(model.n_nights >= MIN_SERIES_NIGHTS)
    series = tuple(list(watched)[i] for i in keep)
    may = np.array([float(watched[key].may_alarm) for key in series])
    family = np.array([_family(key, watched[key].may_alarm) for key in series])
    limits = thresholds.of_series(model[keep], sums[:, keep], days, family, budget)
    return Reference(
        reference_id=_name(stream, nights, budget, sums),
        stream=stream,
        nights=tuple(nights),
        series=series,
        model=model[keep],
        limits=limits,
        may_alarm=may,
        films=tuple(films),
        bins=tuple(history.bins_of(counted, key) for key in series),
        calibrator=_calibrator(counted),
        budget=budget,
        left_out=tuple(left_out),
    )


def _family(key: Key, may_alarm: bool) -> int:
    if not may_alarm:
        return thresholds.NONE
    return thresholds.MAIN if key == MAIN_SERIES else thresholds.OTHER


def _calibrator(counted: Sequence[history.Night]) -> Calibrator | None:
    labelled, positive = (
        history.bins_of(counted, ("all", "all", name))[1:] for name in ("labelled_logit", "positive_logit")
    )
    return performance.calibrate(labelled, positive, LOGIT_EDGES)


def _name(stream: Stream, nights: Sequence[date], budget: float, sums: Sums) -> str:
    """Range, and a hash of everything that the frozen part follows from."""
    digest = hashlib.sha256(json.dumps([*stream.keys.values(), [str(n) for n in nights], budget, EDGES_ID]).encode())
    for field in fields(Sums):
        digest.update(np.ascontiguousarray(getattr(sums, field.name)).tobytes())
    return f"{nights[0]:%Y%m%d}-{nights[-1]:%Y%m%d}-{digest.hexdigest()[:8]}"


MODEL_FIELDS = [f.name for f in fields(NullModel)]


def _store(c: sa.Connection, found: Reference, first: date, last: date) -> None:
    """Write it down and make it the current one; a name stands for its content, so the same again changes nothing."""
    c.execute(
        sa.text(
            "UPDATE drift.reference SET is_current = false WHERE source = :source AND model_id = :model_id "
            "AND is_current AND reference_id <> :id"
        ),
        {**found.stream.keys, "id": found.reference_id},
    )
    c.execute(
        sa.text(
            "INSERT INTO drift.reference (reference_id, source, model_id, first_night, last_night, nights, edges_id, "
            "frozen, is_current) VALUES (:id, :source, :model_id, :first, :last, :nights, :edges_id, "
            "cast(:frozen AS jsonb), true) ON CONFLICT (reference_id) DO UPDATE SET is_current = true"
        ),
        {
            **found.stream.keys,
            "id": found.reference_id,
            "first": first,
            "last": last,
            "nights": list(found.nights),
            "edges_id": EDGES_ID,
            "frozen": json.dumps(_as_json(found)),
        },
    )


def _as_json(found: Reference) -> dict[str, Any]:
    calibrator = found.calibrator
    return {
        "budget": found.budget,
        "films": found.films,
        "left_out": [str(night) for night in found.left_out],
        "series": found.series,
        "model": {name: np.asarray(getattr(found.model, name)).tolist() for name in MODEL_FIELDS},
        "shewhart": _finite(found.limits.shewhart),
        "cusum": _finite(found.limits.cusum),
        "may_alarm": found.may_alarm.tolist(),
        "bins": [b.tolist() for b in found.bins],
        "edges": {name: watched.edges for name, watched in BY_NAME.items()},
        "calibrator": calibrator
        and {**asdict(calibrator), "positive": calibrator.positive.tolist(), "n": calibrator.n.tolist()},
    }


def _finite(limits: Array) -> list[float | None]:
    return [float(limit) if np.isfinite(limit) else None for limit in limits]


def _infinite(limits: list[float | None]) -> Array:
    return np.array([np.inf if limit is None else limit for limit in limits], dtype=np.float64)


def load(c: sa.Connection, stream: Stream, reference_id: str | None = None) -> Reference | None:
    """The current reference, or the named one; ParameterError for a name there is none of, None for no current one."""
    which = "is_current" if reference_id is None else "reference_id = :id"
    row = c.execute(
        sa.text(
            "SELECT reference_id, nights, frozen, edges_id FROM drift.reference "
            f"WHERE source = :source AND model_id = :model_id AND {which}"
        ),
        {**stream.keys, "id": reference_id},
    ).one_or_none()
    if row is None and reference_id is not None:
        raise ParameterError(f"There is no reference {reference_id!r} of {stream.source}.", "sentiment reference list")
    if row is None or row.edges_id != EDGES_ID:
        return None
    return _from_row(stream, row)


def _from_row(stream: Stream, row: sa.Row[Any]) -> Reference:
    frozen = row.frozen
    calibrator = frozen["calibrator"]
    return Reference(
        reference_id=row.reference_id,
        stream=stream,
        nights=tuple(row.nights),
        series=tuple((a, b, c) for a, b, c in frozen["series"]),
        model=NullModel(**{name: np.array(frozen["model"][name], dtype=np.float64) for name in MODEL_FIELDS}),
        limits=Thresholds(_infinite(frozen["shewhart"]), _infinite(frozen["cusum"])),
        may_alarm=np.array(frozen["may_alarm"]),
        films=tuple(frozen["films"]),
        bins=tuple(np.array(b, dtype=np.float64) for b in frozen["bins"]),
        calibrator=calibrator
        and Calibrator(**{**calibrator, "positive": np.array(calibrator["positive"]), "n": np.array(calibrator["n"])}),
        budget=frozen["budget"],
        left_out=tuple(date.fromisoformat(night) for night in frozen["left_out"]),
    )


@dataclass(frozen=True)
class Listed:
    """A reference in the list."""

    reference_id: str
    stream: Stream
    first: date
    last: date
    n_nights: int
    is_current: bool
    pinned_at: str


def listed() -> list[Listed]:
    """Every reference, the newest first."""
    with transaction() as c:
        rows = c.exec_driver_sql(
            "SELECT reference_id, source, model_id, first_night, last_night, cardinality(nights) AS n_nights, "
            "is_current, to_char(r.pinned_at, 'YYYY-MM-DD HH24:MI') AS pinned_at FROM drift.reference r "
            "ORDER BY r.pinned_at DESC, reference_id"
        )
        return [
            Listed(
                r.reference_id,
                Stream(r.source, r.model_id),
                r.first_night,
                r.last_night,
                r.n_nights,
                r.is_current,
                r.pinned_at,
            )
            for r in rows
        ]


def find(reference_id: str) -> Reference:
    """The reference of this name, whatever its source; ParameterError for none."""
    stream = next((each.stream for each in listed() if each.reference_id == reference_id), None)
    if stream is None:
        raise ParameterError(f"There is no reference {reference_id!r}.", "sentiment reference list")
    with transaction() as c:
        found = load(c, stream, reference_id)
    if found is None:
        raise ParameterError(
            f"Reference {reference_id} counts on bin edges that this code no longer has.", "sentiment reference pin"
        )
    return found


def in_words(found: Reference) -> list[str]:
    """What was frozen, a line each."""
    said = [f"{len(found.nights)} nights from {found.nights[0]} to {found.nights[-1]}, {found.n_series} series."]
    if found.left_out:
        said.append(f"Left out, being in alarm: {', '.join(str(night) for night in found.left_out)}.")
    said.append(f"Budget: {found.budget:g} false alarms a year, all series together.")
    if len(found.nights) < ADVISED_NIGHTS:
        said.append(
            f"With fewer than {ADVISED_NIGHTS} nights more false alarms may come; "
            f"sentiment drift simulate --nights {len(found.nights)} says how many."
        )
    c = found.calibrator
    if c is None:
        said.append("No calibrator: too few labels or ratings, so accuracy is not estimated.")
    else:
        said.append(f"Calibrated ({c.method}) on {c.n_labels:,} labels: ECE {c.ece:.4f}, Brier {c.brier:.4f}.")
    return said


Row = tuple[object, ...]


def table(found: Reference) -> list[Row]:
    """A row a series: key, mean, its standard error in a usual night, dispersion, thresholds."""
    usual = _usual_errors(found)
    limits = zip(found.limits.shewhart, found.limits.cusum, strict=True)
    said = zip(found.series, found.model.mean, usual, found.model.dispersion, limits, strict=True)
    return [(*key, f"{m:.4f}", f"{e:.4f}", f"{d:.2f}", f"{z:.2f}", f"{s:.2f}") for key, m, e, d, (z, s) in said]


def _usual_errors(found: Reference) -> Array:
    """Of a night of mean size, with the design effect of independent reviews: what the floor is to be seen against."""
    n = found.model.n / found.model.n_nights
    one: Array = np.sqrt(found.model.sigma_sq * found.model.dispersion / np.maximum(n, 1.0))
    return one


def compared(one: Reference, other: Reference) -> list[Row]:
    """A row for each series of both: key, both means, their difference, that in usual standard errors of the first."""
    places = {key: i for i, key in enumerate(other.series)}
    errors, rows = _usual_errors(one), list[Row]()
    for i, key in enumerate(one.series):
        if key in places:
            a, b = float(one.model.mean[i]), float(other.model.mean[places[key]])
            z = (b - a) / float(errors[i]) if errors[i] else 0.0
            rows.append((*key, f"{a:.4f}", f"{b:.4f}", f"{b - a:+.4f}", f"{z:+.1f}"))
    return rows
