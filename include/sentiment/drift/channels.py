"""Shewhart and two-sided CUSUM on z: what opens an alarm, keeps it open, and closes it. One night at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sentiment.drift.counts import Array

SLACK = 0.5
"""Half the smallest shift, in standard errors, that CUSUM is to find soon (Page 1954; Montgomery, "Statistical
Quality Control", chapter 9)."""
CLOSES_AT = 0.5
"""An alarm closes when its sum has come down to this share of the threshold."""
WATCH_AT = 0.7
"""From this share of a threshold on a series is watched."""
LOW, HIGH = 0, 1
"""First index of the two-sided arrays: the sum of falls, the sum of rises."""


@dataclass(frozen=True)
class Thresholds:
    """What alarms, for each series: |z| of one night, and CUSUM's sum."""

    shewhart: Array
    cusum: Array


@dataclass(frozen=True)
class State:
    """What the nights so far leave behind; every field is sides x series (`alarm`: +-1 or 0, by series).

    `effect` and `n` add up n-weighted effects since the sum last left zero, so that the effect floor is asked
    of the whole run of nights; `since` is the number of the night that began it, -1 for none.
    """

    cusum: Array
    effect: Array
    n: Array
    since: NDArray[np.int64]
    alarm: NDArray[np.int64]


@dataclass(frozen=True)
class Night:
    """What one night says of every series."""

    z: Array
    effect: Array
    n: Array


@dataclass(frozen=True)
class Decision:
    """The verdicts of one night, each an array over series."""

    state: State
    judged: NDArray[np.bool_]
    alarm: NDArray[np.int64]
    opened: NDArray[np.bool_]
    by_shewhart: NDArray[np.bool_]
    watch: NDArray[np.bool_]
    effect: Array
    """Mean effect of the nights since the open alarm's sum left zero, else the night's own."""


def begin(n_series: int) -> State:
    """No night seen yet."""
    two = (2, n_series)
    return State(np.zeros(two), np.zeros(two), np.zeros(two), np.full(two, -1), np.zeros(n_series, dtype=np.int64))


def cusum_step(cusum: Array, z: Array) -> Array:
    """The two one-sided sums after one more night: max(0, S + z - k) and max(0, S - z - k), `LOW` first."""
    both = np.stack([-z, z])
    after: Array = np.maximum(0.0, cusum + both - SLACK)
    return after


def decide(state: State, night: Night, night_no: int, thresholds: Thresholds, floor: Array, may: Array) -> Decision:
    """Take one night in. Series that are not judged (z NaN) keep their state; `may` says which may alarm at all.

    An alarm opens when a night's |z| passes Shewhart's threshold and its effect the floor, or when a sum passes
    CUSUM's and the mean effect of its nights the floor. It is followed while its sum stays above `CLOSES_AT` of
    the threshold, where it is held from above too; then both sums begin anew.
    """
    judged = ~np.isnan(night.z)
    z, effect, n = (np.where(judged, a, 0.0) for a in (night.z, night.effect, night.n))
    cusum = np.where(judged, cusum_step(state.cusum, z), state.cusum)
    running = (cusum > 0) & judged
    summed_effect = np.where(running, state.effect + effect * n, np.where(judged, 0.0, state.effect))
    summed_n = np.where(running, state.n + n, np.where(judged, 0.0, state.n))
    since = np.where(running & (state.since < 0), night_no, np.where(running | ~judged, state.since, -1))
    mean_effect = np.where(summed_n > 0, summed_effect / np.maximum(summed_n, 1e-300), 0.0)

    signs = np.array([[-1.0], [1.0]])
    broke = (signs * z > thresholds.shewhart) & (signs * effect >= floor)
    crept = (cusum > thresholds.cusum) & (signs * mean_effect >= floor)
    fired = (broke | crept) & judged & (may > 0)
    side = np.where(fired[HIGH] & (~fired[LOW] | (z > 0)), 1, np.where(fired[LOW], -1, 0))
    opened = (side != 0) & (state.alarm == 0)
    alarm = np.where(opened, side, state.alarm)

    mine = _of_side(alarm)
    cusum = np.where(mine & opened, thresholds.cusum, cusum)
    since = np.where(mine & opened & (since < 0), night_no, since)
    cusum = np.minimum(cusum, thresholds.cusum)
    over = (alarm != 0) & judged & (np.where(mine, cusum, 0.0).sum(axis=0) <= CLOSES_AT * thresholds.cusum)
    alarm = np.where(over, 0, alarm)
    cusum, summed_effect, summed_n = (np.where(over, 0.0, a) for a in (cusum, summed_effect, summed_n))
    since = np.where(over, -1, since)

    told = np.where(alarm != 0, np.where(mine, mean_effect, 0.0).sum(axis=0), effect)
    high = (np.abs(z) > WATCH_AT * thresholds.shewhart) | (cusum.max(axis=0) > WATCH_AT * thresholds.cusum)
    return Decision(
        state=State(cusum, summed_effect, summed_n, since, alarm.astype(np.int64)),
        judged=judged,
        alarm=alarm,
        opened=opened,
        by_shewhart=opened & broke.any(axis=0),
        watch=judged & high & (np.abs(told) >= floor) & (alarm == 0),
        effect=np.where(judged, told, np.nan),
    )


def _of_side(alarm: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.stack([alarm < 0, alarm > 0])


def same(a: State, b: State) -> bool:
    """Equal to the last digit."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(State))
