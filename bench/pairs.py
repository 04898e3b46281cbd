"""What is measured of an old checkout and the present one in turn, and a row of its table."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from enum import StrEnum


class Measure(StrEnum):
    """What can be measured side by side."""

    night = "night"
    known = "known"
    same = "same"
    large = "large"
    validate = "validate"
    publish = "publish"
    cold = "cold"
    digests = "digests"
    seconds = "seconds"


ROUNDS = {Measure.large: 3, Measure.validate: 1, Measure.publish: 3, Measure.cold: 2}
"""Rounds of what takes long; else there are five. Digests and seconds are taken once."""


@dataclass
class Pair:
    """One figure of both checkouts, measured in turn."""

    what: str
    unit: str
    budget: float | None
    """Most that the present one's median may be of the old one's; None where there is no bound."""
    old: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The present one's median over the old one's."""
        return statistics.median(self.new) / statistics.median(self.old)

    @property
    def is_missed(self) -> bool:
        """Whether the budget is."""
        return self.budget is not None and self.ratio > self.budget

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table's row: what, both medians, rounds, ratio, budget."""
        medians = (f"{statistics.median(figures):,.4g} {self.unit}" for figures in (self.old, self.new))
        budget = "" if self.budget is None else f"{self.budget:g}{' missed' if self.is_missed else ''}"
        return self.what, *medians, str(len(self.new)), f"{self.ratio:.2f}", budget

    def add(self, old: float, new: float) -> None:
        """Take in the figures of one round."""
        self.old.append(old)
        self.new.append(new)
