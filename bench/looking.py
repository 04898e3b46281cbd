"""Measure `sentiment source look`: at all records of a dump, and at the sample that it looks at by default."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from sentiment.jobs.looking import SAMPLE

from bench import intake
from bench.night import Measured, sentiment


def measure(rounds: int, rows: int, report: Callable[[str], None]) -> list[Measured]:
    """Look at a dump of `rows` reviews in a temporary home; return time and peak memory of both ways."""
    names = (f"look at {rows:,} records", f"look at {SAMPLE:,} of them")
    figures = {name: (Measured(name, None, "s"), Measured(f"{name}: peak memory", None, "GiB")) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        dump = str(intake.dump(home / "look.jsonl", rows))
        # Fetches the jars, so that the rounds are warm.
        sentiment(home, "source", "look", dump)
        for number in range(rounds):
            report(f"look, round {number + 1} of {rounds}")
            for (seconds, memory), options in zip(figures.values(), (["--all"], []), strict=True):
                took_s, peak_bytes = sentiment(home, "source", "look", dump, *options)
                seconds.rounds.append(took_s)
                memory.rounds.append(peak_bytes / 2**30)
    return [figure for pair in figures.values() for figure in pair]
