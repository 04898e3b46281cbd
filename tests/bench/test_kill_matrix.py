"""The kill matrix, small: every point once or a few times; `make bench` runs it whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.runs.phases import PHASES
from sentiment.scoring import registry

from tests.kit import kill_matrix
from tests.kit.kill_matrix import FAULTS, MERGE_PHASES, SPARK_PHASES, Watcher

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module", autouse=True)
def model(server: object) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))


@pytest.fixture(scope="module")
def reader(server: object) -> Iterator[Watcher]:
    """A reader that looks all the time, and must never have seen half a night."""
    with Watcher() as watcher:
        yield watcher
    assert watcher.looks > 50
    assert watcher.halves == []


def test_every_phase_of_a_night_is_a_point() -> None:
    assert set(SPARK_PHASES) | set(MERGE_PHASES) == set(PHASES)


@pytest.mark.parametrize("phase", MERGE_PHASES)
def test_killed_in_the_merge(phase: str, reader: Watcher) -> None:
    assert [words for seed in range(4) for words in kill_matrix.kill(phase, seed)] == []


@pytest.mark.parametrize("phase", MERGE_PHASES)
def test_two_attempts_and_two_nights_interleaved(phase: str, reader: Watcher) -> None:
    seed = MERGE_PHASES.index(phase)
    assert kill_matrix.interleave(phase, seed) + kill_matrix.two_nights(phase, seed) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults(fault: kill_matrix.Fault, reader: Watcher) -> None:
    assert kill_matrix.faulty(fault, FAULTS.index(fault)) == []


def test_two_backfills_at_once(reader: Watcher) -> None:
    assert kill_matrix.two_backfills(0) == []


@pytest.mark.parametrize("phase", ["validated", "chunk scored", "staged"])
def test_killed_before_the_merge(phase: str, spark: SparkSession, reader: Watcher) -> None:
    seed = SPARK_PHASES.index(phase)  # even: go on with the step it was in; odd: from the beginning
    assert kill_matrix.kill_whole(spark, phase, range(seed, seed + 1)) == []


def test_a_spark_task_tried_again_writes_nothing_twice(spark: SparkSession, reader: Watcher) -> None:
    assert kill_matrix.task_tried_again(spark, 0) == []
