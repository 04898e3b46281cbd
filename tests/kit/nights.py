"""Nights for the kill matrix: dumps, scenes of several nights, and two ways to publish one.

`publish_without_spark` stages what an independent reader of the dump says, so that hundreds of nights cost
seconds; `run_whole` runs every step of the real night on one Spark session.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg2.extras import execute_values
from sentiment import settings
from sentiment.database import engine, transaction
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile, Run
from sentiment.samples import sample_dump
from sentiment.schemas import STAGED
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sentiment.workspace import Part, Workspace

from tests.kit import oracle

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST = date(2026, 3, 2)
RECORDS = 40
MODEL = "cinema-fr"


@dataclass(frozen=True)
class Attempt:
    """One night to publish: where its dump is, and whether it replaces another, or a run of the same dump."""

    source: str
    night: date
    dump: Path
    supersede: bool = False
    requeue_of: str | None = None

    @property
    def reason(self) -> str | None:
        return "the matrix asked" if self.supersede or self.requeue_of else None


def made_up_probability(text: str) -> float:
    """A probability that depends on the text alone, for nights that no network scores."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 9_800 + 100) / 10_000


@cache
def dump(night: date, seed: int) -> Path:
    """A dump of every kind of record; the same seed lists reviews of earlier nights again, some changed."""
    path = settings.load().home / "dumps" / f"matrix-{night}-{seed}.jsonl"
    spec = sample_dump.SampleDump(
        night, RECORDS, seed, known_share=0.4, changed_share=0.15, defect_share=0.1, duplicate_share=0.05
    )
    sample_dump.write(spec, path)
    return path


@dataclass(frozen=True)
class Scene:
    """Nights published before the one that is disturbed, and that one."""

    before: list[Attempt]
    victim: Attempt


def scene(source: str, seed: int) -> Scene:
    """By turns: the newest night, one that replaces the newest, an older one late, one that replaces an older."""

    def night(day: int, seed_too: int = seed, supersede: bool = False) -> Attempt:
        date_ = FIRST + timedelta(days=day)
        return Attempt(source, date_, dump(date_, seed_too), supersede)

    other = seed + 1000
    return (
        Scene([night(0), night(1)], night(2)),
        Scene([night(0), night(1, other), night(2, other)], night(2, supersede=True)),
        Scene([night(0), night(2)], night(1)),
        Scene([night(0), night(1, other), night(2)], night(1, supersede=True)),
    )[seed % 4]


def publish_without_spark(attempt: Attempt, told: Callable[[attempts.Attempt], None] = lambda _: None) -> None:
    """One attempt to publish the night: open its run, stage it, merge."""
    dump_id = hashlib.sha256(attempt.dump.read_bytes()).hexdigest()
    opening.record_dump(dump_id, attempt.source, str(attempt.dump), [_file(attempt.dump)])
    run = _opened(attempt, dump_id)
    with attempts.attempt(run.run_id, "publish") as step:
        expected = stage(run, step, attempt)
        told(step)
        publishing.merge(run, step, expected)


def _opened(attempt: Attempt, dump_id: str) -> Run:
    if attempt.requeue_of:
        return opening.open_requeue(attempt.requeue_of, str(attempt.reason))
    return opening.open_run(
        attempt.night, attempt.source, dump_id, MODEL, supersede=attempt.supersede, reason=attempt.reason
    )


def _file(path: Path) -> DumpFile:
    return DumpFile(0, str(path), "0" * 64, "jsonl", "none", path.stat().st_size, RECORDS)


def stage(run: Run, step: attempts.Attempt, attempt: Attempt) -> publishing.Expected:
    """Fill the attempt's staging as `score` and the publish job would have; what they would have promised."""
    baseline = publishing.newest_publication(run.source)
    with transaction() as c:
        query = publishing.known_before(run.night, run.source)
        known = {row.review_id: row.known_hash for row in c.exec_driver_sql(query)}
    night, staging = oracle.read(attempt.dump, run.source, run.night), Staging(run.run_id, step.token)
    staging.create()
    rows = [_staged(review, run, known) for review in night.accepted]
    _insert(staging, "review", rows)
    _insert(staging, "quarantine", [_refused(number, raw) for number, raw in night.quarantined.items()])
    checksum = str(sum(int(review.review_id[:15], 16) for review in night.accepted))
    return publishing.Expected(Part([], len(rows), checksum), len(night.quarantined), baseline)


def _staged(review: oracle.Review, run: Run, known: dict[str, str]) -> dict[str, Any]:
    names = ("item_id", "item_type", "item_title", "author", "rating", "review_date", "title", "text", "polarity")
    content = dict(zip(names, review.content, strict=True))
    content_hash = hashlib.sha256(repr(review.content).encode()).hexdigest()[:32]
    before = known.get(review.review_id)
    novelty = "new" if before is None else "known" if before == content_hash else "changed"
    hidden = novelty == "known" and run.supersedes is None
    p = made_up_probability(review.text)
    return {
        **content,
        **(dict.fromkeys(("title", "text", "author")) if hidden else {}),
        "file_no": 0,
        "record_no": review.record_no,
        "review_id": review.review_id,
        "text_hash": hashlib.sha256(unicodedata.normalize("NFC", review.text).encode()).hexdigest(),
        "content_hash": content_hash,
        "novelty": novelty,
        "label": "pos" if p >= 0.5 else "neg",
        "score": max(p, 1 - p),
        "p_positive": p,
        "probabilities": json.dumps({"neg": 1 - p, "pos": p}),
        "n_wordpieces": 9,
        "n_chunks": 1,
        "scored_at": datetime(2026, 3, 1, tzinfo=UTC),
    }


def _refused(number: int, raw: bytes) -> dict[str, Any]:
    names = {"reasons": ["refused"], "details": "refused", "raw_bytes": len(raw), "byte_offset": 0}
    return {**names, "file_no": 0, "record_no": number, "raw": raw, "raw_sha256": hashlib.sha256(raw).hexdigest()}


def _insert(staging: Staging, kind: str, rows: list[dict[str, Any]]) -> None:
    names = STAGED[kind].staged
    connection = engine("writer").raw_connection()
    try:
        values = [[row.get(name) for name in names] for row in rows]
        statement = f"INSERT INTO {staging.table(kind)} ({', '.join(names)}) VALUES %s"
        execute_values(connection.cursor(), statement, values)
        connection.commit()
    finally:
        connection.close()


def run_whole(spark: SparkSession, attempt: Attempt, resume: bool = False) -> None:
    """Every step of the night as Airflow runs them; `resume` leaves out what is done, as clearing a task does."""
    from sentiment.jobs import ingest, publish, score, validate
    from sentiment.orchestration import requeueing, steps

    if attempt.requeue_of:
        found = requeueing.find(requeueing.Requeue(attempt.requeue_of, attempt.reason))
    else:
        asked = steps.Request(
            attempt.night, attempt.source, MODEL, str(attempt.dump), attempt.supersede, attempt.reason
        )
        found = steps.find_dump(asked)
    if found.nothing_new:
        return
    jobs = {"ingest": ingest.work, "validate": validate.work, "score": score.work, "publish": publish.work}
    for name in ("ingest", "validate", "score", "audit", "publish"):
        if resume and _is_done(found.run_id, name):
            continue
        if name == "audit":
            steps.audit(found.run_id)
            continue
        run = opening.get_run(found.run_id)
        with attempts.attempt(found.run_id, name) as step:
            jobs[name](spark, run, step, Workspace(settings.load().lake))


def _is_done(run_id: str, step: str) -> bool:
    query = "SELECT 1 FROM sentiment.run_step WHERE run_id = :run_id AND step = :step AND state = 'done'"
    with transaction() as c:
        return c.execute(sa.text(query), {"run_id": run_id, "step": step}).first() is not None


def scores(spark: SparkSession, texts: set[str]) -> dict[str, float]:
    """What the network says of each text, asked directly."""
    from sentiment.scoring import network, registry

    config = settings.load()
    model = registry.find(MODEL, config)
    frame = spark.createDataFrame([(text, text) for text in sorted(texts)], "text_hash string, text string")
    told = network.score(frame, network.load(spark, model, config.models_served), model)
    return {row["text_hash"]: row["p_positive"] for row in told.select("text_hash", "p_positive").collect()}
