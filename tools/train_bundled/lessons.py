"""Lessons of the student: reviews cut, spliced and disturbed, with the teacher's probability and contributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.train_bundled.own_sentences import OwnSentences
from tools.train_bundled.recipe import CLS, MAX_INNER, MAX_WORDPIECES, SEP, Floats, Ints, Recipe
from tools.train_bundled.teacher import Calibration, Teacher
from tools.train_bundled.vocabulary import Vocabulary

LENGTHS = (32, 64, 96, 128, 192, 320, MAX_WORDPIECES)
"""Batches are padded to one of these, so that few shapes are compiled."""
POOL = 8
"""Reviews from which foreign wordpieces are taken."""


class Lesson(NamedTuple):
    """A text as rows of the vocabulary, its target probability, and of a review the contribution of every wordpiece."""

    rows: Ints
    positive: float
    contributions: Floats | None


class Batch(NamedTuple):
    """Texts padded on the right; `members` are their indexes among the texts that were batched."""

    members: list[int]
    rows: NDArray[np.int32]
    mask: NDArray[np.bool_]


class LessonSource(NamedTuple):
    """The sources of lessons: teacher, its calibration, vocabulary and own sentences."""

    teacher: Teacher
    calibration: Calibration
    unit: float
    """Size of a usual contribution, by which all are divided."""
    vocabulary: Vocabulary
    own: OwnSentences


def draw(texts: Sequence[Ints], source: LessonSource, recipe: Recipe, rng: np.random.Generator) -> list[Lesson]:
    """Return the lessons of one epoch."""
    reviews = [_of_review(vary(text, texts, rng), source) for text in texts]
    sentences = source.own.draw(round(recipe.own_share * len(texts)), rng)
    encoded = source.vocabulary.encode([sentence.text for sentence in sentences])
    own = [Lesson(rows, s.positive, None) for rows, s in zip(encoded, sentences, strict=True)]
    return reviews + own


def vary(text: Ints, texts: Sequence[Ints], rng: np.random.Generator) -> Ints:
    """Return a part of the text, or parts of two texts joined, sometimes disturbed."""
    chance = rng.random()
    if chance < 0.5:
        text = np.concatenate([crop(text, 0.2, 0.8, rng), crop(_any(texts, rng), 0.2, 0.8, rng)])
    elif chance < 0.65:
        text = crop(text, 0.3, 1.0, rng)
    elif chance < 0.75:
        text = crop(text, 0.02, 0.3, rng)
    if rng.random() < 0.15:
        text = _disturbed(text, texts, rng)
    return text[:MAX_INNER]


def crop(text: Ints, least: float, most: float, rng: np.random.Generator) -> Ints:
    """Return a contiguous part of the text, its share of the length from `least` to `most`."""
    length = min(len(text), max(2, round(len(text) * rng.uniform(least, most))))
    start = int(rng.integers(len(text) - length + 1))
    return text[start : start + length]


def batches(texts: Sequence[Ints], recipe: Recipe) -> Iterator[Batch]:
    """Yield the texts in batches by length, at most `recipe.batch_wordpieces` each where four texts allow it."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    while order:
        length = next(n for n in LENGTHS if n >= len(texts[order[0]]) + 2)
        height = max(4, recipe.batch_wordpieces // length)
        members = [i for i in order[:height] if len(texts[i]) + 2 <= length]
        order = order[len(members) :]
        yield _padded(members, [texts[i] for i in members], height, length)


def _padded(members: list[int], texts: list[Ints], height: int, length: int) -> Batch:
    rows = np.zeros((height, length), np.int32)
    mask = np.zeros((height, length), np.bool_)
    # An empty row must attend to something, else its softmax is not a number.
    mask[:, 0] = True
    for i, text in enumerate(texts):
        rows[i, : len(text) + 2] = [CLS, *text, SEP]
        mask[i, : len(text) + 2] = True
    return Batch(members, rows, mask)


def _of_review(rows: Ints, source: LessonSource) -> Lesson:
    explained = source.teacher.explain(rows)
    return Lesson(
        rows, source.calibration.probability(explained.logit, len(rows)), explained.contributions / source.unit
    )


def _any(texts: Sequence[Ints], rng: np.random.Generator) -> Ints:
    return texts[int(rng.integers(len(texts)))]


def _disturbed(text: Ints, texts: Sequence[Ints], rng: np.random.Generator) -> Ints:
    """Return the wordpieces in another order, or three in ten replaced by other reviews'."""
    if rng.random() < 0.5:
        return rng.permutation(text)
    pool = np.concatenate([_any(texts, rng) for _ in range(POOL)])
    return np.where(rng.random(len(text)) < 0.3, rng.choice(pool, len(text)), text)
