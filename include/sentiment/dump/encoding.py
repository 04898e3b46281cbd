"""In which encoding a dump is written: said by a profile or a Param, never guessed; a guess is only suggested."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sentiment.errors import ParameterError

SUGGESTED_FROM = 50
"""Records looked at before a suggestion: a detector takes milliseconds for each."""


@dataclass(frozen=True)
class Encoding:
    """An encoding by the names that Python and Java give it; `wide` ones are read as UTF-8 from the first byte on."""

    name: str
    python: str
    java: str
    wide: bool = False

    @property
    def of_records(self) -> str:
        """Python's name for the encoding that records are in once they are read."""
        return "utf-8" if self.wide else self.python


UTF8 = Encoding("utf-8", "utf-8", "UTF-8")
ENCODINGS = {
    each.name: each
    for each in (
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
"""Those French text is found in. Each but the wide ones leaves line ends and quotes where ASCII has them."""

ISOLATED = [e.python for e in ENCODINGS.values() if not e.wide and e is not UTF8]
BY_PYTHON = {e.python.replace("-", "_"): e.name for e in ENCODINGS.values()}
"""The detector's names, which are Python's, and ours."""
SIGNS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def named(name: str) -> Encoding:
    """The encoding of that name; ParameterError, listing those there are, for another."""
    found = ENCODINGS.get(name.strip().lower())
    if found is None:
        raise ParameterError(
            f"encoding is {name!r}; expected one of {', '.join(ENCODINGS)}.",
            "make nightly ENCODING=windows-1252 DUMP=…",
        )
    return found


def wide_sign(head: bytes) -> str | None:
    """The wide encoding whose byte order mark a file begins with."""
    return next((name for sign, name in SIGNS if head.startswith(sign)), None)


class Suggestion:
    """Collects what a detector says of records that are not in their encoding."""

    def __init__(self) -> None:
        self._votes: Counter[str] = Counter()

    def look(self, raw: bytes) -> None:
        """Ask the detector about one record, as long as few were asked about."""
        if self._votes.total() >= SUGGESTED_FROM:
            return
        from charset_normalizer import from_bytes

        best = from_bytes(raw, cp_isolation=ISOLATED, threshold=1.0).best()
        self._votes[BY_PYTHON.get(best.encoding if best else "", "none")] += 1

    @property
    def best(self) -> str | None:
        """The encoding most records were taken for; None where none was found."""
        return next((name for name, _ in self._votes.most_common() if name != "none"), None)
