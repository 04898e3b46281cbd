"""What every job of a night shares."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from sentiment.jobs import entry
from sentiment.runs import attempts, opening
from sentiment.runtime import spark


@pytest.fixture(autouse=True)
def _thresholds_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_what_the_work_needs_is_imported_while_the_session_starts(
    monkeypatch: pytest.MonkeyPatch, home: object
) -> None:
    imported, sessions = threading.Event(), list[object]()
    monkeypatch.setattr(sys, "argv", ["score", "--run-id", "20261122-1a2b3c4d"])
    monkeypatch.setattr(opening, "get_run", lambda run_id: SimpleNamespace(run_id=run_id, counts={"read": 7}))
    monkeypatch.setattr(attempts, "attempt", lambda *_: nullcontext())
    # Starts only once the other thread has come to its end.
    monkeypatch.setattr(spark, "session", lambda _, rows: (imported.wait(30), rows))
    assert entry.main("score", lambda session, *_: sessions.append(session), ahead=imported.set) == 0
    assert sessions == [(True, 7)]
