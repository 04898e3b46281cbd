"""Spark jobs as Airflow tasks: submitted to the cluster of a connection, their errors raised as our own."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from pydantic import JsonValue

from sentiment import settings
from sentiment.errors import SetupError
from sentiment.orchestration import task_log
from sentiment.orchestration.connections import SPARK_CLUSTER, connection, use_connections
from sentiment.runs import opening, outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

JOBS = Path(__file__).resolve().parents[1] / "jobs"
COMMAND = re.compile(r"Cannot execute: .*(?=Error code)", re.DOTALL)
"""The twenty lines of spark-submit's command in the provider's exception."""
EVALUATION_ID = "evaluation_id"
"""The XCom that names what a task has evaluated."""


class BriefLogger:
    """The provider's logger, but for the command, which has twenty lines and is logged at DEBUG."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def info(self, message: str, *arguments: object) -> None:
        """Log at INFO, a command at DEBUG."""
        (self._log.debug if message.startswith("Spark-Submit cmd") else self._log.info)(message, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class SparkStep(SparkSubmitOperator):
    """One of our jobs on the cluster of the connection `spark_cluster`; its errors come back as our own."""

    def __init__(self, *, step: str, task_id: str = "", **kwargs: Any) -> None:
        super().__init__(
            task_id=task_id or step,
            application=str(JOBS / f"{step}.py"),
            application_args=["--run-id", "{{ ti.xcom_pull(task_ids='ingest')['run_id'] }}"],
            conn_id=SPARK_CLUSTER,
            name=f"sentiment-{step}",
            # One slot on one machine, where two jobs would fight for cores and memory.
            pool="spark",
            # Of the tasks that wait for it the furthest of a night goes first, so that nights end before others begin.
            weight_rule="upstream",
            verbose=False,
            **kwargs,
        )
        self.step = step

    def _timeout_s(self, config: settings.Settings) -> str:
        """Return the statement timeout, in seconds: no statement outlives the task that waits for it."""
        task_s = self.execution_timeout.total_seconds() if self.execution_timeout else config.statement_timeout_s
        return str(int(min(config.statement_timeout_s, task_s)))

    def execute(self, context: Context) -> None:
        """Submit and wait; raise the error that the job reported, InfrastructureError where it reported nothing.

        Skipped where ingest had nothing new.
        """
        if context["ti"].xcom_pull(task_ids="ingest")["nothing_new"]:
            raise AirflowSkipException("nothing new: this dump is published already")
        self._submit(context)

    def _submit(self, context: Context) -> None:
        """Submit the job with an outcome file of its own, wait, and log the figures of its result."""
        from sentiment.runtime import spark

        use_connections()
        self._refuse_cluster_mode()
        config = settings.load()
        spark.make_scratch(config)
        # Not in __init__, which runs wherever the DAG file is parsed, also where there are no jars.
        self.conf = spark.conf(config, self._rows(context), list_classes=True, detects_language=self.step == "validate")
        own = {"SENTIMENT_SPARK_MASTER": config.spark_master, "SENTIMENT_STATEMENT_TIMEOUT_S": self._timeout_s(config)}
        self.env_vars = spark.environment(config) | own
        # The modules themselves import Spark.
        job = ast.get_docstring(ast.parse(Path(self.application).read_text("utf-8"))) or ""
        values = " ".join(text for text in self.application_args or [] if len(text) <= task_log.LONGEST_VALUE)
        with task_log.logged(f"{job.splitlines()[0]} Spark at {config.spark_master}, {values}") as figures:
            figures.update(self._figures(context, self._result(context)))

    def _rows(self, context: Context) -> int | None:
        """Return how many records the run has; None where that is not known before the job begins."""
        return opening.get_run(context["ti"].xcom_pull(task_ids="ingest")["run_id"]).counts["read"]

    def _result(self, context: Context) -> JsonValue:
        arguments: list[str] = self.application_args or []
        cause: RuntimeError | None = None
        # A folder made for this very submission: no file that an older attempt wrote can be in it.
        with TemporaryDirectory(prefix="sentiment-outcome-") as folder:
            path = Path(folder) / "outcome.json"
            self.application_args = [*arguments, "--outcome", str(path)]
            self._hook = None  # a hook that an earlier try in this process made has that try's arguments
            try:
                super().execute(context)
            except AirflowException as error:
                cause = RuntimeError(COMMAND.sub("", str(error)))
            finally:
                self.application_args = arguments
            # No command: in the UI the log is at hand, and `make nightly` names the file that holds it.
            return outcome.result(path, self.step, "", cause)

    def _figures(self, context: Context, result: JsonValue) -> task_log.Figures:
        """Return what the log's last lines report of the job; `result` of a night's jobs is null."""
        return task_log.of_run(context["ti"].xcom_pull(task_ids="ingest")["run_id"], self.step)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        hook._log = BriefLogger(hook.log)
        return hook

    def _refuse_cluster_mode(self) -> None:
        """Raise SetupError where the driver would run on another machine, which doesn't see the outcome file."""
        defined = connection(SPARK_CLUSTER)
        extra = defined.extra_dejson if defined is not None else {}
        if "cluster" in (self._deploy_mode, extra.get("deploy-mode")):
            raise SetupError(
                f"The connection {SPARK_CLUSTER} asks for the deploy mode cluster; jobs report through a file of the "
                "machine that submits them, so expected client.",
                f"airflow connections get {SPARK_CLUSTER}, and leave deploy-mode out of its extra",
            )


def _from_xcom(task_id: str, options: Mapping[str, str]) -> list[str]:
    """Return arguments `option value …` whose values are templates of a task's XCom: option -> its key."""
    return [
        argument
        for option, key in options.items()
        for argument in (option, f"{{{{ ti.xcom_pull(task_ids='{task_id}')['{key}'] }}}}")
    ]


class SparkRescore(SparkStep):
    """The job `rescore` for the request of the task `find_nights`; skipped where no night is to be scored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="rescore", **kwargs)
        options = {"--model": "model", "--source": "source", "--from": "first", "--to": "last"}
        self.application_args = _from_xcom("find_nights", options)

    def execute(self, context: Context) -> None:
        """Submit and wait; raise the error of the night that failed, InfrastructureError where none was reported."""
        if not context["ti"].xcom_pull(task_ids="find_nights")["nights"]:
            raise AirflowSkipException("the model has scored every night of the range")
        self._submit(context)

    def _rows(self, context: Context) -> int | None:
        return None

    def _figures(self, context: Context, result: JsonValue) -> task_log.Figures:
        return task_log.of_result(result)


class SparkEvaluate(SparkStep):
    """The job `evaluate` on the set of the task `find_set`, by the model it names as `which`; skipped without one.

    Leaves the evaluation's id as an XCom. It is compared with what the task `against` has evaluated.
    """

    def __init__(self, *, task_id: str, which: str, against: str = "", **kwargs: Any) -> None:
        super().__init__(step="evaluate", task_id=task_id, **kwargs)
        self.which = which
        self.application_args = _from_xcom("find_set", {"--set": "set", "--model": which, "--mistakes": "mistakes"})
        if against:
            earlier = f"{{{{ ti.xcom_pull(task_ids='{against}', key='{EVALUATION_ID}') }}}}"
            self.application_args += ["--against", earlier]

    def execute(self, context: Context) -> None:
        """Submit, wait and log the figures; raise the error that the job reported, else InfrastructureError."""
        if not context["ti"].xcom_pull(task_ids="find_set")[self.which]:
            raise AirflowSkipException("no other model to compare with")
        self._submit(context)

    def _rows(self, context: Context) -> int:
        from sentiment.orchestration import evaluating

        return evaluating.set_from_json(context["ti"].xcom_pull(task_ids="find_set")["set"]).n_records

    def _figures(self, context: Context, result: JsonValue) -> task_log.Figures:
        from sentiment.orchestration import evaluating

        done = evaluating.from_result(result)
        log.info("%s", "\n".join(evaluating.report_lines(done)))
        context["ti"].xcom_push(EVALUATION_ID, done.evaluation_id)
        return {"evaluation": done.evaluation_id, "model": done.model_id, "records": done.report.n}
