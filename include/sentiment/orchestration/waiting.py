"""find_dump and ingest inside Airflow: which night a run stands for, and waiting for its dump and for its turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sentiment import settings
from sentiment.dump import arrival
from sentiment.dump.arrival import FileState
from sentiment.dump.locate import pattern_for
from sentiment.errors import DumpNotFoundError, NightAtWorkError
from sentiment.orchestration import ingesting
from sentiment.orchestration.ingesting import OpenedRun, Request

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

TIMETABLED = ("scheduled", "backfill")
"""Types of Airflow's runs whose data interval the timetable has determined."""


def night_of(context: Context) -> date:
    """Return the Paris date that a run stands for, and log it with the reason.

    The Param `night` wins. A scheduled or backfilled run stands for the day on which its data interval begins; any
    other for the day of its logical date, or, where that was not over yet, for the day that had ended.
    """
    night, reason = night_and_reason(context)
    log.info("Night %s: %s.", night, reason)
    return night


def night_and_reason(context: Context) -> tuple[date, str]:
    """Return the night of `night_of`, and why it is that one."""
    night, run = context["params"].get("night"), context["dag_run"]
    if night:
        return date.fromisoformat(night), "the Param night"
    if run.run_type in TIMETABLED and run.data_interval_start is not None:
        began = _paris_date(run.data_interval_start)
        return began, f"the day on which the data interval of this {run.run_type.value} run begins"
    # By the moment of the request, so that a run which is cleared days later stands for the same night.
    ended = _paris_date(run.run_after) - timedelta(days=1)
    if run.logical_date is None:
        return ended, "the day that had ended when this run, which has no logical date, was requested"
    # The form of Airflow's UI fills the logical date with the present moment.
    day = _paris_date(run.logical_date)
    if day > ended:
        return ended, f"the day that had ended when this run was requested; its logical date, {day}, was not over"
    return day, "the day of the logical date"


def _paris_date(moment: datetime) -> date:
    return moment.astimezone(ingesting.PARIS).date()


def dump_uri(params: Mapping[str, Any], night: date) -> str:
    """Return the address of the dump that was requested: the Param `dump`, else where scheduled nights look."""
    return str(params["dump"] or pattern_for(settings.load().dumps, night))


def request_of(context: Context, night: date) -> Request:
    """Return what a run of `nightly_reviews` requests; raises ParameterError as `Request` does."""
    params = context["params"]
    return Request(
        night=night,
        source=params["source"],
        model=params["model"],
        dump=dump_uri(params, night),
        supersede=params["supersede"],
        reason=params["reason"],
        profile=params["profile"],
        encoding=params["encoding"],
        sentences=params["sentences"],
        airflow_run_id=context["dag_run"].run_id,
        allow=tuple(params["allow"]),
    )


def find_dump(context: Context) -> list[list[Any]] | None:
    """Return the FileStates of the night's dump, as lists, once it is there and at rest; None while it may still come.

    A dump that was named must be there, and is not waited for; a scheduled night waits SENTIMENT_DUMP_WAIT_MINUTES.
    No file is opened. Raises what `ingesting.check` raises, DumpNotFoundError where the time is over, and what else
    `locate` raises.
    """
    request = request_of(context, night_of(context))
    ingesting.check(request)
    try:
        files = arrival.look(request.dump) if context["params"]["dump"] else arrival.at_rest(request.dump)
        if files is not None:
            return [[*state] for state in files]
        log.info("The dump at %s is still being written.", request.dump)
        return None
    except DumpNotFoundError as error:
        # By the run: each look is a process of its own, which remembers nothing.
        began, minutes = context["dag_run"].start_date or datetime.now(UTC), settings.load().dump_wait_minutes
        if context["params"]["dump"] or datetime.now(UTC) - began >= timedelta(minutes=minutes):
            raise
        log.info("%s Waiting for it until %s minutes after the run began.", error.message, minutes)
        return None


def in_turn(take_in: Callable[[], OpenedRun]) -> dict[str, Any] | None:
    """Return the fields of the run that `take_in` opens; None while another night of the source is at work.

    Raises what `take_in` raises but NightAtWorkError, which is logged.
    """
    try:
        return asdict(take_in())
    except NightAtWorkError as error:
        log.info("Waiting: %s", error)
        return None


def ingest(context: Context, files: Sequence[Sequence[Any]]) -> dict[str, Any] | None:
    """Open the night's run and return its fields for the tasks after ingest; None while it must wait for its turn.

    `files` are the FileStates that find_dump saw. Raises what `ingesting.ingest` raises, and InfrastructureError where
    the dump's files changed since, or while they were read; a later try takes them as they are by then.
    """
    request = request_of(context, night_and_reason(context)[0])
    is_first_try = context["ti"].try_number == 1
    seen = [FileState(*state) for state in files] if is_first_try else arrival.look(request.dump)

    def check_unchanged() -> None:
        arrival.check_unchanged(request.dump, seen)

    check_unchanged()
    return in_turn(lambda: ingesting.ingest(request, check_unchanged))
