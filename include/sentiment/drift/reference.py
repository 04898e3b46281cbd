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
from sentiment.drift import bands, history, null_model, performance, thresholds
from sentiment.drift.channels import Thresholds
from sentiment.drift.counts import Array, Sums
from sentiment.drift.history import Stream
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS, MIN_SERIES_NIGHTS, NullModel
from sentiment.drift.performance import Calibrator
from sentiment.drift.watched import ALL, BY_NAME, EDGES_ID, FILM_SLICES, LOGIT_EDGES, MAIN_SERIES, Key
from sentiment.errors import DataError, ParameterError, quoted
from sentiment.labels import Band
from sentiment.sql import statement

# Eight of each weekday; fewer say too little of weekdays and of dispersion.
MIN_NIGHTS = 56
# From so many on the budget of false alarms is kept as `python -m bench --only drift` shows.
ADVISED_NIGHTS = 180
BUDGET = 1.0
"""False alarms a year, all series together."""


@dataclass(frozen=True)
class Reference:
    """A pinned reference, with which nights are compared; it is never edited. Arrays are over `series`."""

    reference_id: str
    """First and last night, and a hash of everything that the frozen content follows from."""
    stream: Stream
    nights: tuple[date, ...]
    """The nights it was fitted to, in order."""
    series: tuple[Key, ...]
    """Every series with a null model."""
    model: NullModel
    limits: Thresholds
    may_alarm: Array
    """1 for a series that may alarm, 0 for one that has warnings at most."""
    films: tuple[str, ...]
    """Item ids of the films with a slice of their own."""
    bins: tuple[Array, ...]
    """Each series' bins (null, underflow, the bins, overflow), added up over the nights; zeros without bins."""
    calibrator: Calibrator | None
    """None where too few reviews had a label or a rating."""
    budget: float
    """False alarms a year, all series together."""
    excluded: tuple[date, ...]
    """Nights of the range that were in alarm."""
    band: Band
    """Band by which `uncertain` is counted: that of the settings then, taken back through the calibrator."""

    @property
    def n_series(self) -> int:
        """Return the number of series."""
        return len(self.series)


def pin(stream: Stream, first: date, last: date, budget: float = BUDGET) -> Reference:
    """Freeze the published nights of a range, except those in alarm, as the current reference, and return it.

    The reviews of stored nights that are uncertain by the reference's band are counted first (`bands.recount`).
    `budget` is in false alarms a year. Raises ParameterError for a range that ends before it begins and for a budget
    out of range, DataError naming how many nights are missing.
    """
    range_of = f"--from {min(first, last)} --to {max(first, last)}"
    again = f"sentiment reference pin {range_of} --source {quoted(stream.source)} --model {quoted(stream.model_id)}"
    if first > last:
        raise ParameterError(f"--from {first} is after --to {last}.", again)
    if not 0 < budget <= 52:
        message = f"budget {budget} is not between 0 and 52 false alarms a year."
        raise ParameterError(message, f"{again} --budget {BUDGET:g}")
    with transaction() as c:
        lock(c, stream)
        # Under the lock: tracking, which opens and closes alarms, waits until the reference is stored.
        alarmed = _nights_in_alarm(c, stream, first, last)
        nights = [n for n in history.nights_between(c, stream, first, last) if n not in alarmed]
        films = history.most_reviewed_films(c, stream, nights, FILM_SLICES)
        counted = history.load(c, stream, nights, films, bands.UNRECORDED)
        large = [n for n in nights if _fresh(counted[n]) >= MIN_NIGHT_REVIEWS]
        _check_enough(stream, first, last, len(large), len(alarmed))
        calibrator = _calibrator([counted[n] for n in large])
        band = bands.of_settings(calibrator)
        bands.recount(c, stream, band)
        counted = history.load(c, stream, large, films, band)
        pinned = _frozen(stream, large, [counted[n] for n in large], films, budget, sorted(alarmed), calibrator, band)
        _store(c, pinned, first, last)
    return pinned


def lock(c: sa.Connection, stream: Stream) -> None:
    """Keep others from tracking or pinning this stream until the transaction ends; wait for whoever does so now."""
    c.execute(statement("drift/reference/lock"), {"name": f"{stream.source} {stream.model_id}"})


def _nights_in_alarm(c: sa.Connection, stream: Stream, first: date, last: date) -> set[date]:
    params = {**stream.keys, "first": first, "last": last}
    return set(c.execute(statement("drift/reference/nights_in_alarm"), params).scalars())


def _fresh(night: history.Night) -> float:
    return night.get(MAIN_SERIES, history.EMPTY).n_values


def _check_enough(stream: Stream, first: date, last: date, n_nights: int, alarmed: int) -> None:
    if n_nights >= MIN_NIGHTS:
        return
    excluded = f" ({alarmed} in alarm were left out)" if alarmed else ""
    raise DataError(
        f"From {first} to {last} there are {n_nights} published nights of {stream.source} by {stream.model_id} with at "
        f"least {MIN_NIGHT_REVIEWS} new reviews{excluded}; a reference needs {MIN_NIGHTS}: "
        f"{MIN_NIGHTS - n_nights} nights are missing.",
        "sentiment runs --limit 400, then a longer range, or wait for more nights",
    )


def _frozen(
    stream: Stream,
    nights: Sequence[date],
    counted: Sequence[history.Night],
    films: Sequence[str],
    budget: float,
    excluded: Sequence[date],
    calibrator: Calibrator | None,
    band: Band,
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
        reference_id=_name(stream, nights, budget, sums, band),
        stream=stream,
        nights=tuple(nights),
        series=series,
        model=model[keep],
        limits=limits,
        may_alarm=may,
        films=tuple(films),
        bins=tuple(history.bins_of(counted, key) for key in series),
        calibrator=calibrator,
        budget=budget,
        excluded=tuple(excluded),
        band=band,
    )


def _family(key: Key, may_alarm: bool) -> int:
    if not may_alarm:
        return thresholds.NONE
    return thresholds.MAIN if key == MAIN_SERIES else thresholds.OTHER


def _calibrator(counted: Sequence[history.Night]) -> Calibrator | None:
    labelled, positive = (
        history.bins_of(counted, (ALL, ALL, name))[1:] for name in ("labelled_logit", "positive_logit")
    )
    return performance.calibrate(labelled, positive, LOGIT_EDGES)


def _name(stream: Stream, nights: Sequence[date], budget: float, sums: Sums, band: Band) -> str:
    # Without the band of before, so that the same nights are pinned under the same name as by earlier versions.
    of_band = () if band == bands.UNRECORDED else band
    content = [*stream.keys.values(), [str(n) for n in nights], budget, EDGES_ID, *of_band]
    digest = hashlib.sha256(json.dumps(content).encode())
    for field in fields(Sums):
        digest.update(np.ascontiguousarray(getattr(sums, field.name)).tobytes())
    return f"{nights[0]:%Y%m%d}-{nights[-1]:%Y%m%d}-{digest.hexdigest()[:8]}"


MODEL_FIELDS = [f.name for f in fields(NullModel)]


def _store(c: sa.Connection, pinned: Reference, first: date, last: date) -> None:
    params = {**pinned.stream.keys, "reference_id": pinned.reference_id}
    c.execute(statement("drift/reference/replace_current"), params)
    content = {
        "first": first,
        "last": last,
        "nights": list(pinned.nights),
        "edges_id": EDGES_ID,
        "frozen": json.dumps(as_json(pinned)),
    }
    c.execute(statement("drift/reference/insert"), {**params, **content})


def as_json(pinned: Reference) -> dict[str, Any]:
    """Return what the reference freezes, as it is stored."""
    calibrator = pinned.calibrator
    return {
        "budget": pinned.budget,
        "films": pinned.films,
        "left_out": [str(night) for night in pinned.excluded],
        "band": pinned.band,
        "series": pinned.series,
        "model": {name: np.asarray(getattr(pinned.model, name)).tolist() for name in MODEL_FIELDS},
        "shewhart": _finite(pinned.limits.shewhart),
        "cusum": _finite(pinned.limits.cusum),
        "may_alarm": pinned.may_alarm.tolist(),
        "bins": [b.tolist() for b in pinned.bins],
        "edges": {name: watched.edges for name, watched in BY_NAME.items()},
        "calibrator": calibrator
        and {**asdict(calibrator), "positive": calibrator.positive.tolist(), "n": calibrator.n.tolist()},
    }


def _finite(limits: Array) -> list[float | None]:
    # JSON has no infinity.
    return [float(limit) if np.isfinite(limit) else None for limit in limits]


def _infinite(limits: list[float | None]) -> Array:
    return np.array([np.inf if limit is None else limit for limit in limits], dtype=np.float64)


def load(c: sa.Connection, stream: Stream, reference_id: str | None = None) -> Reference | None:
    """Return the stream's current reference, or the named one; None for one of other bin edges or no current one.

    Raises ParameterError where there is none of that name.
    """
    if reference_id is None:
        row = c.execute(statement("drift/reference/load_current"), stream.keys).one_or_none()
    else:
        params = {**stream.keys, "reference_id": reference_id}
        row = c.execute(statement("drift/reference/load_named"), params).one_or_none()
        if row is None:
            message = f"There is no reference {reference_id!r} of {stream.source}."
            raise ParameterError(message, "sentiment reference list")
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
        excluded=tuple(date.fromisoformat(night) for night in frozen["left_out"]),
        band=_band_of(frozen),
    )


def _band_of(frozen: dict[str, Any]) -> Band:
    low, high = frozen.get("band", bands.UNRECORDED)
    return low, high


@dataclass(frozen=True)
class Listed:
    """A reference in the list of `sentiment reference list`."""

    reference_id: str
    stream: Stream
    first: date
    """First night of the range that was asked for; `last` its last one."""
    last: date
    n_nights: int
    is_current: bool
    pinned_at: str
    """Time in the database's time zone, as text."""


def listed() -> list[Listed]:
    """Return every reference, the newest first."""
    with transaction() as c:
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
            for r in c.execute(statement("drift/reference/list"))
        ]


def find(reference_id: str) -> Reference:
    """Return the reference of this name, whatever its stream; raise ParameterError for none and for other bin edges."""
    stream = next((entry.stream for entry in listed() if entry.reference_id == reference_id), None)
    if stream is None:
        raise ParameterError(f"There is no reference {reference_id!r}.", "sentiment reference list")
    with transaction() as c:
        pinned = load(c, stream, reference_id)
    if pinned is None:
        raise ParameterError(
            f"Reference {reference_id} counts on bin edges that this code no longer has.", "sentiment reference pin"
        )
    return pinned


def summary(pinned: Reference) -> list[str]:
    """Return what was frozen, a line each, for display."""
    lines = [f"{len(pinned.nights)} nights from {pinned.nights[0]} to {pinned.nights[-1]}, {pinned.n_series} series."]
    if pinned.excluded:
        lines.append(f"Left out, being in alarm: {', '.join(str(night) for night in pinned.excluded)}.")
    lines.append(f"Budget: {pinned.budget:g} false alarms a year, all series together.")
    if len(pinned.nights) < ADVISED_NIGHTS:
        lines.append(
            f"With fewer than {ADVISED_NIGHTS} nights more false alarms may come; "
            f"sentiment drift simulate --nights {len(pinned.nights)} estimates how many."
        )
    low, high = pinned.band
    lines.append(f"Uncertain: a positive probability from {low:.3f} to {high:.3f}.")
    c = pinned.calibrator
    if c is None:
        lines.append("No calibrator: too few labels or ratings, so accuracy is not estimated.")
    else:
        lines.append(f"Calibrated ({c.method}) on {c.n_labels:,} labels: ECE {c.ece:.4f}, Brier {c.brier:.4f}.")
    return lines


Row = tuple[object, ...]


def table(pinned: Reference) -> list[Row]:
    """Return a row a series for display: key, mean, its usual standard error, dispersion, both thresholds."""
    model, limits = pinned.model, pinned.limits
    numbers = zip(model.mean, _usual_errors(pinned), model.dispersion, limits.shewhart, limits.cusum, strict=True)
    return [
        (*key, f"{mean:.4f}", f"{error:.4f}", f"{dispersion:.2f}", f"{z:.2f}", f"{cusum:.2f}")
        for key, (mean, error, dispersion, z, cusum) in zip(pinned.series, numbers, strict=True)
    ]


def _usual_errors(pinned: Reference) -> Array:
    """Return the standard error of a night of mean size, as if its reviews were independent, in the column's unit."""
    n = pinned.model.n / np.maximum(pinned.model.n_nights, 1)
    errors: Array = np.sqrt(pinned.model.sigma_sq * pinned.model.dispersion / np.maximum(n, 1.0))
    return errors


def compared(one: Reference, other: Reference) -> list[Row]:
    """Return a row for each series of both, for display.

    Its cells are the key, both means, their difference, and that in usual standard errors of the first.
    """
    indices = {key: i for i, key in enumerate(other.series)}
    errors, rows = _usual_errors(one), list[Row]()
    for i, key in enumerate(one.series):
        if key in indices:
            a, b = float(one.model.mean[i]), float(other.model.mean[indices[key]])
            z = (b - a) / float(errors[i]) if errors[i] else 0.0
            rows.append((*key, f"{a:.4f}", f"{b:.4f}", f"{b - a:+.4f}", f"{z:+.1f}"))
    return rows
