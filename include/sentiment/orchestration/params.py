"""Params that several DAGs ask for, each with one type and pattern."""

from __future__ import annotations

from airflow.sdk import Param

from sentiment import settings
from sentiment.dump.profiles import NAME_PATTERN
from sentiment.quality.batch_check import BatchCheck


def source() -> Param:
    """Where the reviews come from; the default source."""
    default = settings.load().source
    return Param(default, type="string", pattern=settings.SOURCE_PATTERN, description="where the reviews come from")


def model() -> Param:
    """A model's name; the default model."""
    default = settings.load().model
    return Param(default, type="string", pattern=settings.MODEL_PATTERN, description="`sentiment model list`")


def profile(description: str) -> Param:
    """A source profile's name, or nothing."""
    return Param(None, type=["null", "string"], pattern=NAME_PATTERN, description=description)


def encoding(description: str) -> Param:
    """An encoding's name, or nothing."""
    return Param(None, type=["null", "string"], pattern=r"^[a-z0-9-]{3,20}$", description=description)


def allow(description: str) -> Param:
    """Some of the rules for the whole batch."""
    rules = [*BatchCheck]
    items = {"type": "string", "enum": rules}
    return Param([], type="array", items=items, examples=rules, uniqueItems=True, description=description)
