"""`sentiment sample-dump`: a believable dump of French film reviews, none of which anybody wrote.

A fresh review is a pure function of (seed, night, polarity, number in that night's stream of that polarity). A later
night can thus list earlier reviews again without reading a file, and a night with another `positive_share` takes more
of one stream and fewer of the other: no review changes because of it.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import BinaryIO

from sentiment.errors import ParameterError, quoted
from sentiment.samples.sample_lines import Defect, defective_line, header, sound_line
from sentiment.samples.sample_review import Record, review, seeded_random

SUFFIXES = (".jsonl", ".csv", ".jsonl.gz", ".csv.gz")
EARLIER_NIGHTS = 7
"""Nights before, whose reviews are listed again as known or changed."""
HELP = "sentiment sample-dump --help"
INVENTED = "%/dumps/sample-%"
"""What is LIKE this in SQL is the address of a dump of `path_of`."""
SMALLEST_WITH_FLAWS = 20
"""Records from which on a share above 0 of defects or duplicates means at least one."""


class Kind(StrEnum):
    """What a record of the dump is to the pipeline."""

    FRESH = "fresh"
    KNOWN = "known"
    CHANGED = "changed"
    DEFECT = "defect"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class SampleDump:
    """Parameters of a sample dump. Shares are of `n_reviews`, from 0 to 1; the rest of the records is fresh.

    Raises ParameterError, naming the parameter, for values out of range and for shares that leave too few fresh ones.
    """

    night: date
    n_reviews: int = 2000
    """Records, the defective and the duplicate included."""
    seed: int = 1
    positive_share: float = 0.6
    """Expected share of positive reviews among the fresh; nights vary round it as samples do."""
    known_share: float = 0.1
    changed_share: float = 0.01
    defect_share: float = 0.01
    duplicate_share: float = 0.01

    def __post_init__(self) -> None:
        """Raise ParameterError for values that no dump can have."""
        _expect(type(self.night) is date and 1900 <= self.night.year < 2900, self, "night", "a date in 1900-2899")
        _expect(type(self.n_reviews) is int and self.n_reviews >= 1, self, "n_reviews", "a whole number from 1")
        _expect(type(self.seed) is int, self, "seed", "a whole number")
        for name in ("positive_share", "known_share", "changed_share", "defect_share", "duplicate_share"):
            share = getattr(self, name)
            _expect(type(share) in (int, float) and 0 <= share <= 1, self, name, "a number from 0 to 1")
        self._expect_enough_fresh()

    def _expect_enough_fresh(self) -> None:
        counts = self.counts()
        fresh = counts[Kind.FRESH]
        listed = counts[Kind.KNOWN] + counts[Kind.CHANGED]
        if fresh < 1 or _per_night(listed) > fresh:
            raise ParameterError(
                f"known_share, changed_share, defect_share and duplicate_share leave {max(fresh, 0)} fresh of "
                f"n_reviews={self.n_reviews}; expected at least 1, and at least a seventh of the "
                f"{listed} records known from the {EARLIER_NIGHTS} nights before",
                HELP,
            )

    def counts(self) -> dict[Kind, int]:
        """Return how many records of each kind the dump has; they add up to `n_reviews`."""
        flawed = 1 if self.n_reviews >= SMALLEST_WITH_FLAWS else 0
        counts = {
            Kind.KNOWN: round(self.n_reviews * self.known_share),
            Kind.CHANGED: round(self.n_reviews * self.changed_share),
            Kind.DEFECT: _at_least(flawed, self.n_reviews, self.defect_share),
            Kind.DUPLICATE: _at_least(flawed, self.n_reviews, self.duplicate_share),
        }
        return {Kind.FRESH: self.n_reviews - sum(counts.values()), **counts}


@dataclass(frozen=True)
class SampleDumpSummary:
    """Counts of the records of a dump that was written.

    `positive` and `negative` count the sentiment that a review was written with, its label missing or not, over fresh,
    known and changed records.
    """

    path: Path
    records: int
    fresh: int
    known: int
    changed: int
    duplicates: int
    positive: int
    negative: int
    defects: dict[str, int] = field(default_factory=dict)
    """Defect, by its stored name -> records."""


def write(spec: SampleDump, path: Path) -> SampleDumpSummary:
    """Write the dump and return its counts; the same spec gives the same bytes.

    Format and compression follow the file's suffix. An existing file is replaced atomically. Raises ParameterError for
    another suffix.
    """
    if not path.name.endswith(SUFFIXES):
        again = f"sentiment sample-dump {quoted(path.with_suffix('.jsonl.gz'))}"
        raise ParameterError(f"path is {path.name!r}; expected a name ending in one of {', '.join(SUFFIXES)}", again)
    as_csv = path.name.removesuffix(".gz").endswith(".csv")
    dump = _Dump(spec, as_csv)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(path) as file:
        if as_csv:
            file.write(header())
        file.writelines(dump.lines())
    return dump.summary(path)


def path_of(home: Path, night: date) -> Path:
    """Return where the made-up dump of a night lies that is published for want of another."""
    return home / "dumps" / f"sample-{night}.jsonl"


def texts(spec: SampleDump) -> list[str]:
    """Return the reviews' texts in the order of the dump; `spec` must have no defects."""
    return [json.loads(line)["review"] for line in _Dump(spec, as_csv=False).lines()]


def _expect(holds: bool, spec: SampleDump, name: str, expected: str) -> None:
    if not holds:
        raise ParameterError(f"{name} is {getattr(spec, name)!r}; expected {expected}", HELP)


def _at_least(smallest: int, n: int, share: float) -> int:
    return max(smallest, round(n * share)) if share > 0 else 0


def _per_night(listed: int) -> int:
    return -(-listed // EARLIER_NIGHTS)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield a file beside `path` that is compressed by its suffix, and rename the file to `path` once complete."""
    # The dot keeps the unfinished file from a scheduled night whose glob matches the folder.
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with unfinished.open("xb") as raw:
            if path.name.endswith(".gz"):
                # Neither name nor time go into gzip's header: the same spec must give the same bytes.
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


class _Dump:
    """One dump being written: the order of kinds, and how far each stream has been read."""

    def __init__(self, spec: SampleDump, as_csv: bool) -> None:
        self.spec = spec
        self.as_csv = as_csv
        self.counts = spec.counts()
        self.rng = seeded_random(spec.seed, spec.night, "order")
        self.fresh_positives = cache(self._fresh_positives)
        # By polarity: fresh reviews written so far; reviews of any kind meant as negative, as positive.
        self.written = [0, 0]
        self.intents = [0, 0]
        self.listed = 0
        self.defects: Counter[str] = Counter()

    def lines(self) -> Iterator[bytes]:
        """Yield the encoded records, each line with its line feed."""
        fresh = self._fresh()
        for kind in self._kinds():
            if kind is Kind.DEFECT:
                yield self._defective_line()
            elif kind is Kind.FRESH:
                yield sound_line(next(fresh), self.as_csv)
            elif kind is Kind.DUPLICATE:
                yield sound_line(self._duplicate(), self.as_csv)
            else:
                yield sound_line(self._listed_again(changed=kind is Kind.CHANGED), self.as_csv)

    def summary(self, path: Path) -> SampleDumpSummary:
        """Return the counts of the lines that `lines` has yielded."""
        return SampleDumpSummary(
            path=path,
            records=self.spec.n_reviews,
            fresh=self.counts[Kind.FRESH],
            known=self.counts[Kind.KNOWN],
            changed=self.counts[Kind.CHANGED],
            duplicates=self.counts[Kind.DUPLICATE],
            positive=self.intents[1],
            negative=self.intents[0],
            defects={defect.value: self.defects[defect] for defect in Defect},
        )

    def _kinds(self) -> Iterator[Kind]:
        """Yield every record's kind in random order; the first is fresh, so that duplicates have an original."""
        # Drawing without replacement needs the counts only; a shuffled list of a large dump would take memory.
        remaining = dict(self.counts)
        for n_remaining in range(self.spec.n_reviews, 0, -1):
            first = n_remaining == self.spec.n_reviews
            kind = Kind.FRESH if first else _kind_at(remaining, self.rng.random() * n_remaining)
            remaining[kind] -= 1
            yield kind

    def _fresh_positives(self, night: date) -> int:
        """Draw how many of a night's fresh reviews are positive, so that nights vary as samples do."""
        rng = seeded_random(self.spec.seed, night, "mood")
        return sum(rng.random() < self.spec.positive_share for _ in range(self.counts[Kind.FRESH]))

    def _fresh(self) -> Iterator[Record]:
        positives = self.fresh_positives(self.spec.night)
        remaining = [self.counts[Kind.FRESH] - positives, positives]
        while True:
            polarity = int(self.rng.random() * sum(remaining) < remaining[1])
            remaining[polarity] -= 1
            self.written[polarity] += 1
            self.intents[polarity] += 1
            yield review(self.spec.seed, self.spec.night, polarity, self.written[polarity] - 1)

    def _duplicate(self) -> Record:
        """Return one of the fresh reviews written so far, positive and negative numbered one after the other."""
        index = int(self.rng.random() * sum(self.written))
        polarity = int(index < self.written[1])
        number = index if polarity else index - self.written[1]
        return review(self.spec.seed, self.spec.night, polarity, number)

    def _listed_again(self, changed: bool) -> Record:
        """Return the next review of an earlier night, revised where `changed`."""
        # Turn by turn over the nights before. Lag d lists from its own block of that night's numbers, so that no two
        # later nights list the same review again while the numbers suffice.
        turn, lag = divmod(self.listed, EARLIER_NIGHTS)
        self.listed += 1
        fresh = self.counts[Kind.FRESH]
        per_night = _per_night(self.counts[Kind.KNOWN] + self.counts[Kind.CHANGED])
        night = self.spec.night - timedelta(days=lag + 1)
        polarity, number = _polarity_and_number((lag * per_night + turn) % fresh, self.fresh_positives(night), fresh)
        self.intents[polarity] += 1
        revised = self.spec.night if changed else None
        return review(self.spec.seed, night, polarity, number, revised)

    def _defective_line(self) -> bytes:
        number = self.defects.total()
        # Small dumps have one or two defects; the shift lets nights differ in which.
        shift = self.spec.night.toordinal() + self.spec.seed
        defect = list(Defect)[(number + shift) % len(Defect)]
        self.defects[defect] += 1
        polarity = int(self.rng.random() < self.spec.positive_share)
        sound = review(self.spec.seed, self.spec.night, polarity, number, stream="defect")
        return defective_line(sound, defect, number, self.as_csv)


def _kind_at(counts: dict[Kind, int], position: float) -> Kind:
    """Return the kind at a position from 0 to the sum of counts, the kinds laid end to end."""
    for kind, count in counts.items():
        position -= count
        if position < 0:
            return kind
    raise ValueError(f"no kind at {position} past the end")


def _polarity_and_number(index: int, positives: int, total: int) -> tuple[int, int]:
    """Return polarity and number of the review at `index`, a night's positives spread evenly over 0..total-1."""
    before, after = index * positives // total, (index + 1) * positives // total
    return (1, before) if after > before else (0, index - before)
