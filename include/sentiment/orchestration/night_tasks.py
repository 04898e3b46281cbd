"""The tasks of a night after find_dump, and their arrows: the same wherever the night's records come from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context, task

from sentiment.orchestration.airflow_side import SparkStep, use_connections

if TYPE_CHECKING:
    from airflow.sdk import XComArg

PUBLISHED = Asset("sentiment_night", uri="sentiment://published/night")


@task(execution_timeout=timedelta(minutes=10))
def audit(found: dict[str, Any]) -> None:
    """Counts add up, the canary sings as before."""
    from sentiment.orchestration import steps

    use_connections()
    steps.audit(found["run_id"])


@task(execution_timeout=timedelta(minutes=30))
def track_drift(found: dict[str, Any]) -> None:
    """Compare the night with its reference and the night before."""
    from sentiment.orchestration import steps

    use_connections()
    steps.track_drift(found["run_id"])


@task(trigger_rule="none_failed", execution_timeout=timedelta(minutes=10))
def report(found: dict[str, Any]) -> str:
    """The night in one paragraph."""
    from sentiment.orchestration import steps

    use_connections()
    dry_run = bool(get_current_context()["params"]["dry_run"])
    return steps.report(found["run_id"], found["nothing_new"], dry_run)


def after_find_dump(found: XComArg) -> None:
    """Hang the rest of the night on a task `find_dump`, whose XCom says `run_id` and `nothing_new`."""
    ingest = SparkStep(step="ingest", execution_timeout=timedelta(hours=2))
    validate = SparkStep(step="validate", execution_timeout=timedelta(hours=2))
    score = SparkStep(step="score", execution_timeout=timedelta(hours=12))
    publish = SparkStep(step="publish", skip_if="dry_run", outlets=[PUBLISHED], execution_timeout=timedelta(hours=2))
    audited, tracked = audit(found), track_drift(found)  # type: ignore[arg-type]
    reported = report(found)  # type: ignore[arg-type]
    found >> ingest >> validate >> score >> audited >> publish >> tracked >> reported
