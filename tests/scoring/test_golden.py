"""The pipeline says what the reference says: Hugging Face's cased tokenizer and ONNX Runtime, to 0.002."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentiment import settings
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
    return registry.find("demo-fr", settings.load())


@pytest.fixture(scope="module")
def pipeline(spark: SparkSession, model: Model, home: Path) -> PipelineModel:
    return network.load(spark, model, settings.load().models_served)


def compare(spark: SparkSession, pipeline: PipelineModel, model: Model, golden: list[Row]) -> list[str]:
    """What differs from the reference, in words; wordpieces are those of the NFC form."""
    texts = spark.createDataFrame([(str(i), g["text"]) for i, g in enumerate(golden)], "text_hash string, text string")
    said = {int(r["text_hash"]): r for r in network.score(texts.repartition(4), pipeline, model).collect()}
    assert len(said) == len(golden)
    return [
        f"{g['text'][:60]!r}: {said[i]['p_positive']:.6f}, reference {g['pos']:.6f}, {said[i]['n_wordpieces']} pieces"
        for i, g in enumerate(golden)
        if abs(said[i]["p_positive"] - g["pos"]) > TOLERANCE
        or (said[i]["label"] == "pos") != (g["pos"] >= 0.5)
        or min(said[i]["n_wordpieces"], chunks.MAX_WORDPIECES) != g.get("n_composed", g["n_wordpieces"])
    ]


def test_own_sentences(spark: SparkSession, pipeline: PipelineModel, model: Model) -> None:
    golden = lines(OWN)
    assert len(golden) >= 200
    assert sum(0.1 <= g["pos"] <= 0.9 for g in golden) >= 50
    assert compare(spark, pipeline, model, golden) == []


def test_without_the_shield_the_golden_file_is_missed(
    spark: SparkSession, model: Model, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import Column

    def bare(text: Column) -> Column:
        return text

    monkeypatch.setattr(network, "prepared", bare)
    pipeline = network.load(spark, model, settings.load().models_served)
    assert len(compare(spark, pipeline, model, lines(OWN))) > 20


@pytest.mark.skipif(not SHARED.is_dir(), reason="the founders' shared/ folder is not beside this checkout")
def test_shared_reviews(spark: SparkSession, pipeline: PipelineModel, model: Model) -> None:
    texts = lines(SHARED / "data" / "allocine-train.jsonl")
    golden = [g | {"text": texts[g["row"]]["review"]} for g in lines(SHARED / "golden/demo-fr-allocine-train.jsonl")]
    whole = [g for g in golden if g["n_wordpieces"] < 512]
    decomposed = [g for g in whole if not unicodedata.is_normalized("NFC", g["text"])]
    assert [g["row"] for g in decomposed] == [543], "the file was made of text as it came, the network is fed NFC"
    again = [g | Reference(model.folder).score(unicodedata.normalize("NFC", g["text"]))._asdict() for g in decomposed]
    assert compare(spark, pipeline, model, [*(g for g in whole if g not in decomposed), *again]) == []
    assert abs(again[0]["pos"] - decomposed[0]["pos"]) < 0.0021


@pytest.mark.skipif(not SHARED.is_dir(), reason="the founders' shared/ folder is not beside this checkout")
def test_shared_close_calls(spark: SparkSession, pipeline: PipelineModel, model: Model) -> None:
    assert compare(spark, pipeline, model, lines(SHARED / "golden" / "demo-fr-close-calls.jsonl")) == []
