"""Take a dump in: receive its records, open the run of its night, and check the batch by what its files alone tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sentiment import settings
from sentiment.database import transaction
from sentiment.dump.profiles import CONTENT, OWN_ID
from sentiment.errors import InfrastructureError, ParameterError, SetupError
from sentiment.quality import batch
from sentiment.runs import attempts, opening, phases, turns
from sentiment.runs.model import LATEST_RULE, IdentityRule, Reading, Run, archive_and_member
from sentiment.store import sources
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from sentiment.dump.receive import Dump
    from sentiment.scoring.registry import Model
    from sentiment.store.sources import FixedRule

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
            raise ParameterError(
                f"night {self.night} lies in the future; today is {today} in Paris.", f"make nightly DATE={today}"
            )
        if self.supersede and not (self.reason or "").strip():
            raise ParameterError("supersede needs a reason, in words.", "make nightly DUMP=… DATE=… SUPERSEDE='why'")
        batch.check_allowed(self.allow, self.reason)

    @property
    def reading(self) -> Reading:
        """How the dump's records are to be read."""
        return Reading(self.source, self.profile, self.encoding)


@dataclass(frozen=True)
class OpenedRun:
    """The run that ingest opened, or the one that had published the same dump before."""

    run_id: str
    nothing_new: bool
    """True: the dump is published already, and no task has anything to do."""


def check(request: Request) -> Model:
    """Return the request's model; raise what of the request can be refused before there is a dump.

    Raises ParameterError for a model or a source profile that isn't here, SetupError for a database of another
    revision.
    """
    from sentiment.dump.receive import profiles_and_encoding
    from sentiment.scoring import registry

    config = settings.load()
    check_schema()
    profiles_and_encoding(request.reading, config)
    return registry.find(request.model, config)


def ingest(request: Request, check_unchanged: Callable[[], None] = lambda: None) -> OpenedRun:
    """Read the dump once, name it by its hashes, write its records to the workspace, and open its run.

    `check_unchanged` is called once all is read, before anything is recorded; it raises where the dump is another by
    now. Raises what `check` raises, DumpNotFoundError, DumpUnreadableError, DumpRefusedError or ParameterError; and
    NightAtWorkError, before the dump is read where possible, while another night of the source is between ingest and
    publish.
    """
    from sentiment.drift import confidence
    from sentiment.drift.history import Stream
    from sentiment.dump.receive import receive
    from sentiment.scoring import registry

    config = settings.load()
    # Before the dump is read, which may take an hour.
    model = check(request)
    with transaction() as c:
        turns.check(c, request.source, night=request.night)
    dump = receive(request.dump, config, Workspace(config.lake), request.reading)
    check_unchanged()
    registry.register(model)
    with transaction() as c:
        confidence.note(c, Stream(request.source, model.model_id))
    opening.record_dump(dump.dump_id, request.source, request.dump, dump.files)
    phases.reached("records received")
    run = opening.open_run(
        request.night,
        request.source,
        dump.dump_id,
        model.model_id,
        airflow_run_id=request.airflow_run_id,
        supersede=request.supersede,
        reason=request.reason,
        alone=True,
    )
    if run.status == "published":
        log.info("nothing new: run %s has published this dump", run.run_id)
        return OpenedRun(run.run_id, nothing_new=True)
    return begin(run, dump, request.reading, request.allow, request.sentences)


def begin(run: Run, dump: Dump, reading: Reading, allow: Collection[str], sentences: bool) -> OpenedRun:
    """Record how the dump's records are to be read and check the batch by its files, as the attempt of ingest."""
    with attempts.attempt(run.run_id, "ingest") as attempt:
        _check_received(run, dump.key)
        fixed = sources.fixed(run.source)
        if not _is_only_night(run, fixed):
            dump = _as_fixed(dump, fixed)
        attempt.handoff = received = dump.handoff()
        received.identity = _identity_rule(run, dump, fixed)
        if fixed and not _is_only_night(run, fixed):
            received.labels = dict(fixed.labels)
            received.profile |= fixed.labels
        received.allow, received.reading, received.sentences = sorted(allow), reading, sentences
        mapping = ", ".join(f"{column} as {name}" for name, column in dump.mapped.items())
        log.info("read by the source profile %s: %s", dump.profile.name, mapping)
        attempt.counts["read"] = dump.n_records
        findings = batch.check_arrival(
            run, _arrival(dump, None if _is_only_night(run, fixed) else fixed), settings.load(), received
        )
        received.allowed = batch.stop_unless_allowed(run, findings, allow)
        attempt.progress(dump.n_records, dump.n_records)
        phases.reached("run opened")
    return OpenedRun(run.run_id, nothing_new=False)


def _identity_rule(run: Run, dump: Dump, fixed: FixedRule | None) -> IdentityRule:
    """Return what identifies the dump's reviews: the source's rule, or for its only night that of today's profile.

    A rule that a profile named, or that is from before there were rules, stays unless a profile names another. Raises
    ParameterError where the profile asks for another than the source's.
    """
    proposed = dump.profile.identity_rule(dump.mapped)
    is_suggested = fixed is not None and any(fixed.rule.is_like(IdentityRule(rule)) for rule in (OWN_ID, CONTENT))
    if fixed is None or (_is_only_night(run, fixed) and (dump.profile.identity or is_suggested)):
        return proposed
    if dump.profile.identity and not proposed.is_like(fixed.rule):
        raise sources.other_rule(run.source, fixed, proposed)
    return fixed.rule


def _as_fixed(dump: Dump, fixed: FixedRule | None) -> Dump:
    """Return the dump, what its values show of its columns' meaning read as at the source's first night.

    Of a source that an earlier version published, columns mean what their names say.
    """
    from sentiment.dump import items

    if fixed is None:
        return dump
    if fixed.rule.version < LATEST_RULE or fixed.mapped is None:
        return replace(dump, layouts=[replace(layout, inferred={}) for layout in dump.layouts])
    return replace(dump, layouts=items.as_fixed(dump.layouts, dump.columns, dump.profile, fixed.mapped))


def _is_only_night(run: Run, fixed: FixedRule | None) -> bool:
    """Return whether a run replaces the only published night of its source."""
    return fixed is not None and run.supersedes is not None and fixed.n_nights == 1


def _arrival(dump: Dump, fixed: FixedRule | None) -> batch.Arrival:
    # An archive's name may hold a date as its members' may.
    names = (dump.uri, *(name for file in dump.files for name in archive_and_member(file.uri) or (file.uri,)))
    schema = batch.Schema(tuple(dump.columns), dump.mapped)
    is_full = dump.profile.listing == "full"
    mapped = fixed.mapped if fixed else None
    return batch.Arrival(names, dump.n_records, schema, dump.manifest_night, is_full, mapped)


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
