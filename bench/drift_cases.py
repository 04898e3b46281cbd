"""Single things that happen to a night, simulated: which must be named by an alarm, and which must raise none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from sentiment.drift import attribution, distances, replays, sentences, simulate
from sentiment.drift.null_model import WEEKDAYS
from sentiment.drift.replays import BEFORE_SHIFT, Pinned
from sentiment.drift.sentences import Cause, Change, Facts
from sentiment.drift.simulate import QUIET, Audience, Nights, Shift
from sentiment.drift.watched import ALL, LOGIT_EDGES, MAIN_SERIES, Key

TURNED = 0
"""Index of the film that is review-bombed: the one with most reviews."""
FOLLOWED = 14
"""Nights after a change in which an alarm counts."""
MIN_NAMED, MAX_SENTIMENT, MAX_SILENT = 0.9, 0.05, 0.02
"""Shares of the replays: that must name a change; that may report one of sentiment, too; that may alarm for nothing."""
MONDAY = date(2026, 3, 2)


@dataclass(frozen=True)
class Case:
    """One thing that happens, in texts for a table, and whether the requirement is met."""

    event: str
    result: str
    requirement: str
    met: bool


@dataclass(frozen=True)
class World:
    """One replay: a pinned reference and quiet nights after it."""

    audience: Audience
    reference: Nights
    pinned: Pinned
    quiet: Nights
    rng: np.random.Generator

    def after(self, shift: Shift, n_nights: int = FOLLOWED) -> Nights:
        """Draw nights that follow the quiet ones."""
        first = (self.quiet.days[-1] + 1) % WEEKDAYS
        return simulate.nights(self.audience, n_nights, self.rng, shift, int(first))

    def alarms(self, after: Nights) -> set[Key]:
        """Return the series whose alarm opens in `after`."""
        decisions = list(replays.judge(self.pinned, simulate.joined([self.quiet, after])))
        opened = np.array([decision.opened for decision in decisions])[BEFORE_SHIFT:].any(axis=0)
        series = simulate.series_of(self.audience)
        return {series[i] for i in np.flatnonzero(opened)}


def draw_worlds(audience: Audience, n_reference: int, n_replays: int, seed: int = 2) -> list[World]:
    """Draw the replays that the cases are tried on."""
    worlds = []
    for number in range(n_replays):
        rng = np.random.default_rng([seed, number])
        reference = simulate.nights(audience, n_reference, rng)
        pinned = replays.pin(audience, reference, 1.0, number)
        quiet = simulate.nights(audience, BEFORE_SHIFT, rng, first_day=n_reference % WEEKDAYS)
        worlds.append(World(audience, reference, pinned, quiet, rng))
    return worlds


def all_cases(audience: Audience, n_reference: int, n_replays: int) -> Iterator[Case]:
    """Try every single case of the acceptance."""
    worlds = draw_worlds(audience, n_reference, n_replays)
    yield turned_film(worlds)
    yield new_film(worlds)
    yield named(worlds, "another model under the same name, half as sure of itself", Shift(confidence=0.5), "uncertain")
    yield named(worlds, "two wordpieces in a hundred more are unknown", Shift(unknown=0.02), "unknown_share")
    yield named(worlds, "a fifth of the reviews in another language", Shift(foreign=0.2), "not_french")
    yield named(worlds, "reviews a quarter shorter", Shift(chars=-100), "text_chars")
    yield named(worlds, "half of the ratings missing", Shift(missing=0.25), "rating_missing")
    for event, change in QUIET_CASES.items():
        yield silent(worlds, event, change)
    yield same_shape()


def turned_film(worlds: list[World]) -> Case:
    """Turn one film's reviews: its slice must alarm, and the whole night's sentence must name the film."""
    film = f"film-{TURNED + 1:02d}"
    alarms, names = _alarmed_and_named(worlds, Shift(film=TURNED), ("film", film, "positive"), film)
    return Case(
        "one film's reviews turned",
        f"its slice alarms in {alarms} of {len(worlds)}, the sentence names it in {names}",
        "the slice alarms, the sentence names it",
        min(alarms, names) >= MIN_NAMED * len(worlds),
    )


def new_film(worlds: list[World]) -> Case:
    """Give a fifth of the night to a disliked film: the whole night must alarm, and the sentence must name the film."""
    film = f"film-{worlds[0].audience.films:02d}"
    alarms, names = _alarmed_and_named(worlds, Shift(wave=0.2), MAIN_SERIES, film)
    return Case(
        "a new film takes a fifth of the reviews, none of them kind",
        f"positive alarms in {alarms} of {len(worlds)}, the sentence names the film in {names}",
        "an alarm, the sentence names the film",
        min(alarms, names) >= MIN_NAMED * len(worlds),
    )


def _alarmed_and_named(worlds: list[World], shift: Shift, series: Key, film: str) -> tuple[int, int]:
    """Return in how many replays the series alarms, and in how many the sentence names the film."""
    after = [(world, world.after(shift)) for world in worlds]
    alarms = sum(series in world.alarms(nights) for world, nights in after)
    return alarms, sum(film in sentence(world, nights) for world, nights in after)


def sentence(world: World, after: Nights) -> str:
    """Return the sentence about the whole night's positive share over `after`."""
    counts = [side.sum(axis=0).astype(float) for side in (world.reference.film_n, world.reference.film_positive)]
    counts += [side.sum(axis=0).astype(float) for side in (after.film_n, after.film_positive)]
    split = attribution.split(*counts)
    parts = split.by_film / split.total
    cause = Cause(split.mix / split.total, f"film-{int(parts.argmax()) + 1:02d}", float(parts.max()))
    last = MONDAY + timedelta(days=len(after.days) - 1)
    change = Change("positive", ALL, ALL, MONDAY, last, split.before, split.after)
    return sentences.sentence(Facts(change, cause))


def named(worlds: list[World], event: str, shift: Shift, column: str) -> Case:
    """Try a break that is none of sentiment: it must alarm in its own column, and not as sentiment."""
    opened = [world.alarms(world.after(shift)) for world in worlds]
    own = sum((ALL, ALL, column) in alarms for alarms in opened)
    sentiment = sum(MAIN_SERIES in alarms for alarms in opened)
    n = len(worlds)
    return Case(
        event,
        f"{column} alarms in {own} of {n}, positive in {sentiment}",
        "named as such, not as sentiment",
        own >= MIN_NAMED * n and sentiment <= MAX_SENTIMENT * n,
    )


Pair = tuple[Nights, Nights]
"""Three nights of which the first is changed, and the same nights unchanged."""


def silent(worlds: list[World], event: str, change: Callable[[World], Pair]) -> Case:
    """Try something that is no drift: it must open no alarm that would not open without it."""
    opened = 0
    for world in worlds:
        changed, usual = change(world)
        opened += len(world.alarms(changed) - world.alarms(usual))
    n = len(worlds)
    return Case(event, f"{opened} alarms in {n}", "no alarm", opened <= MAX_SILENT * n)


def _usual(world: World) -> Nights:
    return world.after(QUIET, 3)


def _of_size(n: float) -> Callable[[World], Pair]:
    def change(world: World) -> Pair:
        usual = _usual(world)
        return simulate.joined([world.after(Shift(volume=n / world.audience.reviews), 1), usual[1:]]), usual

    return change


def _outlier(world: World) -> Pair:
    """Add one text of 20,000 characters, which counts as 2,000."""
    usual = _usual(world)
    total = usual.sums.total.copy()
    total[0, _series(world, (ALL, ALL, "text_chars"))] += 2000
    return replace(usual, sums=replace(usual.sums, total=total)), usual


def _without(key: Key | None) -> Callable[[World], Pair]:
    """Take a series, or all of them, out of the first night."""

    def change(world: World) -> Pair:
        usual = _usual(world)
        keep = np.ones_like(usual.sums.n, dtype=bool)
        keep[0, slice(None) if key is None else _series(world, key)] = False
        return replace(usual, sums=usual.sums.masked(keep)), usual

    return change


def _series(world: World, key: Key) -> int:
    return simulate.series_of(world.audience).index(key)


QUIET_CASES: dict[str, Callable[[World], Pair]] = {
    "one outlier row": _outlier,
    "an empty slice": _without(("rating_band", "low", "positive")),
    "a night of 20 rows": _of_size(20),
    "a night that is missing": _without(None),
    "95 % known reviews (40 new ones)": _of_size(40),
    "three times as many reviews of the same shape": _of_size(2400),
}


def same_shape() -> Case:
    """Compute displayed distances: finite with an empty bin; near 0 for the same shape at another size."""
    bins = np.arange(float(len(LOGIT_EDGES) + 2))
    emptied = bins.copy()
    emptied[5] = 0
    results = [distances.between(bins, 10 * bins, LOGIT_EDGES), distances.between(emptied, bins, LOGIT_EDGES)]
    values = [result.population_stability_index or 0.0 for result in results]
    return Case(
        "an empty bin; the same shape at ten times the size",
        f"PSI {values[1]:.3f} and {values[0]:.4f}",
        "finite; near 0",
        bool(np.isfinite(values).all() and abs(values[0]) < 0.01),
    )
