"""A second model for tests, and an evaluation that no model made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from sentiment import settings
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.evaluation.model import Evaluation, Mistake
from sentiment.evaluation.report import Cell
from sentiment.scoring import folders, registry

from tests.kit.rows import rows, run_sql

OPPOSITE = "opposite"
"""The bundled network with its labels' names swapped, so that it predicts the opposite."""
EVALUATION = Evaluation(
    "20261122-0000beef", "cinema-fr", "f" * 64, ("neg", "pos"), "made", "0" * 64, LabelSource.polarity,
    (Cell("neg", "pos", 13, 2, 1.8, 1.62), Cell("pos", "pos", 14, 6, 5.7, 0.03)), {"no_label": 3},
    (Mistake(0, 7, "neg", "pos", 0.9, "un\n\ttexte \x1b[31m rouge [bold]" + "x" * 200),
     Mistake(1, 2, "neg", "pos", 0.89, "deux")),
)  # fmt: skip


@contextmanager
def opposite() -> Iterator[str]:
    """Add the model `OPPOSITE` and yield its name; remove it and what was evaluated meanwhile afterwards."""
    folder = settings.load().models / OPPOSITE
    shutil.copytree(folders.BUNDLED / "cinema-fr", folder, dirs_exist_ok=True)
    (folder / "assets" / "labels.txt").write_text("pos\nneg\n", "utf-8")
    assert registry.read("cinema-fr", folders.BUNDLED / "cinema-fr").labels == ("neg", "pos")
    with evaluations_removed():
        yield OPPOSITE
    shutil.rmtree(folder)


@contextmanager
def evaluations_removed() -> Iterator[None]:
    """Remove afterwards the evaluations that weren't there before."""
    before = [run_id for (run_id,) in rows("SELECT evaluation_id FROM sentiment.evaluation")]
    yield
    run_sql("DELETE FROM sentiment.evaluation WHERE evaluation_id <> ALL (:before)", before=before)
