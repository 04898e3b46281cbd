"""What the DAGs have in common: retries by kind of error, the note for `make nightly`, start date, tags."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import CronDataIntervalTimetable, ExceptionRetryPolicy, RetryRule
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision
from pydantic import JsonValue

from sentiment import settings
from sentiment.errors import (
    DataError,
    InfrastructureError,
    ParameterError,
    ProgramError,
    SetupError,
    StaleAttemptError,
)
from sentiment.runs import outcome
from sentiment.runs.outcome import Outcome
from sentiment.runs.recognition import recognised

if TYPE_CHECKING:
    from airflow.sdk import Context

ZONE = "Europe/Paris"


class RecognisingRetryPolicy(ExceptionRetryPolicy):
    """Airflow's policy by kind of error, for exceptions that are not ours too: a KeyError is a ProgramError."""

    def evaluate(self, exception: BaseException, *arguments: Any, **named: Any) -> RetryDecision:
        """Return whether the task that raised `exception` is tried again."""
        return super().evaluate(recognised(exception), *arguments, **named)


# Everything else, infrastructure errors above all, is tried again with back-off.
RETRY_POLICY = RecognisingRetryPolicy(
    rules=[
        RetryRule(
            exception=[DataError, ParameterError, SetupError, ProgramError],
            action=RetryAction.FAIL,
            reason="the same input fails again",
        ),
        RetryRule(exception=StaleAttemptError, action=RetryAction.FAIL, reason="a newer attempt is at work"),
    ]
)

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "sentiment",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RETRY_POLICY,
}

LONGEST_RETRY_DELAY = min(
    # The delay doubles with every try, and Airflow adds up to as much again.
    TASK_DEFAULTS["retry_delay"] * 2 ** TASK_DEFAULTS["retries"],
    TASK_DEFAULTS["max_retry_delay"],
)
"""How long Airflow waits at most before it tries a task again; `sentiment.v_runs` adds it to LIVE_MINUTES."""


def note_failure(context: Context) -> None:
    """Write a failed task's error to the file that `make nightly` named for it, if it named one."""
    path, error = settings.load().failure_note, context.get("exception")
    if path is None or error is None:
        return
    # Airflow hands over a text where the task's process is gone.
    known = error if isinstance(error, BaseException) else InfrastructureError(str(error))
    outcome.write(path, Outcome.of_error(known, task=context["ti"].task_id))


def note_result(result: JsonValue) -> None:
    """Write what a night ended with to the file that `make nightly` named for it, if it named one."""
    path = settings.load().failure_note
    if path is not None:
        outcome.write(path, Outcome(result=result))


NIGHT_TASK_DEFAULTS = {**TASK_DEFAULTS, "on_failure_callback": note_failure}
"""Of tasks whose error a caller waits for."""


def on_demand(title: str, subject: str, task_defaults: dict[str, Any] = TASK_DEFAULTS) -> dict[str, Any]:
    """Return the arguments of a DAG that runs when somebody asks, one run at a time; `subject` becomes a tag."""
    return {
        "dag_display_name": title,
        "schedule": None,
        "start_date": pendulum.datetime(2026, 1, 1, tz=ZONE),
        "catchup": False,
        "max_active_runs": 1,
        "default_args": task_defaults,
        "tags": ["sentiment", subject],
    }


def scheduled(title: str, subject: str, cron: str, task_defaults: dict[str, Any] = TASK_DEFAULTS) -> dict[str, Any]:
    """Return the arguments of a DAG that runs by a cron line in Paris time; a run stands for the interval before it."""
    # In Airflow 3 a bare cron string gives runs an interval of no width, and the night is where the interval begins.
    return {**on_demand(title, subject, task_defaults), "schedule": CronDataIntervalTimetable(cron, timezone=ZONE)}
