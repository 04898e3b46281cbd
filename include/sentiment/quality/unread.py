"""Values of optional columns that can't be read: whether their share is unusual, and what the likely cause is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentiment.quality import split
from sentiment.quality.rules import SHOWN_CHARS, Rule, optional
from sentiment.runs.handoff import JudgedNight
from sentiment.schemas import POSITION

N_EXAMPLES = 3
N_LOOKED_AT = 1000
"""Values of a column by which the likely cause is found."""
NEVER_SHOWN = ("author",)
"""Columns whose values no message shows."""
SCALES = (10, 20, 100)
"""What ratings are out of, elsewhere than in stars."""
MONTH_FIRST = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](?:\d{4}|\d{2})(?!\d)")


@dataclass(frozen=True)
class Cause:
    """The likely cause of values that can't be read."""

    what: str
    """As a part of a sentence, or a question."""
    fields: Mapping[str, object]
    """Fields of a source profile that read them."""

    def __str__(self) -> str:
        lines = " and ".join(f"{name} = {json.dumps(value)}" for name, value in self.fields.items())
        return f"{self.what} Then {lines} in the source profile"


@dataclass(frozen=True)
class Unread:
    """A column of which an unusual share can't be read."""

    column: str
    n: int
    n_values: int
    examples: tuple[tuple[int, int, str], ...]
    """(file, record, value) of the first ones; empty where values are not shown."""
    cause: Cause | None
    """None where none is likely."""

    def sentence(self, most: float) -> str:
        """Return what is wrong as part of a sentence; `most` is the share that is usual."""
        shown = ", ".join(f"{value!r} (file {file}, record {record})" for file, record, value in self.examples)
        like = f", like {shown}" if shown else ""
        cause = f": {self.cause}" if self.cause else ""
        share = f"{self.n:,} of {self.n_values:,} values of {self.column} ({self.n / self.n_values:.0%})"
        return f"{share} can't be read, more than {most:.0%}{like}{cause}"


def unusual(verdicts: DataFrame, rules: tuple[Rule, ...], night: JudgedNight, most: float) -> list[Unread]:
    """Return the columns of which more than `most`, from 0 to 1, of the values can't be read.

    Runs a Spark job for each of them.
    """
    columns = []
    for column in dict.fromkeys(rule.column for rule in optional(rules)):
        n = n_unread(night, rules, column)
        n_values = night.optional_values.get(column, 0)
        if n > most * n_values:
            columns.append(_looked_at(verdicts, column, n, n_values))
    return columns


def n_unread(night: JudgedNight, rules: tuple[Rule, ...], column: str) -> int:
    """Return how many values of a column can't be read, by all its rules."""
    return sum(night.unread.get(rule.name, 0) for rule in optional(rules) if rule.column == column)


def _looked_at(verdicts: DataFrame, column: str, n: int, n_values: int) -> Unread:
    if column in NEVER_SHOWN:
        return Unread(column, n, n_values, (), None)
    rows = split.unread(verdicts).where(F.col("column_name") == column)
    first = [tuple(row) for row in rows.orderBy(*POSITION).select(*POSITION, "value").limit(N_LOOKED_AT).collect()]
    examples = tuple((file, record, value[:SHOWN_CHARS]) for file, record, value in first[:N_EXAMPLES])
    return Unread(column, n, n_values, examples, likely_cause(column, [value for _, _, value in first]))


def likely_cause(column: str, values: list[str]) -> Cause | None:
    """Return why values of a column can't be read, as far as they show it.

    `values` are some of those that can't.
    """
    if column == "rating":
        return _scale(values)
    if column == "polarity" and {value.removesuffix(".0") for value in values} == {"1", "2"}:
        return Cause("is 2 positive, and 1 no label?", {"positive": ["2"], "neutral": ["1"]})
    days = [match for value in values if (match := MONTH_FIRST.match(value))] if column == "review_date" else []
    if any(int(match[2]) > 12 for match in days):
        return Cause("does the month come first?", {"dates": ["iso", "month_first"]})
    return None


def _scale(values: list[str]) -> Cause | None:
    numbers = [float(value.replace(",", ".")) for value in values if re.fullmatch(r"\d{1,3}([.,]\d+)?", value)]
    scale = next((scale for scale in SCALES if max(numbers) <= scale), None) if numbers else None
    return Cause(f"values up to {max(numbers):g}: is the scale {scale}?", {"rating_scale": scale}) if scale else None
