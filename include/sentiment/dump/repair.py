"""Repair texts whose UTF-8 was decoded as another encoding before they came, by ftfy."""

from __future__ import annotations

import re
from collections.abc import Callable

_WORD = re.compile(r"[^ \t\r\n]+")
_SUSPECT = re.compile(r"[ÃÂÅâð][^\x00-\x7F]")
_STRAIGHT = {re.compile(r"Å\"(?=[^\W\d_])"): "œ", re.compile(r"Å'(?=[^\W\d_])"): "Œ"}
"""Ligatures whose second half, a curly quote, an editor made a straight one: no decoding undoes that."""


def fix_encoding(text: str) -> str:
    """Return the text with what was decoded wrongly decoded rightly, as far as the text alone shows.

    Nothing else of it changes: quotes, spaces and line feeds stay as they are.
    """
    # Here, since only executors need it, and only where a profile asks for it.
    import ftfy

    # Word by word behind that: beside letters that are right ftfy leaves most ligatures alone.
    fixed = _WORD.sub(lambda word: _of_word(word[0], ftfy.fix_encoding), ftfy.fix_encoding(text))
    for pattern, ligature in _STRAIGHT.items():
        fixed = pattern.sub(ligature, fixed)
    return fixed


def _of_word(word: str, fix: Callable[[str], str]) -> str:
    return fix(word) if _SUSPECT.search(word) else word
