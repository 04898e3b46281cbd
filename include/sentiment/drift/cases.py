"""Single things that happen to a night, simulated: what must be named, and what must raise no alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from sentiment.drift import attribution, distances, replays, sentences, simulate
from sentiment.drift.null_model import WEEKDAYS
from sentiment.drift.replays import BEFORE_SHIFT, Watch
from sentiment.drift.sentences import Cause, Told
from sentiment.drift.simulate import QUIET, Audience, Key, Nights, Shift
from sentiment.drift.watched import WHOLE

TURNED = 0
"""The film that is review-bombed: the one with most reviews."""
FOLLOWED = 14
NEEDED = 0.9
MONDAY = date(2026, 3, 2)


@dataclass(frozen=True)
class Case:
    """What happened, what was found of it, what is asked."""

    what: str
    found: str
    asked: str
    met: bool


@dataclass(frozen=True)
class World:
    """One replay: a pinned reference and quiet nights after it."""

    audience: Audience
    reference: Nights
    watch: Watch
    quiet: Nights
    rng: np.random.Generator

    def after(self, shift: Shift, n_nights: int = FOLLOWED) -> Nights:
        """Nights that follow the quiet ones."""
        first = (self.quiet.days[-1] + 1) % WEEKDAYS
        return simulate.nights(self.audience, n_nights, self.rng, shift, int(first))

    def alarms(self, after: Nights) -> set[Key]:
        """Series whose alarm opens in `after`."""
        decisions = list(replays.judge(self.watch, simulate.joined([self.quiet, after])))
        opened = np.array([d.opened for d in decisions])[BEFORE_SHIFT:].any(axis=0)
        series = simulate.series_of(self.audience)
        return {series[i] for i in np.flatnonzero(opened)}


def worlds(audience: Audience, n_reference: int, n_replays: int, seed: int = 2) -> list[World]:
    """Replays to try cases on."""
    found = []
    for number in range(n_replays):
        rng = np.random.default_rng([seed, number])
        reference = simulate.nights(audience, n_reference, rng)
        watch = replays.pin(audience, reference, 1.0, number)
        quiet = simulate.nights(audience, BEFORE_SHIFT, rng, first_day=n_reference % WEEKDAYS)
        found.append(World(audience, reference, watch, quiet, rng))
    return found


def all_cases(audience: Audience, n_reference: int, n_replays: int) -> Iterator[Case]:
    """Every single case of the acceptance."""
    there = worlds(audience, n_reference, n_replays)
    yield turned_film(there)
    yield new_film(there)
    yield named(there, "another model under the same name, half as sure of itself", Shift(confidence=0.5), "uncertain")
    yield named(there, "two wordpieces in a hundred more are unknown", Shift(unknown=0.02), "unknown_share")
    yield named(there, "a fifth of the reviews in another language", Shift(foreign=0.2), "not_french")
    yield named(there, "reviews a quarter shorter", Shift(chars=-100), "text_chars")
    yield named(there, "half of the ratings missing", Shift(missing=0.25), "rating_missing")
    for what, change in QUIET_CASES.items():
        yield silent(there, what, change)
    yield same_shape()


def turned_film(there: list[World]) -> Case:
    """One film's reviews turn: its slice alarms, and the sentence of the whole night would name it."""
    film = f"film-{TURNED + 1:02d}"
    alarms, names = _alarmed_and_named(there, Shift(film=TURNED), ("film", film, "positive"), film)
    return Case(
        "one film's reviews turned",
        f"its slice alarms in {alarms} of {len(there)}, the sentence names it in {names}",
        "the slice alarms, the sentence names it",
        min(alarms, names) >= NEEDED * len(there),
    )


def new_film(there: list[World]) -> Case:
    """A film that all dislike takes a fifth of the night: the whole night alarms, and the sentence names it."""
    film = f"film-{there[0].audience.films:02d}"
    alarms, names = _alarmed_and_named(there, Shift(wave=0.2), WHOLE, film)
    return Case(
        "a new film takes a fifth of the reviews, none of them kind",
        f"positive alarms in {alarms} of {len(there)}, the sentence names the film in {names}",
        "an alarm, the sentence names the film",
        min(alarms, names) >= NEEDED * len(there),
    )


def _alarmed_and_named(there: list[World], shift: Shift, series: Key, film: str) -> tuple[int, int]:
    """In how many replays the series alarms, and in how many the sentence names the film."""
    after = [(world, world.after(shift)) for world in there]
    alarms = sum(series in world.alarms(nights) for world, nights in after)
    return alarms, sum(film in told(world, nights) for world, nights in after)


def told(world: World, after: Nights) -> str:
    """The sentence about the whole night's positive share over `after`."""
    counts = [side.sum(axis=0).astype(float) for side in (world.reference.film_n, world.reference.film_positive)]
    counts += [side.sum(axis=0).astype(float) for side in (after.film_n, after.film_positive)]
    split = attribution.split(*counts)
    parts = split.by_film / split.total
    cause = Cause(split.mix / split.total, f"film-{int(parts.argmax()) + 1:02d}", float(parts.max()))
    last = MONDAY + timedelta(days=len(after.days) - 1)
    return sentences.sentence(Told("positive", "all", "all", MONDAY, last, split.before, split.after), cause)


def named(there: list[World], what: str, shift: Shift, column: str) -> Case:
    """A break that leaves sentiment alone alarms in its own column, and not as sentiment."""
    found = [world.alarms(world.after(shift)) for world in there]
    own = sum(("all", "all", column) in alarms for alarms in found)
    sentiment = sum(WHOLE in alarms for alarms in found)
    n = len(there)
    return Case(
        what,
        f"{column} alarms in {own} of {n}, positive in {sentiment}",
        "named as such, not as sentiment",
        own >= NEEDED * n and sentiment <= 0.05 * n,
    )


Pair = tuple[Nights, Nights]
"""Three nights of which the first is changed, and what they would have been."""


def silent(there: list[World], what: str, change: Callable[[World], Pair]) -> Case:
    """Something that is no drift opens no alarm that would not open without it."""
    opened = 0
    for world in there:
        changed, usual = change(world)
        opened += len(world.alarms(changed) - world.alarms(usual))
    n = len(there)
    return Case(what, f"{opened} alarms in {n}", "no alarm", opened <= 0.02 * n)


def _usual(world: World) -> Nights:
    return world.after(QUIET, 3)


def _of_size(n: float) -> Callable[[World], Pair]:
    def change(world: World) -> Pair:
        usual = _usual(world)
        return simulate.joined([world.after(Shift(volume=n / world.audience.reviews), 1), usual[1:]]), usual

    return change


def _outlier(world: World) -> Pair:
    """One text of 20,000 characters: it counts as 2,000."""
    usual = _usual(world)
    total = usual.sums.total.copy()
    total[0, _series(world, ("all", "all", "text_chars"))] += 2000
    return replace(usual, sums=replace(usual.sums, total=total)), usual


def _without(key: Key | None) -> Callable[[World], Pair]:
    """The first night lacks a series, or all."""

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
    """Displayed distances: an empty bin or a new category stays finite; the same shape at another size is near 0."""
    edges = simulate.LOGIT_EDGES
    bins = np.arange(float(len(edges) + 2))
    emptied = bins.copy()
    emptied[5] = 0
    found = [distances.between(bins, 10 * bins, edges), distances.between(emptied, bins, edges)]
    values = [d.population_stability_index or 0.0 for d in found]
    return Case(
        "an empty bin; the same shape at ten times the size",
        f"PSI {values[1]:.3f} and {values[0]:.4f}",
        "finite; near 0",
        bool(np.isfinite(values).all() and abs(values[0]) < 0.01),
    )
