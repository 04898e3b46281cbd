"""Ways to score the same texts, each in a process of its own, so that they can be measured in turn.

Spark NLP reads its number of ONNX threads once a Java machine, and a session has one master; so each way gets its own.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from sentiment import settings
from sentiment.errors import InfrastructureError
from sentiment.scoring import graph, registry

from bench.night import Peak
from tests.kit.networks import POSITIONS

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

Go = Callable[[], object]
BATCH = 8
WARM_UP = 2
"""Repetitions that are not measured: the third is the first that is."""


@dataclass(frozen=True)
class Task:
    """What is to be scored, by which model, on which Spark master, and how many cores there are."""

    folder: Path
    texts: list[str]
    master: str = "local[*]"
    memory: str = "3g"
    cores: int = os.cpu_count() or 1


class Side:
    """A warm process that scores the task's texts when told."""

    def __init__(self, way: Callable[[Task], Go], task: Task) -> None:
        self._here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(there, way, task), daemon=False)
        self._process.start()
        there.close()
        self.n = len(task.texts)
        self.warm_up(WARM_UP)

    def warm_up(self, repetitions: int) -> None:
        """Score all texts so many times, unmeasured."""
        for _ in range(repetitions):
            self.texts_per_s()

    def texts_per_s(self) -> float:
        """Score all texts once more."""
        try:
            self._here.send("go")
            took: float = self._here.recv()
        except (EOFError, OSError) as error:
            raise InfrastructureError("A way to score ended; its error stands above.", "sentiment doctor") from error
        return self.n / took

    def peak_bytes(self) -> float:
        """Most memory of the process and its children while all texts are scored once more.

        Not while anything is timed: reading it halts a large process.
        """
        assert self._process.pid is not None
        peak = Peak(self._process.pid)
        peak.start()
        self.texts_per_s()
        peak.stop.set()
        peak.join()
        return peak.bytes

    def close(self) -> None:
        """End the process and its children."""
        children = psutil.Process(self._process.pid).children(recursive=True) if self._process.is_alive() else []
        self._here.close()
        self._process.join(60)
        for child in children:
            if child.is_running():
                child.kill()


@contextmanager
def sides(ways: Mapping[str, tuple[Callable[[Task], Go], Task]]) -> Iterator[dict[str, Side]]:
    """All of these ways, warm; ended afterwards."""
    found: dict[str, Side] = {}
    try:
        for name, (way, task) in ways.items():
            found[name] = Side(way, task)
        yield found
    finally:
        for side in found.values():
            side.close()


def _serve(connection: Connection, way: Callable[[Task], Go], task: Task) -> None:
    go = way(task)
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        began = time.perf_counter()
        go()
        connection.send(time.perf_counter() - began)


def ours(task: Task) -> Go:
    """The network as a night's score step runs it: dealt by length, prepared, one review a row, one thread a core."""
    from sentiment.scoring import network

    session, model = _session(task, {}), model_of(task.folder)
    pipeline = network.load(session, model, settings.load().models_served)
    rows = [(str(n), text) for n, text in enumerate(task.texts)]
    texts = session.createDataFrame(rows, "text_hash string, text string").cache()

    def go() -> None:
        said = network.score(texts, pipeline, model, len(rows))
        said.write.format("noop").mode("overwrite").save()

    return go


def card(task: Task) -> Go:
    """The snippet on the published model's card, line by line, with this file: six threads a task, input order."""
    from pyspark.ml import Pipeline
    from sparknlp.annotator import DistilBertForSequenceClassification, Tokenizer
    from sparknlp.base import DocumentAssembler

    session = _session(task, {"spark.jsl.settings.onnx.intraOpNumThreads": "6"})
    document = DocumentAssembler().setInputCol("text").setOutputCol("document")
    token = Tokenizer().setInputCols(["document"]).setOutputCol("token")
    classifier = (
        DistilBertForSequenceClassification.loadSavedModel(str(task.folder), session)
        .setInputCols(["document", "token"])
        .setOutputCol("class")
        .setCaseSensitive(True)
        .setMaxSentenceLength(POSITIONS)
    )
    texts = session.createDataFrame([[text] for text in task.texts]).toDF("text").cache()
    pipeline: PipelineModel = Pipeline(stages=[document, token, classifier]).fit(texts)

    def go() -> None:
        pipeline.transform(texts).select("class.result").write.format("noop").mode("overwrite").save()

    return go


def _session(task: Task, own: dict[str, str]) -> SparkSession:
    from sentiment.runtime import spark

    os.environ |= {"SENTIMENT_SPARK_MASTER": task.master, "SENTIMENT_SPARK_DRIVER_MEMORY": task.memory}
    settings.load.cache_clear()
    settings.load().spark_conf |= own
    session = spark.session("bench scoring")
    session.sparkContext.setLogLevel("ERROR")
    return session


def model_of(folder: Path) -> registry.Model:
    """The model in a folder that is below no models folder."""
    return registry.read(folder.name, folder)


def raw(task: Task) -> Go:
    """Plain ONNX Runtime, a process a core and one thread each, unpadded, what is to be fed known before."""
    pool = multiprocessing.get_context("spawn").Pool(task.cores, _open, (task.folder,))
    fed = sorted(_ids(task), key=len, reverse=True)

    def go() -> None:
        for _ in pool.imap_unordered(_run_one, fed):
            pass

    return go


_SESSIONS: list[Any] = []


def _open(folder: Path) -> None:
    _SESSIONS[:] = [graph.session(folder / "model.onnx")]


def _run_one(ids: list[int]) -> None:
    graph.logits(_SESSIONS[0], [ids])


def batched(task: Task) -> Go:
    """The usual alternative: one process, tokenised, sorted by length, in batches of 8, padded, a thread a core."""
    network = graph.session(task.folder / "model.onnx", task.cores)

    def go() -> None:
        fed = sorted(_ids(task), key=len)
        for first in range(0, len(fed), BATCH):
            graph.logits(network, fed[first : first + BATCH])

    return go


def _ids(task: Task) -> list[list[int]]:
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    vocabulary = {piece: n for n, piece in enumerate(model_of(task.folder).vocabulary())}
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
    tokenizer.enable_truncation(POSITIONS)
    return [found.ids for found in tokenizer.encode_batch(task.texts)]


def prepared_only(task: Task) -> Go:
    """Only what our copy of the text costs."""
    return _part(task, lambda texts, _, __: _prepared(texts))


def counted_only(task: Task) -> Go:
    """Only what counting wordpieces costs: Python on the executors."""
    from pyspark.sql import functions as F
    from sentiment.scoring.network import wordpieces

    return _part(task, lambda texts, model, _: texts.select(wordpieces(F.col("text"), model)))


def tokenized_only(task: Task) -> Go:
    """What our copy, Spark NLP's document and its tokens cost."""

    def plan(texts: DataFrame, _: registry.Model, pipeline: PipelineModel) -> DataFrame:
        for stage in pipeline.stages[:-1]:
            texts = stage.transform(texts if "prepared" in texts.columns else _prepared(texts))
        return texts.select("token")

    return _part(task, plan)


def _prepared(texts: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F
    from sentiment.scoring.preparation import prepared

    return texts.select("text_hash", prepared(F.col("text")).alias("prepared"))


def _part(task: Task, plan: Callable[[DataFrame, registry.Model, PipelineModel], DataFrame]) -> Go:
    from pyspark.sql import functions as F
    from sentiment.scoring import network
    from sentiment.scoring.balance import balanced

    session, model = _session(task, {}), model_of(task.folder)
    pipeline = network.load(session, model, settings.load().models_served)
    rows = [(str(n), text) for n, text in enumerate(task.texts)]
    texts = session.createDataFrame(rows, "text_hash string, text string").cache()
    dealt = texts.withColumn("chars", F.length("text"))
    return lambda: (
        plan(balanced(dealt, len(rows), "chars"), model, pipeline).write.format("noop").mode("overwrite").save()
    )
