"""Nights for the kill matrix and the tests: small dumps, and two ways to publish one.

`publish_without_spark` stages what the oracle reads in the dump, so that hundreds of nights take seconds;
`run_all_steps` runs the real jobs on one Spark session.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg2.extras import execute_values
from psycopg2.sql import SQL, Identifier
from sentiment import settings
from sentiment.database import engine, transaction
from sentiment.runs import attempts, opening
from sentiment.runs.attempts import Attempt
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
class NightSpec:
    """A night to publish.

    `supersede` lets its dump replace another one of the same night; `requeue_of` is the id of a run of the same dump
    that it replaces; `model` scores it.
    """

    source: str
    night: date
    dump: Path
    supersede: bool = False
    requeue_of: str | None = None
    model: str = MODEL

    @property
    def reason(self) -> str | None:
        """Why it replaces a run, None where it replaces none."""
        return "kill matrix" if self.supersede or self.requeue_of else None


def hashed_probability(text: str) -> float:
    """Return a probability between 0.01 and 0.99 that depends on the text alone, where no network predicts one."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 9_800 + 100) / 10_000


@cache
def dump(night: date, seed: int) -> Path:
    """Write a dump of every kind of record; return its path.

    With the same seed it lists reviews of earlier nights again, some of them changed.
    """
    path = settings.load().home / "dumps" / f"matrix-{night}-{seed}.jsonl"
    spec = sample_dump.SampleDump(
        night, RECORDS, seed, known_share=0.4, changed_share=0.15, defect_share=0.1, duplicate_share=0.05
    )
    sample_dump.write(spec, path)
    return path


def publish_without_spark(spec: NightSpec, after_staging: Callable[[Attempt], None] = lambda _: None) -> None:
    """Publish a night in one attempt: open its run, stage it, call `after_staging`, merge.

    Raises the pipeline's errors.
    """
    dump_id = hashlib.sha256(spec.dump.read_bytes()).hexdigest()
    opening.record_dump(dump_id, spec.source, str(spec.dump), [_file(spec.dump)])
    run = _open(spec, dump_id)
    with attempts.attempt(run.run_id, "publish") as attempt:
        expected = stage(run, attempt, spec)
        after_staging(attempt)
        publishing.merge(run, attempt, expected)


def _open(spec: NightSpec, dump_id: str) -> Run:
    if spec.requeue_of:
        return opening.open_requeue(spec.requeue_of, str(spec.reason))
    return opening.open_run(spec.night, spec.source, dump_id, spec.model, supersede=spec.supersede, reason=spec.reason)


def _file(path: Path) -> DumpFile:
    return DumpFile(0, str(path), "0" * 64, "jsonl", "none", path.stat().st_size, RECORDS)


def stage(run: Run, attempt: Attempt, spec: NightSpec) -> publishing.Expected:
    """Fill the attempt's staging tables as the publish job would; return what `score` would have handed over."""
    novelty_base_run = publishing.newest_publication(run.source)
    with transaction() as c:
        query = publishing.known_before(run.night, run.source)
        known = {row.review_id: row.known_hash for row in c.exec_driver_sql(query)}
    night, staging = oracle.read(spec.dump, run.source, run.night), Staging(run.run_id, attempt.token)
    staging.create()
    rows = [_staged(review, run, known) for review in night.accepted]
    _insert(staging, "review", rows)
    _insert(staging, "quarantine", [_refused(number, raw) for number, raw in night.quarantined.items()])
    checksum = str(sum(int(review.review_id[:15], 16) for review in night.accepted))
    return publishing.Expected(Part([], len(rows), checksum), len(night.quarantined), novelty_base_run)


def _staged(review: oracle.Review, run: Run, known: dict[str, str]) -> dict[str, Any]:
    names = ("item_id", "item_type", "item_title", "author", "rating", "review_date", "title", "text", "polarity")
    content = dict(zip(names, review.content, strict=True))
    content_hash = hashlib.sha256(repr(review.content).encode()).hexdigest()[:32]
    before = known.get(review.review_id)
    novelty = "new" if before is None else "known" if before == content_hash else "changed"
    # What readers see of a known review stays, so that publishing needs its content only where it replaces a run.
    without_content = novelty == "known" and run.supersedes is None
    p = hashed_probability(review.text)
    return {
        **content,
        **(dict.fromkeys(("title", "text", "author")) if without_content else {}),
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
    columns = STAGED[kind].staged
    statement = SQL("INSERT INTO {} ({}) VALUES %s").format(
        Identifier("staging", staging.name(kind)), SQL(", ").join(map(Identifier, columns))
    )
    connection = engine("writer").raw_connection()
    try:
        execute_values(connection.cursor(), statement, [[row.get(name) for name in columns] for row in rows])
        connection.commit()
    finally:
        connection.close()


def run_all_steps(session: SparkSession, spec: NightSpec, resume: bool = False) -> None:
    """Run every step of a night in this process, as Airflow runs them.

    `resume` leaves out the steps that are done, as clearing a failed task does.
    """
    from sentiment.jobs import publish, score, validate
    from sentiment.orchestration import ingesting, requeueing, steps

    if spec.requeue_of:
        opened = requeueing.find(requeueing.Requeue(spec.requeue_of, spec.reason))
    else:
        opened = ingesting.ingest(
            ingesting.Request(spec.night, spec.source, spec.model, str(spec.dump), spec.supersede, spec.reason)
        )
    if opened.nothing_new:
        return
    jobs = {"validate": validate.work, "score": score.work, "publish": publish.work}
    for step in ("validate", "score", "audit", "publish"):
        if resume and _is_done(opened.run_id, step):
            continue
        if step == "audit":
            steps.audit(opened.run_id)
            continue
        run = opening.get_run(opened.run_id)
        with attempts.attempt(opened.run_id, step) as attempt:
            jobs[step](session, run, attempt, Workspace(settings.load().lake))


def _is_done(run_id: str, step: str) -> bool:
    query = "SELECT 1 FROM sentiment.run_step WHERE run_id = :run_id AND step = :step AND state = 'done'"
    with transaction() as c:
        return c.execute(sa.text(query), {"run_id": run_id, "step": step}).first() is not None


def predicted_probabilities(session: SparkSession, texts: set[str]) -> dict[str, float]:
    """Return the probability of each text being positive as the network predicts it, by text."""
    from sentiment.scoring import network, registry

    config = settings.load()
    model = registry.find(MODEL, config)
    # The job joins predictions by hash; here the text itself serves as its own.
    frame = session.createDataFrame([(text, text) for text in sorted(texts)], "text_hash string, text string")
    predictions = network.score(frame, network.load(session, model, config.models_served), model)
    return {row["text_hash"]: row["p_positive"] for row in predictions.select("text_hash", "p_positive").collect()}
