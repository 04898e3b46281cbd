"""Replays of simulated years: each pins a reference of its own, then judges nights exactly as tracking does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sentiment.drift import channels, null_model, simulate, thresholds
from sentiment.drift.channels import Decision, Night, State, Thresholds
from sentiment.drift.counts import Array, Sums
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS, WEEKDAYS, NullModel
from sentiment.drift.simulate import Audience, Nights, Shift

QUIET_NIGHTS = 365
BEFORE_SHIFT, AFTER_SHIFT = 28, 21
"""Quiet nights before a shift begins, so that CUSUM's sums are as they usually are, and nights to detect it in."""
NEVER = 10_000
"""Delay, in nights, of a shift that was not detected."""


@dataclass(frozen=True)
class Pinned:
    """A reference of simulated nights, ready to judge nights of the same audience."""

    model: NullModel
    limits: Thresholds
    floor: Array
    """Effect floor of each series, in the unit of its column."""


@dataclass(frozen=True)
class Replay:
    """One simulated reference, and the nights that are judged by it."""

    reference: Nights
    pinned: Pinned
    year: Nights
    """`QUIET_NIGHTS` nights without a shift."""
    shifted: Mapping[str, Nights]
    """Name of a shift -> `BEFORE_SHIFT` quiet nights and `AFTER_SHIFT` shifted ones."""


@dataclass
class Outcome:
    """Alarms of one rule over all replays."""

    false_alarms: list[int] = field(default_factory=list)
    """Alarms of each quiet year, in any series."""
    false_main: list[int] = field(default_factory=list)
    """Of these, alarms of the whole night's positive share; empty for a rule that judges nothing else."""
    delays: dict[str, list[int]] = field(default_factory=dict)
    """Name of a shift -> nights until it was detected, in each replay; `NEVER` where it was not."""

    def within(self, shift: str, nights: int) -> float:
        """Return the share of replays, 0 to 1, that detected the shift by its `nights`-th night."""
        return float(np.mean(np.array(self.delays[shift]) <= nights))

    def median(self, shift: str) -> float:
        """Return the median delay in nights."""
        return float(np.median(self.delays[shift]))

    def rate(self) -> tuple[float, float, float]:
        """Return false alarms a year and their 95 % interval (normal, from the scatter between replays)."""
        n = np.array(self.false_alarms, dtype=float)
        half = 1.96 * n.std(ddof=1) / len(n) ** 0.5 if len(n) > 1 else np.inf
        return float(n.mean()), float(max(n.mean() - half, 0.0)), float(n.mean() + half)

    def add(self, replay: Replay, shifts: Mapping[str, Shift]) -> None:
        """Judge one replay's nights by the pipeline's rule. Every alarm of a quiet year, in any series, is false."""
        opened = np.array([decision.opened for decision in judge(replay.pinned, replay.year)])
        self.false_alarms.append(int(opened.sum()))
        self.false_main.append(int(opened[:, 0].sum()))
        for name, nights in replay.shifted.items():
            alarm = np.array([decision.alarm for decision in judge(replay.pinned, nights)])[BEFORE_SHIFT:, 0]
            self.delays.setdefault(name, []).append(delay(alarm == np.sign(shifts[name].share)))


def pin(audience: Audience, reference: Nights, budget: float, seed: int) -> Pinned:
    """Fit the null model and choose thresholds, as `sentiment reference pin` does."""
    floor, family = simulate.floors_of(audience), families(audience)
    model = null_model.fit(reference.sums, reference.days, floor, simulate.shares_of(audience))
    limits = thresholds.of_series(model, reference.sums, reference.days, family, budget, seed)
    return Pinned(model, limits, floor)


def families(audience: Audience) -> NDArray[np.int64]:
    """Return each series' family of `thresholds`, in the order of `simulate.series_of`."""
    n_series = len(simulate.series_of(audience))
    return np.array([thresholds.MAIN] + [thresholds.OTHER] * (n_series - 1))


def judge(pinned: Pinned, nights: Nights, state: State | None = None) -> Iterator[Decision]:
    """Decide night by night, from `state` on or from a state without nights."""
    state = state or channels.begin(len(pinned.floor))
    sums = large_nights(nights.sums)
    z, effect = pinned.model.z(sums, nights.days), pinned.model.effect(sums, nights.days)
    may_alarm = np.ones_like(pinned.floor)
    for no in range(len(nights.days)):
        night = Night(z[no], effect[no], sums.n[no])
        decision = channels.decide(state, night, no, pinned.limits, pinned.floor, may_alarm)
        state = decision.state
        yield decision


def large_nights(sums: Sums) -> Sums:
    """Set the sums of each night to zero whose first series, the whole night, has too few reviews to be judged."""
    return sums.masked(np.broadcast_to(sums.n[:, :1] >= MIN_NIGHT_REVIEWS, sums.n.shape))


def simulated(
    audience: Audience,
    n_reference: int,
    n_replays: int,
    shifts: Mapping[str, Shift],
    *,
    budget: float = 1.0,
    seed: int = 1,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Replay]:
    """Draw replays one by one: a reference, a quiet year, and the year's first nights followed by each shift.

    `progress` is called with the number of each replay, from 0, before it is drawn.
    """
    first_day = n_reference % WEEKDAYS
    for number in range(n_replays):
        progress(number)
        # A generator for each replay: the n-th replay is the same however many there are.
        rng = np.random.default_rng([seed, number])
        reference = simulate.nights(audience, n_reference, rng)
        year = simulate.nights(audience, QUIET_NIGHTS, rng, first_day=first_day)
        shifted = {
            name: simulate.joined([
                year[:BEFORE_SHIFT],
                simulate.nights(audience, AFTER_SHIFT, rng, shift, (first_day + BEFORE_SHIFT) % WEEKDAYS),
            ])
            for name, shift in shifts.items()
        }  # fmt: skip
        yield Replay(reference, pin(audience, reference, budget, number), year, shifted)


def delay(fires: NDArray[np.bool_]) -> int:
    """Return the number of the first night that fires, from 1; `NEVER` for none."""
    where = np.flatnonzero(fires)
    return int(where[0]) + 1 if len(where) else NEVER


@dataclass(frozen=True)
class Scenario:
    """What `sentiment drift simulate` simulates."""

    reviews: float
    """New reviews of a mean night."""
    design_effect: float
    """Variance of a night's positive share over that of as many independent reviews."""
    n_reference: int
    """Nights of the reference."""
    budget: float
    """False alarms a year, all series together."""
    changes: tuple[float, ...]
    """Changes of the positive share, in points."""
    replays: int
    seed: int


def expected(scenario: Scenario, progress: Callable[[int], None]) -> list[tuple[str, str]]:
    """Simulate the scenario; return rows of what is measured and its text, for display.

    The rows are false alarms a year with their interval, and for each change the delay until it is detected.
    """
    audience = Audience(reviews=scenario.reviews, design_effect=scenario.design_effect)
    shifts = {f"{change:+g} points": Shift(share=change / 100) for change in scenario.changes}
    outcome = Outcome()
    for replay in simulated(
        audience,
        scenario.n_reference,
        scenario.replays,
        shifts,
        budget=scenario.budget,
        seed=scenario.seed,
        progress=progress,
    ):
        outcome.add(replay, shifts)
    rate, low, high = outcome.rate()
    rows = [("false alarms a year", f"{rate:.2f} ({low:.2f} to {high:.2f}), budget {scenario.budget:g}")]
    for name in shifts:
        median, share = outcome.median(name), outcome.within(name, AFTER_SHIFT)
        when = f"found after {median:.0f} nights in the median" if median < NEVER else "mostly not found"
        rows.append((name, f"{when}, within {AFTER_SHIFT} nights in {share:.0%}"))
    return rows
