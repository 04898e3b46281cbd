"""What taking in a night costs: JSON lines through find_dump, ingest and validate, and where the time goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.jobs import ingest, validate
from sentiment.orchestration import steps
from sentiment.quality import expectations
from sentiment.runs import attempts, opening
from sentiment.runtime import spark
from sentiment.samples import sample_dump
from sentiment.workspace import Workspace

from bench.night import Measured
from tests.kit.homes import driver_bytes, own_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST_NIGHT = date(2026, 3, 2)
MADE_UP = 20_000
"""Reviews that are written once; more are these again under other ids."""
BUDGET, BUDGET_WITH_LANGUAGE = 10_000, 3_000


@dataclass(frozen=True)
class Took:
    """Seconds of each part of one night's intake, and the driver's memory after it in bytes."""

    seconds: dict[str, float]
    driver_bytes: float

    def rows_per_s(self, rows: int, *parts: str) -> float:
        """Rows a second over these parts together."""
        return rows / sum(self.seconds[part] for part in parts)


def measure(rounds: int, rows: int, tell: Callable[[str], None]) -> list[Measured]:
    """Take in `rows` reviews of JSON lines, with and without language identification; and a tenth, for the memory."""
    plain = Measured(f"{rows:,} reviews, ingest + validate, no language", BUDGET, "rows/s")
    with_language = Measured(f"{rows:,} reviews, ingest + validate with language", BUDGET_WITH_LANGUAGE, "rows/s")
    memory = Measured("driver after them / after a tenth of them", 1.2, "x")
    with own_home() as config:
        small, large = (dump(config.home / f"{n}.jsonl", n) for n in (rows // 10, rows))
        tell(f"{rows:,} reviews in {large.stat().st_size / 1e6:,.0f} MB of JSON lines")
        session = spark.session("bench intake")
        for number in range(rounds):
            night = FIRST_NIGHT + timedelta(days=2 * number)
            few = take(session, small, night)
            many = take(session, large, night + timedelta(days=1))
            whole = sum(many.seconds.values())
            for part, seconds in many.seconds.items():
                tell(f"  {part:<28} {seconds:7.1f} s  {rows / seconds:10,.0f} rows/s  {seconds / whole:6.1%}")
            plain.rounds.append(many.rows_per_s(rows, "ingest", "validate", GX))
            with_language.rounds.append(many.rows_per_s(rows, "ingest", "validate with language", GX))
            memory.rounds.append(many.driver_bytes / few.driver_bytes)
        session.stop()
    return [plain, with_language, memory]


GX = "Great Expectations' pages"


def dump(path: Path, rows: int) -> Path:
    """Made-up French reviews as JSON lines: the first 20,000 are written, the others are these under other ids."""
    sample_dump.write(sample_dump.SampleDump(FIRST_NIGHT, min(rows, MADE_UP)), path)
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("wb") as out:
        for number in range(rows):
            line = lines[number % len(lines)]
            out.write(line.replace(b'"id": "r-', b'"id": "r%d-' % (number // len(lines)), 1))
    return path


def take(session: SparkSession, path: Path, night: date) -> Took:
    """One night's intake; validate twice, without and with language identification."""
    workspace, seconds = Workspace(), dict[str, float]()
    with _timed(seconds, "find_dump"):
        found = steps.find_dump(steps.Request(night, f"bench{night:%d}", settings.load().model, str(path)))
    run = opening.get_run(found.run_id)
    with _timed(seconds, "ingest"), attempts.attempt(run.run_id, "ingest") as step:
        ingest.work(session, run, step, workspace)
    for part, checked in (("validate", False), ("validate with language", True)):
        step_of = partial(attempts.attempt, run.run_id, "validate")
        with _language(checked), _judge_timed() as pages, _timed(seconds, part), step_of() as step:
            validate.work(session, run, step, workspace)
        seconds[part] -= sum(pages)
        seconds[GX] = sum(pages)
    return Took(seconds, driver_bytes(session))


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[part] = time.monotonic() - began


@contextmanager
def _language(checked: bool) -> Iterator[None]:
    os.environ["SENTIMENT_CHECK_LANGUAGE"] = str(checked)
    settings.load.cache_clear()
    try:
        yield
    finally:
        del os.environ["SENTIMENT_CHECK_LANGUAGE"]
        settings.load.cache_clear()


@contextmanager
def _judge_timed() -> Iterator[list[float]]:
    """Seconds that Great Expectations took inside."""
    judge, found = expectations.judge, list[float]()

    def timed(*arguments: object, **named: object) -> expectations.Verdict:
        began = time.monotonic()
        try:
            return judge(*arguments, **named)  # type: ignore[arg-type]
        finally:
            found.append(time.monotonic() - began)

    expectations.judge = timed
    try:
        yield found
    finally:
        expectations.judge = judge
