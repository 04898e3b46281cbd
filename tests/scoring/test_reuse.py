"""Texts are scored once, chunk by chunk; a killed job loses its chunk and no more; work is dealt evenly."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F
from sentiment import settings
from sentiment.errors import StaleAttemptError
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile, Run
from sentiment.scoring import registry, reuse
from sentiment.scoring.balance import TEXTS_A_PARTITION, balanced
from sentiment.scoring.network import SCORED
from sentiment.scoring.registry import Model
from sentiment.workspace import Workspace

from tests.kit.rows import remove_source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SOURCE = "reuse"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(str(tmp_path / "lake"))


@pytest.fixture
def model(server: object) -> Model:
    bundled = registry.find("cinema-fr", settings.load())
    registry.register(bundled)
    return bundled


@pytest.fixture
def run(model: Model) -> Iterator[Run]:
    opening.record_dump("reuse", SOURCE, "nowhere", [DumpFile(0, "nowhere", "0" * 64, "jsonl", "none", 0, 0)])
    yield opening.open_run(date(2026, 4, 1), SOURCE, "reuse", model.model_id)
    remove_source(SOURCE)


class Network:
    """A network whose score is the length of a text; `chunks` are the numbers of texts it scored at a time."""

    def __init__(self, fails_in_chunk: int = 99) -> None:
        self.chunks: list[int] = []
        self.fails_in_chunk = fails_in_chunk

    def __call__(self, texts: DataFrame, rows: int) -> DataFrame:
        if len(self.chunks) == self.fails_in_chunk:
            raise Killed
        self.chunks.append(texts.count())
        values = {
            "text_hash": F.col("text_hash"),
            "label": F.lit("pos"),
            "score": F.length("text").cast("double"),
            "p_positive": F.lit(1.0),
            "probabilities": F.lit("{}"),
            "n_wordpieces": F.lit(1),
            "n_unknown": F.lit(0),
            "n_chunks": F.lit(1).cast("short"),
        }
        return texts.select(*(values[name].alias(name) for name in SCORED))


class Killed(BaseException):
    """Ends a job without clean-up, so that the workspace is as after SIGKILL."""


def accepted(spark: SparkSession, numbers: range) -> DataFrame:
    """Return reviews, two for each text."""
    texts = spark.range(numbers.start, numbers.stop).select(F.concat(F.lit("texte "), F.col("id")).alias("text"))
    twice = texts.union(texts)
    return twice.select(F.sha2("text", 256).alias("text_hash"), "text")


@contextmanager
def chunks_of(texts: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(reuse, "CHUNK_TEXTS", texts)
        yield


def test_identical_texts_are_scored_once_and_never_again(
    spark: SparkSession, workspace: Workspace, model: Model, run: Run
) -> None:
    network = Network()
    with attempts.attempt(run.run_id, "score") as attempt:
        reuse.fill(accepted(spark, range(90)), workspace, model, attempt, network)
        assert (attempt.rows_done, attempt.rows_total, sum(network.chunks)) == (90, 90, 90)
        assert attempt.pace["left_s"] == 0
    with attempts.attempt(run.run_id, "score") as attempt:
        reuse.fill(accepted(spark, range(100)), workspace, model, attempt, network)
    assert sum(network.chunks) == 100
    wanted = accepted(spark, range(50, 120))
    scores = reuse.cached(workspace, model, wanted).join(wanted.distinct(), "text_hash").collect()
    assert len(scores) == 50
    assert all(row["score"] == len(row["text"]) for row in scores)


def test_a_killed_job_loses_no_more_than_its_chunk(
    spark: SparkSession, workspace: Workspace, model: Model, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews, network = accepted(spark, range(100)), Network(fails_in_chunk=3)
    with chunks_of(20, monkeypatch):
        with pytest.raises(Killed), attempts.attempt(run.run_id, "score") as attempt:
            reuse.fill(reviews, workspace, model, attempt, network)
        committed = reuse.cached(workspace, model, reviews).count()
        assert committed == sum(network.chunks)
        assert len(network.chunks) == 3
        again = Network()
        with attempts.attempt(run.run_id, "score") as attempt:
            reuse.fill(reviews, workspace, model, attempt, again)
    assert sum(again.chunks) == 100 - committed
    assert max(network.chunks + again.chunks) <= 40
    assert reuse.cached(workspace, model, reviews).count() == 100


def test_a_stale_attempt_commits_nothing(spark: SparkSession, workspace: Workspace, model: Model, run: Run) -> None:
    with (
        pytest.raises(StaleAttemptError),
        attempts.attempt(run.run_id, "score") as stale,
        attempts.attempt(run.run_id, "score"),
    ):
        reuse.fill(accepted(spark, range(9)), workspace, model, stale, Network())
    assert workspace.committed(reuse.DATASET, reuse.cache_key(model.fingerprint)) == []


def test_texts_that_two_runs_scored_come_once(
    spark: SparkSession, workspace: Workspace, model: Model, run: Run
) -> None:
    key = reuse.cache_key(model.fingerprint)
    with attempts.attempt(run.run_id, "score") as attempt:
        reuse.fill(accepted(spark, range(9)), workspace, model, attempt, Network())
    (part,) = workspace.committed(reuse.DATASET, key)
    workspace.commit(reuse.DATASET, key, attempt.token + 1, part)
    assert len(workspace.committed(reuse.DATASET, key)) == 2
    assert reuse.cached(workspace, model, accepted(spark, range(9))).count() == 9


def test_every_partition_holds_as_much_text(spark: SparkSession) -> None:
    lengths = [min(2_000, round(random.Random(n).lognormvariate(6, 0.9)) + 1) for n in range(600)]
    texts = spark.createDataFrame(
        [(str(n), "x" * n_chars) for n, n_chars in enumerate(lengths)], "text_hash string, text string"
    )
    dealt = balanced(texts.withColumn("chars", F.length("text")), len(lengths), "chars")
    sums = dealt.groupBy(F.spark_partition_id().alias("p")).agg(
        F.sum(F.length("text")).alias("chars"), F.count("*").alias("n")
    )
    partitions = sums.collect()
    chars = [row["chars"] for row in partitions]
    assert len(chars) == min(spark.sparkContext.defaultParallelism * 16, 600 // TEXTS_A_PARTITION)
    assert sum(row["n"] for row in partitions) == 600
    assert max(chars) < 1.1 * sum(chars) / len(chars)
    assert sorted(dealt.columns) == ["chars", "text", "text_hash"]


def test_chunks_take_as_long_as_they_should() -> None:
    now = [0.0]
    pace = reuse.Pace(5_000, clock=lambda: now[0])
    assert pace.next_texts() == reuse.FIRST_CHUNK_TEXTS
    assert pace.chunk_end(0) == reuse.HASH_RANGE // 10
    assert pace.rates() == {}
    assert re.findall(r"[\d,.]+", pace.message()) == ["5,000"]
    now[0] = 100.0
    pace.add(1_000)
    assert pace.next_texts() == 10 * reuse.CHUNK_S
    assert pace.rates() == {"rows_per_s": 10.0, "left_s": 400}
    assert re.findall(r"\d[\d,.]*\d|\d", pace.message()) == ["1,000", "5,000", "10.0", "7"], "400 s are 7 min"
    pace.done = 4_200
    assert (pace.next_texts(), pace.chunk_end(5)) == (800, reuse.HASH_RANGE)
