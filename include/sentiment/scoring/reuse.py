"""Reuse scores: a text that a model has scored is not scored again. The score cache is kept in the run workspace.

Missing texts are scored chunk by chunk, and each chunk is committed as it is done. The first holds 500 texts, the
others as many as the network scored in a minute before, so that a killed job loses about a minute, whatever the
network's size.
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
from sentiment.workspace import Workspace

log = logging.getLogger(__name__)

Score = Callable[[DataFrame, int], DataFrame]
"""Returns `SCORED` for (text_hash, text); the number is about how many rows there are (`network.score`)."""

DATASET = "score_cache"
CHUNK_TEXTS = 20_000
"""Most texts of a chunk."""
# Texts of the first chunk, by which the network's rate is measured.
FIRST_CHUNK_TEXTS = 500
# Fewest texts of a chunk, however slow the network: each chunk costs a Spark job and a file.
LEAST_CHUNK_TEXTS = 100
# Seconds that a chunk should take, which is what a killed job can lose.
CHUNK_S = 60.0
HASH_RANGE = 1 << 32
"""Texts have positions from 0 to below this: CRC-32 of their hash."""


def cached(workspace: Workspace, model: Model, wanted: DataFrame) -> DataFrame:
    """Return the model's cached scores of the texts `wanted` (text_hash), one row a text at most.

    Columns: `SCORED`, scored_at and scored_in (the run that scored the text).
    """
    parts = workspace.committed(DATASET, cache_key(model.fingerprint))
    spark = wanted.sparkSession
    if not parts:
        return spark.createDataFrame([], SCORE_CACHE.spark_ddl)
    scores = workspace.read(spark, parts).join(wanted.select("text_hash"), "text_hash", "left_semi")
    # Two runs may have scored a text at the same time: their scores are equal.
    return scores.dropDuplicates(["text_hash"])


def cache_key(fingerprint: str) -> str:
    """Return the folder of one fingerprint's scores inside `DATASET`."""
    return f"fingerprint={fingerprint}"


def fill(accepted: DataFrame, workspace: Workspace, model: Model, attempt: Attempt, score: Score) -> None:
    """Score the texts of `accepted` (text_hash, text) that are not cached, once each, and commit them chunk by chunk.

    Progress goes to the attempt (rows done and total; in its detail rows_per_s and left_s) and to the log. Raises
    StaleAttemptError where a newer attempt of the step has begun.
    """
    # Persisted, since it is counted and then read once for each chunk.
    missing = _missing(accepted, workspace, model).persist()

    def score_and_commit(chunk: DataFrame, rows: int, number: int) -> int:
        return _commit_chunk(score(chunk, rows), workspace, model, attempt, number)

    for pace in in_chunks(missing, score_and_commit):
        attempt.progress(pace.done, pace.total, pace.rates())
        log.info("%s", pace.message())
    missing.unpersist()


def in_chunks(texts: DataFrame, score_chunk: Callable[[DataFrame, int, int], int]) -> Iterator[Pace]:
    """Hand `distinct_texts` to `score_chunk`, chunk by chunk of about a minute; yield the pace before and after each.

    `score_chunk` gets a chunk (text_hash, text), about how many rows it has, and its number from 0; it scores the
    chunk and returns how many rows it has.
    """
    pace, number, begin = Pace(texts.count()), 0, 0
    yield pace
    while pace.done < pace.total and begin < HASH_RANGE:
        end = pace.chunk_end(begin)
        chunk = texts.where(F.col("position").between(begin, end - 1)).select("text_hash", "text")
        pace.add(score_chunk(chunk, pace.next_texts(), number))
        yield pace
        number, begin = number + 1, end


def _missing(accepted: DataFrame, workspace: Workspace, model: Model) -> DataFrame:
    hashes = accepted.select("text_hash").distinct()
    unknown = hashes.join(cached(workspace, model, hashes).select("text_hash"), "text_hash", "left_anti")
    return distinct_texts(accepted.select("text_hash", "text").join(unknown, "text_hash", "left_semi"))


def distinct_texts(texts: DataFrame) -> DataFrame:
    """Return (text_hash, text, position) with each text once, sorted by position in each partition.

    Positions are from 0 to below `HASH_RANGE`, the same every time, and spread evenly: any range of them holds a share
    of the texts that is as large as the range's.
    """
    once = texts.groupBy("text_hash").agg(F.min("text").alias("text"))
    return once.withColumn("position", F.crc32("text_hash")).sortWithinPartitions("position")


def _commit_chunk(scored: DataFrame, workspace: Workspace, model: Model, attempt: Attempt, number: int) -> int:
    rows = scored.select(*SCORED, F.current_timestamp().alias("scored_at"), F.lit(attempt.run_id).alias("scored_in"))
    key = cache_key(model.fingerprint)
    # One file, since the files of years of nights are read together.
    part = workspace.counted(workspace.write(rows.repartition(1), DATASET, key, attempt.token, 0, "", number))
    # Once a chunk: a stale attempt stops within about a minute.
    attempt.check_token()
    workspace.commit(DATASET, key, attempt.token, part, number)
    phases.reached("chunk scored")
    return part.rows


@dataclass
class Pace:
    """The rate at which texts are scored, and so how many texts the next chunk should hold."""

    total: int
    """Texts to score."""
    done: int = 0
    """Texts scored."""
    per_s: float = 0.0
    """Texts a second in the last chunk."""
    clock: Callable[[], float] = time.monotonic
    """Seconds from any fixed moment."""

    def __post_init__(self) -> None:
        self._since = self._chunk_began = self.clock()

    def add(self, rows: int) -> None:
        """Count a chunk of so many rows as done now."""
        now = self.clock()
        self.done += rows
        self.per_s = rows / max(now - self._chunk_began, 1e-9)
        self._chunk_began = now

    def next_texts(self) -> int:
        """Return how many texts the next chunk should hold: as many as take `CHUNK_S` by the last chunk's rate.

        Before there is a rate `FIRST_CHUNK_TEXTS`, at most `CHUNK_TEXTS`; all that remain where these are fewer than
        one and a half times as many.
        """
        wished = max(LEAST_CHUNK_TEXTS, self.per_s * CHUNK_S) if self.done else FIRST_CHUNK_TEXTS
        remaining, most = self.total - self.done, int(min(CHUNK_TEXTS, wished))
        # A small last chunk would cost a Spark job of its own.
        return remaining if remaining < 1.5 * most else most

    def chunk_end(self, begin: int) -> int:
        """Return the position before which the chunk that begins at position `begin` ends."""
        remaining, texts = self.total - self.done, self.next_texts()
        return HASH_RANGE if texts >= remaining else begin + max(1, (HASH_RANGE - begin) * texts // remaining)

    def rates(self) -> dict[str, float]:
        """Return rows_per_s over all chunks and left_s, the seconds until all are done; empty before the first is."""
        if not self.done:
            return {}
        per_s = self.done / max(self.clock() - self._since, 1e-9)
        return {"rows_per_s": round(per_s, 1), "left_s": round((self.total - self.done) / max(per_s, 1e-9))}

    def message(self) -> str:
        """Return the progress, like `scored 4,000 of 20,000 texts, 13.2 a second, 20 min left`."""
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
