"""Cut a file's bytes into records, each with its position, its exact bytes, and what keeps it from being read."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from sentiment.contract import RAW_HEAD_BYTES
from sentiment.dump.documents import Opening, several_lists
from sentiment.dump.encoding import UTF8, Encoding
from sentiment.dump.escaped_lines import with_escaped_ends, without_escapes
from sentiment.dump.member import try_on
from sentiment.dump.stream import DumpStream, Line
from sentiment.errors import DumpUnreadableError
from sentiment.runs.model import Layout

# The csv module refuses fields of more than 128 KiB; records are bounded by SENTIMENT_MAX_RECORD_BYTES instead.
csv.field_size_limit(sys.maxsize)
# Most delimiters of a CSV record: Spark's parser fails the whole job at 20,480.
MAX_FIELDS = 20_000
# Most lines of a quoted field: without a bound, every unclosed quote would have the rest of the file read again.
MAX_QUOTED_LINES = 5000
MAX_COLUMNS = 1000
"""Most columns of a record: Spark compiles code for every column of a header."""


class Record(NamedTuple):
    """A record before its values are read."""

    record_no: int
    """Number in its file, from 1."""
    byte_offset: int
    """Position in the decompressed file, in bytes."""
    raw: bytes
    """The exact bytes; of a record that is too long, the first 64 KiB."""
    raw_bytes: int
    """Size of all of it in bytes."""
    raw_sha256: str | None = None
    """In hex, where `raw` is cut; else None."""
    problem: str | None = None
    """A key of `quality.rules.PROBLEMS`; None for a record that can be read."""
    problem_detail: str | None = None


class Cut(NamedTuple):
    """A stretch of a file that is one record or blank: the fields of `Record` before it is numbered."""

    byte_offset: int
    raw: bytes
    raw_bytes: int
    raw_sha256: str | None = None
    problem: str | None = None
    problem_detail: str | None = None


ESCAPE_HINT = '; it has \\" for a quote, which a profile with escape = "\\\\" reads'
"""Follows the detail of a record of CSV that can't be read and has ESCAPED_QUOTE."""
ESCAPED_QUOTE = '\\"'
ENCODING_PROBLEMS = ("not_utf8", "not_in_encoding")
"""Problems of records that can't be decoded."""


def numbered(cuts: Iterator[Cut], stream: DumpStream, delimiter: str | None) -> Iterator[Record]:
    """Yield the records numbered from 1, each with the problem that keeps it from being read; leave blank cuts out.

    `delimiter` is that of CSV, None of JSON. A row of empty cells is no record, but keeps its number.
    """
    number = 0
    for cut in cuts:
        if cut.raw.isspace() or not cut.raw:
            continue
        number += 1
        if delimiter and _is_of_empty_cells(cut, delimiter):
            continue
        if cut.raw_sha256 and not cut.problem:
            most = f"longer than {stream.max_record_bytes:,} bytes"
            yield Record(number, *cut[:4], "too_long", most)
        elif cut.problem:
            yield Record(number, *cut)
        else:
            yield Record(number, *cut[:4], *_problem(cut.raw, stream, is_json=delimiter is None))


def of_row(number: int, raw: bytes, most_bytes: int, problem: str | None = None, detail: str | None = None) -> Record:
    """Return a row of a file that has no positions in bytes as a record, with byte offset 0.

    `raw` is the JSON object that stands for it; one of more than `most_bytes` is too long, whatever else it is.
    """
    if len(raw) <= most_bytes:
        return Record(number, 0, raw, len(raw), None, problem, detail)
    digest, longer = hashlib.sha256(raw).hexdigest(), f"longer than {most_bytes:,} bytes"
    return Record(number, 0, raw[:RAW_HEAD_BYTES], len(raw), digest, "too_long", longer)


def _is_of_empty_cells(cut: Cut, delimiter: str) -> bool:
    # A search for any other character spares most rows the parser, for which a quoted delimiter is a cell's content.
    if cut.problem or cut.raw_sha256 or cut.raw.translate(None, f' \t\r\n"{delimiter}'.encode()):
        return False
    rows = csv.reader([cut.raw.decode()], delimiter=delimiter)
    return not any(cell.strip() for row in rows for cell in row)


def _problem(raw: bytes, stream: DumpStream, is_json: bool) -> tuple[str | None, str | None]:
    """Return (problem, detail), both None for a record that can be read."""
    # Parsed here although Spark parses again: Spark's JSON reader ignores what follows the first object of a line, so
    # that a second record in it would be lost unnoticed.
    try:
        text = raw.decode(stream.encoding.record_codec)
    except UnicodeDecodeError as error:
        problem = "not_utf8" if stream.encoding is UTF8 else "not_in_encoding"
        return problem, f"byte {error.start + 1} of the record is no {stream.encoding.name}"
    if not is_json:
        return None, None
    try:
        value = json.loads(text)
    except RecursionError:
        return "too_deep", "its brackets are nested too deep"
    except ValueError as error:
        return "not_json", str(error)[:200]
    if not isinstance(value, dict):
        return "not_json", f"it is no object but {type(value).__name__}"
    many = f"{len(value):,} columns; at most {MAX_COLUMNS:,} are read"
    return ("too_many_columns", many) if len(value) > MAX_COLUMNS else (None, None)


def lines(stream: DumpStream) -> Iterator[Cut]:
    """Yield every line as one record, as in JSON lines."""
    for line in stream.lines():
        yield Cut(*line)


def csv_records(stream: DumpStream, lines: Iterator[Line], layout: Layout) -> Iterator[Cut]:
    """Yield the records of a CSV file of that layout from the lines behind its header.

    A record ends with its line, unless a quoted field is open there: then it goes on to the line that closes the field,
    if the lines together are one record. A quote that is never closed takes its own line only, and the lines after it
    are read again.
    """
    mark = layout.delimiter.encode()
    many = f"more than {MAX_FIELDS:,} delimiters"
    source = with_escaped_ends(lines, stream.max_record_bytes, MAX_QUOTED_LINES) if layout.escape else lines
    for cut in _csv_cuts(stream, source, layout):
        is_wide = not (cut.problem or cut.raw_sha256) and cut.raw.count(mark) > MAX_FIELDS
        yield cut._replace(problem="too_many_columns", problem_detail=many) if is_wide else cut


def _csv_cuts(stream: DumpStream, source: Iterator[Line], layout: Layout) -> Iterator[Cut]:
    delimiter, n_columns = layout.delimiter, len(layout.columns)
    pending, quotes = deque[Line](), _Quotes(delimiter, layout.escape)
    while True:
        line = pending.popleft() if pending else next(source, None)
        if line is None:
            return
        if line.sha256 or not quotes.open_after(line.raw):
            yield Cut(*line)
            continue
        held, closed = _until_closed(line, chain(_drained(pending), source), quotes, stream.max_record_bytes)
        joined = b"\n".join(part.raw for part in held) if closed else b""
        n_fields = _n_fields(quotes.plain(joined), delimiter, stream.encoding) if closed else None
        # A field may only begin with a quoted word. Where the joined lines don't have the header's columns but the
        # line alone does, the quote belongs to the text.
        own = quotes.plain(line.raw)
        may_be_own = n_fields != n_columns and own.count(b'"') % 2 == 0
        is_own = may_be_own and _n_fields(own, delimiter, stream.encoding) == n_columns
        if n_fields and not is_own:
            yield Cut(line.byte_offset, joined, sum(part.n_bytes for part in held))
            continue
        if is_own:
            yield Cut(*line)
        else:
            hint = ESCAPE_HINT if ESCAPED_QUOTE.encode() in line.raw and not layout.escape else ""
            yield Cut(*line[:3], None, "not_csv", f"a quote is opened and never closed{hint}")
        pending.extendleft(reversed(held[1:]))


def _n_fields(record: bytes, delimiter: str, encoding: Encoding) -> int | None:
    """Return the number of a record's fields; None where the bytes are not exactly one record."""
    text = record.decode(encoding.record_codec, "replace")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return None
    return len(rows[0]) if len(rows) == 1 else None


def _drained(pending: deque[Line]) -> Iterator[Line]:
    while pending:
        yield pending.popleft()


def _until_closed(first: Line, following: Iterator[Line], quotes: _Quotes, most_bytes: int) -> tuple[list[Line], bool]:
    """Return the lines up to the one that closes the quote, and whether one did within the bounds."""
    held, size = [first], first.n_bytes
    for line in following:
        held.append(line)
        size += line.n_bytes
        if line.sha256 or size > most_bytes or len(held) > MAX_QUOTED_LINES:
            break
        still_open = quotes.open_after_continuing(line.raw)
        if still_open is None:
            break
        if not still_open:
            return held, True
    return held, False


class _Quotes:
    """Finds where quoted fields begin and end; a quote inside a bare field is a character like others."""

    def __init__(self, delimiter: str, escape: str) -> None:
        self.plain: Callable[[bytes], bytes] = without_escapes if escape else bytes
        mark = re.escape(delimiter.encode())
        # Possessive quantifiers (++, *+) never backtrack: a hostile line costs one pass, not a quadratic one.
        self._closed = re.compile(rb"(?:^|(?<=" + mark + rb'))"(?:[^"]++|"")*+"(?=' + mark + rb"|$)")
        self._opened = re.compile(rb"(?:^|" + mark + rb')"')
        self._ends = re.compile(rb'(?:[^"]++|"")*+"(?=' + mark + rb"|$)")
        self._goes_on = re.compile(rb'(?:[^"]++|"")*+')

    def open_after(self, line: bytes) -> bool:
        """Return whether a quoted field begins in a line and doesn't end there."""
        if b'"' not in line:
            return False
        return self._opened.search(self._closed.sub(b"", self.plain(line))) is not None

    def open_after_continuing(self, line: bytes) -> bool | None:
        """Return whether a quoted field is open after a line that begins inside one; None where that is no CSV."""
        plain = self.plain(line)
        ends = self._ends.match(plain)
        if ends:
            return self.open_after(plain[ends.end() :])
        return True if self._goes_on.fullmatch(plain) else None


FLAT_OBJECT = re.compile(rb'\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)
DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
OUTSIDE = re.compile(rb'[\[\]{}",]')
INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
SPACE = re.compile(rb"[\s,]*")
REFILL_BYTES = 1 << 16


def array_elements(stream: DumpStream, opening: Opening | None = None) -> Iterator[Cut]:
    """Yield every element of a JSON array as one record, whether it is valid JSON or not.

    `opening` is where the array begins in a document that is an object. Raises DumpUnreadableError where the array is
    not closed, or something follows it; DumpRefusedError where another list of objects does, in a document in which it
    may be of reviews too.
    """
    return iter(_Array(stream, opening))


class _Array:
    """Cuts a JSON array into its elements without parsing them, in memory of one element."""

    def __init__(self, stream: DumpStream, opening: Opening | None) -> None:
        self._stream = stream
        self._opening = opening
        self._buffer = b""
        self._start = stream.offset
        self._at = 0
        self._ended = False

    def __iter__(self) -> Iterator[Cut]:
        while self._opening and len(self._buffer) < self._opening.n_bytes and self._more():
            pass
        self._at = self._opening.n_bytes if self._opening else 0
        self._skip_space()
        self._at += 1  # the opening bracket
        while True:
            self._skip_space()
            if self._at >= len(self._buffer):
                raise self._broken("the array is not closed")
            if self._buffer[self._at] == ord("]"):
                break
            # Most elements are flat objects, which one match of a regular expression cuts; the others are followed
            # bracket by bracket.
            flat = FLAT_OBJECT.match(self._buffer, self._at)
            if flat and flat.end() - flat.start() <= self._stream.max_record_bytes:
                yield Cut(self._start + self._at, flat[0], len(flat[0]))
                self._at = flat.end()
            else:
                yield self._followed()
        self._at += 1
        if self._opening:
            self._close(self._opening)
        self._skip_space()
        if self._at < len(self._buffer):
            raise self._broken("something follows the array")

    def _close(self, opening: Opening) -> None:
        """Go on to the end of the objects round the array."""
        depth, quoted, before = len(opening.names), False, b""
        while depth:
            rest = INSIDE.match(self._buffer, self._at) if quoted else OUTSIDE.search(self._buffer, self._at)
            # In a string, the position of what ends it; its bytes up to there may be the buffer's last.
            self._at = rest.end() if rest else len(self._buffer)
            token = self._buffer[self._at : self._at + 1] if quoted else rest[0] if rest else b""
            if not token or (quoted and token != b'"'):
                if not self._more():
                    raise self._broken("the object round the array is not closed")
                continue
            if quoted:
                self._at += 1
                quoted = False
            elif token == b'"':
                quoted = True
            elif before == b"[" and token == b"{" and not opening.is_of_reviews:
                raise several_lists(self._stream, opening.names)
            depth += DEPTH.get(token, 0) if not quoted else 0
            before = token

    def _broken(self, why: str) -> DumpUnreadableError:
        path = self._stream.path
        return DumpUnreadableError(
            f"{path}: {why}, at byte {self._start + self._at:,}.",
            try_on("python3 -m json.tool", path) + " > /dev/null",
        )

    def _more(self) -> bool:
        """Drop the bytes already cut and read a chunk; return False at the end of the file."""
        data = b"" if self._ended else self._stream.chunk()
        self._ended = not data
        self._start += self._at
        self._buffer = self._buffer[self._at :] + data
        self._at = 0
        return bool(data)

    def _skip_space(self) -> None:
        while True:
            self._at = SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if len(self._buffer) - self._at > REFILL_BYTES or not self._more():
                return

    def _followed(self) -> Cut:
        """Cut one element of any kind, up to its end or the comma after it; keep the head of one that is too long."""
        begun, head, size, digest = self._start + self._at, bytearray(), 0, hashlib.sha256()
        depth, quoted, ended = 0, False, False
        while not ended:
            first = self._at
            depth, quoted, ended = self._follow(depth, quoted)
            piece = self._buffer[first : self._at]
            size += len(piece)
            digest.update(piece)
            head += piece[: max(self._stream.max_record_bytes + 1 - len(head), 0)]
            if not ended and not self._more():
                raise self._broken(f"the element that begins at byte {begun:,} is not closed")
        if size > self._stream.max_record_bytes:
            return Cut(begun, bytes(head[:RAW_HEAD_BYTES]), size, digest.hexdigest())
        raw = bytes(head).rstrip()
        return Cut(begun, raw, len(raw))

    def _follow(self, depth: int, quoted: bool) -> tuple[int, bool, bool]:
        """Go on as far as the buffer reaches; return (depth of brackets, inside a string, element has ended)."""
        buffer = self._buffer
        while self._at < len(buffer):
            if quoted:
                self._at = INSIDE.match(buffer, self._at).end()  # type: ignore[union-attr]
                if buffer[self._at : self._at + 1] != b'"':
                    break
                quoted = False
                self._at += 1
                if depth == 0:
                    return depth, quoted, True
                continue
            token = OUTSIDE.search(buffer, self._at)
            if token is None:
                self._at = len(buffer)
                break
            if depth == 0 and token[0] in b",]":
                self._at = token.start()
                return depth, quoted, True
            self._at = token.end()
            quoted = token[0] == b'"'
            depth = max(depth + DEPTH.get(token[0], 0), 0)
            if depth == 0 and token[0] in b"}]":
                return depth, quoted, True
        return depth, quoted, False
