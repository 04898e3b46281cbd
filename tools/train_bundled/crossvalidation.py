"""Cross-validate the recipe beside its teacher and a plain linear model."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tools.train_bundled import student, teacher, training, vocabulary
from tools.train_bundled.measures import measure
from tools.train_bundled.recipe import Floats, Recipe
from tools.train_bundled.reviews import Fold, Reviews, folds

log = logging.getLogger(__name__)

PLAIN, TEACHER, STUDENT = "TF-IDF of words and pairs + logistic regression", "the teacher", "the student"
Judged = dict[str, Floats]
"""Model -> the probability that a review is favourable, one for every review judged."""


def judge(reviews: Reviews, fold: Fold, recipe: Recipe, with_student: bool) -> Judged:
    """Train every model on the fold's learning side and return its predictions of the other side."""
    learnt = [reviews.texts[i] for i in fold.learn]
    judged = [reviews.texts[i] for i in fold.judge]
    labels = reviews.labels[fold.learn]
    predictions = {PLAIN: plain(learnt, labels, judged)}
    vocab = vocabulary.build(learnt, recipe)
    texts, unseen = vocab.encode(learnt), vocab.encode(judged)
    one = teacher.Teacher(vocab.row_texts, recipe).fit(texts, labels)
    calibration = teacher.calibrate(vocab.row_texts, texts, labels, recipe)
    predictions[TEACHER] = np.array([calibration.probability(one.explain(text).logit, len(text)) for text in unseen])
    if with_student:
        source = training.lesson_source(texts, vocab, one, calibration)
        predictions[STUDENT] = student.probabilities(training.train(texts, source, recipe), unseen, recipe)
    return predictions


def plain(learnt: list[str], labels: np.ndarray, judged: list[str]) -> Floats:
    """Return the baseline model's probabilities; its settings are usual ones, chosen before any result was seen."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )
    return model.fit(learnt, labels).predict_proba(judged)[:, 1]


def cross_validate(reviews: Reviews, recipe: Recipe, chosen: Collection[int], with_student: bool) -> Iterator[str]:
    """Yield the lines of a Markdown table: every model's figures over the chosen folds."""
    began = time.monotonic()
    predictions: list[tuple[Fold, Judged]] = []
    for number, fold in enumerate(folds(reviews, recipe.seed)):
        if number not in chosen:
            continue
        predictions.append((fold, judge(reviews, fold, replace(recipe, seed=recipe.seed + number), with_student)))
        accuracies = {who: f"{_accuracy(reviews, fold, p):.4f}" for who, p in predictions[-1][1].items()}
        log.info("fold %d after %d s: %s", number, time.monotonic() - began, accuracies)
    yield f"| {sum(len(fold.judge) for fold, _ in predictions)} reviews | accuracy | 95 % | ECE | Brier | by fold |"
    yield "|---|---|---|---|---|---|"
    for who in predictions[0][1]:
        yield _row(who, reviews, [(fold, judged[who]) for fold, judged in predictions])


def _row(who: str, reviews: Reviews, predictions: list[tuple[Fold, Floats]]) -> str:
    labels = np.concatenate([reviews.labels[fold.judge] for fold, _ in predictions])
    m = measure(np.concatenate([positive for _, positive in predictions]), labels)
    by_fold = " ".join(f"{_accuracy(reviews, fold, positive):.4f}" for fold, positive in predictions)
    return f"| {who} | {m.accuracy:.4f} | {m.low:.4f} to {m.high:.4f} | {m.ece:.4f} | {m.brier:.4f} | {by_fold} |"


def _accuracy(reviews: Reviews, fold: Fold, positive: Floats) -> float:
    return float(((positive >= 0.5) == (reviews.labels[fold.judge] == 1)).mean())
