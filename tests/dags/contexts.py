"""A DAG's first task as Airflow runs it, in runs that were requested, scheduled or backfilled.

Airflow writes a run's conf into the Params of the DAG that it is given, so that each run needs a DAG newly loaded.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import structlog
from airflow._shared.timezones import timezone
from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.sdk.api.datamodels._generated import DagRun, DagRunState, DagRunType, TIRunContext
from airflow.sdk.execution_time.context import set_current_context
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, _run_task_state_change_callbacks
from airflow.serialization.serialized_objects import DagSerialization


def requested(dag: Any, now: datetime, logical_date: datetime | None, **conf: object) -> Any:
    """The first task's context of a run that the trigger form or the REST interface requests at `now`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "utcnow", lambda: now)
        body = TriggerDAGRunPostBody(logical_date=logical_date, run_after=None, conf=conf)
        values = body.validate_context(serialized(dag))
    interval = values["data_interval"]
    return _context(dag, DagRunType.MANUAL, values["run_after"], logical_date, interval, conf)


def timetabled(dag: Any, run_type: DagRunType, first: datetime, last: datetime) -> list[Any]:
    """The first task's contexts of the runs that the timetable makes of a range of logical dates."""
    infos = serialized(dag).iter_dagrun_infos_between(first, last)
    return [_context(dag, run_type, info.run_after, info.logical_date, info.data_interval, {}) for info in infos]


def run_first_task(context: Any) -> Any:
    """Execute the task of the context; return its result."""
    with set_current_context(context):
        return context["task"].execute(context)


def fail_before_run(context: Any) -> Exception:
    """Execute find_dump, and ingest if it succeeds, then what Airflow calls as one fails; return the task's error."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller looks at it
        to_ingest(context, run_first_task(context))
        run_first_task(context)
    context["exception"] = raised.value
    _run_task_state_change_callbacks(context["task"], "on_failure_callback", context, structlog.get_logger())
    return raised.value


def to_ingest(context: Any, *results: object) -> None:
    """Make the context that of the task ingest, after what find_dump returned."""
    task = context["dag"].task_dict["ingest"]
    task.op_args = results
    context["task"] = context["ti"].task = task
    context["ti"].task_id = task.task_id


def serialized(dag: Any) -> Any:
    """The DAG as the scheduler has it."""
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def _context(
    dag: Any, run_type: DagRunType, run_after: datetime, logical: datetime | None, interval: Any, conf: dict[str, Any]
) -> Any:
    start, end = (interval.start, interval.end) if interval else (None, None)
    run = DagRun(
        dag_id=dag.dag_id, run_id=f"{run_type.value}__{run_after}", logical_date=logical, run_after=run_after,
        data_interval_start=start, data_interval_end=end, start_date=datetime.now(UTC), end_date=None,
        run_type=run_type, state=DagRunState.RUNNING, conf=conf, consumed_asset_events=[], partition_key=None,
    )  # fmt: skip
    (task,) = dag.roots
    construct: Any = RuntimeTaskInstance.model_construct
    instance = construct(
        id=uuid4(), dag_id=dag.dag_id, task_id=task.task_id, run_id=run.run_id, task=task, try_number=1, map_index=-1,
        start_date=datetime.now(UTC), _ti_context_from_server=TIRunContext(dag_run=run, max_tries=0),
    )  # fmt: skip
    return instance.get_template_context()
