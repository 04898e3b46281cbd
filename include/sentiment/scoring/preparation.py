"""The one place that knows how text reaches the network.

Spark NLP's annotator damages French in two ways: of a token that it splits at punctuation it feeds only
the first piece, and it strips accents although the model is cased. So the copy that is scored gets a space
on both sides of what BERT treats as punctuation, and every accented letter becomes a stand-in letter that
does not decompose, in the text and in the vocabulary. The ids that reach the network are then those of the
cased Hugging Face tokenizer. Stored text is never touched.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

PREPARATION_VERSION = 1
"""Raise it when prepared text changes; scores of older versions are then not reused."""

DROPPED = r"[\p{Cc}\p{Cf}\x{FFFD}&&[^\t\n\r]]"
SPACES = r"[\p{Z}\t\n\r]+"
KEPT = r"[^\p{Cc}\p{Cf}\x{FFFD}\p{Z}]"
SPLIT_OFF = r"([\p{P}$+<=>^`|~\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}])"
ACCENTED_BLOCKS = (range(0x00C0, 0x2000),)
STAND_INS = range(0xA000, 0xA48D)
"""Yi syllables: letters that neither decompose nor occur in French, nor count as Chinese for BERT."""


@lru_cache(maxsize=1)
def shield() -> dict[str, str]:
    """Accented letter -> its stand-in."""
    letters = [chr(c) for block in ACCENTED_BLOCKS for c in block if _loses_accent(chr(c))]
    if len(letters) > len(STAND_INS):
        raise ValueError(f"{len(letters)} accented letters for {len(STAND_INS)} stand-ins")
    return {letter: chr(c) for letter, c in zip(letters, STAND_INS, strict=False)}


def _loses_accent(letter: str) -> bool:
    if unicodedata.normalize("NFC", letter) != letter:
        return False
    return any(unicodedata.category(c) == "Mn" for c in unicodedata.normalize("NFD", letter)[1:])


def shield_text(text: str) -> str:
    """The vocabulary's side of the shield."""
    return text.translate({ord(letter): stand_in for letter, stand_in in shield().items()})


def prepared(text: Column) -> Column:
    """What the annotators are given. Spark SQL only."""
    from pyspark.sql import functions as F

    clean = F.regexp_replace(F.regexp_replace(text, DROPPED, ""), SPACES, " ")
    spaced = F.regexp_replace(clean, SPLIT_OFF, " $1 ")
    table = shield()
    return F.trim(F.translate(spaced, "".join(table.keys()), "".join(table.values())))


def leaves_nothing(text: Column) -> Column:
    """Whether `prepared` is empty, told without preparing: all of the text is dropped or space; null for null."""
    return ~text.rlike(KEPT)
