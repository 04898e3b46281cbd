"""A listener of Airflow's: the paragraph of a run's task `report` becomes the run's note.

It reads and writes Airflow's own database alone, in the transaction in which the run ends; a task has no right to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from sqlalchemy.orm import object_session

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

REPORTING = ("nightly_reviews", "requeue_quarantine", "rescore_reviews", "evaluate_model")
"""DAGs with a task `report` whose result is a paragraph."""
MOST_CHARS = 1000
"""Length of a note at which Airflow's database ends it."""


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Write the note, unless a person has written one."""
    session = object_session(dag_run)
    if dag_run.dag_id not in REPORTING or session is None:
        return
    if dag_run.dag_run_note is not None and dag_run.dag_run_note.user_id is not None:
        return
    from airflow.models.xcom import XComModel

    query = XComModel.get_many(
        run_id=dag_run.run_id, key="return_value", task_ids="report", dag_ids=dag_run.dag_id, limit=1
    )
    row = session.scalars(query).first()
    text = XComModel.deserialize_value(row) if row is not None else None
    if isinstance(text, str) and text:
        dag_run.note = text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"
