"""`sentiment sample-dump`: a believable dump of French film reviews, none of which anybody wrote.

A fresh review is a pure function of (seed, night, polarity, place in that night's stream). A later night
can thus list earlier reviews again without reading a file, and a night with another `positive_share`
takes more of one stream and less of the other: no review changes because of it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from math import gcd
from pathlib import Path
from random import Random
from typing import BinaryIO

from sentiment.errors import ParameterError
from sentiment.samples.sample_vocabulary import (
    Film,
    Noun,
    Scene,
    Template,
    catalogue,
    expand,
    load,
    pick,
    proper_noun,
)

COLUMNS = ("id", "film_id", "film", "type", "author", "date", "rating", "title", "review", "polarity")
SUFFIXES = (".jsonl", ".csv", ".jsonl.gz", ".csv.gz")
EARLIER_NIGHTS = 7
FAR_FUTURE = "2999-12-31"
# From this size on, a share above 0 means at least one record.
SMALLEST_WITH_FLAWS = 20

Record = dict[str, str | float | int | None]


class Kind(StrEnum):
    """What a record of the dump is to the pipeline."""

    FRESH = "fresh"
    KNOWN = "known"
    CHANGED = "changed"
    DEFECT = "defect"
    DUPLICATE = "duplicate"


class Defect(StrEnum):
    """Why a record should end in quarantine."""

    BLANK_TEXT = "blank_text"
    MISSING_TEXT = "missing_text"
    MARKUP_ONLY = "markup_only"
    RATING_OUT_OF_RANGE = "rating_out_of_range"
    UNPARSEABLE = "unparseable"
    INVALID_UTF8 = "invalid_utf8"
    NUL_IN_TEXT = "nul_in_text"
    FUTURE_DATE = "future_date"


@dataclass(frozen=True)
class SampleDump:
    """What to make: the night, how many records, and how many of each kind."""

    night: date
    n_reviews: int = 2000
    seed: int = 1
    positive_share: float = 0.6
    known_share: float = 0.1
    changed_share: float = 0.01
    defect_share: float = 0.01
    duplicate_share: float = 0.01

    def __post_init__(self) -> None:
        """Refuse what can't be made, by the parameter's name."""
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
                f"{listed} records known from the {EARLIER_NIGHTS} nights before"
            )

    def counts(self) -> dict[Kind, int]:
        """How many records of each kind there will be; they add up to `n_reviews`."""
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
    """What was written; `positive` and `negative` count intents over all but defects and duplicates."""

    path: Path
    records: int
    fresh: int
    known: int
    changed: int
    duplicates: int
    positive: int
    negative: int
    defects: dict[str, int] = field(default_factory=dict)


def write(spec: SampleDump, path: Path) -> SampleDumpSummary:
    """Write the dump; the same spec gives the same bytes. A dump of that name is replaced whole."""
    if not path.name.endswith(SUFFIXES):
        raise ParameterError(f"path is {path.name!r}; expected a name ending in one of {', '.join(SUFFIXES)}")
    as_csv = path.name.removesuffix(".gz").endswith(".csv")
    dump = _Dump(spec, as_csv)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(path) as file:
        if as_csv:
            file.write(_csv_row(COLUMNS).encode())
        file.writelines(dump.lines())
    return dump.summary(path)


def texts(spec: SampleDump) -> list[str]:
    """The reviews' texts, in the order of the dump; `spec` asks for no defects."""
    return [json.loads(line)["review"] for line in _Dump(spec, as_csv=False).lines()]


def _expect(holds: bool, spec: SampleDump, name: str, expected: str) -> None:
    if not holds:
        raise ParameterError(f"{name} is {getattr(spec, name)!r}; expected {expected}")


def _at_least(smallest: int, n: int, share: float) -> int:
    return max(smallest, round(n * share)) if share > 0 else 0


def _per_night(listed: int) -> int:
    return -(-listed // EARLIER_NIGHTS)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Write under a name that no pattern for dumps finds, and rename once complete."""
    unfinished = path.with_name(f".unfinished-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with unfinished.open("xb") as raw:
            if path.name.endswith(".gz"):
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _json_line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _csv_line(record: Record) -> str:
    return _csv_row([record.get(column) for column in COLUMNS])


def _csv_row(values: Iterable[object]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(values)
    return row.getvalue()


class _Dump:
    """One dump being written: the order of kinds, and how far each stream has been read."""

    def __init__(self, spec: SampleDump, as_csv: bool) -> None:
        self.spec = spec
        self.as_csv = as_csv
        self.counts = spec.counts()
        self.rng = _rng(spec.seed, spec.night, "order")
        self.fresh_positives = cache(self._fresh_positives)
        self.taken = [0, 0]
        self.listed = 0
        self.intents = [0, 0]
        self.defects: Counter[str] = Counter()

    def lines(self) -> Iterator[bytes]:
        """Yield the encoded records."""
        encode = _csv_line if self.as_csv else _json_line
        fresh = self._fresh()
        for kind in self._kinds():
            if kind is Kind.DEFECT:
                yield self._defect()
            elif kind is Kind.FRESH:
                yield encode(next(fresh)).encode()
            elif kind is Kind.DUPLICATE:
                yield encode(self._duplicate()).encode()
            else:
                yield encode(self._listed_again(changed=kind is Kind.CHANGED)).encode()

    def summary(self, path: Path) -> SampleDumpSummary:
        """Count what `lines` has yielded."""
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
        """Shuffle the kinds without holding them; the first is fresh, so that duplicates have an original."""
        left = dict(self.counts)
        for remaining in range(self.spec.n_reviews, 0, -1):
            first = remaining == self.spec.n_reviews
            kind = Kind.FRESH if first else _at(left, self.rng.random() * remaining)
            left[kind] -= 1
            yield kind

    def _fresh_positives(self, night: date) -> int:
        """Draw how many of a night's fresh reviews are positive, so that nights vary as samples do."""
        rng = _rng(self.spec.seed, night, "mood")
        return sum(rng.random() < self.spec.positive_share for _ in range(self.counts[Kind.FRESH]))

    def _fresh(self) -> Iterator[Record]:
        positives = self.fresh_positives(self.spec.night)
        left = [self.counts[Kind.FRESH] - positives, positives]
        while True:
            polarity = int(self.rng.random() * sum(left) < left[1])
            left[polarity] -= 1
            self.taken[polarity] += 1
            self.intents[polarity] += 1
            yield review(self.spec.seed, self.spec.night, polarity, self.taken[polarity] - 1)

    def _duplicate(self) -> Record:
        place = int(self.rng.random() * sum(self.taken))
        polarity = int(place < self.taken[1])
        number = place if polarity else place - self.taken[1]
        return review(self.spec.seed, self.spec.night, polarity, number)

    def _listed_again(self, changed: bool) -> Record:
        """Take the next review of an earlier night; each lag has a block, so that none comes back twice."""
        turn, lag = divmod(self.listed, EARLIER_NIGHTS)
        self.listed += 1
        fresh = self.counts[Kind.FRESH]
        per_night = _per_night(self.counts[Kind.KNOWN] + self.counts[Kind.CHANGED])
        night = self.spec.night - timedelta(days=lag + 1)
        polarity, number = _place((lag * per_night + turn) % fresh, self.fresh_positives(night), fresh)
        self.intents[polarity] += 1
        revised = self.spec.night if changed else None
        return review(self.spec.seed, night, polarity, number, revised)

    def _defect(self) -> bytes:
        number = self.defects.total()
        shift = self.spec.night.toordinal() + self.spec.seed
        defect = list(Defect)[(number + shift) % len(Defect)]
        self.defects[defect] += 1
        polarity = int(self.rng.random() < self.spec.positive_share)
        sound = review(self.spec.seed, self.spec.night, polarity, number, stream="defect")
        if defect is Defect.UNPARSEABLE:
            return _unparseable(sound, self.as_csv, number)
        record = _spoil(sound, defect, absent=number // len(Defect) % 2 == 0)
        line = _csv_line(record) if self.as_csv else _json_line(record)
        return line.encode("latin-1", "replace") if defect is Defect.INVALID_UTF8 else line.encode()


def _at(counts: dict[Kind, int], place: float) -> Kind:
    """Find the kind that holds a place when all are laid end to end."""
    for kind, count in counts.items():
        place -= count
        if place < 0:
            return kind
    raise ValueError(f"nothing is left at {place}")


def _place(index: int, positives: int, total: int) -> tuple[int, int]:
    """Spread a night's positives evenly over 0..total-1: the polarity at an index, and its number there."""
    before, after = index * positives // total, (index + 1) * positives // total
    return (1, before) if after > before else (0, index - before)


def _spoil(record: Record, defect: Defect, absent: bool) -> Record:
    """Give a sound record a value that no validator should let pass."""
    text = record["review"]
    wrong: dict[Defect, Record] = {
        Defect.BLANK_TEXT: {"review": "   "},
        Defect.MISSING_TEXT: {"review": None},
        Defect.MARKUP_ONLY: {"review": "<p><br />&nbsp;</p>\t"},
        Defect.RATING_OUT_OF_RANGE: {"rating": 11.0},
        # An accented letter before a plain one can't be UTF-8 once it is a Latin-1 byte.
        Defect.INVALID_UTF8: {"review": f"Déjà vu, hélas. {text}"},
        Defect.NUL_IN_TEXT: {"review": f"{text}\0 Fin."},
        Defect.FUTURE_DATE: {"date": FAR_FUTURE},
    }
    spoilt = record | wrong[defect]
    if defect is Defect.MISSING_TEXT and absent:
        del spoilt["review"]
    return spoilt


def _unparseable(record: Record, as_csv: bool, number: int) -> bytes:
    """Cut a JSON line short; give a CSV row too few fields, or too many."""
    if not as_csv:
        line = _json_line(record)
        return (line[: len(line) * 2 // 3].rstrip() + "\n").encode()
    fields = [record[column] for column in COLUMNS]
    return _csv_row([*fields, "?", "?"] if number % 2 else fields[:-3]).encode()


# What follows writes one review.

RATINGS = (
    (0.5, 0.5, 1.0, 1.0, 1.0, 1.5, 1.5, 1.5, 2.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5, 3.0),
    (3.0, 3.5, 3.5, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.5, 4.5, 4.5, 4.5, 5.0, 5.0, 5.0),
)
MOODS = ("negative", "positive")
LENGTHS = (1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 9, 9, 10, 11, 12)
DAYS_BEFORE = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
SHORT_SHARE, LONG_SHARE = 0.05, 0.015
LONG_FROM, LONG_SPREAD = 42, 20


def review(
    seed: int, night: date, polarity: int, number: int, revised: date | None = None, stream: str = "review"
) -> Record:
    """Write one review; the same arguments give the same one. `revised` keeps all but rating and text."""
    key = _key(seed, night, stream, polarity, number)
    rng = Random(int.from_bytes(key))
    film = catalogue().draw(rng, polarity)
    author = _author(rng)
    day = night - timedelta(days=pick(rng, DAYS_BEFORE))
    label = None if rng.random() < 0.05 else polarity
    if revised:
        rng = _rng(seed, night, stream, polarity, number, revised)
    rating = None if rng.random() < 0.06 else pick(rng, RATINGS[polarity])
    text = _Writer(rng, film, author, polarity, rating)
    return {
        "id": f"r-{key.hex()}",
        "film_id": film.film_id,
        "film": film.title,
        "type": film.type,
        "author": author.nom,
        "date": day.isoformat(),
        "rating": rating,
        "title": text.title(),
        "review": text.body(revised is not None),
        "polarity": label,
    }


def _key(*parts: object) -> bytes:
    return blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()


def _rng(*parts: object) -> Random:
    return Random(int.from_bytes(_key(*parts)))


def _author(rng: Random) -> Noun:
    names = load().names
    name = pick(rng, names["authors", "opening"]) + pick(rng, names["authors", "ending"])
    number = str(int(rng.random() * 100)) if rng.random() < 0.5 else ""
    return proper_noun(name + number, feminine=rng.random() < 0.5)


class _Writer:
    """Writes the title and the text of one review."""

    def __init__(self, rng: Random, film: Film, author: Noun, polarity: int, rating: float | None) -> None:
        self.rng = rng
        self.words = load()
        self.mood, self.other_mood = MOODS[polarity], MOODS[1 - polarity]
        # The closer to the middle a rating is, the more often the text argues the other way.
        self.doubt = 0.05 if rating is None else max(0.02, 0.2 - 0.08 * abs(rating - 2.75))
        self.works = self.words.nouns[film.type]
        self.things = _deal(rng, self.words.nouns["thing"])
        self.people = _deal(rng, (*self.words.nouns["person"], *film.cast))
        work = self._work()
        self.scene = Scene(rng, film, author, (work, work))
        self.used: set[int] = set()

    def title(self) -> str | None:
        """Write a title, or none."""
        if self.rng.random() < 0.4:
            return None
        return _capital(self._about_work(self.mood, "title"))

    def body(self, revised: bool) -> str:
        """Write the text; a revised one says so, and therefore differs from what it replaces."""
        sentences = [_capital(s) for s in self._sentences()]
        if revised:
            sentences.insert(0, _capital(self._about_work("neutral", "revised")))
        return self._typography(self._paragraphs(sentences))

    def _sentences(self) -> list[str]:
        chance = self.rng.random()
        if chance < SHORT_SHARE:
            return [self._about_work(self.mood, "short")]
        if chance > 1 - LONG_SHARE:
            return self._plan(LONG_FROM + int(self.rng.random() * LONG_SPREAD))
        return self._plan(pick(self.rng, LENGTHS))

    def _plan(self, n: int) -> list[str]:
        """Write a beginning, opinions and a verdict, `n` sentences in all."""
        begin, end = [], []
        if n > 2 and self.rng.random() < 0.35:
            begin.append(self._about_work("neutral", "context"))
        if n > 3 and self.rng.random() < 0.3:
            begin.append(self._about_work("neutral", "story"))
        if n > 1 and self.rng.random() < 0.6:
            end.append(self._about_work(self.mood, "conclusion"))
        opinions = [self._opinion(n) for _ in range(n - len(begin) - len(end))]
        return begin + opinions + end

    def _opinion(self, n: int) -> str:
        doubtful = n > 3 and self.rng.random() < self.doubt
        mood = self.other_mood if doubtful else self.mood
        chance = self.rng.random()
        if chance < 0.3 and not doubtful:
            return self._about_work(mood, "work")
        if chance < 0.5:
            return self._write(mood, "person", next(self.people), next(self.people))
        return self._write(mood, "thing", next(self.things), next(self.things))

    def _about_work(self, mood: str, section: str) -> str:
        return self._write(mood, section, self._work(), self._work())

    def _work(self) -> Noun:
        return pick(self.rng, self.works)

    def _write(self, mood: str, section: str, subject: Noun, second: Noun) -> str:
        self.scene.subjects = (subject, second)
        return expand(self._unused(self.words.sentences[mood, section]), self.scene)

    def _unused(self, templates: tuple[Template, ...]) -> Template:
        """Choose a sentence this review hasn't had; give up after a few tries, long reviews use them up."""
        for _ in range(6):
            template = pick(self.rng, templates)
            if id(template) not in self.used:
                break
        self.used.add(id(template))
        return template

    def _paragraphs(self, sentences: list[str]) -> str:
        if len(sentences) < 8 or self.rng.random() < 0.7:
            return " ".join(sentences)
        cut = len(sentences) // 2
        return " ".join(sentences[:cut]) + "\n\n" + " ".join(sentences[cut:])

    def _typography(self, text: str) -> str:
        """Type as people do: either apostrophe, spaced or tight marks, emphasis, an emoji."""
        rng = self.rng
        if rng.random() < 0.3:
            text = text.replace("'", "’")
        if rng.random() < 0.25:
            text = text.replace(" !", "!").replace(" ?", "?").replace(" :", ":")
        if rng.random() < 0.05:
            text = text.replace("!", "!!!")
        if rng.random() < 0.03:
            text = text.lower()
        if rng.random() < 0.08:
            text = f"{text} {expand(pick(rng, self.words.lists[f'emoji_{self.mood}']), self.scene)}"
        return text


def _deal(rng: Random, nouns: tuple[Noun, ...]) -> Iterator[Noun]:
    """Yield subjects so that none comes back before all have been had."""
    place, step = int(rng.random() * len(nouns)), 1 + int(rng.random() * (len(nouns) - 1))
    while gcd(step, len(nouns)) > 1:
        step += 1
    while True:
        yield nouns[place % len(nouns)]
        place += step


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
