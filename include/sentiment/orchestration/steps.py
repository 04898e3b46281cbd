"""The steps of a night that need no Spark, as plain functions."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError, SetupError
from sentiment.orchestration import summary
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
    """A night to run, checked before anything starts; raises ParameterError for values that can't be used."""

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
class OpenedRun:
    """The run that find_dump opened, or the one that had published the same dump before."""

    run_id: str
    nothing_new: bool
    """True: the dump is published already, and no task has anything to do."""


def find_dump(request: Request) -> OpenedRun:
    """Read the dump once, name it, and open its run.

    Raises DumpNotFoundError, DumpUnreadableError, DumpRefusedError or ParameterError before any Spark starts.
    """
    from sentiment.drift import confidence
    from sentiment.drift.history import Stream
    from sentiment.dump.receive import receive
    from sentiment.scoring import registry

    config = settings.load()
    # Before the dump is read, which may take an hour.
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
        return OpenedRun(run.run_id, nothing_new=True)
    return begin(run, dump, reading, request.allow, request.sentences)


def begin(run: Run, dump: Dump, reading: Reading, allow: Collection[str], sentences: bool) -> OpenedRun:
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
    return OpenedRun(run.run_id, nothing_new=False)


def _arrival(dump: Dump) -> batch.Arrival:
    names = (dump.uri, *(file.uri for file in dump.files))
    schema = batch.Schema(tuple(dump.columns), dump.mapped)
    return batch.Arrival(names, dump.n_records, schema, dump.manifest_night, dump.profile.listing == "full")


def _check_received(run: Run, key: str) -> None:
    """Raise InfrastructureError where the dump's records are gone from the workspace."""
    # maintain_store leaves the records of a live run, which this one is from here on; up to here it might have
    # removed them.
    if not Workspace(settings.load().lake).committed("received", key):
        raise InfrastructureError(
            f"The records of dump {run.dump_id} were just removed from the workspace.", opening.rerun_command(run)
        )


def check_schema() -> None:
    """Raise SetupError where the reviews database is not at this code's revision."""
    from sentiment.store import migrate

    revision, known = migrate.current("writer"), migrate.head()
    if revision != known:
        raise SetupError(
            f"The reviews database is at revision {revision}; this code needs {known}.", "sentiment db migrate"
        )


def audit(run_id: str) -> None:
    """Check, before anything is visible, that counts add up and canary predictions equal the first ones.

    Raises InfrastructureError where rows were lost or doubled, CanaryMovedError where the network predicts otherwise.
    """
    from sentiment.drift import canary
    from sentiment.scoring import registry

    with attempts.attempt(run_id, "audit") as attempt:
        run = opening.get_run(run_id)
        _check_conservation(run)
        model = registry.find(run.model_id, settings.load())
        scored = attempts.finished(run_id, "score").handoff(ScoredNight)
        finding = canary.check(model.model_id, registry.canary_fingerprint(model), run_id, scored.canary)
        attempt.handoff = ComparedCanary(canary=finding)
        phases.reached("audited")
    opening.set_status(run_id, "audited")


def _check_conservation(run: Run) -> None:
    n = run.counts
    workspace, key = Workspace(settings.load().lake), run_key(run.night, run.run_id)
    rows = {
        dataset: sum(p.rows for p in workspace.committed(dataset, key, attempts.finished(run.run_id, step).token))
        for dataset, step in (("ingested", "ingest"), ("accepted", "validate"), ("scored", "score"))
    }
    sums = {
        "read = accepted + quarantined + duplicate": (
            rows["ingested"],
            n["accepted"] + n["quarantined"] + n["duplicate"],
        ),
        "accepted = scored + reused": (rows["accepted"], n["scored"] + n["reused"]),
        "accepted = rows with a score": (rows["accepted"], rows["scored"]),
    }
    broken = [f"{invariant} ({one:,} against {other:,})" for invariant, (one, other) in sums.items() if one != other]
    if broken:
        raise InfrastructureError(f"Rows were lost or doubled: {'; '.join(broken)}.", opening.rerun_command(run))


def track_drift(run_id: str) -> None:
    """Compare the published night with its reference and the night before."""
    from sentiment.drift import tracking

    with attempts.attempt(run_id, "track_drift") as attempt:
        attempt.handoff = TrackedDrift(statuses=dict(tracking.track(run_id)))


def report(run_id: str, nothing_new: bool, dry_run: bool) -> str:
    """Return the night in one paragraph, and store it with the run unless the run was published before."""
    text = summary.of_run(run_id, nothing_new, dry_run)
    if not nothing_new:
        with attempts.attempt(run_id, "report") as attempt:
            attempt.handoff = Report(text=text)
        opening.set_status(run_id, "audited", text)
    log.info("%s", text)
    return text
