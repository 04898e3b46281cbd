"""The steps of a night that need no Spark, as plain functions."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError, SetupError
from sentiment.quality import batch
from sentiment.runs import attempts, opening, phases
from sentiment.runs.handoff import ComparedCanary, Report, ScoredNight, TrackedDrift
from sentiment.runs.model import Reading, Run
from sentiment.workspace import Workspace, run_key

if TYPE_CHECKING:
    from sentiment.dump.receive import Dump

log = logging.getLogger(__name__)

PARIS = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class Request:
    """What a night was asked to do, checked before anything starts."""

    night: date
    source: str
    model: str
    dump: str
    supersede: bool = False
    reason: str | None = None
    airflow_run_id: str | None = None
    profile: str | None = None
    encoding: str | None = None
    allow: tuple[str, ...] = ()
    sentences: bool = False

    def __post_init__(self) -> None:
        today = datetime.now(PARIS).date()
        if self.night > today:
            raise ParameterError(f"night {self.night} lies in the future; today is {today} in Paris.", "sentiment runs")
        if self.supersede and not (self.reason or "").strip():
            raise ParameterError("supersede needs a reason, in words.", "make nightly DUMP=… DATE=… SUPERSEDE='why'")
        batch.check_allowed(self.allow, self.reason)


@dataclass(frozen=True)
class Found:
    """The run that find_dump opened, or the one that had published the same before."""

    run_id: str
    nothing_new: bool


def find_dump(request: Request) -> Found:
    """Read the dump once, name it, and open its run.

    Raises DumpNotFoundError, DumpUnreadableError, DumpRefusedError or ParameterError before any Spark starts.
    """
    from sentiment.drift import confidence
    from sentiment.drift.history import Stream
    from sentiment.dump.receive import receive
    from sentiment.scoring import registry

    config = settings.load()
    check_schema()
    model = registry.find(request.model, config)
    reading = Reading(request.source, request.profile, request.encoding)
    dump = receive(request.dump, config, Workspace(config.lake), reading)
    registry.register(model)
    with transaction() as c:
        confidence.note(c, Stream(request.source, model.model_id))
    opening.record_dump(dump.dump_id, request.source, request.dump, dump.files)
    run = opening.open_run(
        request.night,
        request.source,
        dump.dump_id,
        model.model_id,
        airflow_run_id=request.airflow_run_id,
        supersede=request.supersede,
        reason=request.reason,
    )
    if run.status == "published":
        log.info("nothing new: run %s has published this dump", run.run_id)
        return Found(run.run_id, nothing_new=True)
    return begin(run, dump, reading, request.allow, request.sentences)


def begin(run: Run, dump: Dump, reading: Reading, allow: Collection[str], sentences: bool) -> Found:
    """Record how the dump's records are to be read and check the batch by its files, as the attempt of find_dump."""
    with attempts.attempt(run.run_id, "find_dump") as attempt:
        _check_received(run, dump.key)
        attempt.handoff = received = dump.handoff()
        received.allow, received.reading, received.sentences = sorted(allow), reading, sentences
        mapping = ", ".join(f"{column} as {name}" for name, column in dump.mapped.items())
        log.info("read by the source profile %s: %s", dump.profile.name, mapping)
        attempt.counts["read"] = dump.n_records
        findings = batch.check_arrival(run, _arrival(dump), settings.load(), received)
        received.allowed = batch.stop_unless_allowed(run, findings, allow)
        attempt.progress(dump.n_records, dump.n_records)
        phases.reached("dump found")
    return Found(run.run_id, nothing_new=False)


def _arrival(dump: Dump) -> batch.Arrival:
    names = (dump.uri, *(file.uri for file in dump.files))
    schema = batch.Schema(tuple(dump.columns), dump.mapped)
    return batch.Arrival(names, dump.n_records, schema, dump.manifest_night, dump.profile.listing == "full")


def _check_received(run: Run, key: str) -> None:
    """From here on the run is live, so maintain_store leaves its records; up to here it might have taken them."""
    if not Workspace(settings.load().lake).committed("received", key):
        raise InfrastructureError(
            f"The records of dump {run.dump_id} were just removed from the lake.", opening.rerun_command(run)
        )


def check_schema() -> None:
    """Raise SetupError where the reviews database is not at this code's revision."""
    from sentiment.store import migrate

    there, known = migrate.current("writer"), migrate.head()
    if there != known:
        raise SetupError(
            f"The reviews database is at revision {there}; this code needs {known}.", "sentiment db migrate"
        )


def audit(run_id: str) -> None:
    """Before anything is visible: counts add up, the canary sings as before."""
    from sentiment.drift import canary
    from sentiment.scoring import registry

    with attempts.attempt(run_id, "audit") as attempt:
        run = opening.get_run(run_id)
        _check_conservation(run)
        model = registry.find(run.model_id, settings.load())
        scored = attempts.finished(run_id, "score").handoff(ScoredNight)
        predictions = [canary.Said(p.sentence_no, p.label, p.score) for p in scored.canary]
        finding = canary.check(model.model_id, registry.canary_fingerprint(model), run_id, predictions)
        attempt.handoff = ComparedCanary(canary=finding)
        phases.reached("audited")
    opening.set_status(run_id, "audited")


def _check_conservation(run: Run) -> None:
    n = run.counts
    workspace, key = Workspace(settings.load().lake), run_key(run.night, run.run_id)
    kept = {
        dataset: sum(p.rows for p in workspace.committed(dataset, key, attempts.finished(run.run_id, step).token))
        for dataset, step in (("ingested", "ingest"), ("accepted", "validate"), ("scored", "score"))
    }
    sums = {
        "read = accepted + quarantined + duplicate": (
            kept["ingested"],
            n["accepted"] + n["quarantined"] + n["duplicate"],
        ),
        "accepted = scored + reused": (kept["accepted"], n["scored"] + n["reused"]),
        "accepted = rows with a score": (kept["accepted"], kept["scored"]),
    }
    broken = [f"{law} ({left:,} against {right:,})" for law, (left, right) in sums.items() if left != right]
    if broken:
        raise InfrastructureError(f"Rows were lost or doubled: {'; '.join(broken)}.", opening.rerun_command(run))


def track_drift(run_id: str) -> None:
    """Compare the published night with its reference and the night before."""
    from sentiment.drift import tracking

    with attempts.attempt(run_id, "track_drift") as attempt:
        attempt.handoff = TrackedDrift(statuses=dict(tracking.track(run_id)))


def report(run_id: str, nothing_new: bool, dry_run: bool) -> str:
    """The night in one paragraph; kept as the run's verdict."""
    text = summary(run_id, nothing_new, dry_run)
    if not nothing_new:
        with attempts.attempt(run_id, "report") as attempt:
            attempt.handoff = Report(text=text)
        opening.set_status(run_id, "audited", text)
    log.info("%s", text)
    return text


def summary(run_id: str, nothing_new: bool = False, dry_run: bool = False) -> str:
    """What became of a run, in words."""
    run = opening.get_run(run_id)
    if nothing_new:
        did = f"requeued run {run.requeue_of}" if run.requeue_of else f"published this dump for night {run.night}"
        return f"Nothing new: run {run_id} has {did} before; nothing was changed."
    n = run.counts
    words = (
        f"Night {run.night} of {run.source} by {run.model_id}: {n['read']:,} records read, {n['accepted']:,} accepted, "
        f"{n['quarantined']:,} quarantined, {n['duplicate']:,} duplicate; {n['scored']:,} scored, "
        f"{n['reused']:,} reused"
    )
    words += "".join(f". {told}" for told in batch.notices(run_id))
    if dry_run:
        return f"{words}. Dry run: nothing was published."
    words += f", {n['published']:,} published ({novelty_words(run_id)}), {share_words(run_id)}."
    words += f" Drift: {drift_words(run_id)}.{beside_words(run)}"
    return f"{words} {requeue_words(run)}" if run.requeue_of else words


def beside_words(run: Run) -> str:
    """Nothing, or that the views show another model than the run's."""
    from sentiment.scoring import registry

    with transaction() as c:
        current = registry.current(c)
    if current == run.model_id:
        return ""
    return f" The views show {current}; to show this one: sentiment model use {run.model_id}."


def requeue_words(run: Run) -> str:
    """How the records fared that a run took up again."""
    from sentiment.store import quarantine

    passed, total = quarantine.taken(str(run.requeue_of), run.run_id)
    return f"{passed:,} of the {total:,} requeued records passed; {total - passed:,} are refused again."


def novelty_words(run_id: str) -> str:
    """How much of what a run published was new, like `1,780 new, 20 changed, 180 known`."""
    query = "SELECT novelty, count(*) AS n FROM sentiment.night_review WHERE run_id = :run_id GROUP BY novelty"
    with transaction() as c:
        counted = {row.novelty: row.n for row in c.execute(sa.text(query), {"run_id": run_id})}
    return ", ".join(f"{counted.get(novelty, 0):,} {novelty}" for novelty in ("new", "changed", "known"))


def share_words(run_id: str) -> str:
    """Positive share of what a run published, like `61.3% positive`; each label's where none is the positive one."""
    with transaction() as c:
        told = c.execute(sa.text(POSITIVE_SHARE), {"run_id": run_id}).one()
        shares = [] if told.positive_label else c.execute(sa.text(LABEL_SHARES), {"run_id": run_id}).all()
    if told.positive_label:
        return "none published" if told.share is None else f"{told.share:.1%} positive"
    return ", ".join(f"{row.share:.1%} {row.label}" for row in shares) or "none published"


POSITIVE_SHARE = """
SELECT m.positive_label, (SELECT sum(n_positive)::float / nullif(sum(n), 0) FROM sentiment.film_night f
  WHERE f.run_id = r.run_id) AS share
FROM sentiment.run r JOIN sentiment.model m USING (model_id) WHERE r.run_id = :run_id"""
LABEL_SHARES = """
SELECT s.label, count(*) / sum(count(*)) OVER () AS share
FROM sentiment.run r JOIN sentiment.night_review n ON n.run_id = r.run_id
JOIN sentiment.review_sentiment s ON s.review_id = n.review_id AND s.model_id = r.model_id
WHERE r.run_id = :run_id GROUP BY s.label ORDER BY count(*) DESC, s.label"""


def drift_words(run_id: str) -> str:
    """The drift verdict of a run's night in a few words, with the sentences of open alarms."""
    run = opening.get_run(run_id)
    keys = {"source": run.source, "model_id": run.model_id, "night": run.night}
    this = "source = :source AND model_id = :model_id"
    with transaction() as c:
        counted = {
            row.status: row.n
            for row in c.execute(
                sa.text(
                    f"SELECT status, count(*) AS n FROM drift.v_drift WHERE {this} AND night = :night "
                    "AND drift_type = 'BASELINE' GROUP BY status"
                ),
                keys,
            )
        }
        alarms = c.execute(
            sa.text(
                f"SELECT sentence FROM drift.v_alarm WHERE {this} AND status = 'alarm' AND last_night = :night "
                "ORDER BY slice_key <> 'all', column_name, slice_value LIMIT 3"
            ),
            keys,
        ).scalars()
        sentences = list(alarms)
    if set(counted) <= {"insufficient_data"}:
        return "insufficient data; sentiment reference pin --from … --to … gives nights something to be compared with"
    worst = next(s for s in ("alarm", "watch", "acknowledged", "ok", "insufficient_data") if s in counted)
    numbers = ", ".join(f"{n} {s.replace('_', ' ')}" for s, n in sorted(counted.items()))
    return " ".join([f"{worst} ({numbers})", *sentences]).rstrip(".")
