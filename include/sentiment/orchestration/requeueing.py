"""Requeue a published run's refused records: run its night again as a whole, from the same dump, by today's rules.

Records come from the run workspace while it has them, else from the dump's files, which must be unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.dump.archives import sha256_of
from sentiment.dump.receive import Dump, receive, received_before
from sentiment.errors import DumpNotFoundError, DumpRefusedError, InfrastructureError, ParameterError, quoted
from sentiment.orchestration import ingesting, waiting
from sentiment.orchestration.ingesting import OpenedRun
from sentiment.quality import batch
from sentiment.runs import attempts, opening, turns
from sentiment.runs.handoff import ReceivedDump
from sentiment.runs.model import DumpFile, Reading, Run
from sentiment.sql import statement
from sentiment.store import quarantine
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Requeue:
    """A request to requeue a run, and what to change against the request for its night."""

    run_id: str
    """The published run whose refused records are requeued."""
    reason: str | None = None
    profile: str | None = None
    """A source profile instead of the one that night was read by."""
    encoding: str | None = None
    allow: tuple[str, ...] = ()
    """Batch checks to allow, beside those that night was allowed."""
    airflow_run_id: str | None = None

    @property
    def try_next(self) -> str:
        """Return the command that makes the same request; it is a dry run."""
        changes = {"profile": self.profile, "encoding": self.encoding}
        options = "".join(f" --{name} {quoted(value)}" for name, value in changes.items() if value)
        return f"sentiment quarantine requeue {quoted(self.run_id)}{options}"


@dataclass(frozen=True)
class Plan:
    """What a requeue would reprocess, and how its dump would be read."""

    run: Run
    """The published run whose refused records are requeued."""
    refused: int
    """Records refused; those of forgotten reviews are not counted."""
    by_rule: dict[str, int]
    """Rule -> records that broke it; a record may break several."""
    reading: Reading = field(default_factory=Reading)
    allow: Collection[str] = ()
    dump: Dump | None = None
    """The dump as the run workspace holds it; None where its files must be read again."""
    requeued_in: str | None = None
    """The run that has reprocessed it already."""
    sentences: bool = False
    """Whether that night's sentences were scored."""

    def summary(self) -> str:
        """Return the plan in a sentence or two."""
        run = self.run
        if self.requeued_in:
            return f"Nothing new: run {self.requeued_in} has requeued run {run.run_id} before."
        rules = ", ".join(f"{rule} {n:,}" for rule, n in self.by_rule.items())
        profile = f" and the source profile {self.dump.profile.name}" if self.dump else ""
        return (
            f"Run {run.run_id} refused {self.refused:,} of {run.counts['read']:,} records ({rules}). Night {run.night} "
            f"of {run.source} would be run again as a whole, from the same dump, by today's rules{profile}, and "
            f"replace it."
        )


def plan(request: Requeue) -> Plan:
    """Return what a requeue would do; nothing is changed.

    Raises ParameterError for a run that its night does not show, or that refused nothing; DumpNotFoundError or
    DumpRefusedError where neither the run workspace nor the dump's files have its records any more.
    """
    run = opening.get_run(request.run_id)
    refused, by_rule = quarantine.requeueable(request.run_id)
    earlier = opening.find_requeue(run)
    if earlier and earlier.status == "published":
        return Plan(run, refused, by_rule, requeued_in=earlier.run_id)
    opening.check_shown(run)
    if not refused:
        raise ParameterError(f"Run {run.run_id} has refused no record that could pass.", "sentiment quarantine list")
    then = attempts.received_dump(run.run_id)
    reading = _reading(request, run, then)
    dump = _in_workspace(run, reading, then)
    if not dump:
        _check_files(request, run)
    return Plan(run, refused, by_rule, reading, {*then.allow, *request.allow}, dump, sentences=then.sentences)


def _reading(request: Requeue, run: Run, then: ReceivedDump) -> Reading:
    """Return how that night's request wanted its dump read, with the changes of this one."""
    profile, encoding = request.profile or then.reading.profile, request.encoding or then.reading.encoding
    return Reading(run.source, profile, encoding)


def _in_workspace(run: Run, reading: Reading, then: ReceivedDump) -> Dump | None:
    """Return the dump as the run workspace holds it; None where it must be read again."""
    if then.received_key is None:
        return None  # that night's version of the code cut records in another way
    config = settings.load()
    dump = received_before(run.dump_id, *_recorded_files(run), then, config, reading)
    # Another encoding may cut records elsewhere; it is part of the key.
    is_same = dump.key == then.received_key and Workspace(config.lake).committed("received", dump.key)
    return dump if is_same else None


def plan_or_preview(context: Context) -> dict[str, Any] | None:
    """Log the plan; return what it is about for the tasks after it, None after a dry run.

    Raises what `plan` raises.
    """
    planned = plan(_request_of(context))
    log.info("%s", planned.summary())
    return None if context["params"]["dry_run"] else {"requeued": planned.run.run_id, "records": planned.refused}


def ingest(context: Context) -> dict[str, Any] | None:
    """Open the run and return the fields of its `OpenedRun`; None while it must wait for its turn.

    Raises what `find` raises but NightAtWorkError.
    """
    return waiting.in_turn(lambda: find(_request_of(context)))


def _request_of(context: Context) -> Requeue:
    params = context["params"]
    fields = {name: params[name] for name in ("run_id", "reason", "profile", "encoding")}
    return Requeue(**fields, allow=tuple(params["allow"]), airflow_run_id=context["dag_run"].run_id)


def find(request: Requeue) -> OpenedRun:
    """Make the dump's records available in the run workspace, and open the run that reprocesses them.

    Raises what `plan` raises, ParameterError where there is no reason, and NightAtWorkError while another night of the
    source is between ingest and publish.
    """
    from sentiment.scoring import registry

    if not (request.reason or "").strip():
        raise ParameterError("a requeue needs a reason, in words.", f"{request.try_next} --reason 'why' --replace")
    batch.check_allowed(request.allow, request.reason)
    ingesting.check_schema()
    planned = plan(request)
    if planned.requeued_in:
        log.info("%s", planned.summary())
        return OpenedRun(planned.requeued_in, nothing_new=True)
    with transaction() as c:
        turns.check(c, planned.run.source, night=planned.run.night)
    # Before hours of reading: this raises where the model is gone, has changed or is retired.
    registry.register(registry.find(planned.run.model_id, settings.load()))
    dump = _received(request, planned)
    run = opening.open_requeue(request.run_id, str(request.reason), request.airflow_run_id, alone=True)
    if run.status == "published":
        return OpenedRun(run.run_id, nothing_new=True)
    return ingesting.begin(run, dump, planned.reading, planned.allow, planned.sentences)


def _received(request: Requeue, planned: Plan) -> Dump:
    """Return the dump, its files read again where the run workspace has not all of its records."""
    if planned.dump and not _longer_records_may_pass(request, planned.run, planned.dump):
        return planned.dump
    config = settings.load()
    uri, files = _recorded_files(planned.run)
    # A folder or glob is listed again: what came to it since would change the dump, and is refused below.
    is_single = len(files) == 1 and "://" not in uri
    dump = receive(files[0].uri if is_single else uri, config, Workspace(config.lake), planned.reading)
    if [f.sha256 for f in dump.files] != [f.sha256 for f in files]:
        more = sorted({f.uri for f in dump.files} - {f.uri for f in files})
        raise DumpRefusedError(
            f"{uri} is not what run {request.run_id} read: {len(files)} files then, {len(dump.files)} now; new are: "
            f"{', '.join(more) or 'none'}.",
            f"bring back just those files, then: {request.try_next}",
        )
    return dump


def _longer_records_may_pass(request: Requeue, run: Run, dump: Dump) -> bool:
    """Whether records that were cut off as too long are within today's bound, and the files still have their rest.

    Then the dump's part of the run workspace is removed, unless a run of that dump works on it.
    """
    config = settings.load()
    workspace = Workspace(config.lake)
    files = [workspace.local(file) for part in workspace.committed("received", dump.key) for file in part.files]
    cut = (ds.field("problem") == "too_long") & (ds.field("raw_bytes") <= config.max_record_bytes)
    if not ds.dataset(files, filesystem=workspace.filesystem).count_rows(filter=cut):
        return False
    # Beginnings of the records are better than nothing, so they stay where the files can't be read again.
    try:
        _check_files(request, run)
    except (DumpNotFoundError, DumpRefusedError) as error:
        log.warning("Records that were too long stay refused: %s", error)
        return False
    _remove_received(request, dump, workspace)
    return True


def _remove_received(request: Requeue, dump: Dump, workspace: Workspace) -> None:
    """Remove a dump's records from the run workspace; InfrastructureError while a run works on them."""
    values = {"dump_id": dump.dump_id, "live_minutes": attempts.LIVE_MINUTES}
    with transaction() as c:
        # Until this transaction ends no run of the dump is opened, and no step of one starts.
        c.exec_driver_sql(opening.LOCK_OPENING)
        c.execute(sa.text("SELECT 1 FROM sentiment.run WHERE dump_id = :dump_id FOR UPDATE"), {"dump_id": dump.dump_id})
        live = c.execute(statement("orchestration/requeueing/live_run_of_dump"), values).scalar()
        if live:
            raise InfrastructureError(f"Run {live} works on the same dump.", f"when it is over: {request.try_next}")
        workspace.remove("received", dump.key)


def _recorded_files(run: Run) -> tuple[str, list[DumpFile]]:
    """Return the address under which the run's dump was named, and its files in their order."""
    with transaction() as c:
        rows = c.execute(statement("orchestration/requeueing/recorded_files"), {"dump_id": run.dump_id}).all()
    return rows[0].dump_uri, [DumpFile(*row[1:]) for row in rows]


def _check_files(request: Requeue, run: Run) -> None:
    """Raise DumpNotFoundError or DumpRefusedError, naming the file, where one is gone or was changed."""
    uri, files = _recorded_files(run)
    # Of several files the address, by which all of them are published.
    dump = files[0].uri if len(files) == 1 else uri
    for file in files:
        if "://" in file.uri:
            continue  # too slow to hash beforehand; `_received` compares the hashes once it has read them
        where = f"File {file.file_no} of run {run.run_id}'s dump, {file.uri},"
        sha256 = sha256_of(file.uri)
        if sha256 is None:
            raise DumpNotFoundError(
                f"{where} is gone, and its records would be read from it again.",
                f"bring back the file (SHA-256 {file.sha256}), then: {request.try_next}",
            )
        if sha256 != file.sha256:
            raise DumpRefusedError(
                f"{where} has changed: its SHA-256 is {sha256}, then it was {file.sha256}.",
                f"make nightly DUMP={quoted(dump)} DATE={run.night} SUPERSEDE='why', to publish what it holds now",
            )
