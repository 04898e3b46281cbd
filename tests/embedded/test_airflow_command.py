"""The command by which a night's DAG is run."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import airflow.__main__
import pytest
from sentiment.embedded import airflow_command
from sentiment.runtime import garbage


@pytest.fixture(autouse=True)
def _thresholds_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_airflow_is_imported_and_run_while_garbage_is_collected_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(airflow.__main__, "main", lambda: seen.append(gc.get_threshold()[0]))
    airflow_command.main()
    assert seen == [garbage.SELDOM]
