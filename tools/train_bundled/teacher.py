"""The teacher: a linear model of words, pairs and runs of characters, scaled by naive Bayes (Wang and Manning, 2012).

Its logit is a sum, so every wordpiece has a contribution, and the student is trained on these: 2,000 labels are too few
for a network, a target for every wordpiece is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from tools.train_bundled.recipe import Floats, Ints, Recipe
from tools.train_bundled.vocabulary import INSIDE

TINY = 1e-9
USUAL_LENGTH = 100.0
CROPS = 3


class Block(NamedTuple):
    """Features of one kind in a text: keys, and the index of the wordpiece that each is at."""

    keys: Ints
    positions: Ints


class Explained(NamedTuple):
    """The teacher's logit of a text, and every wordpiece's contribution to it."""

    logit: float
    contributions: Floats


class Weights(NamedTuple):
    """Learnt weights of one kind of features; `keys` is sorted."""

    keys: Ints
    idf: Floats
    weights: Floats
    usual_norm: float

    def look_up(self, keys: Ints) -> tuple[Floats, Floats]:
        """Return idf and weight of every key, 0 for an unknown one."""
        indexes = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[indexes] == keys
        return np.where(known, self.idf[indexes], 0.0), np.where(known, self.weights[indexes], 0.0)


class Matrix(NamedTuple):
    """One kind of features in all texts: present or not, times idf, before texts are brought to one length."""

    keys: Ints
    idf: Floats
    values: sparse.csr_matrix
    norms: Floats

    @classmethod
    def of(cls, texts: Sequence[Ints], least: int) -> Matrix:
        """Return the features that occur in at least `least` of the texts."""
        keys, columns = np.unique(np.concatenate(texts), return_inverse=True)
        rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        present = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(keys)))
        frequency = np.asarray(present.sum(axis=0)).ravel()
        frequent = np.flatnonzero(frequency >= least)
        idf = 1 + np.log((1 + len(texts)) / (1 + frequency[frequent]))
        values = present[:, frequent] @ sparse.diags(idf)
        norms = TINY + np.sqrt(np.asarray(values.power(2).sum(axis=1)).ravel())
        return cls(keys[frequent], idf, values, norms)


class Grams:
    """Numbers the runs of characters inside words in the order of their first occurrence."""

    def __init__(self, row_texts: Sequence[str], sizes: Sequence[int]) -> None:
        """`row_texts` has the text of every row of the vocabulary."""
        self._row_texts = row_texts
        self._sizes = sizes
        self._numbers: dict[str, int] = {}
        self._of_word: dict[str, list[int]] = {}

    def of(self, rows: Ints) -> Block:
        """Return the runs in a text, each at the last wordpiece of its word, where the network has read all of it."""
        keys: list[int] = []
        positions: list[int] = []
        for word, last in self._spelled(rows):
            numbers = self._of_word.get(word)
            if numbers is None:
                numbers = self._of_word[word] = self._split(word)
            keys += numbers
            positions += [last] * len(numbers)
        return Block(np.array(keys, np.int64), np.array(positions, np.int64))

    def _spelled(self, rows: Ints) -> list[tuple[str, int]]:
        word_ends: list[tuple[str, int]] = []
        for i, row in enumerate(rows.tolist()):
            text = self._row_texts[row]
            if text.startswith(INSIDE) and word_ends:
                word_ends[-1] = (word_ends[-1][0] + text.removeprefix(INSIDE), i)
            else:
                word_ends.append((text, i))
        return [word for word in word_ends if word[0].isalpha()]

    def _split(self, word: str) -> list[int]:
        edged = f"<{word}>"
        runs = {edged[i : i + n] for n in self._sizes for i in range(len(edged) - n + 1)}
        return [self._numbers.setdefault(run, len(self._numbers)) for run in sorted(runs)]


class Teacher:
    """A linear model of labelled texts, which are rows of the vocabulary."""

    def __init__(self, row_texts: Sequence[str], recipe: Recipe) -> None:
        """`row_texts` has the text of every row of the vocabulary."""
        self._n_rows = len(row_texts)
        self._recipe = recipe
        self._grams = Grams(row_texts, recipe.gram_sizes)
        self._shares = (1.0, 1.0, recipe.gram_share)
        self._intercept = 0.0
        self._blocks: list[Weights] = []

    def fit(self, texts: Sequence[Ints], labels: Ints) -> Teacher:
        """Fit the weight of every feature that occurs in enough texts; return the teacher."""
        kinds = zip(*(self._features(text) for text in texts), strict=True)
        matrices = [
            Matrix.of([np.unique(block.keys) for block in kind], self._recipe.feature_reviews) for kind in kinds
        ]
        scaled = [share * sparse.diags(1 / m.norms) @ m.values for m, share in zip(matrices, self._shares, strict=True)]
        weights, self._intercept = _weights(sparse.hstack(scaled).tocsr(), labels, self._recipe)
        parts = np.split(weights, np.cumsum([len(m.keys) for m in matrices])[:-1])
        self._blocks = [
            Weights(m.keys, m.idf, share * m.idf * part, float(m.norms.mean()))
            for m, share, part in zip(matrices, self._shares, parts, strict=True)
        ]
        return self

    def explain(self, rows: Ints) -> Explained:
        """Return a text's logit, and every wordpiece's contribution as in a text of usual length."""
        logit = self._intercept
        contributions = np.zeros(len(rows))
        for (keys, positions), learnt in zip(self._features(rows), self._blocks, strict=True):
            distinct, indexes, counts = np.unique(keys, return_inverse=True, return_counts=True)
            idf, weights = learnt.look_up(distinct)
            logit += float(weights.sum() / (TINY + np.sqrt((idf**2).sum())))
            parts = (weights / counts / learnt.usual_norm)[indexes]
            contributions += np.bincount(positions, parts, len(rows))
        return Explained(logit, contributions)

    def leanings(self) -> Floats:
        """Return every row's contribution as a text of this one wordpiece."""
        single = [self.explain(np.array([row], np.int64)) for row in range(self._n_rows)]
        return np.array([explained.contributions[0] for explained in single])

    def _features(self, rows: Ints) -> tuple[Block, Block, Block]:
        indexes = np.arange(len(rows))
        pairs = rows[:-1] * self._n_rows + rows[1:]
        return Block(rows, indexes), Block(pairs, indexes[1:]), self._grams.of(rows)


def _weights(features: sparse.csr_matrix, labels: Ints, recipe: Recipe) -> tuple[Floats, float]:
    """Logistic regression on features that are scaled by the log ratio of how much of each class they make up."""
    favourable, unfavourable = (
        recipe.smoothing + np.asarray(features[labels == label].sum(axis=0)).ravel() for label in (1, 0)
    )
    ratio = np.log(favourable / favourable.sum()) - np.log(unfavourable / unfavourable.sum())
    model = LogisticRegression(C=recipe.inverse_penalty, solver="liblinear", random_state=0)
    model.fit(features @ sparse.diags(ratio), labels)
    return model.coef_[0] * ratio, float(model.intercept_[0])


class Calibration(NamedTuple):
    """Turns the teacher's logit into a probability, the nearer to the middle the shorter the text."""

    slope: float
    slope_by_length: float
    intercept: float

    def probability(self, logit: float, length: int) -> float:
        """Return the probability that a text of `length` wordpieces is favourable."""
        slope = max(0.0, self.slope + self.slope_by_length * float(np.log(length / USUAL_LENGTH)))
        return float(1 / (1 + np.exp(-(slope * logit + self.intercept))))


def calibrate(row_texts: Sequence[str], texts: Sequence[Ints], labels: Ints, recipe: Recipe) -> Calibration:
    """Fit the calibration on out-of-fold logits of reviews, and of random crops of these."""
    rng = np.random.default_rng(recipe.seed)
    seen: list[tuple[float, float, int]] = []
    for learn, judge in StratifiedKFold(5, shuffle=True, random_state=recipe.seed + 1).split(labels, labels):
        teacher = Teacher(row_texts, recipe).fit([texts[i] for i in learn], labels[learn])
        for i in judge:
            for text in (texts[i], *(_crop(texts[i], rng) for _ in range(CROPS))):
                logit = teacher.explain(text).logit
                seen.append((logit, logit * float(np.log(len(text) / USUAL_LENGTH)), int(labels[i])))
    measured = np.array(seen)
    model = LogisticRegression(C=1e4).fit(measured[:, :2], measured[:, 2])
    return Calibration(float(model.coef_[0, 0]), float(model.coef_[0, 1]), float(model.intercept_[0]))


def _crop(text: Ints, rng: np.random.Generator) -> Ints:
    """Return a contiguous part of the text, as likely to be short as long (by the logarithm of its length)."""
    length = int(np.exp(rng.uniform(0, np.log(len(text)))))
    start = int(rng.integers(len(text) - length + 1))
    return text[start : start + length]
