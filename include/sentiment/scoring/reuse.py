"""A text that a model has scored is not scored again: the score cache in the lake, by fingerprint.

What is missing is scored chunk by chunk. Each chunk is committed as it is done. The first holds 500 texts, the others
as many as the network scored in a minute before, so that a killed job loses about a minute, whatever the network's
size.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentiment.runs import phases
from sentiment.runs.attempts import Attempt
from sentiment.schemas import SCORE_CACHE
from sentiment.scoring.network import SCORED
from sentiment.scoring.registry import Model
from sentiment.workspace import Part, Workspace

log = logging.getLogger(__name__)

Score = Callable[[DataFrame, int], DataFrame]
"""Scores (text_hash, text), about so many rows."""

DATASET = "score_cache"
CHUNK_TEXTS = 20_000
"""Most texts committed at a time."""
FIRST_CHUNK_TEXTS = 500
LEAST_CHUNK_TEXTS = 100
CHUNK_S = 60.0
"""How long a chunk should take: what a killed job can lose, in seconds."""
HASH_RANGE = 1 << 32


def cached(workspace: Workspace, model: Model, wanted: DataFrame) -> DataFrame:
    """What this model has said of the texts `wanted` (text_hash): `SCORED`, `scored_at`, `scored_in` (the run).

    One row a text, though two runs may have scored it at the same time; other texts' scores are not carried along.
    """
    parts = workspace.committed(DATASET, cache_key(model.fingerprint))
    spark = wanted.sparkSession
    if not parts:
        return spark.createDataFrame([], SCORE_CACHE.spark_ddl)
    mine = workspace.read(spark, parts).join(wanted.select("text_hash"), "text_hash", "left_semi")
    return mine.dropDuplicates(["text_hash"])


def cache_key(fingerprint: str) -> str:
    """The folder of one network's scores inside the dataset."""
    return f"fingerprint={fingerprint}"


def fill(accepted: DataFrame, workspace: Workspace, model: Model, step: Attempt, score: Score) -> None:
    """Score the texts of `accepted` that are not cached, each once, chunk by chunk, each committed as it is done."""
    missing = _missing(accepted, workspace, model).persist()

    def keep(chunk: DataFrame, rows: int, number: int) -> int:
        return _keep_chunk(score(chunk, rows), workspace, model, step, number)

    for pace in in_chunks(missing, keep):
        step.progress(pace.done, pace.total, pace.rates())
        log.info("%s", pace.message())
    missing.unpersist()


def in_chunks(texts: DataFrame, keep: Callable[[DataFrame, int, int], int]) -> Iterator[Pace]:
    """Hand `distinct_texts` to `keep`, chunk by chunk of about a minute, and yield the pace before and after each.

    `keep` gets a chunk (text_hash, text), about how many rows it has, and its number, and returns its rows once they
    are scored.
    """
    pace, number, begin = Pace(texts.count()), 0, 0
    yield pace
    while pace.done < pace.total and begin < HASH_RANGE:
        end = pace.chunk_end(begin)
        chunk = texts.where(F.col("place").between(begin, end - 1)).select("text_hash", "text")
        pace.add(keep(chunk, pace.next_texts(), number))
        yield pace
        number, begin = number + 1, end


def _missing(accepted: DataFrame, workspace: Workspace, model: Model) -> DataFrame:
    hashes = accepted.select("text_hash").distinct()
    unknown = hashes.join(cached(workspace, model, hashes).select("text_hash"), "text_hash", "left_anti")
    return distinct_texts(accepted.select("text_hash", "text").join(unknown, "text_hash", "left_semi"))


def distinct_texts(texts: DataFrame) -> DataFrame:
    """Each text of (text_hash, text) once, in the order of its `place`, which is random but fixed: 0 to 2^32 - 1."""
    once = texts.groupBy("text_hash").agg(F.min("text").alias("text"))
    return once.withColumn("place", F.crc32("text_hash")).sortWithinPartitions("place")


def _keep_chunk(scored: DataFrame, workspace: Workspace, model: Model, step: Attempt, number: int) -> int:
    """Score and commit one chunk, as one file, since years of nights are read together; returns its rows."""
    said = scored.select(*SCORED, F.current_timestamp().alias("scored_at"), F.lit(step.run_id).alias("scored_in"))
    key = cache_key(model.fingerprint)
    part = workspace.write(said.repartition(1), DATASET, key, step.token, 0, "", number)
    rows = workspace.read(scored.sparkSession, [part]).count()
    step.check_token()
    workspace.commit(DATASET, key, step.token, Part(part.files, rows, part.checksum), number)
    phases.reached("chunk scored")
    return rows


@dataclass
class Pace:
    """How fast texts are scored, and so how many the next chunk should hold."""

    total: int
    done: int = 0
    per_s: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._since = self._chunk_began = self.clock()

    def add(self, rows: int) -> None:
        """A chunk of so many rows is done."""
        now = self.clock()
        self.done += rows
        self.per_s = rows / max(now - self._chunk_began, 1e-9)
        self._chunk_began = now

    def next_texts(self) -> int:
        """As many as take `CHUNK_S` by the last chunk's rate, and never so few that a rest of them is left over."""
        wished = max(LEAST_CHUNK_TEXTS, self.per_s * CHUNK_S) if self.done else FIRST_CHUNK_TEXTS
        left, most = self.total - self.done, int(min(CHUNK_TEXTS, wished))
        return left if left < 1.5 * most else most

    def chunk_end(self, begin: int) -> int:
        """Where the chunk that begins at this place ends."""
        left, texts = self.total - self.done, self.next_texts()
        return HASH_RANGE if texts >= left else begin + max(1, (HASH_RANGE - begin) * texts // left)

    def rates(self) -> dict[str, float]:
        """Rows a second over all of the step, and seconds left; nothing before something is done."""
        if not self.done:
            return {}
        per_s = self.done / max(self.clock() - self._since, 1e-9)
        return {"rows_per_s": round(per_s, 1), "left_s": round((self.total - self.done) / max(per_s, 1e-9))}

    def message(self) -> str:
        """Like `scored 4,000 of 20,000 texts, 13.2 a second, 20 min left`."""
        rates = self.rates()
        if not rates:
            return f"{self.total:,} texts to score"
        return (
            f"scored {self.done:,} of {self.total:,} texts, {rates['rows_per_s']:,.1f} a second, "
            f"{_duration(rates['left_s'])} left"
        )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
