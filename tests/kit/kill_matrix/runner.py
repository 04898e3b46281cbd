"""All points of the kill matrix, and their run over seeds in a home of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from sentiment import settings

from tests.kit.homes import own_home
from tests.kit.kill_matrix import faults, merge_points, spark_points
from tests.kit.kill_matrix.faults import FAULTS
from tests.kit.kill_matrix.merge_points import MERGE_PHASES
from tests.kit.kill_matrix.reader import ConcurrentReader
from tests.kit.kill_matrix.spark_points import SPARK_PHASES

SEEDS_PER_SESSION = 9
"""A killed process returns nothing to the Java machine that it used, so a machine ends after this many seeds."""

SMALL_NIGHTS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""Spark's settings for nights of 40 records, which are over before code for them would be compiled."""

MAX_VIOLATIONS_REPORTED = 20
Report = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """A point that needs no Spark: what is done at it with one seed, returning violations."""

    name: str
    run: Callable[[int], list[str]]


POINTS_WITHOUT_SPARK = (
    *(Point(f"killed: {phase}", partial(merge_points.kill_merge, phase)) for phase in MERGE_PHASES),
    *(Point(f"attempt overtaken: {phase}", partial(merge_points.overtake_by_attempt, phase)) for phase in MERGE_PHASES),
    *(Point(f"night overtaken: {phase}", partial(merge_points.overtake_by_night, phase)) for phase in MERGE_PHASES),
    *(Point(f"fault: {fault.name}", partial(faults.disturb, fault)) for fault in FAULTS),
    Point("two backfills", merge_points.two_backfills),
)


NAMES_WITHOUT_SPARK = tuple(point.name for point in POINTS_WITHOUT_SPARK)
NAMES = (*NAMES_WITHOUT_SPARK, *SPARK_PHASES)


@dataclass
class Outcome:
    """What a part of the matrix came to: its number of points, the violations, and its time in seconds."""

    n_points: int
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def describe(self, n_seeds: int) -> str:
        """Describe the outcome in one line."""
        size = f"{self.n_points} points x {n_seeds} seeds, {len(self.violations)} violations"
        return f"{size}, {self.seconds:,.0f} s ({self.seconds / n_seeds:.1f} s a seed)"


def run_without_spark(points: Sequence[Point], n_seeds: int, report: Report) -> Outcome:
    """Run points that need no Spark over the seeds, and report after each."""
    outcome, began = Outcome(len(points)), time.monotonic()
    for number, point in enumerate(points, 1):
        for seed in range(n_seeds):
            outcome.violations += point.run(seed)
        outcome.seconds = time.monotonic() - began
        report(_progress(f"{number} of {outcome.n_points}", point.name, outcome))
    return outcome


def run_with_spark(points: Sequence[str], n_seeds: int, report: Report) -> Outcome:
    """Run points that need Spark over the seeds, and report after each block of seeds."""
    blocks = [
        (point, range(first, min(first + SEEDS_PER_SESSION, n_seeds)))
        for point in points
        for first in range(0, n_seeds, SEEDS_PER_SESSION)
    ]
    outcome, began = Outcome(len(points)), time.monotonic()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as process:
        results = process.map(_run_in_own_session, *zip(*blocks, strict=True))
        for number, ((point, seeds), violations) in enumerate(zip(blocks, results, strict=True), 1):
            outcome.violations += violations
            outcome.seconds = time.monotonic() - began
            name = f"{point}, seeds {seeds.start} to {seeds.stop - 1}"
            report(_progress(f"{number} of {len(blocks)} with Spark", name, outcome))
    return outcome


def _progress(position: str, name: str, outcome: Outcome) -> str:
    return f"  {position} ({name}): {outcome.seconds:,.0f} s, {len(outcome.violations)} violations"


def _run_in_own_session(point: str, seeds: range) -> list[str]:
    from sentiment.runtime import spark

    return spark_points.kill_night(spark.session("kill matrix"), point, seeds)


@contextmanager
def _spark_settings() -> Iterator[None]:
    # local[2,4]: a task may fail three times before its job does, as on a cluster.
    changed = {"SENTIMENT_SPARK_MASTER": "local[2,4]", "SENTIMENT_SPARK_CONF": json.dumps(SMALL_NIGHTS)}
    os.environ.update(changed)
    settings.load.cache_clear()
    try:
        yield
    finally:
        for name in changed:
            del os.environ[name]
        settings.load.cache_clear()


def measure(n_seeds: int, report: Report, names: Collection[str] = NAMES) -> int:
    """Run points of the matrix, of `NAMES`, in a home of its own and report; return the number of violations.

    A partly published night that the concurrent reader saw counts as a violation too.
    """
    without = [point for point in POINTS_WITHOUT_SPARK if point.name in names]
    with_spark = [name for name in SPARK_PHASES if name in names]
    with own_home(), _spark_settings(), ConcurrentReader() as reader:
        outcomes = []
        if without:
            outcomes.append(run_without_spark(without, n_seeds, report))
            report(f"{outcomes[-1].describe(n_seeds)} (loading, merge, overtaking, faults; no Spark)")
        if with_spark:
            outcomes.append(run_with_spark(with_spark, n_seeds, report))
            report(f"{outcomes[-1].describe(n_seeds)} (with Spark)")
    violations = [violation for outcome in outcomes for violation in outcome.violations]
    for violation in violations[:MAX_VIOLATIONS_REPORTED]:
        report(f"  violation: {violation}")
    if len(outcomes) > 1:
        total = Outcome(sum(o.n_points for o in outcomes), violations, sum(o.seconds for o in outcomes))
        report(f"{total.describe(n_seeds)} (all)")
    n_partial = len(reader.partly_published)
    report(f"{reader.n_snapshots:,} snapshots of a concurrent reader: {n_partial} with a partly published night")
    return len(violations) + n_partial
