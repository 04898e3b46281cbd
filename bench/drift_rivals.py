"""The usual drift rules, for comparison on the same nights: fixed cut-offs, a row-level p-value, a trailing band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sentiment.drift.counts import Array
from sentiment.drift.distances import SMOOTHING, middles
from sentiment.drift.replays import BEFORE_SHIFT, Outcome, Replay, delay
from sentiment.drift.simulate import Nights, Shift
from sentiment.drift.watched import LOGIT_EDGES

CUTS = {"PSI > 0.1": 0.1, "KS p < .05": 0.95, "Wasserstein > .1": 0.1, "trailing 3 sigma": 3.0}
"""Rule -> what its score must pass to fire; of Kolmogorov-Smirnov the score is 1 - p."""
TRAILING_NIGHTS = 28
PIPELINE = "this pipeline"
"""Name of the pipeline's own rule among the rules that are compared."""
EQUAL = ", with as many false alarms"
"""Ends the name of a rule whose cut-off was moved until it raises no more false alarms than the pipeline."""


def compare(replays: Iterable[Replay], shifts: Mapping[str, Shift]) -> dict[str, Outcome]:
    """Judge the same replays by the pipeline's rule (`PIPELINE`), by each rule of `CUTS`, and by each with `EQUAL`.

    The pipeline's false alarm is any alarm that opens, in any series. Another rule looks at the whole night alone, and
    its alarm lasts while the rule fires night after night and counts once.
    """
    pipeline = Outcome()
    quiet: dict[str, list[Array]] = {rule: [] for rule in CUTS}
    shifted: dict[str, dict[str, list[Array]]] = {rule: {name: [] for name in shifts} for rule in CUTS}
    for replay in replays:
        pipeline.add(replay, shifts)
        for rule, score in scores(replay.reference, replay.year).items():
            quiet[rule].append(score)
        for name, nights in replay.shifted.items():
            for rule, score in scores(replay.reference, nights).items():
                shifted[rule][name].append(score[BEFORE_SHIFT:])
    outcomes = {PIPELINE: pipeline}
    for rule, cut in CUTS.items():
        outcomes[rule] = _outcome(quiet[rule], shifted[rule], cut)
        outcomes[rule + EQUAL] = _outcome(quiet[rule], shifted[rule], cut_for(quiet[rule], pipeline.rate()[0]))
    return outcomes


def _outcome(quiet: list[Array], shifted: dict[str, list[Array]], cut: float) -> Outcome:
    return Outcome(
        false_alarms=[int(episodes([year], cut)) for year in quiet],
        delays={name: [delay(score > cut) for score in stretches] for name, stretches in shifted.items()},
    )


def scores(reference: Nights, nights: Nights) -> dict[str, Array]:
    """Return each rule's score of each night, from score histograms or from the whole night's positive share."""
    from scipy import stats

    r, h = reference.logits.sum(axis=0).astype(float), nights.logits.astype(float)
    n, m = h.sum(axis=1), r.sum()
    share = nights.sums.mean[:, 0]
    past = np.concatenate([reference.sums.mean[-TRAILING_NIGHTS:, 0], share])
    by_rule = (
        psi(h, r),
        stats.kstwobign.cdf(ks(h, r) * np.sqrt(n * m / (n + m))),
        wasserstein(h, r) / _spread(r),
        _trailing(past, len(share)),
    )
    return dict(zip(CUTS, by_rule, strict=True))


def episodes(years: Sequence[Array], cut: float) -> float:
    """Return alarms a year, where one lasts while the rule fires night after night and counts once."""
    fires = [score > cut for score in years]
    return float(np.mean([(f & ~np.concatenate([[False], f[:-1]])).sum() for f in fires]))


def cut_for(years: Sequence[Array], rate: float) -> float:
    """Return the smallest cut-off, among the scores of these years, that raises no more than `rate` alarms a year."""
    candidates = np.unique(np.concatenate(list(years)))
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if episodes(years, candidates[middle]) <= rate else (middle + 1, high)
    return float(candidates[low])


def psi(nights: Array, reference: Array) -> Array:
    """Return the population stability index of each night's bins (nights x bins), half a count added to each bin."""
    from scipy import special

    p = (nights + SMOOTHING) / (nights + SMOOTHING).sum(axis=1, keepdims=True)
    q = (reference + SMOOTHING) / (reference + SMOOTHING).sum()
    index: Array = special.rel_entr(p, q).sum(axis=1) + special.rel_entr(q, p).sum(axis=1)
    return index


def ks(nights: Array, reference: Array) -> Array:
    """Return the largest distance of each night's cumulated bins from the reference's."""
    distance: Array = np.abs(_cumulated(nights) - _cumulated(reference)).max(axis=-1)
    return distance


def wasserstein(nights: Array, reference: Array) -> Array:
    """Return the distance of each night's histogram from the reference's, in logits, with bins at their middles."""
    gaps = np.abs(_cumulated(nights[:, 1:]) - _cumulated(reference[1:]))[:, :-1]
    distance: Array = (gaps * np.diff(middles(LOGIT_EDGES))).sum(axis=1)
    return distance


def _cumulated(counts: Array) -> Array:
    shares: Array = np.cumsum(counts, axis=-1) / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return shares


def _spread(reference: Array) -> float:
    m, p = middles(LOGIT_EDGES), reference[1:] / reference[1:].sum()
    return float(((m**2 * p).sum() - (m * p).sum() ** 2) ** 0.5)


def _trailing(share: Array, n_nights: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(share, TRAILING_NIGHTS)[:n_nights]
    sigmas: Array = np.abs(share[TRAILING_NIGHTS:] - windows.mean(axis=1)) / windows.std(axis=1)
    return sigmas
