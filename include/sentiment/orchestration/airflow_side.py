"""What Airflow needs of us: the night of a run, Spark jobs as tasks, and which errors are tried again."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pendulum
import sqlalchemy as sa
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseHook, ExceptionRetryPolicy, RetryRule
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowSkipException

from sentiment import settings
from sentiment.errors import (
    DataError,
    InfrastructureError,
    ParameterError,
    SentimentError,
    SetupError,
    StaleAttemptError,
    from_record,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

JOBS = Path(__file__).resolve().parents[1] / "jobs"
REVIEWS_DB, SPARK_CLUSTER = "reviews_db", "spark_cluster"

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[DataError, ParameterError, SetupError],
            action=RetryAction.FAIL,
            reason="the same input fails again",
        ),
        RetryRule(exception=StaleAttemptError, action=RetryAction.FAIL, reason="a newer attempt is at work"),
    ]
)

TASK_DEFAULTS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": RETRY_POLICY,
}
BY_HAND: dict[str, Any] = {
    "schedule": None,
    "start_date": pendulum.datetime(2026, 1, 1, tz="Europe/Paris"),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": TASK_DEFAULTS,
    "tags": ["sentiment"],
}
"""What the DAGs have in common that run when somebody asks."""


def use_connections() -> None:
    """Let the Airflow connections `reviews_db` and `spark_cluster`, where defined, win over the settings."""
    reviews = _connection(REVIEWS_DB)
    if reviews is not None:
        os.environ["SENTIMENT_DATABASE_URL"] = _address(reviews)
    spark = _connection(SPARK_CLUSTER)
    if spark is not None:
        os.environ["SENTIMENT_SPARK_MASTER"] = f"{spark.host}:{spark.port}" if spark.port else str(spark.host)
    settings.load.cache_clear()


def _connection(conn_id: str) -> Any | None:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _address(connection: Any) -> str:
    """Its address, with every extra (sslmode, keepalives_idle) as a parameter, which is what libpq and JDBC read.

    `get_uri` would put extras that are no strings, all together, into one parameter that neither knows.
    """
    query = {name: str(value) for name, value in connection.extra_dejson.items()}
    where = (connection.login, connection.password, connection.host, connection.port, connection.schema)
    return sa.URL.create("postgresql", *where, query).render_as_string(hide_password=False)


def night_of(context: Context) -> date:
    """The Paris date a run stands for: the Param, else the start of its data interval, else the day before."""
    from sentiment.orchestration.steps import PARIS

    typed = context["params"].get("night")
    if typed:
        return date.fromisoformat(typed)
    run = context["dag_run"]
    if run.data_interval_start is not None:
        return run.data_interval_start.astimezone(PARIS).date()
    return run.run_after.astimezone(PARIS).date() - timedelta(days=1)


def note_failure(context: Context) -> None:
    """Leave the error where `make nightly` finds it, if it asked to."""
    target = settings.load().failure_note
    error = context.get("exception")
    if target is None or error is None:
        return
    note = {"task": context["ti"].task_id, "kind": type(error).__name__, "message": str(error), "try_next": ""}
    if isinstance(error, SentimentError):
        note |= {"message": error.message, "try_next": error.try_next}
    target.write_text(json.dumps(note), "utf-8")


NIGHT_DEFAULTS = {**TASK_DEFAULTS, "on_failure_callback": note_failure}
"""Of tasks whose error a caller waits for."""


class SparkStep(SparkSubmitOperator):
    """One of our jobs on the cluster of the connection `spark_cluster`; its errors come back as our own."""

    def __init__(self, *, step: str, skip_if: str = "", task_id: str = "", **kwargs: Any) -> None:
        super().__init__(
            task_id=task_id or step,
            application=str(JOBS / f"{step}.py"),
            application_args=["--run-id", "{{ ti.xcom_pull(task_ids='find_dump')['run_id'] }}"],
            conn_id=SPARK_CLUSTER,
            name=f"sentiment-{step}",
            pool="spark",
            verbose=False,
            **kwargs,
        )
        self.step = step
        self.skip_if = skip_if

    def _timeout_s(self, config: settings.Settings) -> str:
        """No statement outlives the task that waits for it."""
        task_s = self.execution_timeout.total_seconds() if self.execution_timeout else config.statement_timeout_s
        return str(int(min(config.statement_timeout_s, task_s)))

    def execute(self, context: Context) -> None:
        """Submit and wait; raises the error that the job wrote into the ledger, else InfrastructureError."""
        from sentiment.runs import attempts

        if context["ti"].xcom_pull(task_ids="find_dump")["nothing_new"]:
            raise AirflowSkipException("nothing new: this dump is published already")
        if self.skip_if and context["params"][self.skip_if]:
            raise AirflowSkipException(f"{self.skip_if}: {self.step} is left out")
        run_id = (self.application_args or [])[-1]
        self._submit(context, lambda: attempts.failure(run_id, self.step))

    def _submit(self, context: Context, failure: Callable[[], tuple[str, str, str] | None]) -> None:
        from sentiment.runtime import spark

        use_connections()
        config = settings.load()
        spark.make_scratch(config)
        self.conf = spark.conf(config)
        own = {"SENTIMENT_SPARK_MASTER": config.spark_master, "SENTIMENT_STATEMENT_TIMEOUT_S": self._timeout_s(config)}
        self.env_vars = spark.environment(config) | own
        try:
            super().execute(context)
        except AirflowException as error:
            told = failure()
            if told is None:
                raise InfrastructureError(f"The Spark job {self.step} ended without a word: {error}") from error
            raise from_record(*told) from error


class SparkRescore(SparkStep):
    """The job `rescore` for what the task `find_nights` found; left out where that is nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="rescore", **kwargs)
        found = "{{ ti.xcom_pull(task_ids='find_nights')['%s'] }}"
        names = {"--model": "model", "--source": "source", "--from": "first", "--to": "last"}
        self.application_args = [word for flag, name in names.items() for word in (flag, found % name)]

    def execute(self, context: Context) -> None:
        """Submit and wait; raises the error of the night that failed, else InfrastructureError."""
        from sentiment.orchestration import rescoring

        found, since = context["ti"].xcom_pull(task_ids="find_nights"), datetime.now(UTC)
        if not found["nights"]:
            raise AirflowSkipException("the model has scored every night of the range")
        self._submit(context, lambda: rescoring.failure(found["model"], since))


class SparkEvaluate(SparkStep):
    """The job `evaluate` for what `find_set` found, by the model it names as `which`; left out where it names none.

    Leaves the evaluation's id as an XCom. It is compared with what the task `against` has evaluated.
    """

    def __init__(self, *, task_id: str, which: str, against: str = "", **kwargs: Any) -> None:
        super().__init__(step="evaluate", task_id=task_id, **kwargs)
        self.which = which
        found = "{{ ti.xcom_pull(task_ids='find_set')['%s'] }}"
        names = {"--set": "set", "--model": which, "--mistakes": "mistakes"}
        self.application_args = [word for flag, name in names.items() for word in (flag, found % name)]
        if against:
            earlier = f"{{{{ ti.xcom_pull(task_ids='{against}', key='{EVALUATION_ID}') }}}}"
            self.application_args += ["--against", earlier]

    def execute(self, context: Context) -> None:
        """Submit, wait and say what came of it; raises the error that the job left, else InfrastructureError."""
        from sentiment.orchestration import evaluating

        if not context["ti"].xcom_pull(task_ids="find_set")[self.which]:
            raise AirflowSkipException("no other model to compare with")
        with TemporaryDirectory() as folder:
            left = Path(folder) / "result.json"
            self.application_args = [*(self.application_args or []), "--result", str(left)]
            self._submit(context, lambda: evaluating.failure(left))
            done = evaluating.result(left)
        log.info("%s", "\n".join(evaluating.report_lines(done)))
        context["ti"].xcom_push(EVALUATION_ID, done.evaluation_id)


EVALUATION_ID = "evaluation_id"
"""The XCom that names what a task has evaluated."""
