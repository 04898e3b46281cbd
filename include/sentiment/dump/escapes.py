"""Backslash escapes in CSV, as MySQL writes them: Spark SQL expressions that hide them from the parser of CSV.

Spark's own option `escape` knows a backslash before a quote alone, inside quotes alone.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# Code points that Unicode reserves for a program's own use: no text has them.
MARKS = tuple(map(chr, range(0xFDD0, 0xFDDB)))
BACKSLASH, QUOTE, DELIMITER, NEWLINE, RETURN, TAB, NUL, BACKSPACE, END, MISSING, APOSTROPHE = MARKS
LETTERS = {"n": NEWLINE, "r": RETURN, "t": TAB, "0": NUL, "b": BACKSPACE, "Z": END, "N": MISSING}
"""What follows a backslash -> its mark, as `LOAD DATA` of MySQL reads it."""
MEANING = {
    BACKSLASH: "\\",
    QUOTE: '"',
    NEWLINE: "\n",
    RETURN: "\r",
    TAB: "\t",
    NUL: "\0",
    BACKSPACE: "\b",
    END: "\x1a",
    MISSING: "N",
    APOSTROPHE: "'",
}
OTHER = r"(?s)\\(.)"


def masked(line: Column, delimiter: str) -> Column:
    """Return the record with a mark for each backslash and what it escapes; null of null."""
    # The backslash itself comes first, so that what stands behind it is not taken for escaped.
    marks = {"\\": BACKSLASH, '"': QUOTE, delimiter: DELIMITER, "\n": NEWLINE, "'": APOSTROPHE, **LETTERS}
    hidden = F.translate(line, "".join(MARKS), "\ufffd" * len(MARKS))
    for escaped, mark in marks.items():
        hidden = F.replace(hidden, F.lit("\\" + escaped), F.lit(mark))
    return F.regexp_replace(hidden, OTHER, "$1")


def unmasked(value: Column, delimiter: str) -> Column:
    r"""Return a field of a masked record with the characters that its marks stand for; null of `\N`."""
    meaning = {**MEANING, DELIMITER: delimiter}
    plain = F.translate(value, "".join(meaning), "".join(meaning.values()))
    return F.when(value != F.lit(MISSING), plain)
