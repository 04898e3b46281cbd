"""Airflow's connections in place of settings, and the one decorator that applies them to a task."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Any

import sqlalchemy as sa
from airflow.sdk import BaseHook, get_current_context, task
from airflow.sdk.definitions.xcom_arg import XComArg
from airflow.sdk.exceptions import AirflowNotFoundException

from sentiment import settings
from sentiment.orchestration import params, task_log

REVIEWS_DB, SPARK_CLUSTER = "reviews_db", "spark_cluster"


def sentiment_task(kind: Callable[..., Any] = task, /, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function an Airflow task whose body runs with the connections applied, its intent and its figures logged.

    Before anything else the task raises ParameterError where the run's conf has a key that is no Param. `kind` is
    Airflow's decorator (`task`, `task.sensor`, `task.short_circuit`), `options` are its own.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., XComArg]:
        about = (inspect.getdoc(function) or "").partition("\n")[0]

        @wraps(function)
        def body(*arguments: Any, **named: Any) -> Any:
            params.check_conf(get_current_context())
            use_connections()
            with (
                _bounded(options.get("execution_timeout")),
                task_log.logged(f"{function.__name__}: {about}") as figures,
            ):
                result = function(*arguments, **named)
                figures.update(_figures(function.__name__, (result, *arguments, *named.values())))
            return result

        decorated: Callable[..., XComArg] = kind(**options)(body)
        return decorated

    return decorate


@contextmanager
def _bounded(task_timeout: timedelta | None) -> Iterator[None]:
    """Let no statement of the block take longer than the task that waits for it may."""
    config = settings.load()
    usual = config.statement_timeout_s
    config.statement_timeout_s = min(usual, int(task_timeout.total_seconds())) if task_timeout else usual
    try:
        yield
    finally:
        config.statement_timeout_s = usual


def _figures(task_id: str, values: tuple[object, ...]) -> task_log.Figures:
    """Return a task's figures: those of the run that its result or its arguments name, else those of its result."""
    # A sensor wraps what it returns.
    mappings = [getattr(value, "xcom_value", value) for value in values]
    run_id = next((value["run_id"] for value in mappings if isinstance(value, dict) and "run_id" in value), None)
    return task_log.of_run(run_id, task_id) if run_id else task_log.of_result(mappings[0])


def use_connections() -> None:
    """Let the Airflow connections `reviews_db` and `spark_cluster`, where defined, win over the settings."""
    reviews = connection(REVIEWS_DB)
    if reviews is not None:
        os.environ["SENTIMENT_DATABASE_URL"] = _address(reviews)
    spark = connection(SPARK_CLUSTER)
    if spark is not None:
        os.environ["SENTIMENT_SPARK_MASTER"] = f"{spark.host}:{spark.port}" if spark.port else str(spark.host)
    # Settings are read once a process, and Airflow's worker may have read them for the task before this one.
    settings.load.cache_clear()


def connection(conn_id: str) -> Any | None:
    """Return an Airflow connection; None where it is not defined."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _address(defined: Any) -> str:
    # get_uri would put extras that are no strings, all together, into one parameter that neither libpq nor JDBC knows.
    query = {name: str(value) for name, value in defined.extra_dejson.items()}
    server = (defined.login, defined.password, defined.host, defined.port, defined.schema)
    return sa.URL.create("postgresql", *server, query).render_as_string(hide_password=False)
