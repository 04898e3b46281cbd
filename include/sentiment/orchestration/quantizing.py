"""Make a model's int8 twin, compare the two on texts, and keep the twin only where both agree."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import DataError, ParameterError
from sentiment.orchestration import model_folders
from sentiment.samples import sample_dump
from sentiment.scoring import graph, network, registry
from sentiment.scoring.chunks import MAX_WORDPIECES
from sentiment.scoring.preparation import fed_form
from sentiment.scoring.registry import CANARY, Model
from sentiment.settings import Settings

LEAST_AGREEMENT = 0.99
"""Share of texts with the same label below which a twin is not kept."""
SAMPLE_TEXTS = 1_000
"""Made-up reviews to compare on where no file of texts is named."""
# Texts that are timed, and how often: enough to see the spread, some seconds on two cores.
TIMED_TEXTS, ROUNDS = 100, 3
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """How an int8 twin compares with its parent."""

    texts: int
    agreement: float
    """Share of the texts to which both give the same label, from 0 to 1."""
    speedups: tuple[float, ...]
    """How many times as fast the twin was, in each round."""
    size_ratio: float
    """Size of the twin's file as a share of the parent's."""

    def summary(self) -> str:
        """Return the figures in one line."""
        low, median, high = min(self.speedups), statistics.median(self.speedups), max(self.speedups)
        return (
            f"same label for {self.agreement:.2%} of {self.texts:,} texts, {median:.2f} x as fast "
            f"({low:.2f} to {high:.2f} over {len(self.speedups)} rounds), file of {self.size_ratio:.0%} the size"
        )


def sample(path: Path | None) -> list[str]:
    """Return the texts to compare on: a file's lines; without a file made-up reviews and the canary's sentences.

    Raises ParameterError where the file is not there or holds no text.
    """
    if path is not None:
        if not path.is_file():
            raise ParameterError(f"There is no file {path}.", "sentiment model quantize --help")
        # Not splitlines: a review may hold U+2028 and the like.
        texts = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
        if not texts:
            raise ParameterError(f"{path} holds no text; expected one a line.", "sentiment model quantize --help")
        return texts
    reviews = sample_dump.texts(sample_dump.SampleDump(date(2026, 1, 1), SAMPLE_TEXTS, defect_share=0, known_share=0))
    # Made-up reviews are easy; the canary's sentences lie close to the boundary, where rounding changes labels.
    return reviews + [json.loads(line)["text"] for line in CANARY.read_text("utf-8").splitlines()]


def quantize(
    parent: Model, texts: list[str], config: Settings, anyway: bool, progress: Progress
) -> tuple[Model, Comparison]:
    """Make and register the model `<parent>-int8`; return it with its comparison.

    Raises ParameterError where there is no ONNX graph to quantise or the twin exists already, DataError where the
    two agree on less than 99 % of the texts, unless `anyway`; nothing is left behind then.
    """
    model_id = f"{parent.model_id}-int8"
    if parent.saved_folder:
        raise ParameterError(
            f"{parent.model_id} is kept as Spark NLP saved it, for {parent.engine}; only a folder with model.onnx can "
            "be quantised.",
            "export it to ONNX, then: sentiment model add FOLDER",
        )
    with model_folders.new_folder(model_id, config, "sentiment model list") as folder:
        copytree(parent.folder / "assets", folder.path / "assets")
        progress("quantising")
        graph.quantize(parent.folder / "model.onnx", folder.path / "model.onnx")
        comparison = compare(parent, folder.path, texts, progress)
        if comparison.agreement < LEAST_AGREEMENT and not anyway:
            raise DataError(
                f"The int8 twin of {parent.model_id} was not kept: {comparison.summary()}; at least "
                f"{LEAST_AGREEMENT:.0%} is expected.",
                f"sentiment model quantize {parent.model_id} --anyway",
            )
        twin = folder.publish(registry.read(model_id, folder.path), f"int8 twin of {parent.model_id}")
        _record(parent, twin, comparison)
    return twin, comparison


def compare(parent: Model, folder: Path, texts: list[str], progress: Progress) -> Comparison:
    """Run both networks over the texts as the pipeline feeds them, each on one thread, and compare label and speed.

    Texts are cut at 512 wordpieces.
    """
    tokenizer = network.reference_tokenizer({piece: i for i, piece in enumerate(parent.vocabulary())})
    tokenizer.enable_truncation(MAX_WORDPIECES)
    rows = [encoding.ids for encoding in tokenizer.encode_batch([fed_form(text) for text in texts])]
    parent_graph, twin_graph = parent.folder / "model.onnx", folder / "model.onnx"
    parent_session, twin_session = graph.session(parent_graph), graph.session(twin_graph)
    progress(f"comparing on {len(rows):,} texts")
    same = sum(_label(parent_session, ids) == _label(twin_session, ids) for ids in rows)
    timed = rows[:TIMED_TEXTS]
    # In turn within each round, so that a busy machine slows both.
    speedups = tuple(_seconds(parent_session, timed) / _seconds(twin_session, timed) for _ in range(ROUNDS))
    size_ratio = twin_graph.stat().st_size / parent_graph.stat().st_size
    return Comparison(len(rows), same / len(rows), speedups, size_ratio)


def _label(session: Any, ids: list[int]) -> int:
    """Return the position of the likeliest label."""
    return int(graph.logits(session, [ids])[0].argmax())


def _seconds(session: Any, rows: list[list[int]]) -> float:
    """Return how long the network takes for the rows, one after the other."""
    began = time.perf_counter()
    for ids in rows:
        graph.logits(session, [ids])
    return time.perf_counter() - began


def _record(parent: Model, twin: Model, comparison: Comparison) -> None:
    """Write the comparison into the twin's row of `sentiment.model`."""
    # The row's foreign key needs the parent's, which is there only once the parent was used.
    registry.register(parent, scores=False)
    with transaction() as c:
        c.execute(
            sa.text(
                "UPDATE sentiment.model SET parent_model_id = :parent, parent_agreement = :agreement, "
                "parent_texts = :texts, parent_speedup = :speedup WHERE model_id = :twin"
            ),
            {
                "parent": parent.model_id,
                "agreement": comparison.agreement,
                "texts": comparison.texts,
                "speedup": statistics.median(comparison.speedups),
                "twin": twin.model_id,
            },
        )
