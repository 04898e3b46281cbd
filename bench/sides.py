"""Ways to score the same texts, one process for each, so that they can be measured in turn.

Spark NLP reads its number of ONNX threads once a Java machine, and a session has one master, so no two ways can share
a process.
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

from bench.processes import Sampler
from tests.kit.networks import POSITIONS

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import DataFrame, SparkSession

Go = Callable[[], object]
"""Scores all of a task's texts once."""
BATCH = 8
"""Texts of a batch in `batched`."""
WARM_UP = 2
"""Repetitions that are not measured, before the first one that is."""


@dataclass(frozen=True)
class Task:
    """Texts to be scored, by which model and on which Spark master."""

    folder: Path
    """The model's."""
    texts: list[str]
    master: str = "local[*]"
    memory: str = "3g"
    """Memory of the Spark driver."""
    cores: int = os.cpu_count() or 1
    """Processes of `raw` and threads of `batched`."""


class Side:
    """A warm process that scores a task's texts on request.

    Methods that score raise InfrastructureError where the process has ended.
    """

    def __init__(self, way: Callable[[Task], Go], task: Task) -> None:
        self._here, there = multiprocessing.Pipe()
        # Spawned, since a fork would copy locks that threads of Java or ONNX Runtime hold; no daemon, since a daemon
        # may have no processes of its own, and Spark and pools do.
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
        """Score all texts once and return the rate, in texts a second."""
        try:
            self._here.send("go")
            took: float = self._here.recv()
        except (EOFError, OSError) as error:
            raise InfrastructureError("A way to score ended; its error stands above.", "sentiment doctor") from error
        return self.n / took

    def peak_bytes(self) -> float:
        """Score all texts once and return the peak memory of the process and its children meanwhile."""
        # Never while anything is timed: reading proportional memory halts a large process.
        assert self._process.pid is not None
        sampler = Sampler(self._process.pid)
        sampler.start()
        self.texts_per_s()
        sampler.end()
        return sampler.peak_bytes

    def close(self) -> None:
        """End the process and its children."""
        # Java outlives the Python process that started it.
        children = psutil.Process(self._process.pid).children(recursive=True) if self._process.is_alive() else []
        self._here.close()
        self._process.join(60)
        for child in children:
            if child.is_running():
                child.kill()


@contextmanager
def sides(ways: Mapping[str, tuple[Callable[[Task], Go], Task]]) -> Iterator[dict[str, Side]]:
    """Start a warm side for each way (name -> way, task) and end all of them afterwards."""
    started: dict[str, Side] = {}
    try:
        for name, (way, task) in ways.items():
            started[name] = Side(way, task)
        yield started
    finally:
        for side in started.values():
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


def score_step(task: Task) -> Go:
    """Score as a night's step `score` does: dealt by length, prepared, one review a row, one thread a core."""
    from sentiment.scoring import network

    session, model = _session(task, {}), model_of(task.folder)
    pipeline = network.load(session, model, settings.load().models_served)
    rows = [(str(n), text) for n, text in enumerate(task.texts)]
    texts = session.createDataFrame(rows, "text_hash string, text string").cache()

    # "noop" computes every row and writes none, so that no disk is measured.
    def go() -> None:
        scores = network.score(texts, pipeline, model, len(rows))
        scores.write.format("noop").mode("overwrite").save()

    return go


def card(task: Task) -> Go:
    """Score by the snippet on the published model's card, line by line: six threads a task, in input order."""
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
    # Settings were read before the environment was changed.
    settings.load.cache_clear()
    settings.load().spark_conf |= own
    session = spark.session("bench scoring")
    session.sparkContext.setLogLevel("ERROR")
    return session


def model_of(folder: Path) -> registry.Model:
    """Return the model in a folder, which need not be below a models folder."""
    return registry.read(folder.name, folder)


def raw(task: Task) -> Go:
    """Score by plain ONNX Runtime: one process a core, one thread each, unpadded, tokenised before the clock starts."""
    pool = multiprocessing.get_context("spawn").Pool(task.cores, _open, (task.folder,))
    # The longest first, so that no process is left alone with a long one.
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
    """Score as is usual without Spark: tokenised, sorted by length, in padded batches of 8, a thread a core."""
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
    return [encoding.ids for encoding in tokenizer.encode_batch(task.texts)]


def prepared_only(task: Task) -> Go:
    """Run only the preparation of texts."""
    return _part(task, lambda texts, _, __: _prepared(texts))


def counted_only(task: Task) -> Go:
    """Run only the counting of wordpieces, in Python on the executors."""
    from pyspark.sql import functions as F
    from sentiment.scoring.network import wordpieces

    return _part(task, lambda texts, model, _: texts.select(wordpieces(F.col("text"), model)))


def tokenized_only(task: Task) -> Go:
    """Run preparation and Spark NLP's annotators before the network."""

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
