"""The wordpieces: words and parts of words, in every casing that may occur.

The network reads text as it is typed, but 2,000 reviews show few words in all their casings. So every casing of a
piece, and its form without accents where that is no word of its own, shares one row of the embedding while the network
learns. Each wordpiece gets its copy of the row when the network is written.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from tools.train_bundled.recipe import MAX_INNER, SPECIAL, Ints, Recipe

INSIDE = "##"
"""Marks a piece that goes on with the word."""


class Vocabulary(NamedTuple):
    """Wordpieces in the order of their ids, and how they share rows."""

    pieces: list[str]
    rows: Ints
    """Wordpiece id -> row."""
    row_texts: list[str]
    """Row -> its piece in lower case."""
    tokenizer: BertWordPieceTokenizer

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the rows of every text, without [CLS] and [SEP], at most 510 of each."""
        return [
            self.rows[np.array(e.ids[1:-1], np.int64)][:MAX_INNER] for e in self.tokenizer.encode_batch(list(texts))
        ]

    def save(self, path: Path) -> None:
        """Write one piece a line."""
        path.write_text("".join(f"{piece}\n" for piece in self.pieces), "utf-8")


def build(texts: Sequence[str], recipe: Recipe) -> Vocabulary:
    """Return the vocabulary learnt from these texts."""
    counts = _review_counts(texts)
    lower = _lower_pieces(texts, counts, recipe)
    owner = _owners(lower, counts, recipe)
    pieces = [*SPECIAL, *sorted(owner, key=lambda piece: (piece.lower(), piece))]
    row_texts = [*SPECIAL, *sorted(lower)]
    row_of = {text: row for row, text in enumerate(row_texts)}
    rows = [row_of[owner.get(piece, piece)] for piece in pieces]
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = BertWordPieceTokenizer(vocab=ids, lowercase=False, strip_accents=False)
    return Vocabulary(pieces, np.array(rows, np.int64), row_texts, tokenizer)


def unaccented(text: str) -> str:
    """Return the text without its accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _review_counts(texts: Sequence[str]) -> Counter[str]:
    """Return word as typed -> number of texts that it occurs in."""
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    splitter = BertPreTokenizer()
    return Counter(
        word for text in texts for word in {w for w, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))}
    )


def _lower_pieces(texts: Sequence[str], counts: Counter[str], recipe: Recipe) -> dict[str, int]:
    """Return piece in lower case -> number of texts that it occurs in as a word."""
    lower: Counter[str] = Counter()
    for word, n in counts.items():
        lower[word.lower()] += n
    learner = BertWordPieceTokenizer(lowercase=True, strip_accents=False)
    learner.train_from_iterator(
        iter(texts), vocab_size=recipe.wordpieces, min_frequency=2, special_tokens=list(SPECIAL), show_progress=False
    )
    characters = {c.lower() for word in counts for c in word}
    known = {word for word, n in lower.items() if n >= recipe.word_reviews}
    known |= set(learner.get_vocab()) - set(SPECIAL) | characters | {INSIDE + c for c in characters}
    return {piece: lower[piece] for piece in known}


def _owners(lower: dict[str, int], counts: Counter[str], recipe: Recipe) -> dict[str, str]:
    """Return form of a piece -> its piece in lower case; of two pieces with one form, the more frequent has it."""
    owner = {piece: piece for piece in lower}
    for word in counts:
        if word.lower() in lower:
            owner.setdefault(word, word.lower())
    for character in {c for word in counts for c in word if c.lower() in lower}:
        owner.setdefault(character, character.lower())
        owner.setdefault(INSIDE + character, INSIDE + character.lower())
    for piece in sorted(lower, key=lambda piece: (-lower[piece], piece)):
        for form in _forms(piece, lower[piece] >= recipe.capitals_reviews):
            owner.setdefault(form, piece)
    return owner


def _forms(piece: str, capitals: bool) -> Iterator[str]:
    """Yield the other ways to type a piece that begins a word."""
    if piece.startswith(INSIDE) or not piece[0].isalpha():
        return
    for form in (piece, unaccented(piece)):
        yield form
        yield form[0].upper() + form[1:]
        if capitals:
            yield form.upper()
