"""Counts of many nights and series as arrays, and the film-clustered variance of their means. No Spark, no database."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Additive sums of values that are not null, nights x series (or any other shape, the same for all fields).

    With s_f and n_f the sum and number of the values of film f; zeros where nothing was counted, never NaN.
    """

    n: Array
    """Number of values: sum over films of n_f."""
    total: Array
    """Sum of the values: sum over films of s_f, in the column's unit."""
    square: Array
    """Sum of the squared values."""
    item_sq: Array
    """Sum over films of s_f^2."""
    item_cross: Array
    """Sum over films of s_f n_f."""
    item_n_sq: Array
    """Sum over films of n_f^2."""

    def __getitem__(self, index: object) -> Sums:
        return Sums(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def over_nights(self) -> Sums:
        """Return the sums over the first axis."""
        return Sums(**{f.name: getattr(self, f.name).sum(axis=0) for f in fields(self)})

    def masked(self, keep: NDArray[np.bool_]) -> Sums:
        """Return a copy with zeros where `keep`, of the shape of the sums, is false."""
        return Sums(**{f.name: np.where(keep, getattr(self, f.name), 0.0) for f in fields(self)})

    @property
    def mean(self) -> Array:
        """Return the mean of each night and series, in the column's unit; NaN where there is no value."""
        return divided(self.total, self.n)

    def item_squares(self, mean: Array) -> Array:
        """Return the sum over films of (s_f - n_f mean)^2; `mean` has the shape of the sums."""
        squares: Array = self.item_sq - 2 * mean * self.item_cross + mean**2 * self.item_n_sq
        # A sum of squares, but rounding may take its expanded form below 0.
        return np.maximum(squares, 0.0)

    def clustered_variance(self) -> Array:
        """Return the variance of the mean, clustered by film: sum over films of (s_f - n_f mean)^2 / n^2.

        NaN where there is no value. Liang and Zeger 1986, "Longitudinal data analysis using generalized linear
        models", for a model that holds nothing but an intercept.
        """
        mean = np.nan_to_num(self.mean)
        return divided(self.item_squares(mean), self.n**2)


def divided(a: Array, b: Array) -> Array:
    """Return a / b; NaN where b is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # numpy divides where b is 0, too.
        return np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b))


def of_shares(n: ArrayLike, k: ArrayLike, item_axis: int = -1) -> Sums:
    """Return the sums of a yes-or-no column: `n` values, `k` of them yes, films along `item_axis`, which is summed."""
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
    """Return the series of all parts side by side; each part is nights x its series."""
    return Sums(**{f.name: np.concatenate([getattr(p, f.name) for p in parts], axis=-1) for f in fields(Sums)})


def zeros(shape: tuple[int, ...]) -> Sums:
    """Return sums in which nothing is counted."""
    return Sums(*(np.zeros(shape) for _ in fields(Sums)))
