"""What happens in the demo's nights, and their dumps of made-up reviews."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path

from sentiment.samples import sample_dump, sample_lines
from sentiment.samples.sample_dump import SampleDump
from sentiment.samples.sample_review import Record, review

N_NIGHTS = 120
REVIEWS = 160
"""Records of a night."""
SEED = 23
QUIET_SHARE, FALLEN_SHARE = 0.60, 0.55
"""Expected positive share of reviews, before the fall and since."""
FIRST_MODEL_NIGHTS = 34
"""Nights that were scored by another model at first; then today's took over, and scored these once more."""
REFERENCE_NIGHTS = 76
"""Nights that later ones are compared with."""
FALL = 80
"""Number of the night, from 0, from which on a twelfth fewer reviews are positive."""
BOMBED = range(101, 106)
"""Nights in which strangers write negative reviews of one film."""
BOMBED_FILM, BOMBS = "f-001", 40
"""The film, and how many reviews of it a night has besides its usual ones."""
UNRATED = 112
"""The night whose dump has no ratings."""
SENTENCE_NIGHTS = 1
"""Last nights of which sentences are scored too."""


@dataclass(frozen=True)
class DemoNight:
    """A night of the demo and its dump."""

    number: int
    """From 0."""
    night: date
    dump: Path


def nights(last: date, home: Path) -> list[DemoNight]:
    """Return the demo's nights, the last on `last`, with dumps below `home`."""
    first = last - timedelta(days=N_NIGHTS - 1)
    days = [first + timedelta(days=number) for number in range(N_NIGHTS)]
    return [DemoNight(number, day, sample_dump.path_of(home, day)) for number, day in enumerate(days)]


def write_dump(night: DemoNight) -> None:
    """Write a night's dump, with what happens in it."""
    share = QUIET_SHARE if night.number < FALL else FALLEN_SHARE
    # No review is listed again: all nights are judged at once, and a repeated review would be a duplicate.
    sample_dump.write(
        SampleDump(night.night, REVIEWS, SEED, positive_share=share, known_share=0, changed_share=0), night.dump
    )
    if night.number in BOMBED:
        with night.dump.open("ab") as file:
            file.writelines(sample_lines.sound_line(record, as_csv=False) for record in islice(_bombs(night), BOMBS))
    if night.number == UNRATED:
        lines = night.dump.read_bytes().splitlines(keepends=True)
        night.dump.write_bytes(b"".join(map(_without_rating, lines)))


def _bombs(night: DemoNight) -> Iterator[Record]:
    """Yield negative reviews of the bombed film, endlessly."""
    drawn = (review(SEED, night.night, 0, number, stream="bombed") for number in count())
    return (record for record in drawn if record["film_id"] == BOMBED_FILM)


def _without_rating(line: bytes) -> bytes:
    try:
        record = json.loads(line)
    except ValueError:  # a defect of the sample
        return line
    return f"{json.dumps(record | {'rating': None}, ensure_ascii=False)}\n".encode()
