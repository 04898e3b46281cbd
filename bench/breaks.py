"""What must stop a run before it publishes, and what must change nothing: on the real Spark, Postgres and files."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
from sentiment import settings
from sentiment.drift import canary, reference, tracking
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Shift
from sentiment.errors import CanaryMovedError, ParameterError
from sentiment.jobs import score
from sentiment.runs.handoff import CanaryPrediction
from sentiment.runtime import spark
from sentiment.scoring import graph, network, registry
from sentiment.scoring.registry import Model
from sentiment.scoring.served import served_copy

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE

if TYPE_CHECKING:
    from pyspark.sql import Column

Row = tuple[bool, str, str, str]
"""Whether the requirement is met, what happens, the result, the requirement."""
Predict = Callable[[Model, Path], list[CanaryPrediction]]
"""Score the canary's sentences, with a folder for the copy that is served."""
Spoil = Callable[[Model, Path], None]
"""Break the served copy."""


def stopped(progress: Callable[[str], None]) -> Iterator[Row]:
    """Break the pipeline in ways that leave the model's file alone, then change the file; in a home of its own."""
    progress("the canary by a sound pipeline and by broken ones")
    model = registry.find(settings.load().model, settings.load())
    _check(model, _predict)
    moved, text = _check(model, _predict)
    yield not moved, "nothing, in another process", text, "canary unchanged"
    for event, fault in FAULTS.items():
        moved, text = _check(model, fault)
        yield moved, event, text.split(",")[0], "stopped before publishing"
    yield _changed_file(model)


def _check(model: Model, predict: Predict) -> tuple[bool, str]:
    """Return whether the canary moved, and the summary or the message."""
    predictions = _in_own_process(predict, model)
    try:
        summary = canary.check(model.model_id, registry.canary_fingerprint(model), "bench", predictions)
    except CanaryMovedError as error:
        return True, error.message
    return False, summary


def _in_own_process(predict: Predict, model: Model) -> list[CanaryPrediction]:
    # A Spark application holds one network for as long as it lives.
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as served, ProcessPoolExecutor(1, spawn) as process:
        return process.submit(predict, model, Path(served)).result()


def _predict(model: Model, served: Path, spoil: Spoil | None = None) -> list[CanaryPrediction]:
    session = spark.session("sentiment bench canary")
    session.sparkContext.setLogLevel("ERROR")
    if spoil is not None:
        spoil(model, served_copy(session, model, served))
    return score.canary_predictions(session, network.load(session, model, served), model)


def _unprepared(model: Model, served: Path) -> list[CanaryPrediction]:
    def as_it_is(text: Column) -> Column:
        return text

    with patch.object(network, "prepared", as_it_is):
        return _predict(model, served)


def _unshield(model: Model, copy: Path) -> None:
    shutil.copyfile(model.folder / "assets" / "vocab.txt", copy / "assets" / "vocab.txt")


def _quantize(model: Model, copy: Path) -> None:
    graph.quantize(model.folder / "model.onnx", copy / "model.onnx")


FAULTS: dict[str, Predict] = {
    "text reaches the network unprepared": _unprepared,
    "the tokeniser loses accents": partial(_predict, spoil=_unshield),
    "the network quantised by mistake": partial(_predict, spoil=_quantize),
}


def _changed_file(model: Model) -> Row:
    event, requirement = "the model's file changed", "refused by its fingerprint"
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / model.model_id
        shutil.copytree(model.folder, other)
        _quantize(model, other)
        try:
            registry.register(registry.read(model.model_id, other))
        except ParameterError as error:
            return True, event, error.message, requirement
    return False, event, "registered", requirement


def same_tables(progress: Callable[[str], None]) -> Iterator[Row]:
    """Judge nights in order, replayed, late and shuffled; compare what readers see to the last digit."""
    progress("nights late, shuffled and replayed")
    stream = Stream("bench-late", settings.load().model)
    nights = stored_nights.simulated(Shift(share=-0.1), seed=3)
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    after = dates[N_REFERENCE:]
    tracking.replay(stream, after[0], None)
    in_order = stored_nights.visible_rows(stream)
    counts = f"{len(in_order['drift']):,} comparisons, {len(in_order['alarm'])} alarms"

    def row(event: str) -> Row:
        same = stored_nights.visible_rows(stream) == in_order
        result = f"{'identical' if same else 'DIFFERENT'}: {counts}"
        return same and bool(in_order["alarm"]), event, result, "identical tables"

    tracking.replay(stream, after[3], None)
    yield row("a replay")
    for event, order in (
        ("a batch that comes three nights late", [*range(4), *range(5, 8), 4, *range(8, len(after))]),
        ("nights in any order", np.random.default_rng(4).permutation(len(after)).tolist()),
    ):
        stored_nights.delete_judgement(stream)
        for night in after:
            stored_nights.unpublish(stream, night)
        for no in order:
            stored_nights.put(stream, after[no], AUDIENCE, nights[N_REFERENCE + no : N_REFERENCE + no + 1])
            tracking.replay(stream, after[no], None)
        yield row(event)
