"""Score texts by Spark NLP's DistilBERT, fed with prepared text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyspark import Broadcast, SparkContext
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from sentiment.arrow_functions import forget_archives
from sentiment.contract import quoted
from sentiment.schemas import TEXT_SCORES
from sentiment.scoring import chunks, saved
from sentiment.scoring.balance import balanced
from sentiment.scoring.preparation import CHUNK_END, fed_form, prepared
from sentiment.scoring.registry import Model
from sentiment.scoring.served import served_copy

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from sparknlp.annotator import DistilBertForSequenceClassification
    from tokenizers import Encoding
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

WORDPIECES_DDL = "n_wordpieces int, n_unknown int, fed string, lengths array<int>"
COUNTS = ("n_wordpieces", "n_unknown", "lengths")
SCORED = TEXT_SCORES
"""Columns of a scored text; `probabilities` is a JSON object, label -> probability."""


def import_libraries() -> None:
    """Import what `load` needs of Spark; that takes half a second, so a job calls it ahead in a thread."""
    for name in ("pyspark.ml", "sparknlp.annotator"):
        import_module(name)


def load(spark: SparkSession, model: Model, scratch: Path) -> PipelineModel:
    """Return the pipeline of four annotators, with the network loaded, from the column `prepared` to `class`.

    `scratch` is the folder of served copies (`served.py`). A Spark application can load one network: Spark NLP hands
    executors every ONNX graph under the name `model.onnx` and refuses a second one. Raises ParameterError where what
    Spark NLP saved does not load.
    """
    from pyspark.ml import PipelineModel
    from sparknlp.annotator import DistilBertForSequenceClassification, SentenceDetector, Tokenizer
    from sparknlp.base import DocumentAssembler

    # Here, in one thread, since two that score at once would each broadcast.
    _broadcast_vocabulary(spark.sparkContext, model)
    folder = served_copy(spark, model, scratch)
    document = DocumentAssembler().setInputCol("prepared").setOutputCol("document")
    # To Spark NLP a chunk is a sentence, so that all chunks of a long text stay in the text's row.
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
    # A Tokenizer has to be fitted, although it learns nothing from rows.
    tokenizer = token.fit(chunk.transform(document.transform(empty)))
    return PipelineModel(stages=[document, chunk, tokenizer, network])


def configured(network: DistilBertForSequenceClassification) -> DistilBertForSequenceClassification:
    """Return the annotator set as a night uses it: cased, all of the window, softmax over labels."""
    # Batches of one: batches pad to the longest text, which costs more than they save on a CPU.
    network.setInputCols(["chunk", "token"]).setOutputCol("class").setCaseSensitive(True)
    # Its default length is 128. Coalesced, chunks would become one annotation; `chunks.combined` weighs them itself.
    network.setMaxSentenceLength(chunks.MAX_WORDPIECES).setBatchSize(1).setCoalesceSentences(False)
    return network.setActivation("softmax")


def score(texts: DataFrame, pipeline: PipelineModel, model: Model, rows: int = 0) -> DataFrame:
    """Return `SCORED` for each row of `texts` (text_hash, text); null but for counts where nothing reaches the network.

    `rows` is about how many rows there are: they are dealt to partitions of like numbers of wordpieces. With 0 they
    stay in their partitions. `score` is the greatest probability, `p_positive` the positive label's; null for a model
    without one.
    """
    # Plans are SQL text: built from Python, call by call through py4j, this one took 0.2 s.
    counted = texts.select("text_hash", "text", wordpieces(F.col("text"), model).alias("pieces"))
    counts = [f"pieces.{name}" for name in COUNTS]
    needed = counted.selectExpr("text_hash", "coalesce(pieces.fed, text) AS fed", *counts)
    # Dealt after Python has counted wordpieces, in few tasks: the many tasks of the network then start no Python.
    dealt = balanced(needed, rows, "n_wordpieces") if rows else needed
    annotated = pipeline.transform(dealt.select("text_hash", *COUNTS, prepared(F.col("fed")).alias("prepared")))
    predicted = chunks.combined(annotated.select("text_hash", *COUNTS, "class"), model.labels)
    names = [quoted(label) for label in model.labels]
    by_label = ", ".join(f"{name}, label_probabilities[{i}]" for i, name in enumerate(names))
    positive = model.positive_label
    return predicted.selectExpr("*", "array_max(label_probabilities) AS score").selectExpr(
        "text_hash",
        f"array({', '.join(names)})[array_position(label_probabilities, score) - 1] AS label",
        "score",
        f"{f'label_probabilities[{model.labels.index(positive)}]' if positive else 'double(NULL)'} AS p_positive",
        f"to_json(named_struct({by_label})) AS probabilities",
        "n_wordpieces",
        "n_unknown",
        "smallint(CASE WHEN lengths IS NOT NULL THEN size(lengths) ELSE 1 END) AS n_chunks",
    )


def reference_tokenizer(vocabulary: dict[str, int]) -> BertWordPieceTokenizer:
    """Return the cased Hugging Face tokenizer, whose ids the network is fed, for a vocabulary of piece -> id."""
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
    # Else a text that spells `[SEP]` would end itself.
    tokenizer._tokenizer.encode_special_tokens = True
    return tokenizer


def wordpieces(text: Column, model: Model) -> Column:
    """Return a struct column: n_wordpieces, n_unknown, fed, lengths of each text, counted in Python.

    `n_wordpieces` and `n_unknown` are of all of the text, special pieces included. `fed` is the text that is scored,
    in NFC with chunks parted by `CHUNK_END`; null where that is `text` itself. `lengths` are the chunks' wordpieces,
    without special pieces; null for a single chunk.
    """
    key, pieces = model.fingerprint, _broadcast_vocabulary(SparkContext.getOrCreate(), model)

    def count(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        forget_archives()
        tokenizer, unknown = _tokenizer(key, lambda: pieces.value)
        for texts in batches:
            raw = texts.fillna("").tolist()
            forms = [fed_form(text) for text in raw]
            coded = tokenizer.encode_batch(forms)
            rows = [_counted(*text, unknown) for text in zip(raw, forms, coded, strict=True)]
            yield pd.DataFrame(rows, columns=["n_wordpieces", "n_unknown", "fed", "lengths"])

    return pandas_udf(count, WORDPIECES_DDL)(text)  # type: ignore[call-overload, no-any-return]


@lru_cache(maxsize=4)
def _broadcast_vocabulary(context: SparkContext, model: Model) -> Broadcast[list[str]]:
    # Cached: a second broadcast of the same vocabulary would be sent to each executor again.
    return context.broadcast(model.vocabulary())


# Fingerprint -> tokenizer and id of [UNK]. Spark's Python workers live on between tasks, and making a tokenizer takes
# longer than a task's texts.
_TOKENIZERS: dict[str, tuple[BertWordPieceTokenizer, int]] = {}


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
