"""Visitors of the pages, as Airflow's auth manager would answer for them."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup, Tag
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


def page_of(visitor: TestClient, path: str, **values: object) -> BeautifulSoup:
    """Return a page, which is there, of a path and its parameters."""
    answer = visitor.get(path, params={name: str(value) for name, value in values.items()} or None)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def text_of(element: Tag) -> str:
    """Return the text of an element, its white space single blanks."""
    return " ".join(element.get_text().split())
