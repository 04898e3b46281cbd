"""Links from a night's tasks in Airflow's grid to the pages about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

SPARK_STEP = type("SparkStep", (), {"__module__": "sentiment.orchestration.spark_tasks"})
"""Stands for the operator of validate and score: Airflow compares names alone, and importing it takes a second."""


def prefix() -> str:
    """Return the path below which Airflow's pages are, without a slash at its end."""
    from airflow.configuration import conf

    return urlsplit(str(conf.get("api", "base_url", fallback="") or "")).path.rstrip("/")


class NightLink(BaseOperatorLink):
    """The page about the night of a run."""

    name = "The night"
    operators: ClassVar[Any] = [SPARK_STEP]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address."""
        return f"{prefix()}/plugin/sentiment/run?dag_id={quote(ti_key.dag_id)}&run_id={quote(ti_key.run_id, safe='')}"


class DataDocsLink(BaseOperatorLink):
    """Great Expectations' pages."""

    name = "Data Docs"
    operators: ClassVar[Any] = [SPARK_STEP]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return their address."""
        return f"{prefix()}/sentiment/data-docs/"


class FilmsLink(BaseOperatorLink):
    """The search for films."""

    name = "Films"
    operators: ClassVar[Any] = [SPARK_STEP]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its address."""
        return f"{prefix()}/plugin/sentiment/films"
