"""Publish the demo's nights, one by one: their parts cut out of all nights', every other step as a night takes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentiment import settings
from sentiment.demo import scoring
from sentiment.demo.story import DemoNight
from sentiment.drift import canary, confidence
from sentiment.drift.history import Stream
from sentiment.jobs import rescore
from sentiment.orchestration import ingesting, publishing_night, steps
from sentiment.orchestration.ingesting import Request
from sentiment.quality import rules
from sentiment.runs import attempts, opening
from sentiment.runs.attempts import Attempt
from sentiment.runs.handoff import CanaryPrediction, JudgedNight, RescoredNight, ScoredNight
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.store import publishing
from sentiment.workspace import Part, Workspace, run_key

JUDGED_PARTS = ("accepted", "quarantined", "duplicate", "unread")


@dataclass(frozen=True)
class AllNights:
    """The parts of all nights, as `demo.scoring` wrote them for one model; a row's `file_no` is its night."""

    model: str
    tables: dict[str, pa.Table]
    """`scored`, `profile` and those of `JUDGED_PARTS`."""
    canary: list[CanaryPrediction]

    def of(self, name: str, number: int) -> pa.Table:
        """Return a night's rows of a part, as a dump of one file has them."""
        table = self.tables[name]
        own = table.filter(pc.equal(table["file_no"], number))
        if name == "profile":
            return own.drop_columns(["file_no"])
        # Each night's dump is a single file.
        for column in {"file_no", "of_file_no"} & set(own.column_names):
            zeros = pa.array([0] * own.num_rows, own[column].type)
            own = own.set_column(own.column_names.index(column), column, zeros)
        # As score writes them.
        return own.sort_by("review_id") if name == "scored" else own


def load(workspace: Workspace, model: str, canary_predictions: list[CanaryPrediction]) -> AllNights:
    """Return what the job has written for a model."""
    parts = {name: workspace.committed(name, scoring.KEY, scoring.TOKEN) for name in (*JUDGED_PARTS, "scored")}
    parts["profile"] = [Part(workspace.list_files(scoring.PROFILE), 0, "")]
    return AllNights(model, {name: _table(workspace, of) for name, of in parts.items()}, canary_predictions)


def _table(workspace: Workspace, parts: Sequence[Part]) -> pa.Table:
    files = [file for part in parts for file in part.files]
    # Spark writes times as 96 bits.
    opened = (
        pq.ParquetFile(workspace.local(f), filesystem=workspace.filesystem, coerce_int96_timestamp_unit="us")
        for f in files
    )
    return pa.concat_tables([file.read() for file in opened])


def publish(night: DemoNight, source: str, scored: AllNights) -> Run:
    """Take a night's dump in and publish it with the scores that there are; one that is published stays as it is."""
    opened = ingesting.ingest(Request(night.night, source, scored.model, str(night.dump)))
    run = opening.get_run(opened.run_id)
    if opened.nothing_new:
        return run
    _judge(run, night, scored)
    _score(run, night, scored)
    steps.audit(run.run_id)
    publishing_night.publish(run.run_id)
    steps.track_drift(run.run_id)
    steps.report(run.run_id, nothing_new=False, dry_run=False)
    return opening.get_run(run.run_id)


def publish_again(night: DemoNight, run: Run, scored: AllNights) -> None:
    """Publish a night that another model's run has published, as `rescore_reviews` does."""
    registry.register(registry.find(scored.model, settings.load()))
    again = opening.open_run(night.night, run.source, run.dump_id, scored.model)
    if again.status == "published":
        return
    with attempts.attempt(again.run_id, publishing.RESCORE) as attempt:
        attempt.handoff = rescored = RescoredNight(novelty_base_run=publishing.newest_publication(run.source))
        model, reviews = registry.find(scored.model, settings.load()), scored.of("scored", night.number)
        shown = pa.array([True] * reviews.num_rows)
        rescored.uncertain_band = confidence.band_of(Stream(run.source, scored.model))
        rescored.scored = _write_scored(again, attempt, reviews.append_column("is_shown", shown), night, scored)
        fingerprint = registry.canary_fingerprint(model)
        rescored.canary = canary.check(model.model_id, fingerprint, again.run_id, scored.canary)
        attempt.counts |= {"read": reviews.num_rows, "accepted": reviews.num_rows}
        rescore.publish(again, attempt, rescored, _workspace())


def _workspace() -> Workspace:
    return Workspace(settings.load().lake)


def _judge(run: Run, night: DemoNight, scored: AllNights) -> None:
    """Record the night's records as validate does, from those of all nights."""
    with attempts.attempt(run.run_id, "validate") as attempt:
        tables = {name: scored.of(name, night.number) for name in JUDGED_PARTS}
        for name, table in tables.items():
            _write(run, attempt, name, table)
        table_of_rules = rules.table(settings.load(), run.night)
        reasons = Counter(reason for reasons in tables["quarantined"]["reasons"].to_pylist() for reason in reasons)
        unread = Counter(tables["unread"]["rule_name"].to_pylist())
        attempt.handoff = JudgedNight(
            rules=[rule.name for rule in rules.refusing(table_of_rules)], reasons=dict(reasons), unread=dict(unread)
        )
        attempt.counts = {name: tables[name].num_rows for name in ("accepted", "quarantined", "duplicate")}


def _score(run: Run, night: DemoNight, scored: AllNights) -> None:
    """Record the night's scores and its profile as score does."""
    with attempts.attempt(run.run_id, "score") as attempt:
        attempt.handoff = done = ScoredNight(novelty_base_run=publishing.newest_publication(run.source))
        done.canary = scored.canary
        done.uncertain_band = confidence.band_of(Stream(run.source, run.model_id))
        done.scored = _write_scored(run, attempt, scored.of("scored", night.number), night, scored)


def _write_scored(run: Run, attempt: Attempt, reviews: pa.Table, night: DemoNight, scored: AllNights) -> Part:
    """Commit the profile and the reviews, which count as scored in this run; return the part of the reviews."""
    own = pa.array([run.run_id] * reviews.num_rows)
    reviews = reviews.set_column(reviews.column_names.index("scored_in"), "scored_in", own)
    _write(run, attempt, "profile", scored.of("profile", night.number))
    part = _write(run, attempt, "scored", reviews, "review_id")
    attempt.counts |= {"scored": part.rows, "reused": 0}
    return part


def _write(run: Run, attempt: Attempt, name: str, table: pa.Table, key_column: str = "") -> Part:
    workspace, key = _workspace(), run_key(run.night, run.run_id)
    folder = workspace.local(workspace.folder(name, key, attempt.token))
    workspace.filesystem.create_dir(folder, recursive=True)
    pq.write_table(table, f"{folder}/part.parquet", filesystem=workspace.filesystem)
    files = workspace.list_files(workspace.folder(name, key, attempt.token))
    part = workspace.counted(Part(files, 0, ""), key_column)
    workspace.commit(name, key, attempt.token, part)
    return part
