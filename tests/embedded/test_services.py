"""The services of Airflow's UI: started anew where they are broken, left alone where they are busy."""

from __future__ import annotations

import time

import pytest
from sentiment import settings
from sentiment.embedded import airflow
from sentiment.errors import InfrastructureError


class Started(Exception):
    """The services are started anew."""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let services run, whose answers about their health are taken from this list; a second passes after each."""
    coming, now = list[bool](), [0.0]
    monkeypatch.setattr(airflow, "processes", lambda *_, **__: [object()])
    monkeypatch.setattr(airflow, "_healthy", lambda _: bool(coming) and coming.pop(0))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def down(*_: object, **__: object) -> None:
        raise Started

    monkeypatch.setattr(airflow, "down", down)
    return coming


def test_busy_services_run_on(answers: list[bool]) -> None:
    answers += [False, False, True]
    assert airflow.up(settings.load(), {}, print) is False


def test_broken_services_are_started_anew(answers: list[bool]) -> None:
    with pytest.raises(Started):
        airflow.up(settings.load(), {}, print)


def test_services_that_never_are_healthy_end_the_wait(answers: list[bool]) -> None:
    with pytest.raises(InfrastructureError):
        airflow._wait_until_healthy(settings.load())
