"""Params that several DAGs ask for, each with one type and pattern."""

from __future__ import annotations

from airflow.sdk import Param

from sentiment.quality.batch import BatchRule


def profile(description: str) -> Param:
    """A source profile's name, or nothing."""
    return Param(None, type=["null", "string"], pattern=r"^[a-z][a-z0-9_-]{0,30}$", description=description)


def encoding(description: str) -> Param:
    """An encoding's name, or nothing."""
    return Param(None, type=["null", "string"], pattern=r"^[a-z0-9-]{3,20}$", description=description)


def allow(description: str) -> Param:
    """Some of the rules for the whole batch."""
    rules = [*BatchRule]
    items = {"type": "string", "enum": rules}
    return Param([], type="array", items=items, examples=rules, uniqueItems=True, description=description)
