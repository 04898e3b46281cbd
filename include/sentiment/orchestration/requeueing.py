"""Requeue a published run's refused records: its night again from its very dump, by today's rules, whole.

Records are taken from the lake while they are there, else from the dump's files, which must be as they were.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import sqlalchemy as sa

from sentiment import ledger, settings
from sentiment.database import transaction
from sentiment.errors import DumpNotFoundError, DumpRefusedError, InfrastructureError, ParameterError
from sentiment.lake import Lake
from sentiment.ledger import DumpFile, Run
from sentiment.orchestration import steps
from sentiment.orchestration.steps import Found
from sentiment.quality.batch import BatchRule
from sentiment.store import quarantine

if TYPE_CHECKING:
    from airflow.sdk import Context

    from sentiment.dump.receive import Dump, Reading

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What requeueing a run would take up again."""

    run: Run
    refused: int
    by_rule: dict[str, int]
    requeued_in: str | None
    """The run that has taken it up already."""

    @property
    def words(self) -> str:
        """In a sentence or two."""
        run = self.run
        if self.requeued_in:
            return f"Nothing new: run {self.requeued_in} has requeued run {run.run_id} before."
        rules = ", ".join(f"{rule} {n:,}" for rule, n in self.by_rule.items())
        return (
            f"Run {run.run_id} refused {self.refused:,} of {run.counts['read']:,} records ({rules}). Night {run.night} "
            f"of {run.source} would be run again as a whole, from the same dump, by today's rules, and replace it."
        )


def plan(run_id: str) -> Plan:
    """What would be done; ParameterError, DumpNotFoundError or DumpRefusedError where it can't be.

    That is a run which its night does not show, one that refused nothing, or whose records are no more to be had.
    """
    run = ledger.get_run(run_id)
    taken_up = ledger.find_requeue(run)
    done = taken_up.run_id if taken_up and taken_up.status == "published" else None
    refused, by_rule = quarantine.requeueable(run_id)
    if not done:
        ledger.check_shown(run)
        if not refused:
            raise ParameterError(f"Run {run_id} has refused no record that could pass.", "sentiment quarantine list")
        if not _in_lake(run):
            _check_files(run)
    return Plan(run, refused, by_rule, done)


def find_or_tell(context: Context) -> dict[str, Any] | None:
    """find_dump of the DAG: the run that the tasks after it go by; None after a dry run has told what would be."""
    params = context["params"]
    if params["dry_run"]:
        log.info("%s", plan(params["run_id"]).words)
        return None
    otherwise = Otherwise(params["profile"], params["encoding"])
    return asdict(find(params["run_id"], params["reason"], otherwise, context["dag_run"].run_id))


@dataclass(frozen=True)
class Otherwise:
    """How the dump is to be read this time; None: by the same profile, as it is today, and in the same encoding."""

    profile: str | None = None
    encoding: str | None = None


AS_BEFORE = Otherwise()


def find(run_id: str, reason: str | None, otherwise: Otherwise = AS_BEFORE, airflow_run_id: str | None = None) -> Found:
    """Have the records of the run's dump, and open the run that takes them up again.

    Raises what `plan` raises, and ParameterError where there is no reason.
    """
    from sentiment.scoring import registry

    if not (reason or "").strip():
        raise ParameterError("a requeue needs a reason, in words.", f"{command(run_id)} --reason 'why' --replace")
    steps.check_schema()
    planned = plan(run_id)
    if planned.requeued_in:
        log.info("%s", planned.words)
        return Found(planned.requeued_in, nothing_new=True)
    registry.register(registry.find(planned.run.model_id, settings.load()))
    dump = _dump(planned.run, otherwise)
    run = ledger.open_requeue(run_id, str(reason), airflow_run_id)
    if run.status == "published":
        return Found(run.run_id, nothing_new=True)
    return steps.begin(run, dump, PASSED_BEFORE)


PASSED_BEFORE = tuple(rule for rule in BatchRule if rule != BatchRule.quarantine_share)
"""The dump has been let in once; what today's rules refuse of it is another matter."""


def command(run_id: str) -> str:
    """What a person types."""
    return f"sentiment quarantine requeue {run_id}"


def _in_lake(run: Run, key: str = "") -> bool:
    return bool(Lake(settings.load().lake).committed("received", key or f"dump={run.dump_id}"))


def _dump(run: Run, otherwise: Otherwise) -> Dump:
    """The dump as it is read today, after having its records in the lake."""
    from sentiment.dump.profiles import named_profile
    from sentiment.dump.receive import Dump, Reading, layouts_of, received_key

    before = ledger.done(run.run_id, "find_dump").detail
    layouts = layouts_of(before)
    profile = named_profile(otherwise.profile or before["profile"]["name"], settings.load().sources)
    said = otherwise.encoding or (profile.encoding if otherwise.profile else layouts[0].encoding)
    key = received_key(run.dump_id, said)
    if key == before["received"] and _in_lake(run, key) and not _longer_records_may_pass(run, key):
        uri, files = _recorded(run)
        return Dump(run.dump_id, uri, files, layouts, profile, key, None)
    return _receive_again(run, Reading(run.source, profile.name, said))


def _longer_records_may_pass(run: Run, key: str) -> bool:
    """Whether the lake holds heads of records that today's bound would let in whole, and the files still have them.

    Then what the lake holds is removed, unless a run of that dump works on it.
    """
    config = settings.load()
    lake = Lake(config.lake)
    files = [lake.local(file) for part in lake.committed("received", key) for file in part.files]
    cut = (ds.field("problem") == "too_long") & (ds.field("raw_bytes") <= config.max_record_bytes)
    if not ds.dataset(files, filesystem=lake.filesystem).count_rows(filter=cut):
        return False
    try:
        _check_files(run)
    except (DumpNotFoundError, DumpRefusedError) as error:
        log.warning("Records that were too long stay refused: %s", error)
        return False
    _remove_received(lake, run, key)
    return True


def _remove_received(lake: Lake, run: Run, key: str) -> None:
    query = (
        "SELECT run_id FROM sentiment.run JOIN sentiment.run_step USING (run_id) "
        f"WHERE dump_id = :dump_id AND {ledger.LIVE} LIMIT 1"
    )
    with transaction() as c:
        c.exec_driver_sql(ledger.LOCK_OPENING)
        c.execute(sa.text("SELECT 1 FROM sentiment.run WHERE dump_id = :dump_id FOR UPDATE"), {"dump_id": run.dump_id})
        live = c.execute(sa.text(query), {"dump_id": run.dump_id}).scalar()
        if live:
            raise InfrastructureError(f"Run {live} works on the same dump.", f"when it is over: {command(run.run_id)}")
        lake.remove("received", key)


def _receive_again(run: Run, reading: Reading) -> Dump:
    from sentiment.dump.receive import receive

    config = settings.load()
    uri, files = _recorded(run)
    dump = receive(files[0].uri if len(files) == 1 else uri, config, Lake(config.lake), reading)
    if [f.sha256 for f in dump.files] != [f.sha256 for f in files]:
        more = sorted({f.uri for f in dump.files} - {f.uri for f in files})
        raise DumpRefusedError(
            f"{uri} holds {len(dump.files)} files, and held {len(files)} when run {run.run_id} read it; new are: "
            f"{', '.join(more) or 'none'}.",
            f"move away what is new, then: {command(run.run_id)}",
        )
    return dump


def _recorded(run: Run) -> tuple[str, list[DumpFile]]:
    """The dump as it was asked for, and its files in their order."""
    columns = "file_no, f.uri, sha256, format, compression, f.n_bytes, f.n_records"
    query = f"SELECT d.uri AS asked, {columns} FROM sentiment.dump d JOIN sentiment.dump_file f USING (dump_id)"
    with transaction() as c:
        rows = c.execute(sa.text(f"{query} WHERE dump_id = :d ORDER BY file_no"), {"d": run.dump_id}).all()
    return rows[0].asked, [DumpFile(*row[1:]) for row in rows]


def _check_files(run: Run) -> None:
    """Raise DumpNotFoundError or DumpRefusedError, naming the file, where one is not as it was."""
    for file in _recorded(run)[1]:
        path = Path(file.uri)
        if "://" in file.uri:
            continue  # told apart by what is received
        where = f"File {file.file_no} of run {run.run_id}'s dump, {file.uri},"
        if not path.is_file():
            raise DumpNotFoundError(
                f"{where} is gone, and the lake keeps its records no more.",
                f"bring back the file (SHA-256 {file.sha256}), then: {command(run.run_id)}",
            )
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != file.sha256:
            raise DumpRefusedError(
                f"{where} is another by now: its SHA-256 is {found}, then it was {file.sha256}.",
                f"make nightly DUMP={file.uri} DATE={run.night} SUPERSEDE='why', to publish what it says now",
            )
