"""Train on all reviews, write the model folder, and compare its predictions with those of the network in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tools.train_bundled import export, student, teacher, training, vocabulary
from tools.train_bundled.check import Network
from tools.train_bundled.recipe import Recipe
from tools.train_bundled.reviews import Reviews

LABELS = ("neg", "pos")
COMPARED = 300
"""Reviews by which the file is compared with the network in memory."""


def fit(reviews: Reviews, recipe: Recipe, folder: Path) -> Iterator[str]:
    """Train and write the model; yield lines with its size and its largest difference from the network in memory."""
    vocab = vocabulary.build(reviews.texts, recipe)
    texts = vocab.encode(reviews.texts)
    one = teacher.Teacher(vocab.row_texts, recipe).fit(texts, reviews.labels)
    calibration = teacher.calibrate(vocab.row_texts, texts, reviews.labels, recipe)
    params = training.train(texts, training.lesson_source(texts, vocab, one, calibration), recipe)
    assets = folder / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    vocab.save(assets / "vocab.txt")
    (assets / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
    export.write(params, vocab.rows, recipe, folder / "model.onnx")
    network = Network(folder)
    written = np.array([network.positive(text) for text in reviews.texts[:COMPARED]])
    apart = np.abs(written - student.probabilities(params, texts[:COMPARED], recipe))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield f"{len(vocab.pieces):,} wordpieces of {len(vocab.row_texts):,} rows, {size / 1e6:.2f} MB"
    yield f"file against network in memory, {COMPARED} reviews: P(pos) at most {apart.max():.4f} apart"
