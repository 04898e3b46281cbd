"""Which row of a table names its columns: below blank rows, `sep=;` and a title, or none where a profile does."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path

from sentiment.dump.cutting import Cutting
from sentiment.dump.encoding import DEFAULT_SUGGESTION, ENCODINGS, Suggestion
from sentiment.dump.escaped_lines import without_escapes
from sentiment.dump.member import Member, try_on
from sentiment.dump.profiles import Profile
from sentiment.dump.stream import DumpStream, Line
from sentiment.errors import DumpRefusedError, quoted
from sentiment.runs.model import Layout

DELIMITERS = ",;\t|"
ONE_COLUMN = "\x1f"
"""Delimiter of a table of one column, whose values need no quotes: a character that texts don't have."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
SEPARATOR = re.compile(r'"?sep=([^\w\s"\\]|\t)"?', re.IGNORECASE)
"""The line by which Excel and others name the delimiter, above the header."""
ROWS_AHEAD = 10
"""Rows with content among which the header is looked for."""
LINES_AHEAD = 1000
CARRIAGE_RETURN, TO_LINE_FEEDS = "\r", r"sed 's/\r/\n/g'"
SHOWN_CHARS = 60
RATING = re.compile(r"[-+]?\d{1,4}(?:[.,]\d{1,2})?(?:\s*(?:/|sur)\s*\d{1,3})?|[★☆*]{1,10}", re.IGNORECASE)
SENTENCE = re.compile(r"\S+\s.*[.!?…]", re.DOTALL)


def header_position(rows: Sequence[Sequence[str]], candidates: Collection[Profile]) -> int | None:
    """Return which of a table's first rows with content names its columns; None where none does.

    That is the first with a name of the text's column by a profile. It is the first row, or has only titles above it:
    rows that have fewer cells with content than itself, and no review's.
    """
    for position, cells in enumerate(rows):
        if not any("text" in profile.mapping([cell.strip() for cell in cells]) for profile in candidates):
            continue
        if position == 0:
            return 0
        if not looks_like_review(cells):
            return position if all(_may_be_title(above, cells) for above in rows[:position]) else None
    return None


def _may_be_title(cells: Sequence[str], header: Sequence[str]) -> bool:
    n_filled, n_names = len(_filled(cells)), len(_filled(header))
    if n_filled == 1 and n_names > 2:
        return True
    return not _has_text(cells) if n_filled < n_names else n_names == 1 and not looks_like_review(cells)


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells if cell.strip()]


def looks_like_review(cells: Sequence[str]) -> bool:
    """Return whether a row has a review's cells: a sentence or long text, or a number beside text."""
    filled = _filled(cells)
    n_numbers = sum(RATING.fullmatch(cell) is not None for cell in filled)
    return _has_text(cells) or 0 < n_numbers < len(filled)


def _has_text(cells: Sequence[str]) -> bool:
    return any((len(c) > 60 and c.count(" ") > 5) or SENTENCE.fullmatch(c) for c in _filled(cells))


def no_header(file: Path | Member, cells: Sequence[str], row: str) -> DumpRefusedError:
    """Return the error of a table whose first row is a review; it shows 60 characters of `row` at most."""
    longest = max(range(len(cells)), key=lambda n: len(cells[n]))
    names = ["review" if n == longest else f"column_{n + 1}" for n in range(len(cells))]
    line, shown = f"header = {json.dumps(names)}", row.strip()[:SHOWN_CHARS]
    command = (
        f"mkdir -p my-profiles && {{ echo {quoted(line)}; sentiment source show usual; }} > my-profiles/no-header.toml "
        f"&& SENTIMENT_SOURCES=my-profiles sentiment source look {quoted(file)} --profile no-header"
    )
    return DumpRefusedError(
        f"{file}: the first line looks like a review, and no line names the columns: {shown}… A profile names them in "
        f"order, by a line like {line}, with names that it has in [columns].",
        command,
        content=shown,
    )


def other_width(file: Path | Member, n_cells: int, header: Sequence[str]) -> DumpRefusedError:
    """Return the error of a table that has not as many columns as the profile's header names."""
    return DumpRefusedError(
        f"{file} has {n_cells:,} columns in its first row; the profile's header names {len(header):,}: "
        f"{', '.join(header)}.",
        try_on("head -n 3", file),
    )


def is_header(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a row repeats the names of a profile's header."""
    return [cell.strip().lower() for cell in cells] == [name.strip().lower() for name in names]


def read_csv(stream: DumpStream, cutting: Cutting, candidates: Collection[Profile]) -> tuple[Layout, Iterator[Line]]:
    """Return the layout of a CSV file and the lines that follow its header.

    Raises DumpRefusedError where the header can't be decoded or is none, and where the first line is a review.
    """
    return _Beginning(stream, cutting, candidates).read()


class _Beginning:
    """The first lines of a CSV file; those behind the header are handed on with the rest of the file."""

    def __init__(self, stream: DumpStream, cutting: Cutting, candidates: Collection[Profile]) -> None:
        self._stream, self._cutting, self._candidates = stream, cutting, candidates
        self._lines = stream.lines()
        self._delimiter = ""

    def read(self) -> tuple[Layout, Iterator[Line]]:
        first = self._next_with_content()
        if named := SEPARATOR.fullmatch(first.raw.decode("latin-1").strip(" \r")):
            self._delimiter = named[1]
            first = self._next_with_content()
        return self._named_by_profile(first) if self._cutting.header else self._with_header(first)

    def _next_with_content(self) -> Line:
        return next((line for line in self._lines if _has_content(line)), Line(0, b"", 0, None))

    def _named_by_profile(self, first: Line) -> tuple[Layout, Iterator[Line]]:
        names, text = list(self._cutting.header), self._decoded(first)
        delimiter = self._delimiter_of(text, len(names))
        cells = self._first_cells(text, delimiter)
        if is_header(cells, names):
            return self._layout(names, delimiter), self._lines
        # A cell that goes on in the next line leaves a row of fewer cells here.
        if len(cells) != len(names) and text.count('"') % 2 == 0:
            raise other_width(self._stream.path, len(cells), names)
        return self._layout(names, delimiter), chain([first], self._lines)

    def _with_header(self, first: Line) -> tuple[Layout, Iterator[Line]]:
        text = self._decoded(first)
        delimiter = self._delimiter_of(text)
        names = self._first_cells(text, delimiter)
        if header_position([names], self._candidates) == 0:
            return self._layout(names, self._of_one_column() if len(names) == 1 else delimiter), self._lines
        lines = [first, *self._ahead()]
        filled = [n for n, line in enumerate(lines) if _has_content(line)]
        for n in filled[1:]:
            delimiter_there, rows = self._rows([lines[above] for above in filled if above <= n])
            if header_position(rows, self._candidates) == len(rows) - 1:
                return self._layout(rows[-1], delimiter_there), chain(lines[n + 1 :], self._lines)
        if looks_like_review(names):
            raise no_header(self._stream.path, names, text)
        return self._layout(names, delimiter), chain(lines[1:], self._lines)

    def _of_one_column(self) -> str:
        """Return the delimiter where a single column is named: one that all rows have alike, else none of a text's."""
        if self._delimiter:
            return self._delimiter
        ahead = list(self._ahead())
        self._lines = chain(ahead, self._lines)
        rows = [QUOTED.sub("", self._readable(line)) for line in ahead if _has_content(line)]
        # Where columns have no names, each row has as many delimiters; prose has a blank behind its commas.
        counts = {mark: {row.count(mark) - row.count(f"{mark} ") for row in rows} for mark in DELIMITERS}
        return next((mark for mark, seen in counts.items() if len(seen) == 1 and seen != {0}), ONE_COLUMN)

    def _ahead(self) -> Iterator[Line]:
        """Yield the lines up to the one with which ten have content; of blank ones, which count for nothing, none."""
        n_rows = 1
        for n, line in enumerate(self._lines):
            if line.raw.strip():
                yield line
            n_rows += _has_content(line)
            if n_rows == ROWS_AHEAD or n == LINES_AHEAD:
                return

    def _rows(self, lines: Sequence[Line]) -> tuple[str, list[list[str]]]:
        """Return the delimiter of the last line, and the cells of all by it; none of a line that can't be read."""
        texts = [self._readable(line) for line in lines]
        delimiter = self._delimiter_of(texts[-1])
        return delimiter, [self._cells(text, delimiter) for text in texts]

    def _readable(self, line: Line) -> str:
        try:
            text = line.raw.decode(self._stream.encoding.record_codec)
        except UnicodeDecodeError:
            return ""
        # A carriage return inside a line is an error to the reader of CSV.
        return "" if "\r" in text else text

    def _decoded(self, line: Line) -> str:
        path, encoding = self._stream.path, self._stream.encoding
        try:
            return line.raw.decode(encoding.record_codec)
        except UnicodeDecodeError as error:
            suggestion = Suggestion()
            suggestion.add(line.raw)
            suggested_encoding = suggestion.best or DEFAULT_SUGGESTION
            raise DumpRefusedError(
                f"{path}: the header is not {encoding.name} ({error}); encodings that are read: "
                f"{', '.join(ENCODINGS)}.",
                f"make nightly DUMP=… ENCODING={suggested_encoding}",
            ) from error

    def _delimiter_of(self, text: str, n_columns: int = 0) -> str:
        if self._delimiter:
            return self._delimiter
        # A comma inside a quoted name must not make a semicolon file one of commas.
        bare = QUOTED.sub("", text)
        return max(DELIMITERS, key=lambda mark: (bare.count(mark) + 1 == n_columns, bare.count(mark)))

    def _first_cells(self, text: str, delimiter: str) -> list[str]:
        try:
            return self._cells(text, delimiter)
        except csv.Error as error:
            path, in_lines = self._stream.path, f"{Path(self._stream.path.name).stem}.lines.csv"
            turned = f"{try_on(TO_LINE_FEEDS, path)} > {quoted(in_lines)} && make nightly DUMP={quoted(in_lines)}"
            raise DumpRefusedError(
                f"{path}: the first line is no header of a CSV; expected column names, and lines that end in a line "
                f"feed{', not in a carriage return alone' if CARRIAGE_RETURN in text else f' ({error})'}.",
                turned if CARRIAGE_RETURN in text else try_on("head -c 300", path),
            ) from error

    def _cells(self, text: str, delimiter: str) -> list[str]:
        plain = without_escapes(text.encode()).decode("utf-8", "replace") if self._cutting.escape else text
        return [cell.strip() for cell in next(csv.reader([plain], delimiter=delimiter), [])]

    def _layout(self, names: list[str], delimiter: str) -> Layout:
        return Layout("csv", names, delimiter, self._stream.encoding.name, escape=self._cutting.escape)


def _has_content(line: Line) -> bool:
    return bool(line.raw.translate(None, b' \t\r\n\f\v",;|'))
