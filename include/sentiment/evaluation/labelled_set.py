"""What a model is evaluated on: a file of labelled reviews, and what its labels mean to the model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sentiment.errors import DataError, ParameterError


class LabelSource(StrEnum):
    """The column that labels come from."""

    polarity = "polarity"
    rating = "rating"


WORDS = {
    LabelSource.polarity: "labels of its own",
    LabelSource.rating: "weak labels from its ratings: up to 2 negative, from 4 positive",
}
WEAK_NEGATIVE_TO, WEAK_POSITIVE_FROM = 2.0, 4.0
"""Stars out of five, as the official data set was labelled; what lies between is neither."""


@dataclass(frozen=True)
class LabelledSet:
    """A received file: its identity, where its labels come from, and how the lake's records of it are read."""

    uri: str
    name: str
    sha256: str
    """Of the file; of several the hash that names them as a dump."""
    label_source: LabelSource
    received: str
    """The key of its records in the lake's `received`."""
    layouts: list[dict[str, Any]]
    profile: dict[str, Any]

    @property
    def again(self) -> str:
        """The command that evaluates it once more."""
        return f"sentiment evaluate {self.uri}"


@dataclass(frozen=True)
class Target:
    """What a model can say: its labels, and those that polarity 0 and 1 mean, where it has such."""

    model_id: str
    labels: tuple[str, ...]
    negative: str | None
    positive: str | None

    @property
    def has_polarity(self) -> bool:
        """Whether a negative and a positive review can be told apart by its labels."""
        return self.negative is not None and self.positive is not None

    @property
    def expected(self) -> str:
        """What a label may be, in words."""
        names = ", ".join(self.labels)
        return f"one of {names}, or 0 for {self.negative} and 1 for {self.positive}" if self.has_polarity else names


def label_source(mapped: dict[str, str], asked: LabelSource | None, uri: str, found: Collection[str]) -> LabelSource:
    """Where labels come from: the column asked for, else polarity, else rating.

    `mapped` is contract column -> the file's column, `found` all columns of the file. Raises DataError, naming
    them, where the column is not there.
    """
    wanted = [asked] if asked else list(LabelSource)
    there = next((source for source in wanted if source in mapped), None)
    if there is None:
        raise DataError(
            f"{uri} has no column of {' or '.join(wanted)}: found {', '.join(found)}; expected a text and its label.",
            f"sentiment source look {uri}",
        )
    return there


def check_target(target: Target, source: LabelSource, uri: str) -> None:
    """Raise ParameterError where ratings are to be labels of a model that has neither negative nor positive."""
    if source is LabelSource.rating and not target.has_polarity:
        raise ParameterError(
            f"Ratings of {uri} can't be labels of {target.model_id}: it says {', '.join(target.labels)}, "
            "of which none is negative and none positive.",
            f"sentiment evaluate {uri} --model … (one that `sentiment model list` shows with both)",
        )
