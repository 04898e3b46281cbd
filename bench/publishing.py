"""Measure publishing: made-up scored reviews through the step publish of a night, then a night mostly known."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from sentiment import contract, database
from sentiment.drift import bands, profile
from sentiment.orchestration import publishing_night
from sentiment.runs import attempts, opening
from sentiment.runs.handoff import ReceivedDump, ScoredNight
from sentiment.runs.model import DumpFile, IdentityRule, Run
from sentiment.runtime import spark
from sentiment.schemas import QUARANTINED
from sentiment.store import publishing
from sentiment.workspace import Part, Workspace, run_key

from bench.night import Measured
from tests.kit.homes import own_home, peak_bytes, reset_peak

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FIRST_NIGHT = date(2026, 3, 2)
SOURCE = "bench"
KNOWN_SHARE = 0.95
TEXT_CHARS = 400
FILMS = 5_000
BUDGET_ROWS_PER_S = 25_000
BUDGET_GROWN_MIB = 200


@dataclass(frozen=True)
class Took:
    """What one publish took."""

    staging_s: float
    """Seconds until all rows were staged."""
    merge_s: float
    """Seconds from then until after the commit."""
    grown_bytes: int
    """Resident memory of this process at its peak, beyond what it had when publishing began."""

    @property
    def total_s(self) -> float:
        """Seconds of staging and merge."""
        return self.staging_s + self.merge_s


def measure(rounds: int, rows: int, report: Callable[[str], None]) -> list[Measured]:
    """Publish `rows` reviews of 400 characters, then a second night 95 % known, and return the rows of the table.

    Each round has a new database.

    The first publish is measured twice: by a server just made, whose memory and log files the system hands out page
    by page meanwhile, and again, its tables emptied, by the same server warm.
    """
    cold = Measured(f"first publish of {rows:,} by a server just made", BUDGET_ROWS_PER_S, "rows/s")
    first = Measured(f"first publish of {rows:,}, staging + merge", BUDGET_ROWS_PER_S, "rows/s")
    second = Measured("second night, 95 % known", BUDGET_ROWS_PER_S, "rows/s")
    ratio = Measured("second night's time / first's", 1, "x")
    memory = Measured("memory that the first publish adds", BUDGET_GROWN_MIB, "MiB")
    for number in range(rounds):
        with own_home():
            session = spark.session("bench publishing")
            # The first publish of a process also pays for what Python imports.
            _publish(session, FIRST_NIGHT, rows // 10, 0, "warm")
            _empty()
            fresh = _publish(session, FIRST_NIGHT + timedelta(days=2), rows, 0, "fresh")
            _empty()
            one = _publish(session, FIRST_NIGHT + timedelta(days=3), rows, 0, SOURCE)
            two = _publish(session, FIRST_NIGHT + timedelta(days=4), rows, KNOWN_SHARE, SOURCE)
            session.stop()
        published = {"server just made": fresh, "first": one, "second": two}
        summaries = ", ".join(f"{name} {_summary(took)}" for name, took in published.items())
        report(f"round {number + 1} of {rounds}: {summaries}")
        cold.rounds.append(rows / fresh.total_s)
        first.rounds.append(rows / one.total_s)
        second.rounds.append(rows / two.total_s)
        ratio.rounds.append(two.total_s / one.total_s)
        memory.rounds.append(fresh.grown_bytes / (1 << 20))
    return [cold, first, second, ratio, memory]


def _empty() -> None:
    with database.transaction("owner") as c:
        c.exec_driver_sql(
            "TRUNCATE sentiment.review, sentiment.review_sentiment, sentiment.night_review, sentiment.film_night"
        )


def _summary(took: Took) -> str:
    return f"{took.staging_s:.1f} s staging + {took.merge_s:.1f} s merge"


def _publish(session: SparkSession, night: date, rows: int, known_share: float, source: str) -> Took:
    run = _scored(session, night, rows, known_share, source)
    times: dict[str, float] = {}
    _listen(times)
    before, began = reset_peak(), time.monotonic()
    publishing_night.publish(run.run_id)
    _listen(None)
    return Took(times["staged"] - began, times["after commit"] - times["staged"], peak_bytes() - before)


# Python has no way to remove an audit hook: one is added; this list holds where it writes, if anywhere.
_TIMES: list[dict[str, float] | None] = []


def _listen(times: dict[str, float] | None) -> None:
    if not _TIMES:
        sys.addaudithook(_note)
    _TIMES[:] = [times]


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "sentiment.phase" and _TIMES[0] is not None:
        _TIMES[0][arguments[0]] = time.monotonic()


def _scored(session: SparkSession, night: date, rows: int, known_share: float, source: str) -> Run:
    """Open a run whose reviews are scored: parts and finished steps, as `validate` and `score` commit them."""
    dump_id, workspace = f"bench-{source}-{night}", Workspace()
    opening.record_dump(dump_id, source, "bench", [DumpFile(0, "bench", "0" * 64, "jsonl", "none", rows * 600, rows)])
    run = opening.open_run(night, source, dump_id, "cinema-fr")
    key = run_key(night, run.run_id)
    with attempts.attempt(run.run_id, "ingest") as ingested:
        ingested.handoff = ReceivedDump(layouts=[], identity=IdentityRule(("own_id",)))
    with attempts.attempt(run.run_id, "validate") as validated:
        _commit(workspace, session.createDataFrame([], QUARANTINED.spark_ddl), "quarantined", key, validated.token)
    with attempts.attempt(run.run_id, "score") as scored:
        reviews = _reviews(session, rows, known_share, source).withColumn("sentences", F.lit(None).cast("string"))
        part = _commit(workspace, reviews, "scored", key, scored.token)
        profiled = profile.count(reviews.where("novelty <> 'known'"), bands.UNRECORDED)
        _commit(workspace, profiled, "profile", key, scored.token)
        scored.handoff = ScoredNight(scored=part, novelty_base_run=publishing.newest_publication(source))
    return run


def _commit(workspace: Workspace, frame: DataFrame, dataset: str, key: str, token: int) -> Part:
    written = workspace.write(frame, dataset, key, token, 0, "")
    checksum = contract.key_checksum() if "review_id" in frame.columns else F.lit("")
    totals = workspace.read(frame.sparkSession, [written]).agg(F.count("*").alias("rows"), checksum.alias("sum"))
    counted = totals.collect()[0]
    part = Part(written.files, counted["rows"], counted["sum"])
    workspace.commit(dataset, key, token, part)
    return part


def _reviews(session: SparkSession, rows: int, known_share: float, source: str) -> DataFrame:
    """Return scored rows; a `known_share` of them equal the first rows of a night with share 0, the others are new."""
    known = F.col("id") < int(rows * known_share)
    number = F.when(known, F.col("id")).otherwise(F.col("id") + (rows if known_share else 0))
    # Hashes, since text that repeats would be compressed by Postgres and cost less than reviews do.
    text = F.rpad(F.concat_ws(" ", *(F.sha2(F.concat("id", F.lit(str(n))), 256) for n in range(6))), TEXT_CHARS, ".")
    columns = {
        "source": F.lit(source),
        "file_no": F.lit(0),
        "record_no": F.col("position"),
        "review_id": F.substring(F.sha2(F.concat(F.lit(source), "id"), 256), 1, contract.ID_HEX_CHARS),
        "item_id": F.concat(F.lit("film-"), F.pmod("id", F.lit(FILMS))),
        "item_type": F.lit("film"),
        "item_title": F.concat(F.lit("Le film "), F.pmod("id", F.lit(FILMS))),
        "author": F.concat(F.lit("author-"), F.pmod("id", F.lit(9973))),
        "rating": F.pmod("id", F.lit(9)) / 2 + 0.5,
        "review_date": F.lit(FIRST_NIGHT),
        "title": F.lit(None).cast("string"),
        "text": text,
        "polarity": F.pmod("id", F.lit(2)).cast("int"),
        "text_hash": F.sha2(text, 256),
        "content_hash": F.substring(F.sha2(text, 256), 1, contract.ID_HEX_CHARS),
        "novelty": F.when(F.col("is_known"), F.lit("known")).otherwise(F.lit("new")),
        "label": F.when(F.pmod("id", F.lit(2)) == 1, F.lit("pos")).otherwise(F.lit("neg")),
        "score": F.lit(0.9),
        "p_positive": F.when(F.pmod("id", F.lit(2)) == 1, F.lit(0.9)).otherwise(F.lit(0.1)),
        "probabilities": F.lit('{"neg": 0.1, "pos": 0.9}'),
        "n_wordpieces": F.lit(90),
        "n_unknown": F.lit(0),
        "n_chunks": F.lit(1).cast("smallint"),
        "scored_at": F.current_timestamp(),
        "scored_in": F.lit("bench"),
    }
    numbered = session.range(rows).select(F.col("id").alias("position"), known.alias("is_known"), number.alias("id"))
    reviews = numbered.select(*(column.alias(name) for name, column in columns.items()))
    # In key order within partitions, as the step `score` writes its part.
    return reviews.repartition("review_id").sortWithinPartitions("review_id")
