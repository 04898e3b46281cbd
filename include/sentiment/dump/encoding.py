"""Encodings of dumps: named by a source profile or the Param `encoding`; a detector's guess is only suggested."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from sentiment.errors import ParameterError

# Records that a suggestion is based on at most: the detector takes milliseconds for one.
SUGGESTED_FROM = 50


@dataclass(frozen=True)
class Encoding:
    """An encoding by its names in profiles, in Python and in Java."""

    name: str
    python: str
    java: str
    """Name by which Spark decodes the records: UTF-8 for wide encodings."""
    wide: bool = False
    """Whether a character takes two or four bytes; such a file is turned into UTF-8 while it is read."""

    @property
    def record_codec(self) -> str:
        """Return Python's name for the encoding of records once they are read."""
        return "utf-8" if self.wide else self.python


UTF8 = Encoding("utf-8", "utf-8", "UTF-8")
ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        UTF8,
        Encoding("windows-1252", "cp1252", "windows-1252"),
        Encoding("iso-8859-1", "latin-1", "ISO-8859-1"),
        Encoding("iso-8859-15", "iso8859-15", "ISO-8859-15"),
        Encoding("macintosh", "mac-roman", "x-MacRoman"),
        Encoding("ibm850", "cp850", "IBM850"),
        Encoding("utf-16", "utf-16", "UTF-8", wide=True),
        Encoding("utf-16le", "utf-16-le", "UTF-8", wide=True),
        Encoding("utf-16be", "utf-16-be", "UTF-8", wide=True),
        Encoding("utf-32", "utf-32", "UTF-8", wide=True),
    )
}
"""Encodings of French text, by name. All but the wide ones have line ends and quotes where ASCII has them."""

DEFAULT_SUGGESTION = "windows-1252"
"""What a French spreadsheet writes where it writes no UTF-8."""
DETECTABLE = [e.python for e in ENCODINGS.values() if not e.wide and e is not UTF8]
BY_PYTHON = {e.python.replace("-", "_"): e.name for e in ENCODINGS.values()}
"""Name in Python, as the detector returns it -> name in profiles."""
# The mark of UTF-32 begins with that of UTF-16, so it is compared first.
BYTE_ORDER_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def find_encoding(name: str) -> Encoding:
    """Return the encoding of that name, in any case; raise ParameterError, listing the known names, for another."""
    encoding = ENCODINGS.get(name.strip().lower())
    if encoding is None:
        nearest = (*get_close_matches(name.lower(), ENCODINGS, n=1, cutoff=0.4), DEFAULT_SUGGESTION)[0]
        raise ParameterError(
            f"encoding is {name!r}; expected one of {', '.join(ENCODINGS)}.",
            f"make nightly DUMP=… ENCODING={nearest}",
        )
    return encoding


def wide_encoding_of(head: bytes) -> str | None:
    """Return the name of the wide encoding whose byte order mark a file begins with; None for another beginning."""
    return next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), None)


class Suggestion:
    """Collects a detector's guesses for records that can't be decoded."""

    def __init__(self) -> None:
        self._votes: Counter[str] = Counter()

    def add(self, raw: bytes) -> None:
        """Detect the encoding of one record's bytes; do nothing once 50 records are detected."""
        if self._votes.total() >= SUGGESTED_FROM:
            return
        from charset_normalizer import from_bytes

        # threshold=1.0: even an unlikely encoding is returned, since it is only suggested.
        best = from_bytes(raw, cp_isolation=DETECTABLE, threshold=1.0).best()
        self._votes[BY_PYTHON.get(best.encoding if best else "", "none")] += 1

    @property
    def best(self) -> str | None:
        """Return the encoding detected most often; None where none was detected."""
        return next((name for name, _ in self._votes.most_common() if name != "none"), None)
