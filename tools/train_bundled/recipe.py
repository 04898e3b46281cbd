"""Every number of the recipe, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL))
MAX_WORDPIECES = 512
MAX_INNER = MAX_WORDPIECES - 2
"""Wordpieces of a text without [CLS] and [SEP]."""


@dataclass(frozen=True)
class Recipe:
    """Settings of vocabulary, teacher and student; frozen, because JAX caches compiled steps by it."""

    seed: int = 0

    wordpieces: int = 3000
    """Size of the learnt WordPiece vocabulary, to which whole words and casings are added."""
    word_reviews: int = 2
    """Fewest reviews that a word must occur in to be a piece of its own."""
    capitals_reviews: int = 3
    """Fewest reviews that a piece must occur in to have a form in capitals too."""

    smoothing: float = 0.1
    inverse_penalty: float = 3.0
    feature_reviews: int = 2
    gram_sizes: tuple[int, ...] = (3, 4, 5)
    """Lengths of the runs of characters that the teacher reads inside words."""
    gram_share: float = 1.0
    """Weight of the runs of characters, where words and pairs have 1 each."""

    width: int = 96
    heads: int = 3
    feed_forward: int = 384

    epochs: int = 16
    learning_rate: float = 2e-3
    batch_wordpieces: int = 2048
    warm_up: int = 50
    own_share: float = 0.25
    """Own short sentences in an epoch, for each review in it."""

    @property
    def head_width(self) -> int:
        """Return the width of one attention head."""
        return self.width // self.heads
