"""Accuracy and F1 of a night: estimated from calibrated score histograms, and realised where there are labels.

Every histogram here is over logit bins: below the first edge, between edges, from the last edge on. One edge lies
at 0, the decision threshold. The estimate is blind to concept drift: it takes for granted that a score still
means what it meant when the calibrator was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sentiment.drift.counts import Array
from sentiment.drift.distances import middles

MIN_LABELS_ISOTONIC = 1000
"""Below so many labels only a temperature is fitted."""
MIN_LABELS = 50
"""Below so many there is no calibrator."""


@dataclass(frozen=True)
class Calibrator:
    """Probability of a positive review for each logit bin, the null bin left out; arrays are over bins."""

    method: str
    """`isotonic` or `temperature`."""
    positive: Array
    """Share of truly positive reviews, 0 to 1; never falls from bin to bin."""
    n: Array
    """Labelled reviews that it was fitted to."""
    temperature: float | None
    """What logits are divided by; None for `isotonic`."""
    ece: float
    """Expected calibration error of the uncalibrated scores: sum over bins of n/N |positive share - mean score|."""
    brier: float
    """Mean squared difference of score and label, uncalibrated, scores taken at the middle of their bins."""

    @property
    def n_labels(self) -> int:
        """Return the number of labelled reviews that it was fitted to."""
        return int(self.n.sum())


@dataclass(frozen=True)
class Estimate:
    """Accuracy and F1 of the positive label, 0 to 1, with standard errors; all None where nothing was scored."""

    accuracy: float | None
    accuracy_error: float | None
    f1: float | None
    f1_error: float | None


NOTHING = Estimate(None, None, None, None)


def calibrate(labelled: Array, positive: Array, edges: tuple[float, ...]) -> Calibrator | None:
    """Fit to histograms of labelled reviews and of the positive ones among them; return None with too few labels.

    Isotonic regression (Zadrozny and Elkan 2002), or, below `MIN_LABELS_ISOTONIC`, one temperature on the logits
    (Guo et al. 2017) by maximum likelihood.
    """
    from scipy import optimize

    if labelled.sum() < MIN_LABELS:
        return None
    logits = middles(edges)
    share = np.where(labelled > 0, positive / np.maximum(labelled, 1), 0.5)
    temperature = None
    if labelled.sum() >= MIN_LABELS_ISOTONIC:
        calibrated = _isotonic(share, labelled)
    else:
        # Over its logarithm: temperatures from 1/20 to 20.
        fit = optimize.minimize_scalar(_loss, bounds=(-3, 3), args=(logits, labelled, positive), method="bounded")
        temperature = float(np.exp(fit.x))
        calibrated = _sigmoid(logits / temperature)
    ece, brier = calibration_error(labelled, positive, edges), brier_score(labelled, positive, edges)
    method = "isotonic" if temperature is None else "temperature"
    return Calibrator(method, calibrated, labelled, temperature, ece, brier)


def _isotonic(share: Array, n: Array) -> Array:
    # Bins without a label take the value between their neighbours.
    from scipy import optimize

    seen = np.flatnonzero(n > 0)
    fitted = optimize.isotonic_regression(share[seen], weights=n[seen]).x
    shares: Array = np.interp(np.arange(len(n)), seen, fitted)
    return shares


def _loss(log_temperature: float, logits: Array, n: Array, positive: Array) -> float:
    scaled = logits / np.exp(log_temperature)
    return float((n * np.logaddexp(0, scaled) - positive * scaled).sum())


def _sigmoid(logits: Array) -> Array:
    from scipy import special

    probabilities: Array = special.expit(logits)
    return probabilities


def calibration_error(n: Array, positive: Array, edges: tuple[float, ...]) -> float:
    """Return the expected calibration error over the bins, 0 to 1 (Naeini et al. 2015); `positive` of `n` a bin."""
    gaps = np.abs(positive - n * _sigmoid(middles(edges)))
    return float(gaps.sum() / n.sum())


def brier_score(n: Array, positive: Array, edges: tuple[float, ...]) -> float:
    """Return the Brier score, 0 to 1, of scores at the middle of their bins (Brier 1950); `positive` of `n` a bin."""
    p = _sigmoid(middles(edges))
    return float((positive * (1 - p) ** 2 + (n - positive) * p**2).sum() / n.sum())


def estimate(scored: Array, calibrator: Calibrator, edges: tuple[float, ...], design_effect: float = 1.0) -> Estimate:
    """Return accuracy and F1 that calibrated scores let expect; `NOTHING` where nothing was scored.

    Confidence-based performance estimation (Garg et al. 2022; NannyML made the name CBPE familiar). `scored` is a
    histogram of the night's scores. The error has two parts: of the night's labels, which are drawn with the bins'
    probabilities (times the design effect of clustering by film), and of the calibrator, a binomial one a bin.
    """
    if not scored.sum():
        return NOTHING
    c, predicted_positive = calibrator.positive, middles(edges) > 0
    right = np.where(predicted_positive, c, 1 - c)
    n = scored.sum()
    part = scored / n
    own = (part * c * (1 - c)).sum() / n * design_effect
    fitted = (part**2 * c * (1 - c) / np.maximum(calibrator.n, 1)).sum()
    true_positive = (scored * c)[predicted_positive].sum()
    predicted, actual = scored[predicted_positive].sum(), (scored * c).sum()
    f1 = 2 * true_positive / (predicted + actual) if predicted + actual else 0.0
    # F1 = 2 TP / (predicted + actual): its slope in each bin's number of positives, by the delta method.
    slope = (2 * predicted_positive - f1) / max(predicted + actual, 1)
    f1_own = (slope**2 * scored * c * (1 - c)).sum() * design_effect
    f1_fitted = (slope**2 * scored**2 * c * (1 - c) / np.maximum(calibrator.n, 1)).sum()
    return Estimate(
        float((part * right).sum()), float((own + fitted) ** 0.5), float(f1), float((f1_own + f1_fitted) ** 0.5)
    )


def realised(labelled: Array, positive: Array, edges: tuple[float, ...]) -> Estimate:
    """Return accuracy and F1 of the labelled reviews, with binomial errors (F1's by the delta method).

    `labelled` and `positive` are histograms of scores, of all labelled reviews and of those with a positive label.
    """
    n = labelled.sum()
    if not n:
        return NOTHING
    predicted_positive = middles(edges) > 0
    true_positive, actual = positive[predicted_positive].sum(), positive.sum()
    predicted = labelled[predicted_positive].sum()
    right = true_positive + (labelled - positive)[~predicted_positive].sum()
    accuracy = right / n
    f1 = 2 * true_positive / (predicted + actual) if predicted + actual else 0.0
    c = np.where(labelled > 0, positive / np.maximum(labelled, 1), 0.0)
    slope = (2 * predicted_positive - f1) / max(predicted + actual, 1)
    f1_error = float((slope**2 * labelled * c * (1 - c)).sum() ** 0.5)
    return Estimate(float(accuracy), float((accuracy * (1 - accuracy) / n) ** 0.5), float(f1), f1_error)
