"""Texts of reviews cut at their scored sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sentiment.dashboard.reading import Rows


@dataclass(frozen=True)
class Segment:
    """A piece of a review's text."""

    text: str
    tone: str
    """`positive` or `negative` of a scored sentence, empty of what lies between."""
    score: float | None
    """Probability of its label, 0 to 1."""


def cut(reviews: Rows, scored: Rows) -> dict[str, list[Segment]]:
    """Cut the texts of reviews at their scored sentences."""
    sentences: dict[str, list[sa.Row[Any]]] = {}
    for row in scored:
        sentences.setdefault(row.review_id, []).append(row)
    texts = {row.review_id: row.text for row in reviews}
    return {review_id: list(_pieces(texts[review_id], own)) for review_id, own in sentences.items()}


def _pieces(text: str, sentences: Sequence[sa.Row[Any]]) -> Iterator[Segment]:
    end = 0
    for row in sentences:
        yield Segment(text[end : row.begin_char], "", None)
        tone = {True: "positive", False: "negative", None: ""}[row.is_positive]
        yield Segment(text[row.begin_char : row.end_char], tone, row.score)
        end = row.end_char
    yield Segment(text[end:], "", None)
