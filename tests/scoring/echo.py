"""A network that returns what it was fed: its i-th probability encodes the wordpiece id at position i."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.ml import PipelineModel
from pyspark.sql import functions as F
from sentiment.scoring import network, saved
from sentiment.scoring.preparation import fed_form, prepared, shield_text
from sparknlp.annotator import DistilBertForSequenceClassification

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

POSITIONS = 64
"""Ids that are returned of a text, [CLS] and [SEP] included; later ones are not seen."""
FLOAT, INT64 = 1, 7


def _number(field: int, n: int) -> bytes:
    return _variable(field << 3) + _variable(n)


def _variable(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + _variable(n >> 7)


def _message(field: int, *parts: bytes | str) -> bytes:
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return _variable(field << 3 | 2) + _variable(len(body)) + body


def _node(op: str, inputs: str, output: str, **numbers: int) -> bytes:
    attributes = (_message(5, _message(1, name), _number(3, n), _number(20, 2)) for name, n in numbers.items())
    names = (_message(1, name) for name in inputs.split())
    return _message(1, *names, _message(2, output), _message(4, op), *attributes)


def _constant(name: str, kind: int, dims: list[int], *values: float) -> bytes:
    raw = struct.pack(f"<{len(values)}{'f' if kind == FLOAT else 'q'}", *values)
    return _message(5, *(_number(1, d) for d in dims), _number(2, kind), _message(8, name), _message(9, raw))


def _value(field: int, name: str, kind: int, dims: list[int | str]) -> bytes:
    shape = (_message(1, _number(1, d) if isinstance(d, int) else _message(2, d)) for d in dims)
    return _message(field, _message(1, name), _message(2, _message(1, _number(1, kind), _message(2, *shape))))


def onnx(n_pieces: int) -> bytes:
    """Return, in ONNX's wire format, a network that gives logit((id + 1) / (2 n_pieces + 4)), as if 0 followed the ids.

    With the activation sigmoid Spark NLP predicts each label whose probability is over a half: only the last one's is.
    """
    graph = (
        _constant("zeros", FLOAT, [1, POSITIONS], *[0.0] * POSITIONS),
        _constant("one", FLOAT, [], 1.0),
        _constant("scale", FLOAT, [], 2 * n_pieces + 4.0),
        _constant("yes", FLOAT, [1, 1], 10.0),
        _constant("first", INT64, [1], 0),
        _constant("last", INT64, [1], POSITIONS),
        _constant("axis", INT64, [1], 1),
        _node("Cast", "input_ids", "ids", to=FLOAT),
        _node("Concat", "ids zeros", "padded", axis=1),
        _node("Slice", "padded first last axis", "seen"),
        _node("Add", "seen one", "more"),
        _node("Div", "more scale", "share"),
        _node("Sub", "one share", "rest"),
        _node("Div", "share rest", "odds"),
        _node("Log", "odds", "by_position"),
        _node("Concat", "by_position yes", "logits", axis=1),
        _message(2, "echo"),
        _value(11, "input_ids", INT64, ["batch", "length"]),
        _value(11, "attention_mask", INT64, ["batch", "length"]),
        _value(12, "logits", FLOAT, ["batch", POSITIONS + 1]),
    )
    return _number(1, 8) + _message(8, _number(2, 13)) + _message(7, *graph)


class Echo:
    """The pipeline's own preparation and annotators with the echoing network as the last; and the reference."""

    def __init__(self, spark: SparkSession, pipeline: PipelineModel, vocabulary: list[str], folder: Path) -> None:
        self.spark, self.vocabulary = spark, vocabulary
        self.labels = [f"at{i}" for i in range(POSITIONS + 1)]
        (folder / "echo.onnx").write_bytes(onnx(len(vocabulary)))
        annotator = network.configured(self._annotator(folder)).setActivation("sigmoid")
        self.pipeline = PipelineModel(stages=[*pipeline.stages[:-1], annotator])
        self.reference = network.reference_tokenizer({piece: i for i, piece in enumerate(vocabulary)})

    def _annotator(self, folder: Path) -> DistilBertForSequenceClassification:
        # By the classes below `loadSavedModel`, which uses one file name for every graph, and that one is in use.
        jvm: Any = self.spark._jvm
        session, none, johnsnowlabs = self.spark._jsparkSession, jvm.scala.Option.empty(), jvm.com.johnsnowlabs
        graph = johnsnowlabs.ml.onnx.OnnxWrapper.read(session, str(folder), False, True, "echo", none, none)
        model = johnsnowlabs.nlp.annotators.classifier.dl.DistilBertForSequenceClassification()
        model.setVocabulary(saved.scala_ids(self.spark, [shield_text(piece) for piece in self.vocabulary]))
        model.setLabels(saved.scala_ids(self.spark, self.labels)).set(model.engine(), "onnx")
        model.setModelIfNotSet(session, none, jvm.scala.Option.apply(graph), none)
        return DistilBertForSequenceClassification(java_model=model)

    def fed(self, texts: list[str]) -> list[list[int]]:
        """Return the ids that reach the network, the first `POSITIONS` of each text, 0 behind the last; one Spark job.

        A text that is not scored has none.
        """
        rows = self.spark.createDataFrame(list(enumerate(map(fed_form, texts))), "i int, text string").repartition(4)
        annotated = self.pipeline.transform(rows.select("i", prepared(F.col("text")).alias("prepared")))
        metadata = annotated.select("i", "class.metadata").toDF("i", "metadata").collect()
        by_text = {row["i"]: row["metadata"] for row in metadata}
        return [self._ids(by_text[i]) for i in range(len(texts))]

    def _ids(self, metadata: list[dict[str, str]]) -> list[int]:
        scale = 2 * len(self.vocabulary) + 4
        if not metadata:
            return []
        return [round(float(metadata[0][label]) * scale) - 1 for label in self.labels[:-1]]

    def wanted(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of the reference tokenizer, in the shape of `fed`."""
        coded = self.reference.encode_batch([fed_form(text) for text in texts])
        return [padded(encoding.ids) for encoding in coded]


def padded(ids: list[int]) -> list[int]:
    """Return ids in the shape of `Echo.fed`."""
    return [*ids, *[0] * POSITIONS][:POSITIONS]
