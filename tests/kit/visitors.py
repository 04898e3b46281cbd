"""Visitors of the pages, as Airflow's auth manager would answer for them."""

from __future__ import annotations

from typing import Any

from sentiment.dashboard import app
from sentiment.dashboard.guard import Guard
from starlette.testclient import TestClient


async def _anybody(_: str) -> Any:
    return "anybody"


async def _may_read(_: Any, dag: str, method: str) -> bool:
    return method == "GET"


async def _may_all(_: Any, dag: str, method: str) -> bool:
    return True


def guarded(may_trigger: bool = False) -> Guard:
    """Return the pages for visitors who may read runs and, with `may_trigger`, trigger them."""
    return Guard(app.build(), _anybody, _may_all if may_trigger else _may_read)


def client(may_trigger: bool = False) -> TestClient:
    """Return a client of `guarded`."""
    return TestClient(guarded(may_trigger))
