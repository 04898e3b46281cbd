"""Visitors of the pages over the module's database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sentiment.dashboard import reading
from starlette.testclient import TestClient

from tests.kit import visitors


@pytest.fixture(scope="module")
def viewer(_database_of_the_module: None) -> Iterator[TestClient]:
    """Return a visitor who may read alone."""
    yield visitors.client()
    reading._engine.cache_clear()


@pytest.fixture(scope="module")
def operator(_database_of_the_module: None) -> TestClient:
    """Return a visitor who may trigger runs, too."""
    return visitors.client(may_trigger=True)
