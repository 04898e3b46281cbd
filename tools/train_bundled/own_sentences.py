"""Draw short labelled sentences of our own from own_sentences.toml: praise, blame, and plain negations of both."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tools.train_bundled.vocabulary import unaccented

SOURCE = Path(__file__).with_name("own_sentences.toml")


class Sentence(NamedTuple):
    """A text, and the target probability that it is favourable."""

    text: str
    positive: float


class OwnSentences:
    """Sentences that the templates can make."""

    def __init__(self) -> None:
        """Read the templates and the subjects and adjectives that fill them."""
        known = tomllib.loads(SOURCE.read_text("utf-8"))
        self._kinds: list[dict[str, Any]] = known["kinds"]
        self._templates: dict[str, list[str]] = known["templates"]
        self._subjects: list[list[str]] = [known["subjects"]["masculine"], known["subjects"]["feminine"]]
        self._adjectives = {
            name: [(word.split("/")[0], word.split("/")[-1]) for word in forms.split()]
            for name, forms in known["adjectives"].items()
        }

    def draw(self, n: int, rng: np.random.Generator) -> list[Sentence]:
        """Return `n` texts of one or two sentences, typed in the ways people type."""
        shares = np.array([kind["share"] for kind in self._kinds])
        drawn = rng.choice(len(self._kinds), n, p=shares / shares.sum())
        return [self._text(self._kinds[i], rng) for i in drawn]

    def _text(self, kind: dict[str, Any], rng: np.random.Generator) -> Sentence:
        sentences = [self._sentence(kind, rng) for _ in range(1 if rng.random() < 0.75 else 2)]
        return Sentence(typed(" ".join(sentences), rng), kind["positive"])

    def _sentence(self, kind: dict[str, Any], rng: np.random.Generator) -> str:
        template = _one(self._templates[kind["templates"]], rng)
        if "adjectives" not in kind:
            return _capitalised(template)
        forms = self._adjectives[kind["adjectives"]]
        first, second = (forms[i] for i in rng.choice(len(forms), 2, replace=False))
        gender = int(rng.integers(2))
        filled = template.format(
            s=_one(self._subjects[gender], rng),
            a=first[gender], b=second[gender], m=first[0], n=second[0], f=first[1], g=second[1],
        )  # fmt: skip
        return _capitalised(filled)


def typed(text: str, rng: np.random.Generator) -> str:
    """Return the text with apostrophes, full stop, accents and capitals varied at random."""
    if rng.random() < 0.3:
        text = text.replace("'", "’")
    if rng.random() < 0.3:
        text = text.removesuffix(".")
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.1:
        text = unaccented(text)
    return text.upper() if rng.random() < 0.07 else text


def _one(choices: list[str], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]
