"""find_dump inside Airflow: which night a run stands for, and the night's dump, or waiting for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sentiment import settings
from sentiment.dump.locate import pattern_for
from sentiment.errors import DumpNotFoundError
from sentiment.orchestration import steps

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
    return moment.astimezone(steps.PARIS).date()


def dump_uri(params: Mapping[str, Any], night: date) -> str:
    """Return the address of the dump that was requested: the Param `dump`, else where scheduled nights look."""
    return str(params["dump"] or pattern_for(settings.load().dumps, night))


def find_or_wait(context: Context, night: date) -> dict[str, Any] | None:
    """Open the night's run and return it for the tasks after find_dump; None while a scheduled night may still wait.

    A dump that was named must be there at once; a scheduled night waits SENTIMENT_DUMP_WAIT_MINUTES. Raises what
    `steps.find_dump` raises.
    """
    params, config = context["params"], settings.load()
    request = steps.Request(
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
    try:
        return asdict(steps.find_dump(request))
    except DumpNotFoundError as error:
        # By the run: each look is a process of its own, which remembers nothing.
        began = context["dag_run"].start_date or datetime.now(UTC)
        if params["dump"] or datetime.now(UTC) - began >= timedelta(minutes=config.dump_wait_minutes):
            raise
        log.info("%s Waiting for it until %s minutes after the run began.", error.message, config.dump_wait_minutes)
        return None
