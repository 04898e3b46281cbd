"""Texts in, sentiment out: Spark NLP's DistilBERT over prepared text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd
from pyspark import Broadcast
from pyspark.ml import PipelineModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sentiment.contract import forget_archives, quoted
from sentiment.schemas import TEXT_SCORES
from sentiment.scoring import chunks, graph, saved
from sentiment.scoring.balance import balanced
from sentiment.scoring.preparation import CHUNK_END, fed_form, prepared, shield_text
from sentiment.scoring.registry import Model

if TYPE_CHECKING:
    from sparknlp.annotator import DistilBertForSequenceClassification
    from tokenizers import Encoding
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

PIECES = "n_wordpieces int, n_unknown int, fed string, lengths array<int>"
COUNTS = ("n_wordpieces", "n_unknown", "lengths")
SCORED = TEXT_SCORES
"""Columns of a scored text; `probabilities` is a JSON object, label -> probability."""


def load(spark: SparkSession, model: Model, scratch: Path) -> PipelineModel:
    """The four annotators, the network read once; `scratch` keeps the copy with fused graph and shielded vocabulary.

    A chunk is a sentence to Spark NLP, so a long text stays in its row. One network a Spark application: Spark NLP
    hands executors the graph under the name `model.onnx`, whichever it is, and refuses another.
    """
    from sparknlp.annotator import DistilBertForSequenceClassification, SentenceDetector, Tokenizer
    from sparknlp.base import DocumentAssembler

    folder = served_copy(spark, model, scratch)
    document = DocumentAssembler().setInputCol("prepared").setOutputCol("document")
    chunk = (
        SentenceDetector()
        .setInputCols(["document"])
        .setOutputCol("chunk")
        .setCustomBounds([CHUNK_END])
        .setUseCustomBoundsOnly(True)
    )
    token = Tokenizer().setInputCols(["chunk"]).setOutputCol("token")
    if model.saved_folder:
        network = configured(saved.load(spark, folder))
    else:
        network = configured(DistilBertForSequenceClassification.loadSavedModel(str(folder), spark))
    empty = spark.createDataFrame([], "prepared string")
    tokenizer = token.fit(chunk.transform(document.transform(empty)))
    return PipelineModel(stages=[document, chunk, tokenizer, network])


def configured(network: DistilBertForSequenceClassification) -> DistilBertForSequenceClassification:
    """The annotator as a night uses it: cased, the whole window, one chunk at a time, so that nothing is padded."""
    network.setInputCols(["chunk", "token"]).setOutputCol("class").setCaseSensitive(True)
    network.setMaxSentenceLength(chunks.MAX_WORDPIECES).setBatchSize(1).setCoalesceSentences(False)
    return network.setActivation("softmax")


def served_copy(spark: SparkSession, model: Model, scratch: Path) -> Path:
    """Folder of the model as it is scored with, made where this edition of us has not made it yet."""
    target = scratch / f"{model.fingerprint}.{_edition()}"
    if target.is_dir():
        os.utime(target)  # `maintain_store` removes what has not been used for long
        return target
    scratch.mkdir(parents=True, exist_ok=True)
    beside = scratch / uuid4().hex
    pieces = [shield_text(piece) for piece in model.vocabulary()]
    if model.saved_folder:
        saved.with_fields(spark, model.saved_folder, beside, {"vocabulary": pieces, "labels": list(model.labels)})
    else:
        (beside / "assets").mkdir(parents=True)
        graph.fuse(model.folder / "model.onnx", beside / "model.onnx")
        shutil.copyfile(model.folder / "assets" / "labels.txt", beside / "assets" / "labels.txt")
        (beside / "assets" / "vocab.txt").write_text("\n".join(pieces) + "\n", "utf-8")
    try:
        beside.rename(target)
    except OSError:
        shutil.rmtree(beside)
    return target


@lru_cache(maxsize=1)
def _edition() -> str:
    """Hash of what makes a served copy; one made by another edition is made anew."""
    makers = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return sha256(b"".join(makers) + version("onnxruntime").encode()).hexdigest()[:12]


def score(texts: DataFrame, pipeline: PipelineModel, model: Model, rows: int = 0) -> DataFrame:
    """Score each row of (text_hash, text): one review a row, so nothing is padded. Returns `SCORED`.

    `rows`, where it is given, is how many there are: they are then dealt by their wordpieces, once Python has counted
    those, so that the many tasks of the network start none.
    """
    counted = texts.select("text_hash", "text", wordpieces(F.col("text"), model).alias("pieces"))
    counts = [f"pieces.{name}" for name in COUNTS]
    needed = counted.selectExpr("text_hash", "coalesce(pieces.fed, text) AS fed", *counts)
    dealt = balanced(needed, rows, "n_wordpieces") if rows else needed
    told = pipeline.transform(dealt.select("text_hash", *COUNTS, prepared(F.col("fed")).alias("prepared")))
    said = chunks.combined(told.select("text_hash", *COUNTS, "class"), model.labels)
    names = [quoted(label) for label in model.labels]
    each = ", ".join(f"{name}, chances[{place}]" for place, name in enumerate(names))
    positive = model.positive_label
    return said.selectExpr("*", "array_max(chances) AS score").selectExpr(
        "text_hash",
        f"array({', '.join(names)})[array_position(chances, score) - 1] AS label",
        "score",
        f"{f'chances[{model.labels.index(positive)}]' if positive else 'double(NULL)'} AS p_positive",
        f"to_json(named_struct({each})) AS probabilities",
        "n_wordpieces",
        "n_unknown",
        "smallint(CASE WHEN lengths IS NOT NULL THEN size(lengths) ELSE 1 END) AS n_chunks",
    )


def reference_tokenizer(vocabulary: dict[str, int]) -> BertWordPieceTokenizer:
    """The cased tokenizer whose ids the network is fed; a text that spells a special piece is only text to it."""
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
    tokenizer._tokenizer.encode_special_tokens = True
    return tokenizer


def wordpieces(text: Column, model: Model) -> Column:
    """Struct of the whole text's (n_wordpieces, n_unknown), special pieces included, by `tokenizers`.

    `fed` is what is scored, where that is not `text` itself: in another Unicode form, or cut into chunks. `lengths`
    are the chunks' wordpieces, null where there is one.
    """
    key, pieces = model.fingerprint, _sent(SparkSession.builder.getOrCreate(), model)

    def count(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        forget_archives()
        tokenizer, unknown = _tokenizer(key, lambda: pieces.value)
        for texts in batches:
            raw = texts.fillna("").tolist()
            forms = [fed_form(text) for text in raw]
            coded = tokenizer.encode_batch(forms)
            rows = [_counted(*each, unknown) for each in zip(raw, forms, coded, strict=True)]
            yield pd.DataFrame(rows, columns=["n_wordpieces", "n_unknown", "fed", "lengths"])

    return pandas_udf(count, PIECES)(text)  # type: ignore[call-overload, no-any-return]


@lru_cache(maxsize=4)
def _sent(spark: SparkSession, model: Model) -> Broadcast[list[str]]:
    """The vocabulary, sent to each executor once."""
    return spark.sparkContext.broadcast(model.vocabulary())


_TOKENIZERS: dict[str, tuple[BertWordPieceTokenizer, int]] = {}
"""Of this Python worker, by fingerprint, with the id of [UNK]: making one takes longer than a task's texts."""


def _tokenizer(fingerprint: str, vocabulary: Callable[[], list[str]]) -> tuple[BertWordPieceTokenizer, int]:
    if fingerprint not in _TOKENIZERS:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the task has one core
        ids = {piece: i for i, piece in enumerate(vocabulary())}
        _TOKENIZERS[fingerprint] = reference_tokenizer(ids), ids["[UNK]"]
    return _TOKENIZERS[fingerprint]


def _counted(raw: str, form: str, encoding: Encoding, unknown: int) -> tuple[Any, ...]:
    counts = len(encoding.ids), encoding.ids.count(unknown)
    if counts[0] <= chunks.MAX_WORDPIECES:
        return *counts, None if form == raw else form, None
    cuts = chunks.cut(form, encoding)
    return *counts, CHUNK_END.join(form[begin:end] for begin, end, _ in cuts), [length for _, _, length in cuts]
