"""What a model is evaluated on: a file of labelled reviews, and what its labels mean to the model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sentiment.errors import DataError, ParameterError, quoted
from sentiment.labels import WEAK_NEGATIVE_TO, WEAK_POSITIVE_FROM
from sentiment.runs.model import Layout


class LabelSource(StrEnum):
    """The contract column that labels come from."""

    polarity = "polarity"
    rating = "rating"


DESCRIPTIONS = {
    LabelSource.polarity: "labels of its own",
    LabelSource.rating: (
        f"weak labels from its ratings: up to {WEAK_NEGATIVE_TO:g} negative, from {WEAK_POSITIVE_FROM:g} positive"
    ),
}
"""Each label source as it is shown behind a set's number of records."""


@dataclass(frozen=True)
class LabelledSet:
    """A received file: its identity, where its labels come from, and how its records in the workspace are read."""

    uri: str
    """Path or address as it was typed."""
    name: str
    """The name under which evaluations show the set."""
    sha256: str
    """SHA-256 of the file; of several files the hash that names them as a dump."""
    label_source: LabelSource
    n_records: int
    received: str
    """Key of the set's records in the workspace's data set `received`."""
    layouts: list[Layout]
    """One for each file, by `file_no`."""
    profile: dict[str, Any]
    """Fields of the source profile by which the columns were mapped."""

    @property
    def command(self) -> str:
        """The command that evaluates the set again."""
        return f"sentiment evaluate {quoted(self.uri)}"


@dataclass(frozen=True)
class Target:
    """The labels that a model predicts, and which of them polarity 0 and 1 mean."""

    model_id: str
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    negative: str | None
    """The label of polarity 0; None where the model has none."""
    positive: str | None
    """The label of polarity 1; None where the model has none."""

    @property
    def has_polarity(self) -> bool:
        """Whether the model has both a negative and a positive label."""
        return self.negative is not None and self.positive is not None

    @property
    def expected(self) -> str:
        """What a label in the file may be, for messages."""
        names = ", ".join(self.labels)
        return f"one of {names}, or 0 for {self.negative} and 1 for {self.positive}" if self.has_polarity else names


def label_source(
    mapped: dict[str, str], requested: LabelSource | None, uri: str, columns: Collection[str]
) -> LabelSource:
    """Return where labels come from: the requested column, else polarity, else rating.

    `mapped` is contract column -> the file's column, `columns` all columns of the file. Raises DataError, naming
    them, where the file has no such column.
    """
    # In the order of LabelSource: a label that a person chose is worth more than one read off a rating.
    wanted = [requested] if requested else list(LabelSource)
    source = next((source for source in wanted if source in mapped), None)
    if source is None:
        raise DataError(
            f"{uri} has no column of {' or '.join(wanted)}: found {', '.join(columns)}; expected a text and its label.",
            f"sentiment source look {quoted(uri)}",
        )
    return source


def check_target(target: Target, source: LabelSource, uri: str) -> None:
    """Raise ParameterError where labels come from ratings and the model lacks a negative or a positive label."""
    if source is LabelSource.rating and not target.has_polarity:
        raise ParameterError(
            f"Ratings of {uri} can't be labels of {target.model_id}: it predicts {', '.join(target.labels)}, "
            "of which none is negative and none positive.",
            f"sentiment evaluate {quoted(uri)} --model … (one that `sentiment model list` shows with both)",
        )
