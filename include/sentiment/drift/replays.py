"""Replays of simulated years: each pins its own reference, then judges nights exactly as the real path does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sentiment.drift import channels, null_model, rivals, simulate, thresholds
from sentiment.drift.channels import Decision, Night, State, Thresholds
from sentiment.drift.counts import Array, Sums
from sentiment.drift.null_model import MIN_NIGHT_REVIEWS, WEEKDAYS, NullModel
from sentiment.drift.simulate import Audience, Nights, Shift

QUIET_NIGHTS = 365
BEFORE_SHIFT, AFTER_SHIFT = 28, 21
"""Quiet nights before a shift begins, so that it finds the sums as they usually are, and nights it is looked for."""
NEVER = 10_000
"""Delay, in nights, of what was not found."""


@dataclass(frozen=True)
class Watch:
    """A pinned reference, ready to judge nights of the same series."""

    model: NullModel
    limits: Thresholds
    floor: Array


@dataclass
class Found:
    """What one kind of alarm did over the replays: alarms of each quiet year, delay of each shift in nights."""

    false_alarms: list[int] = field(default_factory=list)
    false_whole: list[int] = field(default_factory=list)
    delays: dict[str, list[int]] = field(default_factory=dict)

    def within(self, shift: str, nights: int) -> float:
        """Share of the replays that found the shift by its `nights`-th night."""
        return float(np.mean(np.array(self.delays[shift]) <= nights))

    def median(self, shift: str) -> float:
        """Median delay in nights."""
        return float(np.median(self.delays[shift]))

    def rate(self) -> tuple[float, float, float]:
        """False alarms a year with a 95 % interval (normal, from the scatter between replays)."""
        n = np.array(self.false_alarms, dtype=float)
        half = 1.96 * n.std(ddof=1) / len(n) ** 0.5 if len(n) > 1 else np.inf
        return float(n.mean()), float(max(n.mean() - half, 0.0)), float(n.mean() + half)


def pin(audience: Audience, reference: Nights, budget: float, seed: int) -> Watch:
    """Fit the null model and choose thresholds, as `sentiment reference pin` does."""
    floor, family = simulate.floors_of(audience), families(audience)
    model = null_model.fit(reference.sums, reference.days, floor, simulate.shares_of(audience))
    limits = thresholds.of_series(model, reference.sums, reference.days, family, budget, seed)
    return Watch(model, limits, floor)


def families(audience: Audience) -> NDArray[np.int64]:
    """The whole night's positive share, and the rest."""
    n_series = len(simulate.series_of(audience))
    return np.array([thresholds.WHOLE] + [thresholds.REST] * (n_series - 1))


def judge(watch: Watch, nights: Nights, state: State | None = None) -> Iterator[Decision]:
    """Decide night by night."""
    state = state or channels.begin(len(watch.floor))
    sums = large_nights(nights.sums)
    z, effect = watch.model.z(sums, nights.days), watch.model.effect(sums, nights.days)
    may = np.ones_like(watch.floor)
    for no in range(len(nights.days)):
        decision = channels.decide(state, Night(z[no], effect[no], sums.n[no]), no, watch.limits, watch.floor, may)
        state = decision.state
        yield decision


def large_nights(sums: Sums) -> Sums:
    """Without the nights whose first series, the whole night, is too small to say anything."""
    return sums.masked(np.broadcast_to(sums.n[:, :1] >= MIN_NIGHT_REVIEWS, sums.n.shape))


def measure(
    audience: Audience,
    n_reference: int,
    replays: int,
    shifts: dict[str, Shift],
    *,
    budget: float = 1.0,
    seed: int = 1,
    tell: Callable[[int], None] = lambda _: None,
) -> dict[str, Found]:
    """Replay quiet years and shifts; returns what ours found, under `ours`, and each rule of `rivals` as it is used
    and, under its name and `EQUAL`, with its cut-off moved until it raises as many false alarms as ours.

    A false alarm of ours is every alarm that opens in any series. A rival's alarm lasts while it fires night after
    night and counts once; it looks at the whole night alone.
    """
    ours = Found(delays={name: [] for name in shifts})
    quiet: dict[str, list[Array]] = {rule: [] for rule in rivals.CUTS}
    shifted: dict[str, dict[str, list[Array]]] = {rule: {name: [] for name in shifts} for rule in rivals.CUTS}
    for number in range(replays):
        tell(number)
        rng = np.random.default_rng([seed, number])
        reference = simulate.nights(audience, n_reference, rng)
        watch = pin(audience, reference, budget, number)
        first_day = n_reference % WEEKDAYS
        year = simulate.nights(audience, QUIET_NIGHTS, rng, first_day=first_day)
        opened = np.array([d.opened for d in judge(watch, year)])
        ours.false_alarms.append(int(opened.sum()))
        ours.false_whole.append(int(opened[:, 0].sum()))
        for rule, scored in rivals.scores(reference, year).items():
            quiet[rule].append(scored)
        for name, shift in shifts.items():
            after = simulate.nights(audience, AFTER_SHIFT, rng, shift, (first_day + BEFORE_SHIFT) % WEEKDAYS)
            stretch = simulate.joined([year[:BEFORE_SHIFT], after])
            alarm = np.array([d.alarm for d in judge(watch, stretch)])[BEFORE_SHIFT:, 0]
            ours.delays[name].append(delay(alarm == np.sign(shift.share)))
            for rule, scored in rivals.scores(reference, stretch).items():
                shifted[rule][name].append(scored[BEFORE_SHIFT:])
    found = {"ours": ours}
    for rule, cut in rivals.CUTS.items():
        found[rule] = _of_rival(quiet[rule], shifted[rule], cut)
        found[rule + EQUAL] = _of_rival(quiet[rule], shifted[rule], rivals.cut_for(quiet[rule], ours.rate()[0]))
    return found


EQUAL = ", with our false alarms"


def _of_rival(quiet: list[Array], shifted: dict[str, list[Array]], cut: float) -> Found:
    return Found(
        false_alarms=[int(rivals.episodes([year], cut)) for year in quiet],
        delays={name: [delay(scored > cut) for scored in stretches] for name, stretches in shifted.items()},
    )


def delay(fires: NDArray[np.bool_]) -> int:
    """Number of the first night that fires, from 1; `NEVER` for none."""
    where = np.flatnonzero(fires)
    return int(where[0]) + 1 if len(where) else NEVER


@dataclass(frozen=True)
class Wanted:
    """What a user asks the simulator: volume, clumping, reference, budget, changes in points of positive share."""

    reviews: float
    design_effect: float
    n_reference: int
    budget: float
    changes: tuple[float, ...]
    replays: int
    seed: int


def expected(wanted: Wanted, tell: Callable[[int], None]) -> list[tuple[str, str]]:
    """In words: false alarms a year with their interval, and the delay to find each change."""
    audience = Audience(reviews=wanted.reviews, design_effect=wanted.design_effect)
    shifts = {f"{change:+g} points": Shift(share=change / 100) for change in wanted.changes}
    measured = measure(
        audience, wanted.n_reference, wanted.replays, shifts, budget=wanted.budget, seed=wanted.seed, tell=tell
    )
    found = measured["ours"]
    rate, low, high = found.rate()
    said = [("false alarms a year", f"{rate:.2f} ({low:.2f} to {high:.2f}), budget {wanted.budget:g}")]
    for name in shifts:
        middle, share = found.median(name), found.within(name, AFTER_SHIFT)
        when = f"found after {middle:.0f} nights in the median" if middle < NEVER else "mostly not found"
        said.append((name, f"{when}, within {AFTER_SHIFT} nights in {share:.0%}"))
    return said
