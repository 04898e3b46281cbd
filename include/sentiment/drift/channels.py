"""Shewhart's rule and two-sided CUSUM on z, one night at a time: they open alarms, keep them open, and close them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array

SLACK = 0.5
"""Half the smallest shift, in standard errors, that CUSUM is to find soon (Page 1954; Montgomery, "Statistical
Quality Control", chapter 9)."""
CLOSES_AT = 0.5
"""An alarm closes when its sum has come down to this share of the threshold."""
WARNING_AT = 0.7
"""A series has a warning from this share of a threshold on."""
LOW, HIGH = 0, 1
"""First index of the two-sided arrays: the sum of falls, the sum of rises."""


@dataclass(frozen=True)
class Thresholds:
    """Limits of each series; infinite for a series that never alarms."""

    shewhart: Array
    """Of |z| of one night."""
    cusum: Array
    """Of either one-sided sum of z."""


@dataclass(frozen=True)
class State:
    """State after some nights. Arrays are sides (`LOW`, `HIGH`) x series, of `alarm` series alone.

    `effect / n` is the mean effect since a sum last left zero: the effect floor holds for all of its nights together.
    """

    cusum: Array
    """The one-sided sums of z, at least 0, in standard errors."""
    effect: Array
    """Sum of n times effect since the sum left zero, in the column's unit."""
    n: Array
    """Sum of n since the sum left zero."""
    since: NDArray[np.int64]
    """Number of the night on which the sum left zero; -1 while it is zero."""
    alarm: NDArray[np.int64]
    """Open alarm: -1 fallen, 1 risen, 0 none."""


@dataclass(frozen=True)
class Night:
    """Statistics of one night, arrays over series."""

    z: Array
    """Distance from what is expected, in standard errors; NaN where a series is not judged."""
    effect: Array
    """Distance from what is expected, in the column's unit; NaN where a series is not judged."""
    n: Array
    """Number of values."""


@dataclass(frozen=True)
class Decision:
    """Decisions of one night, each an array over series."""

    state: State
    """State after this night."""
    judged: NDArray[np.bool_]
    """Whether the night has a z for the series."""
    alarm: NDArray[np.int64]
    """Open alarm after this night: -1 fallen, 1 risen, 0 none."""
    opened: NDArray[np.bool_]
    """Whether the alarm opened on this night."""
    by_shewhart: NDArray[np.bool_]
    """Of these, opened by the z of this one night rather than by a sum."""
    warning: NDArray[np.bool_]
    """Close to a threshold, with an effect above the floor, and no alarm."""
    effect: Array
    """Mean effect since the open alarm's sum left zero, else this night's own; NaN where not judged."""


def begin(n_series: int) -> State:
    """Return the state before the first night."""
    shape = (2, n_series)
    return State(
        np.zeros(shape), np.zeros(shape), np.zeros(shape), np.full(shape, -1), np.zeros(n_series, dtype=np.int64)
    )


def cusum_step(cusum: Array, z: Array) -> Array:
    """Return both one-sided sums after one more night: max(0, S - z - k) and max(0, S + z - k), k being `SLACK`.

    `cusum` is sides x series, `z` over series. Page 1954, "Continuous inspection schemes".
    """
    both = np.stack([-z, z])
    after: Array = np.maximum(0.0, cusum + both - SLACK)
    return after


def decide(
    state: State, night: Night, night_no: int, thresholds: Thresholds, floor: Array, may_alarm: Array
) -> Decision:
    """Decide about one night. Series that are not judged (z NaN) keep their state.

    An alarm opens when a night's |z| passes Shewhart's threshold and its effect `floor`, or when a sum passes CUSUM's
    threshold and the mean effect of its nights `floor`. It stays open while its sum, which is capped at the threshold,
    is above `CLOSES_AT` of it; then both sums begin anew. `may_alarm` is 1 for series that may alarm, else 0;
    `night_no` is the night's number, which rises from night to night.
    """
    judged = ~np.isnan(night.z)
    z, effect, n = (np.where(judged, a, 0.0) for a in (night.z, night.effect, night.n))
    summed = _summed(state, Night(z, effect, n), judged, night_no)
    # numpy divides in either case, so the divisor must not be 0 where the quotient is not used.
    mean_effect = np.where(summed.n > 0, summed.effect / np.maximum(summed.n, 1e-300), 0.0)

    signs = np.array([[-1.0], [1.0]])
    broke = (signs * z > thresholds.shewhart) & (signs * effect >= floor)
    crept = (summed.cusum > thresholds.cusum) & (signs * mean_effect >= floor)
    fired = (broke | crept) & judged & (may_alarm > 0)
    # Both sides may fire, one by a sum of the nights before: then this night's own direction decides.
    side = np.where(fired[HIGH] & (~fired[LOW] | (z > 0)), 1, np.where(fired[LOW], -1, 0))
    opened = (side != 0) & (state.alarm == 0)
    alarm = np.where(opened, side, state.alarm)
    after = _followed(replace(summed, alarm=alarm), opened, judged, night_no, thresholds)

    mean_of_alarm = np.where(_of_side(alarm), mean_effect, 0.0).sum(axis=0)
    lasting_effect = np.where(after.alarm != 0, mean_of_alarm, effect)
    high = (np.abs(z) > WARNING_AT * thresholds.shewhart) | (after.cusum.max(axis=0) > WARNING_AT * thresholds.cusum)
    return Decision(
        state=after,
        judged=judged,
        alarm=after.alarm,
        opened=opened,
        by_shewhart=opened & broke.any(axis=0),
        warning=judged & high & (np.abs(lasting_effect) >= floor) & (after.alarm == 0),
        effect=np.where(judged, lasting_effect, np.nan),
    )


def _summed(state: State, night: Night, judged: NDArray[np.bool_], night_no: int) -> State:
    """Return the state with the night added to the sums, alarms unchanged."""
    cusum = np.where(judged, cusum_step(state.cusum, night.z), state.cusum)
    running = (cusum > 0) & judged
    return State(
        cusum=cusum,
        effect=np.where(running, state.effect + night.effect * night.n, np.where(judged, 0.0, state.effect)),
        n=np.where(running, state.n + night.n, np.where(judged, 0.0, state.n)),
        since=np.where(running & (state.since < 0), night_no, np.where(running | ~judged, state.since, -1)),
        alarm=state.alarm,
    )


def _followed(
    state: State, opened: NDArray[np.bool_], judged: NDArray[np.bool_], night_no: int, thresholds: Thresholds
) -> State:
    """Return the state with the sums of opened alarms at the threshold, and alarms closed that have come down."""
    # An alarm's sum starts at the threshold whoever opened it, and is capped there: so every alarm closes as soon after
    # the change ends, however long it lasted.
    in_alarm = _of_side(state.alarm)
    cusum = np.minimum(np.where(in_alarm & opened, thresholds.cusum, state.cusum), thresholds.cusum)
    since = np.where(in_alarm & opened & (state.since < 0), night_no, state.since)
    alarm_sum = np.where(in_alarm, cusum, 0.0).sum(axis=0)
    over = (state.alarm != 0) & judged & (alarm_sum <= CLOSES_AT * thresholds.cusum)
    return State(
        cusum=np.where(over, 0.0, cusum),
        effect=np.where(over, 0.0, state.effect),
        n=np.where(over, 0.0, state.n),
        since=np.where(over, -1, since),
        alarm=np.where(over, 0, state.alarm).astype(np.int64),
    )


def _of_side(alarm: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.stack([alarm < 0, alarm > 0])


def same(a: State, b: State) -> bool:
    """Return whether two states are equal to the last digit."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(State))
