"""The pipeline predicts what the reference does, to 0.002: Hugging Face's cased tokenizer and ONNX Runtime."""

from __future__ import annotations

import json
import multiprocessing
import unicodedata
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentiment import settings
from sentiment.runtime import spark as sessions
from sentiment.scoring import chunks, network, registry
from sentiment.scoring.registry import Model

from tools.make_golden import Reference

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession

OWN = Path(__file__).parents[1] / "golden" / "own-sentences.jsonl"
SHARED = Path(__file__).parents[3] / "shared"
TOLERANCE = 0.002
Row = dict[str, Any]


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(home: Path) -> Model:
    return registry.find("cinema-fr", settings.load())


@pytest.fixture(scope="module")
def pipeline(spark: SparkSession, model: Model, home: Path) -> PipelineModel:
    return network.load(spark, model, settings.load().models_served)


def scored(spark: SparkSession, pipeline: PipelineModel, model: Model, golden: list[Row]) -> list[Row]:
    """Return the pipeline's scores of the texts, in their order."""
    texts = spark.createDataFrame([(str(i), g["text"]) for i, g in enumerate(golden)], "text_hash string, text string")
    scores = [row.asDict() for row in network.score(texts.repartition(4), pipeline, model).collect()]
    return sorted(scores, key=lambda row: int(row["text_hash"]))


def by_demo(golden: list[Row]) -> list[Row]:
    """Return demo-fr's scores of the texts; in a process of its own, since a Spark application loads one network."""
    session, model = sessions.session("golden"), registry.find("demo-fr", settings.load())
    return scored(session, network.load(session, model, settings.load().models_served), model, golden)


def differing(scores: list[Row], golden: list[Row]) -> list[str]:
    """Return a line for each text whose score differs from the reference; wordpieces are those of the NFC form."""
    return [
        f"{g['text'][:60]!r}: {row['p_positive']:.6f}, reference {g['pos']:.6f}, {row['n_wordpieces']} pieces"
        for row, g in zip(scores, golden, strict=True)
        if abs(row["p_positive"] - g["pos"]) > TOLERANCE
        or (row["label"] == "pos") != (g["pos"] >= 0.5)
        or min(row["n_wordpieces"], chunks.MAX_WORDPIECES) != g["n_wordpieces"]
    ]


def test_own_sentences(spark: SparkSession, pipeline: PipelineModel, model: Model) -> None:
    golden = lines(OWN)
    assert len(golden) >= 200
    assert sum(0.1 <= g["pos"] <= 0.9 for g in golden) >= 50
    assert differing(scored(spark, pipeline, model, golden), golden) == []


def test_without_the_shield_the_golden_file_is_missed(
    spark: SparkSession, model: Model, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import Column

    def bare(text: Column) -> Column:
        return text

    monkeypatch.setattr(network, "prepared", bare)
    pipeline = network.load(spark, model, settings.load().models_served)
    golden = lines(OWN)
    assert len(differing(scored(spark, pipeline, model, golden), golden)) > 20


@pytest.mark.skipif(not SHARED.is_dir(), reason="the founders' shared/ folder is not beside this checkout")
def test_shared_reviews_and_close_calls(spark: SparkSession) -> None:
    texts = lines(SHARED / "data" / "allocine-train.jsonl")
    golden = [g | {"text": texts[g["row"]]["review"]} for g in lines(SHARED / "golden/demo-fr-allocine-train.jsonl")]
    uncut = [g for g in golden if g["n_wordpieces"] < 512]
    decomposed = [g for g in uncut if not unicodedata.is_normalized("NFC", g["text"])]
    assert [g["row"] for g in decomposed] == [543], "the file was made of text as it came, the network is fed NFC"
    reference = Reference(registry.find("demo-fr", settings.load()).folder)
    again = [g | reference.score(unicodedata.normalize("NFC", g["text"]))._asdict() for g in decomposed]
    assert abs(again[0]["pos"] - decomposed[0]["pos"]) < 0.0021
    composed = [*(g for g in uncut if g not in decomposed), *again]
    reference_rows = [*composed, *lines(SHARED / "golden/demo-fr-close-calls.jsonl")]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        assert differing(apart.submit(by_demo, reference_rows).result(), reference_rows) == []
