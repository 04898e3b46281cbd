"""Params that several DAGs have, each with one type and pattern; and what a trigger passes that is no Param."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

from airflow.sdk import Param

from sentiment import settings
from sentiment.dump.profiles import NAME_PATTERN
from sentiment.errors import ParameterError, quoted
from sentiment.quality.batch_check import BatchCheck

if TYPE_CHECKING:
    from airflow.sdk import Context


def source() -> Param:
    """Return the Param of a source; its default is the configured source."""
    default = settings.load().source
    return Param(default, type="string", pattern=settings.SOURCE_PATTERN, description="where the reviews come from")


def model() -> Param:
    """Return the Param of a model; its default is the configured model."""
    default = settings.load().model
    return Param(default, type="string", pattern=settings.MODEL_PATTERN, description="`sentiment model list`")


def profile(description: str) -> Param:
    """Return the Param of a source profile's name; may be empty."""
    return Param(None, type=["null", "string"], pattern=NAME_PATTERN, description=description)


def encoding(description: str) -> Param:
    """Return the Param of an encoding's name; may be empty."""
    return Param(None, type=["null", "string"], pattern=r"^[a-z0-9-]{3,20}$", description=description)


def allow(description: str) -> Param:
    """Return the Param of batch checks that may fail; its default is none."""
    rules = [*BatchCheck]
    items = {"type": "string", "enum": rules}
    return Param([], type="array", items=items, examples=rules, uniqueItems=True, description=description)


def check_conf(context: Context) -> None:
    """Raise ParameterError, naming the nearest Param, where the run's conf has a key that is no Param of its DAG."""
    # Airflow takes any key along, so that a misspelt Param would be as good as none.
    dag, conf = context["dag"], context["dag_run"].conf or {}
    nearest = {key: get_close_matches(key, dag.params, n=1) for key in conf if key not in dag.params}
    if not nearest:
        return
    mended = {key: value for key, value in conf.items() if key in dag.params}
    for key, matches in nearest.items():
        if matches:
            mended.setdefault(matches[0], conf[key])
    unknown = ", ".join(f"{key!r}{f' (nearest: {near[0]})' if near else ''}" for key, near in nearest.items())
    raise ParameterError(
        f"The DAG {dag.dag_id} has no Param {unknown}; expected none but {', '.join(sorted(dag.params))}.",
        f"airflow dags trigger {dag.dag_id} --conf {quoted(json.dumps(mended, ensure_ascii=False))}",
    )
