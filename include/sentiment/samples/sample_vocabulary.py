"""The grammar of the made-up reviews: nouns with gender and number, adjectives that agree, film names.

The vocabulary itself is in `sample_vocabulary.toml`, which explains its slots. A sentence is compiled once into
literals and slots, because a large sample expands tens of millions of them.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate
from random import Random
from typing import Any, Literal, TypeVar

N_FILMS = 120
CATALOGUE_SEED = 1895
POPULARITY_EXPONENT = 0.9
_SLOT = re.compile(r"\{([^{}]+)\}")
_ARTICLE = re.compile(r"(les |le |la |l')(.+)")
_FUSED = {"le ": ("du ", "au "), "les ": ("des ", "aux ")}

T = TypeVar("T")
Kind = Literal["thing", "person", "work"]
Forms = tuple[str, str, str, str]


def pick(rng: Random, options: Sequence[T]) -> T:
    """Return a random option."""
    # Of all drawing methods only random() is promised the same stream in every Python version.
    return options[int(rng.random() * len(options))]


@dataclass(frozen=True)
class Noun:
    """A noun in the forms that sentences need: with its article, after "de", after "à", bare; gender and number."""

    le: str
    du: str
    au: str
    nom: str
    feminine: bool
    plural: bool
    kind: Kind

    @property
    def agreement(self) -> int:
        """Index into an adjective's four forms: masculine, feminine, their plurals."""
        return self.feminine + 2 * self.plural


@dataclass(frozen=True)
class Film:
    """An invented film or series, the same for every seed: identities must not clash between dumps."""

    film_id: str
    title: str
    type: Literal["film", "series"]
    director: str
    cast: tuple[Noun, ...]
    hero: str
    turn: int
    """Index of its plot twist among the vocabulary's."""
    quality: float
    """From 0.1 to 0.9; a film's positive reviews are drawn in proportion to it, negative ones to the rest."""


@dataclass
class Scene:
    """The state of one review while its sentences are expanded: film, author, the sentence's two subjects."""

    rng: Random
    film: Film
    author: Noun
    subjects: tuple[Noun, Noun]
    last_adjective: str = ""


Part = str | Callable[[Scene], str]
Template = tuple[Part, ...]


@dataclass(frozen=True)
class Vocabulary:
    """Everything in the TOML file, compiled."""

    adjectives: dict[tuple[str, Kind], tuple[Forms, ...]] = field(default_factory=dict)
    nouns: dict[str, tuple[Noun, ...]] = field(default_factory=dict)
    sentences: dict[tuple[str, str], tuple[Template, ...]] = field(default_factory=dict)
    lists: dict[str, tuple[Template, ...]] = field(default_factory=dict)
    names: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


def expand(template: Template, scene: Scene) -> str:
    """Return a sentence, its slots filled for the scene."""
    return "".join([part if isinstance(part, str) else part(scene) for part in template])


@lru_cache(maxsize=1)
def load() -> Vocabulary:
    """Return the compiled vocabulary, read once a process."""
    raw = tomllib.loads(files("sentiment.samples").joinpath("sample_vocabulary.toml").read_text(encoding="utf-8"))
    vocabulary = Vocabulary()
    _load_inflected(vocabulary, raw)
    for mood in ("positive", "negative", "neutral"):
        for name, block in raw[mood].items():
            vocabulary.sentences[mood, name] = _templates(block, vocabulary)
    for name, block in raw["lists"].items():
        vocabulary.lists[name] = _templates(block, vocabulary)
    return vocabulary


def _load_inflected(vocabulary: Vocabulary, raw: Mapping[str, Any]) -> None:
    for slot, kinds in raw["adjectives"].items():
        for kind, block in kinds.items():
            vocabulary.adjectives[slot, kind] = tuple(four_forms(line) for line in _lines(block))
    for name, block in raw["nouns"].items():
        agrees_as: Kind = "work" if name in ("film", "series") else name
        vocabulary.nouns[name] = tuple(_noun(line, agrees_as) for line in _lines(block))
    for group in ("films", "authors"):
        for name, block in raw[group].items():
            vocabulary.names[group, name] = tuple(_lines(block))


def _lines(block: str) -> list[str]:
    return [line.strip() for line in block.splitlines() if line.strip()]


def _noun(line: str, kind: Kind) -> Noun:
    """Return the noun of a line like `m le scénario`."""
    gender, phrase = line.split(" ", 1)
    match = _ARTICLE.fullmatch(phrase)
    article, nom = match.groups() if match else ("", phrase.split(" ", 1)[1])
    du, au = _FUSED.get(article, (f"de {article}", f"à {article}"))
    tail = nom if article else phrase
    return Noun(phrase, du + tail, au + tail, nom, gender == "f", article == "les ", kind)


def proper_noun(name: str, feminine: bool) -> Noun:
    """Return the noun of a person's name, which takes no article."""
    return Noun(name, f"de {name}", f"à {name}", name, feminine, False, "person")


def four_forms(entry: str) -> Forms:
    """Return masculine, feminine and their plurals of `beau/belle/beaux/belles`, `plat/plate` or `fade`."""
    forms = entry.split("/")
    if len(forms) == 4:
        return forms[0], forms[1], forms[2], forms[3]
    masculine, feminine = forms[0], forms[-1]
    return masculine, feminine, _plural(masculine), _plural(feminine)


def _plural(word: str) -> str:
    return word if word.endswith(("s", "x", "z")) else f"{word}s"


def _templates(block: str, vocabulary: Vocabulary) -> tuple[Template, ...]:
    return tuple(_compile(line, vocabulary) for line in _lines(block))


def _compile(line: str, vocabulary: Vocabulary) -> Template:
    pieces = _SLOT.split(line)
    return tuple(_slot(piece, vocabulary) if i % 2 else piece for i, piece in enumerate(pieces) if piece)


def _slot(text: str, vocabulary: Vocabulary) -> Callable[[Scene], str]:
    """Return the function that fills a slot; `text` is the inside of its braces."""
    whose, colon, rest = text.partition(":")
    subject = _WHOSE[whose if colon else "1"]
    body = rest if colon else text
    if "|" in body:
        singular, plural = body.split("|")
        return lambda scene: plural if subject(scene).plural else singular
    if "/" in body:
        forms = four_forms(body)
        return lambda scene: forms[subject(scene).agreement]
    if body in ("le", "du", "au", "nom"):
        return lambda scene: str(getattr(subject(scene), body))
    return _named_slot(body, subject, vocabulary)


_WHOSE: dict[str, Callable[[Scene], Noun]] = {
    "1": lambda scene: scene.subjects[0],
    "2": lambda scene: scene.subjects[1],
    "je": lambda scene: scene.author,
}


def _named_slot(name: str, subject: Callable[[Scene], Noun], vocabulary: Vocabulary) -> Callable[[Scene], str]:
    if name in _FILM_SLOTS:
        return _FILM_SLOTS[name]
    slot, neutral, _ = name.partition("=")
    if slot in ("bon", "mauvais"):
        return lambda scene: _adjective(scene, vocabulary, slot, None if neutral else subject(scene))
    if name == "lieu":
        return lambda scene: expand(pick(scene.rng, vocabulary.lists[f"lieu_{scene.film.type}"]), scene)
    if name == "péripétie":
        return lambda scene: expand(vocabulary.lists[name][scene.film.turn], scene)
    # Looked up when the sentence is written: lists may name lists that are compiled later.
    return lambda scene: expand(pick(scene.rng, vocabulary.lists[name]), scene)


_FILM_SLOTS: dict[str, Callable[[Scene], str]] = {
    "titre": lambda scene: scene.film.title,
    "cinéaste": lambda scene: scene.film.director,
    "acteur": lambda scene: pick(scene.rng, scene.film.cast).nom,
    "héros": lambda scene: scene.film.hero,
}


def _adjective(scene: Scene, vocabulary: Vocabulary, slot: str, subject: Noun | None) -> str:
    """Return an adjective other than the last one, agreed; without a subject the masculine, as after `c'est`."""
    options = vocabulary.adjectives[slot, subject.kind if subject else "work"]
    forms = pick(scene.rng, options)
    while forms[0] == scene.last_adjective:
        forms = pick(scene.rng, options)
    scene.last_adjective = forms[0]
    return forms[subject.agreement if subject else 0]


@dataclass(frozen=True)
class Catalogue:
    """All films, and the cumulative weights of their negative (index 0) and positive (index 1) reviews."""

    films: tuple[Film, ...]
    cumulative: tuple[tuple[float, ...], tuple[float, ...]]

    def draw(self, rng: Random, polarity: int) -> Film:
        """Return a random film, in proportion to its reviews of that polarity (0 or 1)."""
        weights = self.cumulative[polarity]
        return self.films[bisect(weights, rng.random() * weights[-1])]


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """Return the invented films, the same for every seed: Zipf-like volumes, qualities around one half."""
    rng = Random(CATALOGUE_SEED)
    films = tuple(_film(rng, i, title) for i, title in enumerate(_titles(rng)))
    volumes = [1 / (rank + 1) ** POPULARITY_EXPONENT for rank in range(N_FILMS)]
    # Dividing by the mean quality keeps a film's share of all reviews at its volume, whatever its quality.
    mean = sum(v * f.quality for v, f in zip(volumes, films, strict=True)) / sum(volumes)
    liked = [v * f.quality / mean for v, f in zip(volumes, films, strict=True)]
    disliked = [v * (1 - f.quality) / (1 - mean) for v, f in zip(volumes, films, strict=True)]
    return Catalogue(films, (tuple(accumulate(disliked)), tuple(accumulate(liked))))


def _titles(rng: Random) -> list[str]:
    names = load().names
    titles = [f"{a} {b}" for a in names["films", "opening"] for b in names["films", "ending"]]
    return rng.sample(titles, N_FILMS)


def _film(rng: Random, index: int, title: str) -> Film:
    vocabulary = load()
    cast = tuple(_person(rng) for _ in range(3))
    return Film(
        film_id=f"f-{index + 1:03d}",
        title=title,
        type="series" if rng.random() < 0.2 else "film",
        director=_person(rng).nom,
        cast=cast,
        hero=pick(rng, vocabulary.names["films", "hero"]),
        turn=int(rng.random() * len(vocabulary.lists["péripétie"])),
        quality=min(max(rng.betavariate(3, 3), 0.1), 0.9),
    )


def _person(rng: Random) -> Noun:
    names = load().names
    feminine = rng.random() < 0.5
    first = pick(rng, names["films", "women" if feminine else "men"])
    return proper_noun(f"{first} {pick(rng, names['films', 'surname'])}", feminine)
