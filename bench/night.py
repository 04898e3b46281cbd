"""Measure a night on this machine: cold from a bare clone, warm, and with nothing new in the dump."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import psutil
from sentiment.errors import InfrastructureError
from sentiment.samples import sample_dump
from sentiment.settings import PROJECT_ROOT

from bench.processes import Sampler
from tests.kit.commands import SENTIMENT

FIRST_NIGHT = date(2026, 3, 2)
REVIEWS = 2000


@dataclass
class Measured:
    """One figure, measured in several rounds, and its budget."""

    what: str
    budget: float | None
    """In `unit`; None where there is none."""
    unit: str
    rounds: list[float] = field(default_factory=list)
    """The figure of each round, in `unit`."""

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table's row: what, minimum, median, maximum, budget."""
        figures = min(self.rounds), statistics.median(self.rounds), max(self.rounds)
        shown = [f"{n:.{2 if n < 10 else 1}f} {self.unit}" for n in figures]
        return self.what, *shown, "" if self.budget is None else f"{self.budget:g} {self.unit}"


def machine() -> str:
    """Return a description of the machine: cores, memory, system."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, {platform.machine()}"


def measure(rounds: int, cold: bool, report: Callable[[str], None]) -> list[Measured]:
    """Run nights of 2,000 made-up reviews in a temporary home and return the rows of the table.

    `cold` adds a first night of a bare clone with an empty home, which needs the network. Raises InfrastructureError,
    with the end of its output, where a command fails.
    """
    parse = Measured("DAG file parsed", 2, "s")
    warm = Measured("warm night of 2,000 reviews", 150, "s")
    idle = Measured("the same again, nothing new", 60, "s")
    memory = Measured("peak memory of a night", 6, "GiB")
    figures = [parse, warm, idle, memory]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        try:
            if cold:
                figures.insert(0, _cold(home, report))
            # Starts Postgres and Airflow and fetches the jars, so that the rounds are warm.
            _night(home, FIRST_NIGHT - timedelta(days=1), 50)
            for number in range(rounds):
                night = FIRST_NIGHT + timedelta(days=number)
                report(f"round {number + 1} of {rounds}")
                parse.rounds.append(_parse())
                seconds, peak = _night(home, night, REVIEWS)
                warm.rounds.append(seconds)
                memory.rounds.append(peak / 2**30)
                idle.rounds.append(_night(home, night, REVIEWS)[0])
        finally:
            sentiment(home, "down", "--remove")
    return figures


def _parse() -> float:
    # Airflow's own import is not the DAG file's cost, so it comes before the clock starts.
    code = (
        "import time, airflow.sdk; began = time.perf_counter(); import runpy; "
        "runpy.run_path('dags/nightly_reviews.py'); print(time.perf_counter() - began)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def _night(home: Path, night: date, n_reviews: int) -> tuple[float, float]:
    dump = home / "dumps" / f"bench-{night}.jsonl"
    if not dump.exists():
        sample_dump.write(sample_dump.SampleDump(night=night, n_reviews=n_reviews), dump)
    return sentiment(home, "nightly", "--dump", str(dump), "--date", night.isoformat())


def sentiment(home: Path, *arguments: str) -> tuple[float, float]:
    """Run a command in that home; return its seconds and the peak bytes of its process tree."""
    # Settings of the caller's shell must not reach the measured home.
    env = {k: v for k, v in os.environ.items() if not k.startswith("SENTIMENT_")} | {"SENTIMENT_HOME": str(home)}
    return _timed([SENTIMENT, *arguments], env, home)


def _timed(command: list[str], env: dict[str, str], cwd: Path) -> tuple[float, float]:
    began = time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sampler = Sampler(process.pid)
    sampler.start()
    output, _ = process.communicate()
    sampler.end()
    if process.returncode:
        raise InfrastructureError(f"{' '.join(command)} failed:\n{output[-2000:]}", "sentiment doctor")
    return time.monotonic() - began, sampler.peak_bytes


def _cold(home: Path, report: Callable[[str], None]) -> Measured:
    """Clone this checkout and run its first command with an empty home, network included."""
    report("cold: a bare clone, an empty home, the network")
    measured = Measured("cold set-up to summary", 480, "s")
    clone, empty = home / "clone", home / "empty"
    empty.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(PROJECT_ROOT), str(clone)], check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SENTIMENT_", "VIRTUAL_ENV"))}
    # An empty home and no caches: everything comes over the network.
    env |= {"HOME": str(empty), "UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    measured.rounds.append(_timed(["make", "nightly"], env, clone)[0])
    subprocess.run(["make", "down"], cwd=clone, env=env, check=True, capture_output=True)
    return measured
