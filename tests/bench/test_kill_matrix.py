"""The kill matrix, small: every point with one or a few seeds. `python -m bench --only matrix` runs it with many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.runs.phases import PHASES
from sentiment.scoring import registry

from tests.kit.kill_matrix import faults, merge_points, spark_points
from tests.kit.kill_matrix.faults import FAULTS, Fault
from tests.kit.kill_matrix.merge_points import MERGE_PHASES
from tests.kit.kill_matrix.reader import ConcurrentReader
from tests.kit.kill_matrix.runner import POINTS_WITHOUT_SPARK
from tests.kit.kill_matrix.spark_points import SPARK_PHASES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="module", autouse=True)
def model(server: object) -> None:
    registry.register(registry.find("cinema-fr", settings.load()))


@pytest.fixture(scope="module")
def reader(server: object) -> Iterator[ConcurrentReader]:
    """A reader that looks all the time, and must never have seen a partly published night."""
    with ConcurrentReader() as concurrent:
        yield concurrent
    assert concurrent.n_snapshots > 50
    assert concurrent.partly_published == []


def test_every_phase_of_a_night_is_a_point() -> None:
    assert set(SPARK_PHASES) | set(MERGE_PHASES) == set(PHASES)


def test_the_matrix_has_38_points_and_30_need_no_spark() -> None:
    assert len({point.name for point in POINTS_WITHOUT_SPARK}) == 3 * len(MERGE_PHASES) + len(FAULTS) + 1 == 30
    assert len(set(SPARK_PHASES)) == 8


@pytest.mark.parametrize("phase", MERGE_PHASES)
def test_killed_while_publishing(phase: str, reader: ConcurrentReader) -> None:
    assert merge_points.kill_merge(phase, MERGE_PHASES.index(phase)) == []


@pytest.mark.parametrize("phase", MERGE_PHASES)
def test_an_attempt_and_a_night_overtaken(phase: str, reader: ConcurrentReader) -> None:
    seed = MERGE_PHASES.index(phase)
    assert merge_points.overtake_by_attempt(phase, seed) + merge_points.overtake_by_night(phase, seed) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults(fault: Fault, reader: ConcurrentReader) -> None:
    assert faults.disturb(fault, FAULTS.index(fault)) == []


def test_two_backfills_at_once(reader: ConcurrentReader) -> None:
    assert merge_points.two_backfills(0) == []


# An even seed: the steps that are done are left out; an odd one: all run again.
@pytest.mark.parametrize(("phase", "seed"), [("stopped", 3), ("chunk scored", 4)])
def test_killed_before_the_merge(phase: str, seed: int, spark: SparkSession, reader: ConcurrentReader) -> None:
    assert spark_points.kill_night(spark, phase, range(seed, seed + 1)) == []
