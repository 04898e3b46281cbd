"""Nights for the kill matrix and the tests: small dumps, and two ways to publish one.

`publish_without_spark` publishes what the oracle reads in the dump, so that hundreds of nights take seconds;
`run_all_steps` runs the real jobs on one Spark session.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sentiment import schemas, settings
from sentiment.database import transaction
from sentiment.orchestration import publishing_night
from sentiment.runs import attempts, opening
from sentiment.runs.attempts import Attempt
from sentiment.runs.handoff import ReceivedDump, ScoredNight
from sentiment.runs.model import DumpFile, IdentityRule, Run
from sentiment.samples import sample_dump
from sentiment.store import publishing
from sentiment.workspace import Part, Workspace, run_key

from tests.kit import oracle

if TYPE_CHECKING:
    from pyspark.ml import PipelineModel
    from pyspark.sql import SparkSession
    from sentiment.scoring.registry import Model

    Load = Callable[[SparkSession, Model, Path], PipelineModel]

FIRST = date(2026, 3, 2)
RECORDS = 40
MODEL = "cinema-fr"


@dataclass(frozen=True)
class NightSpec:
    """A night to publish.

    `supersede` lets its dump replace another one of the same night; `requeue_of` is the id of a run of the same dump
    that it replaces; `model` scores it; `profile` names the source profile that it is read by, `encoding` the dump's
    encoding; `allow` are batch checks that it may fail.
    """

    source: str
    night: date
    dump: Path
    supersede: bool = False
    requeue_of: str | None = None
    model: str = MODEL
    profile: str | None = None
    allow: tuple[str, ...] = ()
    encoding: str | None = None

    @property
    def reason(self) -> str | None:
        """Why it replaces a run, None where it replaces none."""
        return "kill matrix" if self.supersede or self.requeue_of or self.allow else None


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


@cache
def unread_dump(night: date, seed: int) -> Path:
    """Write a dump of which so many ratings can't be read that a batch check stops it; return its path."""
    path = settings.load().home / "dumps" / f"matrix-unread-{night}-{seed}.jsonl"
    lines = []
    for number, line in enumerate(dump(night, seed).read_bytes().splitlines(keepends=True)):
        lines.append(re.sub(rb'"rating": [\d.]+', b'"rating": 11.0', line) if number % 2 else line)
    path.write_bytes(b"".join(lines))
    return path


def publish_without_spark(spec: NightSpec, after_staging: Callable[[Attempt], None] = lambda _: None) -> None:
    """Publish a night in one attempt: open its run, write its parts, load them, call `after_staging`, merge.

    Raises the pipeline's errors.
    """
    run = open_night(spec)
    with attempts.attempt(run.run_id, "publish") as attempt:
        expected = stage(run, attempt, spec)
        after_staging(attempt)
        publishing.merge(run, attempt, expected)


def open_night(spec: NightSpec) -> Run:
    """Open the night's run, or find the one that is open."""
    dump_id = hashlib.sha256(spec.dump.read_bytes()).hexdigest()
    opening.record_dump(dump_id, spec.source, str(spec.dump), [_file(spec.dump)])
    if spec.requeue_of:
        return opening.open_requeue(spec.requeue_of, str(spec.reason))
    return opening.open_run(spec.night, spec.source, dump_id, spec.model, supersede=spec.supersede, reason=spec.reason)


def _file(path: Path) -> DumpFile:
    return DumpFile(0, str(path), "0" * 64, "jsonl", "none", path.stat().st_size, RECORDS)


def stage(run: Run, attempt: Attempt, spec: NightSpec) -> publishing.Expected:
    """Write what `validate` and `score` would have left of a dump, and load it as the step publish does."""
    write_parts(run, spec)
    return publishing_night.stage(run, attempt, Workspace())


def write_parts(run: Run, spec: NightSpec) -> None:
    """Commit what `validate` and `score` leave of a dump, its profile empty, in finished attempts of their steps."""
    novelty_base_run = publishing.newest_publication(run.source)
    with transaction() as c:
        query = publishing.known_before(run.night, run.source)
        known = {row.review_id: row.known_hash for row in c.exec_driver_sql(query)}
    night = oracle.read(spec.dump, run.source, run.night)
    if not _is_done(run.run_id, "ingest"):
        with attempts.attempt(run.run_id, "ingest") as ingest:
            ingest.handoff = ReceivedDump(layouts=[], identity=IdentityRule(("own_id",)))
    with attempts.attempt(run.run_id, "validate") as validate:
        _commit(run, validate, "quarantined", [_refused(number, raw) for number, raw in night.quarantined.items()])
        _commit(run, validate, "duplicate", [_duplicate(*pair) for pair in night.duplicates.items()])
        _commit(run, validate, "unread", [_unread(*at, value) for at, value in night.unread.items()])
    with attempts.attempt(run.run_id, "score") as score:
        _commit(run, score, "profile", [])
        checksum = str(sum(int(review.review_id[:15], 16) for review in night.accepted))
        part = _commit(run, score, "scored", [_scored(review, run, known) for review in night.accepted], checksum)
        score.handoff = ScoredNight(scored=part, novelty_base_run=novelty_base_run)


def _commit(run: Run, attempt: Attempt, dataset: str, rows: list[dict[str, Any]], checksum: str = "") -> Part:
    workspace, key = Workspace(), run_key(run.night, run.run_id)
    file = f"{workspace.folder(dataset, key, attempt.token)}/part.parquet"
    workspace.filesystem.create_dir(workspace.local(file).rpartition("/")[0])
    table = pa.Table.from_pylist(rows, schemas.of_part(dataset).arrow())
    pq.write_table(table, workspace.local(file), filesystem=workspace.filesystem)
    part = Part([file], len(rows), checksum)
    workspace.commit(dataset, key, attempt.token, part)
    return part


def _scored(review: oracle.Review, run: Run, known: dict[str, str]) -> dict[str, Any]:
    content_hash = hashlib.sha256(repr(review.content).encode()).hexdigest()[:32]
    before = known.get(review.review_id)
    novelty = "new" if before is None else "known" if before == content_hash else "changed"
    p = hashed_probability(review.text)
    return {
        **dict(zip(schemas.CONTENT, review.content, strict=True)),
        "source": run.source,
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
        "scored_in": run.run_id,
    }


def _refused(number: int, raw: bytes) -> dict[str, Any]:
    names = {"reasons": ["refused"], "details": "refused", "raw_bytes": max(len(raw), 1), "byte_offset": 0}
    return {**names, "file_no": 0, "record_no": number, "raw": raw, "raw_sha256": hashlib.sha256(raw).hexdigest()}


def _duplicate(number: int, of_number: int) -> dict[str, Any]:
    of = {"of_file_no": 0, "of_record_no": of_number, "is_equal": True}
    return {"file_no": 0, "record_no": number, "review_id": "0" * 32, **of}


def _unread(number: int, column: str, value: str) -> dict[str, Any]:
    return {"file_no": 0, "record_no": number, "column_name": column, "value": value, "rule_name": "unread"}


def run_all_steps(session: SparkSession, spec: NightSpec, resume: bool = False) -> None:
    """Run every step of a night in this process, as Airflow runs them.

    `resume` leaves out the steps that are done, as clearing a failed task does.
    """
    from sentiment.jobs import score, validate
    from sentiment.orchestration import ingesting, requeueing, steps
    from sentiment.scoring import network

    if spec.requeue_of:
        opened = requeueing.find(requeueing.Requeue(spec.requeue_of, spec.reason))
    else:
        request = ingesting.Request(
            spec.night, spec.source, spec.model, str(spec.dump), spec.supersede, spec.reason, profile=spec.profile,
            encoding=spec.encoding, allow=spec.allow,
        )  # fmt: skip
        opened = ingesting.ingest(request)
    if opened.nothing_new:
        return
    jobs = {"validate": validate.work, "score": score.work}
    others = {"audit": steps.audit, "publish": publishing_night.publish}
    for step in ("validate", "score", "audit", "publish"):
        if resume and _is_done(opened.run_id, step):
            continue
        if step in others:
            others[step](opened.run_id)
            continue
        run = opening.get_run(opened.run_id)
        once = partial(_loaded_once, network.load)
        with attempts.attempt(opened.run_id, step) as attempt, patch.object(network, "load", once):
            jobs[step](session, run, attempt, Workspace(settings.load().lake))


@cache
def _loaded_once(load: Load, session: SparkSession, model: Model, scratch: Path) -> PipelineModel:
    """Load a network as a night does, but once for all nights of a session: it takes seconds each time."""
    return load(session, model, scratch)


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
