"""Texts in, sentiment out: Spark NLP's DistilBERT over prepared text."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pandas as pd
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sentiment.scoring.preparation import prepared, shield_text
from sentiment.scoring.registry import MAX_WORDPIECES, Model

PIECES = "n_wordpieces int, n_unknown int"
SCORED = ("text_hash", "label", "score", "p_positive", "probabilities", "n_wordpieces", "n_unknown", "n_chunks")
"""Columns of a scored text; `probabilities` is a JSON object, label -> probability."""


def load(spark: SparkSession, model: Model, scratch: Path) -> PipelineModel:
    """The three annotators, the network read once; `scratch` keeps the copy with the shielded vocabulary."""
    from sparknlp.annotator import DistilBertForSequenceClassification, Tokenizer
    from sparknlp.base import DocumentAssembler

    folder = _shielded_copy(model, scratch)
    document = DocumentAssembler().setInputCol("prepared").setOutputCol("document")
    token = Tokenizer().setInputCols(["document"]).setOutputCol("token")
    network = (
        DistilBertForSequenceClassification.loadSavedModel(str(folder), spark)
        .setInputCols(["document", "token"])
        .setOutputCol("class")
        .setCaseSensitive(True)
        .setMaxSentenceLength(MAX_WORDPIECES)
        .setBatchSize(1)
        .setCoalesceSentences(False)
        .setActivation("softmax")
    )
    empty = spark.createDataFrame([], "prepared string")
    tokenizer = token.fit(document.transform(empty))
    return PipelineModel(stages=[document, tokenizer, network])


def _shielded_copy(model: Model, scratch: Path) -> Path:
    target = scratch / model.fingerprint
    if target.is_dir():
        return target
    beside = scratch / f"{model.fingerprint}.{uuid4().hex}"
    (beside / "assets").mkdir(parents=True)
    shutil.copyfile(model.folder / "model.onnx", beside / "model.onnx")
    shutil.copyfile(model.folder / "assets" / "labels.txt", beside / "assets" / "labels.txt")
    vocabulary = "\n".join(shield_text(piece) for piece in model.vocabulary()) + "\n"
    (beside / "assets" / "vocab.txt").write_text(vocabulary, "utf-8")
    try:
        beside.rename(target)
    except OSError:
        shutil.rmtree(beside)
    return target


def score(texts: DataFrame, pipeline: PipelineModel, model: Model) -> DataFrame:
    """Score each row of (text_hash, text): one review a row, so nothing is padded. Returns `SCORED`."""
    text = F.col("text")
    told = pipeline.transform(
        texts.select("text_hash", wordpieces(text, model).alias("pieces"), prepared(text).alias("prepared"))
    )
    found = F.col("class").getItem(0)
    chances = {label: found["metadata"].getItem(label).cast("double") for label in model.labels}
    positive = model.positive_label
    return told.select(
        "text_hash",
        found["result"].alias("label"),
        F.greatest(*chances.values()).alias("score"),
        (chances[positive] if positive else F.lit(None).cast("double")).alias("p_positive"),
        F.to_json(F.struct(*(c.alias(label) for label, c in chances.items()))).alias("probabilities"),
        "pieces.n_wordpieces",
        "pieces.n_unknown",
        F.lit(1).cast("short").alias("n_chunks"),
    )


def wordpieces(text: Column, model: Model) -> Column:
    """Struct (n_wordpieces, n_unknown) of the whole text, special pieces included, by `tokenizers`."""
    vocabulary = {piece: i for i, piece in enumerate(model.vocabulary())}

    def count(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

        tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
        unknown = vocabulary["[UNK]"]
        for texts in batches:
            coded = [e.ids for e in tokenizer.encode_batch(texts.fillna("").tolist())]
            counts = [(len(ids), ids.count(unknown)) for ids in coded]
            yield pd.DataFrame(counts, columns=["n_wordpieces", "n_unknown"])

    return pandas_udf(count, PIECES)(text)  # type: ignore[call-overload, no-any-return]
