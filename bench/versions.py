"""Measure an old checkout and the present one in turn, side by side: nights, intake, publishing, digests of tables.

Both take in the same made-up dumps, each in its own environment, home and server, by the commands that a person types.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from sentiment.errors import InfrastructureError
from sentiment.samples import sample_dump
from sentiment.samples.sample_dump import SampleDump
from sentiment.settings import PROJECT_ROOT

from bench import intake
from bench.checkouts import Night, event_logs, there
from bench.night import REVIEWS
from bench.pairs import ROUNDS, Measure, Pair
from bench.seconds import Seconds, seconds
from tests.kit import digests
from tests.kit.digests import Difference

FIRST_NIGHT = date(2024, 1, 1)
SMALL_MODEL = "demo-fr"
LARGE, RECORDS, PUBLISHED = 200_000, 1_000_000, 500_000
PUBLISHING = re.compile(r"\bfirst ([\d.]+) s staging \+ ([\d.]+) s merge")
"""What `bench.publishing` reports of a round, in every version."""
Report = Callable[[str], None]


@dataclass
class Compared:
    """What a run of `Versions.measure` has measured."""

    pairs: list[Pair] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    tables: list[Seconds] = field(default_factory=list)

    @property
    def n_missed(self) -> int:
        """Budgets missed, and tables that differ."""
        return sum(pair.is_missed for pair in self.pairs) + sum(not d.is_equal for d in self.differences)


class Versions:
    """The old checkout and the present one, and the dumps that both take in."""

    def __init__(self, old: Path, report: Report, new: Path = PROJECT_ROOT) -> None:
        self.old, self.new = there(old, old / ".local"), there(new, old / ".present")
        self.dumps = old.resolve() / ".dumps"
        self.report = report

    def measure(self, measures: list[Measure], rounds: int | None = None) -> Compared:
        """Measure each, `rounds` times or as often as it is by default, and stop both servers afterwards.

        Raises InfrastructureError where a command of either fails.
        """
        compared = Compared()
        for checkout in (self.old, self.new):
            checkout.start()
        try:
            for chosen in measures:
                self.report(f"{chosen}, old and new in turn")
                if chosen is Measure.digests:
                    compared.differences += self._digests()
                elif chosen is Measure.seconds:
                    compared.tables += self._seconds()
                else:
                    compared.pairs += self._timed(chosen)(rounds or ROUNDS.get(chosen, 5))
        finally:
            for checkout in (self.old, self.new):
                checkout.make("down")
        return compared

    def _timed(self, measure: Measure) -> Callable[[int], list[Pair]]:
        return {
            Measure.night: self._night,
            Measure.known: self._known,
            Measure.same: self._same,
            Measure.large: self._large,
            Measure.validate: self._validate,
            Measure.publish: self._publish,
            Measure.cold: self._cold,
        }[measure]

    @cached_property
    def _first(self) -> date:
        """The first night that neither has run; publishes a small one on both, so that all that follow are warm."""
        newest = [night for checkout in (self.old, self.new) if (night := checkout.newest_night())]
        night = max([FIRST_NIGHT, *newest]) + timedelta(days=1)
        for checkout in (self.old, self.new):
            checkout.night({"DUMP": str(self._dump(night, 50)), "DATE": night.isoformat(), "SOURCE": "warm"})
        return night + timedelta(days=1)

    def _dump(self, night: date, n_reviews: int, known_share: float = 0, changed_share: float = 0) -> Path:
        path = self.dumps / f"{n_reviews}-{night}.jsonl"
        sample_dump.write(SampleDump(night, n_reviews, known_share=known_share, changed_share=changed_share), path)
        return path

    def _both(self, number: int, values: dict[str, str], until: str = "") -> tuple[Night, Night]:
        """Run a night on both, the old one first in every other round; return the old one's and the new one's."""
        ran: dict[str, Night] = {}
        sides = [("old", self.old), ("new", self.new)]
        for name, checkout in sides if number % 2 == 0 else reversed(sides):
            ran[name] = checkout.night(values, until)
            self.report(f"  {name}: {ran[name].seconds:.1f} s, {_steps(ran[name])}")
        return ran["old"], ran["new"]

    def _nights(self, source: str, n_reviews: int, rounds: int, budget: float, **values: str) -> list[Pair]:
        """Run nights of new reviews, one a round."""
        time_s = Pair(f"warm night of {n_reviews:,} new reviews", "s", budget)
        memory = Pair(f"its peak memory, {n_reviews:,} reviews", "MiB", 1.0)
        first = self._first
        for number in range(rounds):
            night = first + timedelta(days=number)
            typed = {"DUMP": str(self._dump(night, n_reviews)), "DATE": night.isoformat(), "SOURCE": source, **values}
            old, new = self._both(number, typed)
            time_s.add(old.seconds, new.seconds)
            memory.add(old.sampler.peak_bytes / 2**20, new.sampler.peak_bytes / 2**20)
        self._first = first + timedelta(days=rounds)
        return [time_s, memory]

    def _night(self, rounds: int) -> list[Pair]:
        return self._nights("small", REVIEWS, rounds, 0.70)

    def _large(self, rounds: int) -> list[Pair]:
        return self._nights("large", LARGE, rounds, 0.95, MODEL=SMALL_MODEL)

    def _known(self, rounds: int) -> list[Pair]:
        """Publish reviews, then list the same ones each round in a dump of another order."""
        pair, first = Pair(f"{REVIEWS:,} known reviews in a new dump", "s", 0.80), self._first
        # A source of its own: reviews are known by source.
        source = f"known_{first:%Y%m%d}"
        base = self._dump(first, REVIEWS)
        lines = base.read_bytes().splitlines(keepends=True)
        self._both(0, {"DUMP": str(base), "DATE": first.isoformat(), "SOURCE": source})
        for number in range(1, rounds + 1):
            night = first + timedelta(days=number)
            turned = self.dumps / f"known-{night}.jsonl"
            turned.write_bytes(b"".join(lines[number:] + lines[:number]))
            old, new = self._both(number, {"DUMP": str(turned), "DATE": night.isoformat(), "SOURCE": source})
            pair.add(old.seconds, new.seconds)
        self._first = first + timedelta(days=rounds + 1)
        return [pair]

    def _same(self, rounds: int) -> list[Pair]:
        """Publish a night, then run the same one again each round."""
        pair, night = Pair("the very same dump again", "s", 1.0), self._first
        typed = {"DUMP": str(self._dump(night, REVIEWS)), "DATE": night.isoformat(), "SOURCE": f"same_{night:%Y%m%d}"}
        self._both(0, typed)
        for number in range(rounds):
            old, new = self._both(number, typed)
            pair.add(old.seconds, new.seconds)
        self._first = night + timedelta(days=1)
        return [pair]

    def _validate(self, rounds: int) -> list[Pair]:
        """Validate a million records of 20,000 texts, and leave the rest of the night out."""
        time_s = Pair(f"validate of {RECORDS:,} records", "s", 1.0)
        written = Pair("bytes that it writes", "MB", 1.0)
        intake_s = Pair(f"intake of {RECORDS:,} records, from the dump to judged ones", "s", 1.1)
        memory = Pair("peak memory of that intake", "MiB", 1.1)
        first = self._first
        for number in range(rounds):
            night = first + timedelta(days=number)
            self.dumps.mkdir(parents=True, exist_ok=True)
            dump = intake.dump(self.dumps / f"records-{night}.jsonl", RECORDS, night)
            typed = {"DUMP": str(dump), "DATE": night.isoformat(), "SOURCE": "validated", "MODEL": SMALL_MODEL}
            ran = self._both(number, typed, until="validate")
            old, new = map(_validated, ran)
            time_s.add(old[0], new[0])
            written.add(old[1] / 1e6, new[1] / 1e6)
            intake_s.add(*(night.seconds for night in ran))
            memory.add(*(night.sampler.peak_bytes / 2**20 for night in ran))
            dump.unlink()
        self._first = first + timedelta(days=rounds)
        return [time_s, written, intake_s, memory]

    def _publish(self, rounds: int) -> list[Pair]:
        """Publish made-up scored reviews by each version's own measurement of publishing."""
        pair = Pair(f"staging + merge of {PUBLISHED:,}", "s", 0.75)
        options = ("--only", "publishing", "--rounds", "1", "--reviews", str(PUBLISHED))
        for _ in range(rounds):
            outputs = (
                self.old.command("sentiment", "bench", *options),
                self.new.command("python", "-m", "bench", *options),
            )
            old, new = map(publishing_s, outputs)
            self.report(f"  old: {old:.1f} s; new: {new:.1f} s")
            pair.add(old, new)
        return [pair]

    def _cold(self, rounds: int) -> list[Pair]:
        pair = Pair("first night of a clone, caches filled", "s", 0.85)
        for _ in range(rounds):
            old, new = self.old.cold_s(), self.new.cold_s()
            self.report(f"  old: {old:.0f} s; new: {new:.0f} s")
            pair.add(old, new)
        return [pair]

    def _seconds(self) -> list[Seconds]:
        """Run a small night on both with event logs; return where each second went, old and new."""
        night = self._first
        typed = {"DUMP": str(self._dump(night, REVIEWS)), "DATE": night.isoformat(), "SOURCE": "seconds"}
        tables = []
        for name, checkout in (("old", self.old), ("new", self.new)):
            events = checkout.home / "events" / night.isoformat()
            ran = checkout.night(typed, env=event_logs(events))
            tables.append(seconds(f"{name}: a night of {REVIEWS:,} reviews", ran, events))
        self._first = night + timedelta(days=1)
        return tables

    def _digests(self) -> list[Difference]:
        """Publish three nights with everything that dumps hold, the second with sentences; compare every table."""
        first = self._first
        source = f"digests_{first:%Y%m%d}"
        for number in range(3):
            night = first + timedelta(days=number)
            dump = self._dump(night, 400, known_share=0.3, changed_share=0.1)
            typed = {"DUMP": str(dump), "DATE": night.isoformat(), "SOURCE": source}
            self._both(number, typed | ({"SENTENCES": "1"} if number == 1 else {}))
        self._first = first + timedelta(days=3)
        with self.old.connected() as old, self.new.connected() as new:
            return digests.compare(digests.of_source(old, source), digests.of_source(new, source))


def publishing_s(output: str) -> float:
    """Return the seconds of staging and merge that a round of `bench.publishing` reports."""
    reported = PUBLISHING.search(" ".join(output.split()))
    if reported is None:
        raise InfrastructureError(f"No round of publishing is reported in:\n{output[-1000:]}", "python -m bench --help")
    return float(reported[1]) + float(reported[2])


def _steps(night: Night) -> str:
    return ", ".join(f"{name} {step.seconds:.1f}" for name, step in night.steps.items())


def _validated(night: Night) -> tuple[float, int]:
    """Return seconds and written bytes from received records to judged ones.

    A version whose find_dump receives the records decodes them in its ingest, one whose ingest receives them in its
    validate.
    """
    names = ["ingest", "validate"] if "find_dump" in night.steps else ["validate"]
    steps = [night.steps[name] for name in names]
    written = night.sampler.written_between(steps[0].began, steps[-1].ended)
    return sum(step.seconds for step in steps), written
