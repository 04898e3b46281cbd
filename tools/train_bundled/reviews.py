"""The labelled reviews, and their folds for cross-validation."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from tools.train_bundled.recipe import Ints

FOLDS = 5


class Reviews(NamedTuple):
    """Texts in the form in which the pipeline feeds them (NFC), and 1 for favourable, 0 for unfavourable."""

    texts: list[str]
    labels: Ints


class Fold(NamedTuple):
    """Indexes of the reviews to train on, and of those to predict."""

    learn: Ints
    judge: Ints


def read(path: Path) -> Reviews:
    """Read JSON lines with `review` and `polarity`."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = [unicodedata.normalize("NFC", row["review"]) for row in rows]
    return Reviews(texts, np.array([row["polarity"] for row in rows], np.int64))


def folds(reviews: Reviews, seed: int) -> Iterator[Fold]:
    """Yield five stratified folds; copies of one review are always on the same side."""
    first = {text: i for i, text in reversed(list(enumerate(reviews.texts)))}
    distinct = np.array(sorted(first.values()), np.int64)
    original = np.array([first[text] for text in reviews.texts], np.int64)
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(distinct, reviews.labels[distinct])
    for _, judged in splits:
        held_out = np.isin(original, distinct[judged])
        yield Fold(np.flatnonzero(~held_out), np.flatnonzero(held_out))
