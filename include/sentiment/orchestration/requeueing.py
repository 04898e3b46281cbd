"""Requeue a published run's refused records: its night again from its very dump, by today's rules, whole.

Records are taken from the lake while they are there, else from the dump's files, which must be as they were.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import sqlalchemy as sa

from sentiment import settings
from sentiment.database import transaction
from sentiment.dump.receive import Dump, Reading, receive, received_before
from sentiment.errors import DumpNotFoundError, DumpRefusedError, InfrastructureError, ParameterError
from sentiment.orchestration import steps
from sentiment.orchestration.steps import Found
from sentiment.quality import batch
from sentiment.runs import attempts, opening
from sentiment.runs.model import DumpFile, Run
from sentiment.store import quarantine
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Requeue:
    """What is asked for: which run, why, and what is to be otherwise than its night was asked for.

    `allow` adds to what that night was allowed.
    """

    run_id: str
    reason: str | None = None
    profile: str | None = None
    encoding: str | None = None
    allow: tuple[str, ...] = ()
    airflow_run_id: str | None = None

    @property
    def try_next(self) -> str:
        """What a person types."""
        given = {"profile": self.profile, "encoding": self.encoding}
        options = "".join(f" --{name} {value}" for name, value in given.items() if value)
        return f"sentiment quarantine requeue {self.run_id}{options}"


@dataclass(frozen=True)
class Plan:
    """What a requeue would take up again, and how its dump would be read."""

    run: Run
    refused: int
    by_rule: dict[str, int]
    reading: Reading = field(default_factory=Reading)
    allow: Collection[str] = ()
    dump: Dump | None = None
    """The dump as the lake has it; None where its files must be read again."""
    requeued_in: str | None = None
    """The run that has taken it up already."""
    sentences: bool = False
    """Whether that night's sentences were scored."""

    @property
    def words(self) -> str:
        """In a sentence or two."""
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


def plan(asked: Requeue) -> Plan:
    """What would be done; ParameterError, DumpNotFoundError or DumpRefusedError where it can't be.

    That is a run which its night does not show, one that refused nothing, or whose records are no more to be had.
    """
    run = opening.get_run(asked.run_id)
    refused, by_rule = quarantine.requeueable(asked.run_id)
    taken_up = opening.find_requeue(run)
    if taken_up and taken_up.status == "published":
        return Plan(run, refused, by_rule, requeued_in=taken_up.run_id)
    opening.check_shown(run)
    if not refused:
        raise ParameterError(f"Run {run.run_id} has refused no record that could pass.", "sentiment quarantine list")
    detail = attempts.finished(run.run_id, "find_dump").detail
    reading = _reading(asked, run, detail)
    dump = _in_lake(run, reading, detail)
    if not dump:
        _check_files(asked, run)
    allow, sentences = {*detail.get("allow", ()), *asked.allow}, detail.get("sentences", False)
    return Plan(run, refused, by_rule, reading, allow, dump, sentences=sentences)


def _reading(asked: Requeue, run: Run, detail: dict[str, Any]) -> Reading:
    """As that night was asked to be read, but for what is asked for now."""
    then = Reading(**detail.get("asked", {}))
    return Reading(run.source, asked.profile or then.profile, asked.encoding or then.encoding)


def _in_lake(run: Run, reading: Reading, detail: dict[str, Any]) -> Dump | None:
    if "received" not in detail:
        return None  # that night's edition cut records otherwise
    config = settings.load()
    dump = received_before(run.dump_id, *_recorded(run), detail, config, reading)
    there = dump.key == detail["received"] and Workspace(config.lake).committed("received", dump.key)
    return dump if there else None


def find_or_tell(context: Context) -> dict[str, Any] | None:
    """find_dump of the DAG: the run that the tasks after it go by; None after a dry run has told what would be."""
    params = context["params"]
    given = {name: params[name] for name in ("run_id", "reason", "profile", "encoding")}
    asked = Requeue(**given, allow=tuple(params["allow"]), airflow_run_id=context["dag_run"].run_id)
    if params["dry_run"]:
        log.info("%s", plan(asked).words)
        return None
    return asdict(find(asked))


def find(asked: Requeue) -> Found:
    """Have the records of the run's dump, and open the run that takes them up again.

    Raises what `plan` raises, and ParameterError where there is no reason.
    """
    from sentiment.scoring import registry

    if not (asked.reason or "").strip():
        raise ParameterError("a requeue needs a reason, in words.", f"{asked.try_next} --reason 'why' --replace")
    batch.check_allowed(asked.allow, asked.reason)
    steps.check_schema()
    planned = plan(asked)
    if planned.requeued_in:
        log.info("%s", planned.words)
        return Found(planned.requeued_in, nothing_new=True)
    registry.register(registry.find(planned.run.model_id, settings.load()))
    dump = _received(asked, planned)
    run = opening.open_requeue(asked.run_id, str(asked.reason), asked.airflow_run_id)
    if run.status == "published":
        return Found(run.run_id, nothing_new=True)
    return steps.begin(run, dump, planned.reading, planned.allow, planned.sentences)


def _received(asked: Requeue, planned: Plan) -> Dump:
    """The dump, whose records are in the lake now."""
    if planned.dump and not _longer_records_may_pass(asked, planned.run, planned.dump):
        return planned.dump
    config = settings.load()
    uri, files = _recorded(planned.run)
    alone = len(files) == 1 and "://" not in uri
    dump = receive(files[0].uri if alone else uri, config, Workspace(config.lake), planned.reading)
    if [f.sha256 for f in dump.files] != [f.sha256 for f in files]:
        more = sorted({f.uri for f in dump.files} - {f.uri for f in files})
        raise DumpRefusedError(
            f"{uri} is not what run {asked.run_id} read: {len(files)} files then, {len(dump.files)} now; new are: "
            f"{', '.join(more) or 'none'}.",
            f"bring back just those files, then: {asked.try_next}",
        )
    return dump


def _longer_records_may_pass(asked: Requeue, run: Run, dump: Dump) -> bool:
    """Whether the lake holds heads of records that today's bound would let in whole, and the files still have them.

    Then what the lake holds is removed, unless a run of that dump works on it.
    """
    config = settings.load()
    workspace = Workspace(config.lake)
    files = [workspace.local(file) for part in workspace.committed("received", dump.key) for file in part.files]
    cut = (ds.field("problem") == "too_long") & (ds.field("raw_bytes") <= config.max_record_bytes)
    if not ds.dataset(files, filesystem=workspace.filesystem).count_rows(filter=cut):
        return False
    try:
        _check_files(asked, run)
    except (DumpNotFoundError, DumpRefusedError) as error:
        log.warning("Records that were too long stay refused: %s", error)
        return False
    _remove_received(asked, dump, workspace)
    return True


def _remove_received(asked: Requeue, dump: Dump, workspace: Workspace) -> None:
    query = (
        "SELECT run_id FROM sentiment.run JOIN sentiment.run_step USING (run_id) "
        f"WHERE dump_id = :dump_id AND {attempts.LIVE} LIMIT 1"
    )
    with transaction() as c:
        c.exec_driver_sql(opening.LOCK_OPENING)
        c.execute(sa.text("SELECT 1 FROM sentiment.run WHERE dump_id = :dump_id FOR UPDATE"), {"dump_id": dump.dump_id})
        live = c.execute(sa.text(query), {"dump_id": dump.dump_id}).scalar()
        if live:
            raise InfrastructureError(f"Run {live} works on the same dump.", f"when it is over: {asked.try_next}")
        workspace.remove("received", dump.key)


def _recorded(run: Run) -> tuple[str, list[DumpFile]]:
    """The dump as it was asked for, and its files in their order."""
    columns = "file_no, f.uri, sha256, format, compression, f.n_bytes, f.n_records"
    query = f"SELECT d.uri AS asked, {columns} FROM sentiment.dump d JOIN sentiment.dump_file f USING (dump_id)"
    with transaction() as c:
        rows = c.execute(sa.text(f"{query} WHERE dump_id = :d ORDER BY file_no"), {"d": run.dump_id}).all()
    return rows[0].asked, [DumpFile(*row[1:]) for row in rows]


def _check_files(asked: Requeue, run: Run) -> None:
    """Raise DumpNotFoundError or DumpRefusedError, naming the file, where one is not as it was."""
    for file in _recorded(run)[1]:
        path = Path(file.uri)
        if "://" in file.uri:
            continue  # told apart by what is received
        where = f"File {file.file_no} of run {run.run_id}'s dump, {file.uri},"
        if not path.is_file():
            raise DumpNotFoundError(
                f"{where} is gone, and its records would be read from it again.",
                f"bring back the file (SHA-256 {file.sha256}), then: {asked.try_next}",
            )
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != file.sha256:
            raise DumpRefusedError(
                f"{where} is another by now: its SHA-256 is {found}, then it was {file.sha256}.",
                f"make nightly DUMP={file.uri} DATE={run.night} SUPERSEDE='why', to publish what it says now",
            )
