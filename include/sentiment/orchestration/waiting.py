"""find_dump inside Airflow: which night a run stands for, and the night's dump, or waiting for it."""

from __future__ import annotations

import logging
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


def night_of(context: Context) -> date:
    """Return the Paris date a run stands for: the Param, else the start of its data interval, else the day before."""
    typed = context["params"].get("night")
    if typed:
        return date.fromisoformat(typed)
    run = context["dag_run"]
    if run.data_interval_start is not None:
        return run.data_interval_start.astimezone(steps.PARIS).date()
    # A run that was triggered without a logical date has no interval, but always a time from which it may run.
    return run.run_after.astimezone(steps.PARIS).date() - timedelta(days=1)


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
        dump=params["dump"] or pattern_for(config.dumps, night),
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
