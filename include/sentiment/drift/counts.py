"""Counts of many nights and series as arrays, and the film-clustered variance they allow. No Spark, no database."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Additive sums of one column over nights x series (or any other shape, the same for all).

    With s_f and n_f the sum and number of the values of film f: `total` is sum s_f, `n` is sum n_f, `square`
    the sum of squared values, `item_sq` sum s_f^2, `item_cross` sum s_f n_f, `item_n_sq` sum n_f^2.
    """

    n: Array
    total: Array
    square: Array
    item_sq: Array
    item_cross: Array
    item_n_sq: Array

    def __getitem__(self, index: object) -> Sums:
        return Sums(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def over_nights(self) -> Sums:
        """Added up along the first axis."""
        return Sums(**{f.name: getattr(self, f.name).sum(axis=0) for f in fields(self)})

    def masked(self, keep: NDArray[np.bool_]) -> Sums:
        """With zeros where `keep` is false."""
        return Sums(**{f.name: np.where(keep, getattr(self, f.name), 0.0) for f in fields(self)})

    @property
    def mean(self) -> Array:
        """Mean per night and series; NaN where there is no value."""
        return divided(self.total, self.n)

    def item_squares(self, mean: Array) -> Array:
        """Sum over films of (s_f - n_f mean)^2."""
        squares: Array = self.item_sq - 2 * mean * self.item_cross + mean**2 * self.item_n_sq
        return np.maximum(squares, 0.0)

    def clustered_variance(self) -> Array:
        """Variance of the mean, clustered by film: sum over films of (s_f - n_f mean)^2 / n^2.

        Liang and Zeger 1986, "Longitudinal data analysis using generalized linear models", for a model that
        holds nothing but an intercept.
        """
        mean = np.nan_to_num(self.mean)
        return divided(self.item_squares(mean), self.n**2)


def divided(a: Array, b: Array) -> Array:
    """a / b; NaN where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b))


def of_shares(n: ArrayLike, k: ArrayLike, item_axis: int = -1) -> Sums:
    """Sums of a yes-or-no column from its counts by item: `n` values, `k` of them yes, items on one axis."""
    n, k = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    total = k.sum(axis=item_axis)
    return Sums(
        n=n.sum(axis=item_axis),
        total=total,
        square=total,
        item_sq=(k**2).sum(axis=item_axis),
        item_cross=(k * n).sum(axis=item_axis),
        item_n_sq=(n**2).sum(axis=item_axis),
    )


def stacked(parts: list[Sums]) -> Sums:
    """Series side by side: every part is nights x its series."""
    return Sums(**{f.name: np.concatenate([getattr(p, f.name) for p in parts], axis=-1) for f in fields(Sums)})


def zeros(shape: tuple[int, ...]) -> Sums:
    """Nothing counted yet."""
    return Sums(*(np.zeros(shape) for _ in fields(Sums)))
