"""Params that several DAGs have, each with one type and pattern; and what a trigger passes that is no Param."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from sentiment import settings
from sentiment.dump import profiles
from sentiment.errors import ParameterError, quoted
from sentiment.quality.batch_check import BatchCheck
from sentiment.scoring import folders

if TYPE_CHECKING:
    from airflow.sdk import Context


READING, SCORING, OUTCOME, ALARMS = "How the dump is read", "Scoring", "What becomes of it", "Alarms"
"""Sections of the forms in Airflow's UI, which are closed at first: what a run needs is in none."""
PARIS_TIME = "a Paris date, whatever time zone this page shows"


def source() -> Param:
    """Return the Param of a source; its default is the configured source."""
    default = settings.load().source
    return Param(
        default,
        type="string",
        pattern=settings.SOURCE_PATTERN,
        title="Source",
        description="where the reviews come from: small letters, digits and _",
    )


def model(description: str = "which model scores") -> Param:
    """Return the Param of a model; its default is the configured model, those that are here are suggested."""
    return Param(
        settings.load().model,
        type="string",
        pattern=settings.MODEL_PATTERN,
        examples=models(),
        title="Model",
        description=f"{description}: a name of `sentiment model list`",
    )


def models() -> list[str]:
    """Return the names of the models on this machine, by their folders: forms are made without asking a database."""
    return sorted(folders.known(settings.load()))


def day(title: str, description: str, optional: bool = False) -> Param:
    """Return the Param of a Paris date, which the form shows as a calendar; may be empty where it is `optional`."""
    described = f"{description}; {PARIS_TIME}"
    if optional:
        return Param(None, type=["null", "string"], format="date", title=title, description=described)
    return Param(type="string", format="date", title=title, description=described)


def profile(otherwise: str) -> Param:
    """Return the Param of a source profile's name; may be empty, and those that are here are suggested."""
    return Param(
        None,
        type=["null", "string"],
        pattern=profiles.NAME_PATTERN,
        examples=profiles.names(settings.load().sources),
        section=READING,
        title="Source profile",
        description=f"a name of `sentiment source list`; empty: {otherwise}",
    )


def encoding(otherwise: str) -> Param:
    """Return the Param of an encoding's name; may be empty."""
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^[a-z0-9-]{3,20}$",
        examples=["utf-8", "windows-1252", "utf-16", "cp850", "mac-roman"],
        section=READING,
        title="Encoding",
        description=f"like windows-1252; empty: {otherwise}",
    )


def allow(description: str) -> Param:
    """Return the Param of batch checks that may fail; its default is none."""
    rules = [*BatchCheck]
    return Param(
        [],
        type="array",
        items={"type": "string", "enum": rules},
        examples=rules,
        uniqueItems=True,
        section=OUTCOME,
        title="Batch checks that may fail",
        description=description,
    )


def reason(description: str, section: str | None = OUTCOME, needed: bool = False) -> Param:
    """Return the Param of a person's reason; may be empty unless it is `needed`."""
    fields: dict[str, Any] = {"title": "Reason", "description": f"{description}; it is stored", "maxLength": 500}
    fields |= {"section": section} if section else {}
    if needed:
        return Param(type="string", minLength=3, **fields)
    return Param(None, type=["null", "string"], minLength=1, **fields)


def switch(title: str, description: str, default: bool = False, section: str | None = None) -> Param:
    """Return the Param of something that is on or off."""
    fields: dict[str, Any] = {"section": section} if section else {}
    return Param(default, type="boolean", title=title, description=description, **fields)


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
