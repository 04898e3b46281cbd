"""Prepare text for Spark NLP's annotators so that the network gets the ids of the cased Hugging Face tokenizer.

Spark NLP's annotator does not feed what the cased Hugging Face tokenizer feeds. Of a token that it splits at
punctuation it takes the first piece only; it decomposes letters and drops their accents although the model is
cased; words may be twice as long before they are unknown. So the copy that is scored gets a space on both sides of
what BERT splits off, every letter that the annotator would change becomes a stand-in, in the text and in the
vocabulary, and overlong words become one unknown letter. The ids that reach the network are then the tokenizer's:
tests/scoring/test_parity.py compares them over all of Unicode. Stored text is never touched.

What stays different, each pinned by that test: a text that spells a special piece, like `[SEP]`, is fed as the
characters it is made of; a text of which nothing is left has no score.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

PREPARATION_VERSION = 3
"""Part of a model's fingerprint: raise it when prepared text changes, so that older scores are not reused.

tests/golden/prepared.jsonl holds prepared texts of this version."""

# Private-use characters: BERT drops them, so no text that is fed holds one of its own.
STAND_INS = (range(0xE000, 0xF8FE), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
UNKNOWN, CHUNK_END = "\uf8fe", "\uf8ff"
"""A letter of no vocabulary, and the separator of two chunks of one text."""
# Longer words are one unknown wordpiece to the reference tokenizer.
MAX_WORD_CHARS = 100

# BERT's tokenizer drops controls, formats, private use and U+FFFD. The exceptions are formats of later Unicode versions
# than its tables, and the separator of chunks, which `fed_form` has taken out of the text before.
DROPPED = (
    rf"[\p{{Cc}}\p{{Cf}}\p{{Co}}\x{{FFFD}}"
    rf"&&[^\t\n\r{CHUNK_END}\x{{890}}\x{{891}}\x{{8E2}}\x{{110CD}}\x{{13430}}-\x{{13438}}]]"
)
SPACES = r"[\p{Z}\t\n\r]+"
VISIBLE = (
    r"[^\p{Cc}\p{Cf}\p{Co}\x{FFFD}\p{Z}]"
    r"|[\x{890}\x{891}\x{8E2}\x{110CD}\x{13430}-\x{13438}]"
)
"""Characters that are neither dropped nor become a space."""
# As in BERT's tokenizer: the CJK blocks of Unicode, each of whose characters is a word; no kana, no hangul.
CHINESE = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B81F}"
    r"\x{2B920}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)
# Punctuation in the Unicode tables of Java and Python, not yet in those of the reference tokenizer.
YOUNG_PUNCTUATION = (
    r"\x{61D}\x{9FD}\x{A76}\x{C77}\x{C84}\x{1B7D}\x{1B7E}\x{2E43}-\x{2E4F}\x{2E52}-\x{2E5D}\x{10EAD}"
    r"\x{10F55}-\x{10F59}\x{10F86}-\x{10F89}\x{1144B}-\x{1144F}\x{1145A}\x{1145B}\x{1145D}\x{11660}-\x{1166C}"
    r"\x{116B9}\x{1183B}\x{11944}-\x{11946}\x{119E2}\x{11A3F}-\x{11A46}\x{11A9A}-\x{11A9C}\x{11A9E}-\x{11AA2}"
    r"\x{11C41}-\x{11C45}\x{11C70}\x{11C71}\x{11EF7}\x{11EF8}\x{11FFF}\x{12FF1}\x{12FF2}\x{16E97}-\x{16E9A}"
    r"\x{16FE2}\x{1E95E}\x{1E95F}"
)
SPLIT_OFF = rf"([\p{{P}}$+<=>^`|~\x{{166D}}\x{{111C9}}{CHINESE}&&[^{YOUNG_PUNCTUATION}]])"
LONG_WORD = rf"[^ {CHUNK_END}]{{{MAX_WORD_CHARS + 1},}}"
# Characters that Spark NLP's sentence detector and tokenizer use as marks of their own.
RESERVED_SYMBOLS = "╔╚╞╟╤╥╦╩ↇ"


def fed_form(text: str) -> str:
    """Return the form of a text that is scored: NFC, as in the score cache's key, without `CHUNK_END`."""
    return unicodedata.normalize("NFC", text.replace(CHUNK_END, ""))


@lru_cache(maxsize=1)
def shield() -> dict[str, str]:
    """Return a mapping: character that the annotator would change -> its private-use stand-in."""
    changed = (chr(c) for c in range(0xA0, 0xE0000) if not 0xD800 <= c <= 0xF8FF and _is_changed(chr(c)))
    stand_ins = (chr(c) for block in STAND_INS for c in block)
    return dict(zip(changed, stand_ins, strict=False))


def _is_changed(letter: str) -> bool:
    # It decomposes, is reordered, is taken for an accent, or is another annotator's mark.
    if unicodedata.combining(letter) or "\u0300" <= letter <= "\u036f" or letter in RESERVED_SYMBOLS:
        return True
    return not unicodedata.is_normalized("NFD", letter)


def shield_text(text: str) -> str:
    """Return a wordpiece with its characters replaced by their stand-ins, as `prepared` does in texts."""
    return text.translate(_shield_by_code())


@lru_cache(maxsize=1)
def _shield_by_code() -> dict[int, str]:
    return {ord(letter): stand_in for letter, stand_in in shield().items()}


def prepared(text: Column) -> Column:
    """Return the annotators' input for texts in `fed_form`, chunks parted by `CHUNK_END`; null for null.

    Spark SQL only: no Python runs on executors.
    """
    from pyspark.sql import functions as F

    clean = F.regexp_replace(F.regexp_replace(text, DROPPED, ""), SPACES, " ")
    spaced = F.regexp_replace(clean, SPLIT_OFF, " $1 ")
    known = F.regexp_replace(spaced, LONG_WORD, UNKNOWN)
    table = shield()
    return F.trim(F.translate(known, "".join(table.keys()), "".join(table.values())))


def leaves_nothing(text: Column) -> Column:
    """Return whether `prepared` would be empty: all of the text is dropped or space; null for null."""
    return ~text.rlike(VISIBLE)
