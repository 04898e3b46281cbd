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
from sentiment.drift.canary import Prediction
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Shift
from sentiment.errors import CanaryMovedError, ParameterError
from sentiment.jobs import score
from sentiment.runtime import spark
from sentiment.scoring import graph, network, registry
from sentiment.scoring.registry import Model

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE

if TYPE_CHECKING:
    from pyspark.sql import Column

Row = tuple[bool, str, str, str]
"""Whether what was asked is so, what happened, what was found, what is asked."""


def stopped(tell: Callable[[str], None]) -> Iterator[Row]:
    """The pipeline broken in ways that leave the model's file alone, and the file changed; in a home of its own."""
    tell("the canary by a sound pipeline and by broken ones")
    model = registry.find(settings.load().model, settings.load())
    fingerprint = registry.canary_fingerprint(model)
    canary.check(model.model_id, fingerprint, "bench", _apart(_sing, model))
    try:
        told = canary.check(model.model_id, fingerprint, "bench", _apart(_sing, model))
    except CanaryMovedError as error:
        told = error.message
    yield "unchanged" in told, "nothing, in another process", told, "canary unchanged"
    for what, fault in FAULTS.items():
        try:
            told = canary.check(model.model_id, fingerprint, "bench", _apart(fault, model))
        except CanaryMovedError as error:
            told = error.message.split(",")[0]
        yield told.startswith("The canary moved"), what, told, "stopped before publishing"
    yield _changed_file(model)


def _apart(sing: Sing, model: Model) -> list[Prediction]:
    """In a process of its own: a Spark application holds one network."""
    with tempfile.TemporaryDirectory() as served, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(sing, model, Path(served)).result()


Sing = Callable[[Model, Path], list[Prediction]]
"""Score the canary, with a folder for what is served."""
Spoil = Callable[[Model, Path], None]
"""Break the copy that is served."""


def _sing(model: Model, served: Path, spoil: Spoil | None = None) -> list[Prediction]:
    session = spark.session("sentiment bench canary")
    session.sparkContext.setLogLevel("ERROR")
    if spoil is not None:
        spoil(model, network.served_copy(session, model, served))
    said = score.canary_predictions(session, network.load(session, model, served), model)
    return [Prediction(**each) for each in said]  # type: ignore[arg-type]


def _unprepared(model: Model, served: Path) -> list[Prediction]:
    def as_it_is(text: Column) -> Column:
        return text

    with patch.object(network, "prepared", as_it_is):
        return _sing(model, served)


def _unshield(model: Model, copy: Path) -> None:
    shutil.copyfile(model.folder / "assets" / "vocab.txt", copy / "assets" / "vocab.txt")


def _quantize(model: Model, copy: Path) -> None:
    graph.quantize(model.folder / "model.onnx", copy / "model.onnx")


FAULTS: dict[str, Sing] = {
    "text reaches the network unprepared": _unprepared,
    "the tokeniser loses accents": partial(_sing, spoil=_unshield),
    "the network quantised by mistake": partial(_sing, spoil=_quantize),
}


def _changed_file(model: Model) -> Row:
    what, asked = "the model's file changed", "refused by its fingerprint"
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / model.model_id
        shutil.copytree(model.folder, other)
        _quantize(model, other)
        try:
            registry.register(registry.read(model.model_id, other))
        except ParameterError as error:
            return "changed since it was registered" in error.message, what, error.message, asked
    return False, what, "registered", asked


def same_tables(tell: Callable[[str], None]) -> Iterator[Row]:
    """Nights in order, replayed, late and in any order: what readers see is compared to the last digit."""
    tell("nights late, shuffled and replayed")
    stream = Stream("bench-late", settings.load().model)
    nights = stored_nights.made(Shift(share=-0.1), seed=3)
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    after = dates[N_REFERENCE:]
    tracking.replay(stream, after[0], None)
    in_order = stored_nights.seen(stream)
    n = len(in_order["drift"])
    told = f"{n:,} comparisons, {len(in_order['alarm'])} alarms"

    def same() -> str:
        return "identical" if stored_nights.seen(stream) == in_order else "DIFFERENT"

    tracking.replay(stream, after[3], None)
    yield same() == "identical" and bool(in_order["alarm"]), "a replay", f"{same()}: {told}", "identical tables"
    for what, order in (
        ("a batch that comes three nights late", [*range(4), *range(5, 8), 4, *range(8, len(after))]),
        ("nights in any order", np.random.default_rng(4).permutation(len(after)).tolist()),
    ):
        stored_nights.untold(stream)
        for night in after:
            stored_nights.take_away(stream, night)
        for no in order:
            stored_nights.put(stream, after[no], AUDIENCE, nights[N_REFERENCE + no : N_REFERENCE + no + 1])
            tracking.replay(stream, after[no], None)
        yield same() == "identical", what, f"{same()}: {told}", "identical tables"
