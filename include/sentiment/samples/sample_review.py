"""One made-up French film review, as a pure function of seed, night, polarity and number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import blake2b
from math import gcd
from random import Random

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

Record = dict[str, str | float | int | None]
"""Column of the dump -> value; null where a real dump would have none."""

RATINGS = (
    (0.5, 0.5, 1.0, 1.0, 1.0, 1.5, 1.5, 1.5, 2.0, 2.0, 2.0, 2.0, 2.5, 2.5, 2.5, 3.0),
    (3.0, 3.5, 3.5, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.5, 4.5, 4.5, 4.5, 5.0, 5.0, 5.0),
)
"""By polarity, stars out of five; drawn uniformly, so repeats are weights."""
MOODS = ("negative", "positive")
"""By polarity, the vocabulary's section."""
LENGTHS = (1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 9, 9, 10, 11, 12)
"""Sentences of a review of usual length; drawn uniformly."""
DAYS_BEFORE = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3)
"""Days from a review's date to the night that first lists it; drawn uniformly."""
SHORT_SHARE, LONG_SHARE = 0.05, 0.015
# Sentences of a long review, 42 to 61: several hundred words, which the model must score in chunks.
LONG_FROM, LONG_SPREAD = 42, 20


def review(
    seed: int, night: date, polarity: int, number: int, revised: date | None = None, stream: str = "review"
) -> Record:
    """Write one review; the same arguments give the same one.

    `number` counts the reviews of `polarity` (0 or 1) in that night's `stream` from 0. With `revised`, the night of
    the revision, rating, title and text are written anew and the other columns stay.
    """
    # The order of draws is part of the format: an inserted or moved draw changes the bytes of every sample dump.
    key = _key(seed, night, stream, polarity, number)
    rng = Random(int.from_bytes(key))
    film = catalogue().draw(rng, polarity)
    author = _author(rng)
    day = night - timedelta(days=pick(rng, DAYS_BEFORE))
    label = None if rng.random() < 0.05 else polarity
    if revised:
        rng = seeded_random(seed, night, stream, polarity, number, revised)
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


def seeded_random(*parts: object) -> Random:
    """Return a generator seeded by the parts' text, the same on every machine."""
    # Python's own hash() of a string differs between processes.
    return Random(int.from_bytes(_key(*parts)))


def _key(*parts: object) -> bytes:
    return blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()


def _author(rng: Random) -> Noun:
    names = load().names
    name = pick(rng, names["authors", "opening"]) + pick(rng, names["authors", "ending"])
    number = str(int(rng.random() * 100)) if rng.random() < 0.5 else ""
    return proper_noun(name + number, feminine=rng.random() < 0.5)


class _Writer:
    """Writes the title and the text of one review."""

    def __init__(self, rng: Random, film: Film, author: Noun, polarity: int, rating: float | None) -> None:
        self.rng = rng
        self.vocabulary = load()
        self.mood, self.other_mood = MOODS[polarity], MOODS[1 - polarity]
        # The closer to the middle a rating is, the more often the text argues the other way.
        self.doubt = 0.05 if rating is None else max(0.02, 0.2 - 0.08 * abs(rating - 2.75))
        self.works = self.vocabulary.nouns[film.type]
        self.things = _cycle(rng, self.vocabulary.nouns["thing"])
        self.people = _cycle(rng, (*self.vocabulary.nouns["person"], *film.cast))
        work = self._work()
        self.scene = Scene(rng, film, author, (work, work))
        self.used: set[int] = set()

    def title(self) -> str | None:
        """Return a title, or None for two reviews in five."""
        if self.rng.random() < 0.4:
            return None
        return _capital(self._about_work(self.mood, "title"))

    def body(self, revised: bool) -> str:
        """Return the text; one that is revised opens with a sentence about the revision."""
        sentences = [_capital(s) for s in self._sentences()]
        # Another generator could draw the very text that is revised; the opening sentence makes it differ for sure.
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
        """Return the sentences of a beginning, of opinions and of a conclusion, `n` in all."""
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
        return expand(self._unused(self.vocabulary.sentences[mood, section]), self.scene)

    def _unused(self, templates: tuple[Template, ...]) -> Template:
        """Choose a sentence that this review hasn't used; after six tries, any: long reviews use them up."""
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
        """Vary the typing: either apostrophe, spaced or tight marks, emphasis, lower case, an emoji."""
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
            text = f"{text} {expand(pick(rng, self.vocabulary.lists[f'emoji_{self.mood}']), self.scene)}"
        return text


def _cycle(rng: Random, nouns: tuple[Noun, ...]) -> Iterator[Noun]:
    """Yield subjects endlessly, none twice before all have come."""
    position, stride = int(rng.random() * len(nouns)), 1 + int(rng.random() * (len(nouns) - 1))
    # A stride without a common divisor visits every noun; shuffling would draw once a noun and cost most of a review.
    while gcd(stride, len(nouns)) > 1:
        stride += 1
    while True:
        yield nouns[position % len(nouns)]
        position += stride


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
