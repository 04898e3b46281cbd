"""Measure the intake of a night: rows a second of JSON lines through ingest and validate, and memory."""

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
from sentiment.jobs import validate
from sentiment.orchestration import ingesting
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
SAMPLE_REVIEWS = 20_000
"""Reviews that are generated; beyond them, the same texts come again under other ids."""
BUDGET, BUDGET_WITH_LANGUAGE = 10_000, 3_000
"""Fewest rows a second of validate, without and with language identification."""


@dataclass(frozen=True)
class IntakeTimes:
    """Seconds of each part of one night's intake, and the driver's memory after it in bytes."""

    seconds: dict[str, float]
    driver_bytes: float

    def rows_per_s(self, rows: int, *parts: str) -> float:
        """Return rows a second over these parts together."""
        return rows / sum(self.seconds[part] for part in parts)


def measure(rounds: int, rows: int, report: Callable[[str], None]) -> list[Measured]:
    """Measure the intake of `rows` reviews, with and without language identification, and of a tenth, for memory."""
    plain = Measured(f"{rows:,} reviews, validate, no language", BUDGET, "rows/s")
    with_language = Measured(f"{rows:,} reviews, validate with language", BUDGET_WITH_LANGUAGE, "rows/s")
    memory = Measured("driver after them / after a tenth of them", 1.2, "x")
    with own_home() as config:
        small, large = (dump(config.home / f"{n}.jsonl", n) for n in (rows // 10, rows))
        report(f"{rows:,} reviews in {large.stat().st_size / 1e6:,.0f} MB of JSON lines")
        session = spark.session("bench intake")
        for number in range(rounds):
            night = FIRST_NIGHT + timedelta(days=2 * number)
            few = take(session, small, night)
            many = take(session, large, night + timedelta(days=1))
            total_s = sum(many.seconds.values())
            for part, seconds in many.seconds.items():
                report(f"  {part:<28} {seconds:7.1f} s  {rows / seconds:10,.0f} rows/s  {seconds / total_s:6.1%}")
            plain.rounds.append(many.rows_per_s(rows, "validate", GX))
            with_language.rounds.append(many.rows_per_s(rows, "validate with language", GX))
            memory.rounds.append(many.driver_bytes / few.driver_bytes)
        session.stop()
    return [plain, with_language, memory]


GX = "Great Expectations' pages"


def dump(path: Path, rows: int, night: date = FIRST_NIGHT) -> Path:
    """Write `rows` sample reviews of a night as JSON lines; return the path. Texts beyond 20,000 have other ids."""
    sample_dump.write(sample_dump.SampleDump(night, min(rows, SAMPLE_REVIEWS)), path)
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("wb") as out:
        for number in range(rows):
            line = lines[number % len(lines)]
            out.write(line.replace(b'"id": "r-', b'"id": "r%d-' % (number // len(lines)), 1))
    return path


def take(session: SparkSession, path: Path, night: date) -> IntakeTimes:
    """Run one night's intake with two attempts of validate, without and with language identification."""
    workspace, seconds = Workspace(), dict[str, float]()
    with _timed(seconds, "ingest"):
        begun = ingesting.ingest(ingesting.Request(night, f"bench{night:%d}", settings.load().model, str(path)))
    run = opening.get_run(begun.run_id)
    for part, checked in (("validate", False), ("validate with language", True)):
        new_attempt = partial(attempts.attempt, run.run_id, "validate")
        with _language(checked), _judge_timed() as pages, _timed(seconds, part), new_attempt() as attempt:
            validate.work(session, run, attempt, workspace)
        seconds[part] -= sum(pages)
        seconds[GX] = sum(pages)
    return IntakeTimes(seconds, driver_bytes(session))


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
    """Yield a list that gets the seconds of each call of `expectations.judge` inside."""
    judge, durations = expectations.judge, list[float]()

    def timed(*arguments: object, **named: object) -> expectations.Verdict:
        began = time.monotonic()
        try:
            return judge(*arguments, **named)  # type: ignore[arg-type]
        finally:
            durations.append(time.monotonic() - began)

    expectations.judge = timed
    try:
        yield durations
    finally:
        expectations.judge = judge
