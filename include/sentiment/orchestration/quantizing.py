"""An int8 twin of a model: made, compared with its parent on texts, and kept only where the two agree."""

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
from sentiment.orchestration import placing
from sentiment.samples import sample_dump
from sentiment.scoring import graph, network, registry
from sentiment.scoring.chunks import MAX_WORDPIECES
from sentiment.scoring.preparation import fed_form
from sentiment.scoring.registry import CANARY, Model
from sentiment.settings import Settings

LEAST_AGREEMENT = 0.99
MADE_TEXTS = 1_000
TIMED_TEXTS, ROUNDS = 100, 3
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Compared:
    """How a twin did beside its parent: share of texts with the same label, times its speed (of each round)."""

    texts: int
    agreement: float
    speedups: tuple[float, ...]
    bytes_of_parent: float

    def words(self) -> str:
        """One line for a person."""
        low, median, high = min(self.speedups), statistics.median(self.speedups), max(self.speedups)
        return (
            f"same label for {self.agreement:.2%} of {self.texts:,} texts, {median:.2f} x as fast "
            f"({low:.2f} to {high:.2f} over {len(self.speedups)} rounds), file of {self.bytes_of_parent:.0%} the size"
        )


def sample(path: Path | None) -> list[str]:
    """Texts to compare by: a file's lines; without one made-up reviews and the canary's close calls."""
    if path is not None:
        if not path.is_file():
            raise ParameterError(f"There is no file {path}.", "sentiment model quantize --help")
        found = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
        if not found:
            raise ParameterError(f"{path} holds no text; expected one a line.", "sentiment model quantize --help")
        return found
    made = sample_dump.texts(sample_dump.SampleDump(date(2026, 1, 1), MADE_TEXTS, defect_share=0, known_share=0))
    return made + [json.loads(line)["text"] for line in CANARY.read_text("utf-8").splitlines()]


def quantize(parent: Model, texts: list[str], config: Settings, anyway: bool, tell: Tell) -> tuple[Model, Compared]:
    """Make and register the model `<parent>-int8`; returns it, and how it compares.

    Raises ParameterError where there is no ONNX graph to quantise or the twin is there already, DataError where the
    two agree on less than 99 % of the texts, unless told to keep it `anyway`; nothing is left behind then.
    """
    model_id = f"{parent.model_id}-int8"
    if parent.saved_folder:
        raise ParameterError(
            f"{parent.model_id} is kept as Spark NLP saved it, for {parent.engine}; only a folder with model.onnx can "
            "be quantised.",
            "export it to ONNX, then: sentiment model add FOLDER",
        )
    with placing.place(model_id, config, "sentiment model list") as place:
        copytree(parent.folder / "assets", place.folder / "assets")
        tell("quantising")
        graph.quantize(parent.folder / "model.onnx", place.folder / "model.onnx")
        compared = compare(parent, place.folder, texts, tell)
        if compared.agreement < LEAST_AGREEMENT and not anyway:
            raise DataError(
                f"The int8 twin of {parent.model_id} was not kept: {compared.words()}; at least "
                f"{LEAST_AGREEMENT:.0%} is expected.",
                f"sentiment model quantize {parent.model_id} --anyway",
            )
        twin = place.put(registry.read(model_id, place.folder), f"int8 twin of {parent.model_id}")
        _record(parent, twin, compared)
    return twin, compared


def compare(parent: Model, folder: Path, texts: list[str], tell: Tell) -> Compared:
    """Both networks over the same texts, as the pipeline would feed them, one thread, in turn."""
    tokenizer = network.reference_tokenizer({piece: i for i, piece in enumerate(parent.vocabulary())})
    tokenizer.enable_truncation(MAX_WORDPIECES)
    fed = [each.ids for each in tokenizer.encode_batch([fed_form(text) for text in texts])]
    paths = parent.folder / "model.onnx", folder / "model.onnx"
    ours, theirs = (graph.session(path) for path in paths)
    tell(f"comparing on {len(fed):,} texts")
    same = sum(_label(ours, ids) == _label(theirs, ids) for ids in fed)
    timed = fed[:TIMED_TEXTS]
    speedups = tuple(_seconds(ours, timed) / _seconds(theirs, timed) for _ in range(ROUNDS))
    old, new = (path.stat().st_size for path in paths)
    return Compared(len(fed), same / len(fed), speedups, new / old)


def _label(running: Any, ids: list[int]) -> int:
    return int(graph.logits(running, [ids])[0].argmax())


def _seconds(running: Any, fed: list[list[int]]) -> float:
    began = time.perf_counter()
    for ids in fed:
        graph.logits(running, [ids])
    return time.perf_counter() - began


def _record(parent: Model, twin: Model, compared: Compared) -> None:
    registry.register(parent, scores=False)
    with transaction() as c:
        c.execute(
            sa.text(
                "UPDATE sentiment.model SET parent_model_id = :parent, parent_agreement = :agreement, "
                "parent_texts = :texts, parent_speedup = :speedup WHERE model_id = :twin"
            ),
            {
                "parent": parent.model_id,
                "agreement": compared.agreement,
                "texts": compared.texts,
                "speedup": statistics.median(compared.speedups),
                "twin": twin.model_id,
            },
        )
