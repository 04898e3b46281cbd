"""Record a night that failed before its run was opened: the ledger has no row yet that could hold the error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sentiment.errors import InfrastructureError, SentimentError
from sentiment.orchestration.connections import use_connections
from sentiment.runs.recognition import recognised

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def record(context: Context) -> None:
    """Record why find_dump or ingest failed, unless an attempt of the run that it opened has; a callback of Airflow.

    Of each run in Airflow the newest failure stays: Airflow calls this once it tries no more, and again only after
    somebody has cleared the task. Where the database can't be written, that is logged, and the task's error stands.
    """
    # Imported by the callback: the dag-processor parses the DAG files over and over, and fails no task.
    from sentiment.database import transaction
    from sentiment.sql import statement

    params = context["params"]
    if "run_id" in params and params["dry_run"]:
        return  # of a requeue that was only to be described
    try:
        use_connections()
        with transaction() as c:
            c.execute(statement("orchestration/unopened/record"), _requested(context) | _failure(context))
    except SentimentError as second:
        log.warning("failure of %s not recorded: %s", context["ti"].task_id, second)


def _requested(context: Context) -> dict[str, Any]:
    """Return what was to be run; of a requeue the run, whose night, source and dump the database knows."""
    from sentiment.orchestration import waiting

    params, run = context["params"], context["dag_run"]
    values = {"dag_id": run.dag_id, "airflow_run_id": run.run_id, "requeued": params.get("run_id")}
    if "run_id" in params:
        return values | {"night": None, "source": None, "dump_uri": None}
    night, _ = waiting.night_and_reason(context)
    return values | {"night": night, "source": params["source"], "dump_uri": waiting.dump_uri(params, night)}


def _failure(context: Context) -> dict[str, str | None]:
    error, task = context.get("exception"), context["ti"].task_id
    if not isinstance(error, BaseException):
        # The task's process is gone; Airflow has a text for it, or none.
        gone = str(error or f"Airflow ended {task} from outside.")
        return {"error_kind": InfrastructureError.__name__, "error": gone, "try_next": None, "attempt_error": None}
    known = recognised(error)
    # The text of any other error might quote a record.
    is_free = isinstance(error, SentimentError | OSError)
    message = known.without_content if is_free else f"{type(error).__name__}; its text is in the log of {task}."
    kind, try_next = type(known).__name__, known.try_next or None
    return {"error_kind": kind, "error": message, "try_next": try_next, "attempt_error": known.message}
