"""The canary: opened once for a model, unchanged while nothing changes, and an error when the pipeline breaks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa
from sentiment import database, settings
from sentiment.drift import canary
from sentiment.errors import CanaryMovedError, ParameterError
from sentiment.jobs import score
from sentiment.orchestration import steps
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import CanaryPrediction, ScoredNight
from sentiment.runs.model import DumpFile
from sentiment.scoring import network, registry
from sentiment.scoring.registry import Model
from sentiment.scoring.served import served_copy

from tools.make_golden import Reference

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import Column, SparkSession

pytestmark = pytest.mark.usefixtures("server")


def prediction(sentence_no: int, label: str, score: float) -> CanaryPrediction:
    return CanaryPrediction(sentence_no=sentence_no, label=label, score=score)


FIRST = [prediction(1, "pos", 0.9), prediction(2, "neg", 0.7)]
NEAR = 0.2
"""A score this close to one half is near the threshold."""


def test_it_opens_once_and_later_predictions_must_equal_its_baseline() -> None:
    canary.check("bird", "f", "r", FIRST)
    canary.check("bird", "f", "r", [prediction(1, "pos", 0.90009), FIRST[1]])
    assert baseline_rows("bird") == 2
    for moved in ([prediction(1, "pos", 0.9002), FIRST[1]], [prediction(1, "neg", 0.9), FIRST[1]]):
        with pytest.raises(CanaryMovedError, match=r"1 of 2"):
            canary.check("bird", "f", "r", moved)
    with pytest.raises(CanaryMovedError, match=r"1 .* 2"):
        canary.check("bird", "f", "r", FIRST[:1])


def test_a_new_network_opens_a_new_canary() -> None:
    canary.check("finch", "f", "r", FIRST)
    canary.check("finch", "g", "r", [prediction(1, "neg", 0.9), FIRST[1]])
    canary.check("finch", "f", "r", FIRST)
    assert baseline_rows("finch") == 4


def baseline_rows(model_id: str) -> int:
    """Return how many predictions opened canaries of this model."""
    query = sa.text("SELECT count(*) FROM drift.canary WHERE model_id = :model_id")
    with database.transaction() as c:
        return int(c.execute(query, {"model_id": model_id}).scalar_one())


def test_audit_stops_the_run_before_it_may_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_check_conservation", lambda _: None)
    monkeypatch.setattr(registry, "canary_fingerprint", lambda _: "audited")
    audited = scored_run("canary_a", FIRST)
    steps.audit(audited)
    assert opening.get_run(audited).status == "audited"
    moved = scored_run("canary_b", [prediction(1, "neg", 0.9), FIRST[1]])
    with pytest.raises(CanaryMovedError):
        steps.audit(moved)
    assert opening.get_run(moved).status != "audited"


def scored_run(source: str, predictions: list[CanaryPrediction]) -> str:
    """Return a run whose score step stored these canary predictions."""
    registry.register(registry.find("cinema-fr", settings.load()))
    opening.record_dump(source, source, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    run = opening.open_run(date(2026, 2, 2), source, source, "cinema-fr")
    with attempts.attempt(run.run_id, "score") as attempt:
        attempt.handoff = ScoredNight(canary=predictions)
    return run.run_id


@pytest.fixture(scope="module")
def model(home: Path) -> Model:
    return registry.find("cinema-fr", settings.load())


@pytest.fixture(scope="module")
def sound(spark: SparkSession, model: Model, home: Path) -> list[CanaryPrediction]:
    """Predictions of the sound pipeline."""
    return predict(spark, network.load(spark, model, settings.load().models_served), model)


def predict(spark: SparkSession, pipeline: PipelineModel, model: Model) -> list[CanaryPrediction]:
    return score.canary_predictions(spark, pipeline, model)


def test_many_sentences_are_near_the_threshold(sound: list[CanaryPrediction]) -> None:
    assert len(sound) == len(registry.CANARY.read_text("utf-8").splitlines())
    assert sum(p.score - 0.5 < NEAR for p in sound) >= len(sound) // 4


def test_another_time_predictions_are_the_same(
    spark: SparkSession, model: Model, home: Path, sound: list[CanaryPrediction]
) -> None:
    canary.check("sound", "f", "r", sound)
    canary.check("sound", "f", "r", predict(spark, network.load(spark, model, home / "s2"), model))
    assert baseline_rows("sound") == len(sound)


@pytest.fixture
def opened(sound: list[CanaryPrediction]) -> str:
    """A canary opened by the sound pipeline."""
    canary.check("broken", "f", "r", sound)
    return "broken"


def test_broken_preparation_stops_the_run(
    spark: SparkSession, model: Model, home: Path, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unprepared(text: Column) -> Column:
        return text

    monkeypatch.setattr(network, "prepared", unprepared)
    with pytest.raises(CanaryMovedError):
        canary.check(opened, "f", "r", predict(spark, network.load(spark, model, settings.load().models_served), model))


def test_a_broken_tokeniser_stops_the_run(spark: SparkSession, model: Model, home: Path, opened: str) -> None:
    """The vocabulary's accents are not shielded, so that accented words are unknown or cut."""
    copy = served_copy(spark, model, home / "unshielded")
    shutil.copyfile(model.folder / "assets" / "vocab.txt", copy / "assets" / "vocab.txt")
    with pytest.raises(CanaryMovedError):
        canary.check(opened, "f", "r", predict(spark, network.load(spark, model, copy.parent), model))


def test_a_network_quantised_by_mistake_stops_the_run(model: Model, tmp_path: Path) -> None:
    """By ONNX Runtime: one Spark session can't hold two networks of the same file name."""
    copy = tmp_path / model.model_id
    shutil.copytree(model.folder, copy)
    canary.check("quantised", "f", "r", by_onnx_runtime(model.folder))
    canary.check("quantised", "f", "r", by_onnx_runtime(copy))
    (copy / "model.onnx").write_bytes(rounded_to_int8(bytearray((copy / "model.onnx").read_bytes())))
    with pytest.raises(CanaryMovedError):
        canary.check("quantised", "f", "r", by_onnx_runtime(copy))


def by_onnx_runtime(folder: Path) -> list[CanaryPrediction]:
    """Return the predictions of the network in `folder` for the canary's sentences."""
    reference, predictions = Reference(folder), []
    for line in registry.CANARY.read_text("utf-8").splitlines():
        sentence = json.loads(line)
        p = reference.score(sentence["text"]).pos
        predictions.append(prediction(sentence["sentence_no"], "pos" if p >= 0.5 else "neg", max(p, 1 - p)))
    return predictions


def test_a_changed_model_file_is_refused_by_its_fingerprint(model: Model, tmp_path: Path) -> None:
    registry.register(model)
    other = tmp_path / model.model_id
    shutil.copytree(model.folder, other)
    (other / "model.onnx").write_bytes(rounded_to_int8(bytearray((other / "model.onnx").read_bytes())))
    changed = Model(model.model_id, other, model.labels, registry._fingerprint(other))
    with pytest.raises(ParameterError, match=model.model_id):
        registry.register(changed)


def test_a_model_fed_by_newer_rules_is_the_same_model(model: Model) -> None:
    registry.register(model)
    with database.transaction() as c:
        earlier = {"m": model.model_id, "f": registry._fingerprint(model.folder, registry.EARLIER_RULES[0])}
        c.execute(sa.text("UPDATE sentiment.model SET fingerprint = :f WHERE model_id = :m"), earlier)
    registry.register(model)
    with database.transaction() as c:
        query = sa.text("SELECT fingerprint FROM sentiment.model WHERE model_id = :m")
        assert c.execute(query, earlier).scalar_one() == model.fingerprint != earlier["f"]


def rounded_to_int8(file: bytearray) -> bytes:
    """Every large float tensor rounded to 256 steps, in place, as quantising its weights does.

    Walks ONNX's protobuf: model.graph is field 7, graph.initializer 5, of a tensor data_type 2 (a number; 1 is
    float) and raw_data 9.
    """
    for graph in fields(file, 0, len(file), 7):
        for begin, end in fields(file, *graph, 5):
            for at, until in fields(file, begin, end, 9):
                if until - at >= MANY_BYTES and FLOAT in bytes(file[begin:at]):
                    weights = np.frombuffer(bytes(file[at:until]), dtype="<f4")
                    step = np.abs(weights).max() / 127
                    file[at:until] = (np.round(weights / step) * step).astype("<f4").tobytes()
    return bytes(file)


MANY_BYTES, FLOAT = 4096, b"\x10\x01"


def fields(file: bytearray, at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Where each length-delimited field `wanted` of the message in file[at:end] has its bytes."""
    while at < end:
        tag, at = varint(file, at)
        kind = tag & 7
        if kind == 2:
            size, at = varint(file, at)
            if tag >> 3 == wanted:
                yield at, at + size
            at += size
        elif kind == 0:
            _, at = varint(file, at)
        else:
            at += {1: 8, 5: 4}[kind]


def varint(file: bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = file[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at
