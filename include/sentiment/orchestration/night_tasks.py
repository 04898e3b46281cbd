"""The tasks of a night after find_dump, and their arrows: the same wherever the night's records come from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, get_current_context

from sentiment.orchestration import unopened
from sentiment.orchestration.connections import sentiment_task
from sentiment.orchestration.dag_defaults import note_failure, note_result
from sentiment.orchestration.spark_tasks import SparkStep

if TYPE_CHECKING:
    from airflow.sdk import XComArg

PUBLISHED = Asset("sentiment_night", uri="sentiment://published/night")

BEFORE_RUN = {"on_failure_callback": [note_failure, unopened.record]}
"""Of find_dump and ingest, which may fail before there is a run."""

INGEST: dict[str, Any] = {
    # A sensor, so that no worker is held while another night of the source is at work.
    "mode": "reschedule",
    "poke_interval": 30,
    "timeout": timedelta(hours=24).total_seconds(),
    "execution_timeout": timedelta(hours=2),
    **BEFORE_RUN,
}
"""Of ingest; its result is a PokeReturnValue."""


@sentiment_task(execution_timeout=timedelta(minutes=10))
def audit(run: dict[str, Any]) -> None:
    """Check, before anything is visible, that counts add up and canary predictions equal the first ones."""
    from sentiment.orchestration import steps

    steps.audit(run["run_id"])


@sentiment_task(outlets=[PUBLISHED], execution_timeout=timedelta(hours=2))
def publish(run: dict[str, Any]) -> None:
    """Load the night into staging, and make all of it visible in one transaction."""
    from airflow.sdk.exceptions import AirflowSkipException

    from sentiment.orchestration import publishing_night

    if run["nothing_new"]:
        raise AirflowSkipException("nothing new: this dump is published already")
    if get_current_context()["params"]["dry_run"]:
        raise AirflowSkipException("dry_run: publish is left out")
    publishing_night.publish(run["run_id"])


@sentiment_task(execution_timeout=timedelta(minutes=30))
def track_drift(run: dict[str, Any]) -> None:
    """Compare the night with its reference and the night before."""
    from sentiment.orchestration import steps

    steps.track_drift(run["run_id"])


# none_failed: a dry run and a night with nothing new skip tasks, and are reported all the same.
@sentiment_task(trigger_rule="none_failed", execution_timeout=timedelta(minutes=10))
def report(run: dict[str, Any]) -> str:
    """Write the night in one paragraph."""
    from sentiment.orchestration import steps

    dry_run = bool(get_current_context()["params"]["dry_run"])
    text = steps.report(run["run_id"], run["nothing_new"], dry_run)
    note_result(run)
    return text


def after_ingest(run: XComArg) -> None:
    """Add the rest of the night behind a task `ingest`, whose XCom has `run_id` and `nothing_new`."""
    validate = SparkStep(step="validate", execution_timeout=timedelta(hours=2))
    score = SparkStep(step="score", execution_timeout=timedelta(hours=12))
    audited, published, tracked = audit(run), publish(run), track_drift(run)
    reported = report(run)
    run >> validate >> score >> audited >> published >> tracked >> reported
