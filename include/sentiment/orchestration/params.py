"""Params that several DAGs have, each with one type and pattern."""

from __future__ import annotations

from airflow.sdk import Param

from sentiment import settings
from sentiment.dump.profiles import NAME_PATTERN
from sentiment.quality.batch_check import BatchCheck


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
