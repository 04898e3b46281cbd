"""Cut a file's bytes into records, each with its place, its very bytes, and what is wrong with it as a record."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from sentiment.contract import RAW_HEAD_BYTES
from sentiment.dump.encoding import UTF8, Encoding
from sentiment.dump.stream import DumpStream
from sentiment.errors import DumpUnreadableError

csv.field_size_limit(sys.maxsize)  # else a field of 128 KiB is none; records are bounded elsewhere
MAX_FIELDS = 20_000
"""A line of CSV with more delimiters is not parsed: Spark's parser ends the job at 20,480."""
MAX_QUOTED_LINES = 5000
"""A quote that is not closed within so many lines is none: else each such line would have the rest read once more."""
MAX_COLUMNS = 1000
"""A record of more columns is no review; Spark would compile code for each column of a header."""


class Record(NamedTuple):
    """A record as it came: place, bytes (the first 64 KiB where it is too long), size and hash, and its problem."""

    record_no: int
    byte_offset: int
    raw: bytes
    raw_bytes: int
    raw_sha256: str | None = None
    problem: str | None = None
    problem_detail: str | None = None


class Cut(NamedTuple):
    """A stretch of a file that is one record: where, what, how long, and its hash where only the head is kept."""

    byte_offset: int
    raw: bytes
    raw_bytes: int
    raw_sha256: str | None = None
    problem: str | None = None
    problem_detail: str | None = None


OF_ENCODING = ("not_utf8", "not_in_encoding")
"""Problems of records that are not in the encoding they are read in."""
Line = tuple[int, bytes, int, str | None]
"""What DumpStream.lines yields."""


def numbered(cuts: Iterator[Cut], stream: DumpStream, is_json: bool) -> Iterator[Record]:
    """Number the records from 1 and say of each what keeps it from being read; blank ones are none."""
    number = 0
    for cut in cuts:
        if cut.raw.isspace() or not cut.raw:
            continue
        number += 1
        if cut.raw_sha256 and not cut.problem:
            most = f"longer than {stream.max_record_bytes:,} bytes"
            yield Record(number, *cut[:4], "too_long", most)
        elif cut.problem:
            yield Record(number, *cut)
        else:
            yield Record(number, *cut[:4], *_problem(cut.raw, stream, is_json))


def _problem(raw: bytes, stream: DumpStream, is_json: bool) -> tuple[str | None, str | None]:
    """(problem, detail), both None for a record that can be read. Spark's JSON reader takes what follows the first
    object of a line for nothing, so that a record could be lost: here it is told."""
    try:
        text = raw.decode(stream.encoding.of_records)
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
    """JSON lines: every line is a record."""
    for offset, raw, size, digest in stream.lines():
        yield Cut(offset, raw, size, digest)


def csv_records(stream: DumpStream, delimiter: str, n_columns: int) -> Iterator[Cut]:
    """CSV: a record ends with its line, unless a quoted field is open there, and lines together have the header's
    columns or are one record of others. A quote that is never closed takes its own line only, and the lines behind it
    are read anew."""
    mark = delimiter.encode()
    many = f"more than {MAX_FIELDS:,} delimiters"
    for cut in _csv_cuts(stream, delimiter, n_columns):
        is_wide = not (cut.problem or cut.raw_sha256) and cut.raw.count(mark) > MAX_FIELDS
        yield cut._replace(problem="too_many_columns", problem_detail=many) if is_wide else cut


def _csv_cuts(stream: DumpStream, delimiter: str, n_columns: int) -> Iterator[Cut]:
    source, pending, quotes = stream.lines(), deque[Line](), _Quotes(delimiter)
    while True:
        line = pending.popleft() if pending else next(source, None)
        if line is None:
            return
        offset, raw, size, digest = line
        if digest or not quotes.open_after(raw):
            yield Cut(offset, raw, size, digest)
            continue
        held, closed = _until_closed(line, chain(_drained(pending), source), quotes, stream.max_record_bytes)
        whole = b"\n".join(each[1] for each in held) if closed else b""
        n_fields = _fields(whole, delimiter, stream.encoding) if closed else None
        may_be_own = n_fields != n_columns and raw.count(b'"') % 2 == 0
        is_own = may_be_own and _fields(raw, delimiter, stream.encoding) == n_columns
        if n_fields and not is_own:
            yield Cut(offset, whole, sum(each[2] for each in held))
            continue
        if is_own:
            yield Cut(offset, raw, size)  # a field that only begins with a quoted word
        else:
            yield Cut(offset, raw, size, None, "not_csv", "a quote is opened and never closed")
        pending.extendleft(reversed(held[1:]))


def _fields(record: bytes, delimiter: str, encoding: Encoding) -> int | None:
    """How many fields it has; None where it is not one record."""
    text = record.decode(encoding.of_records, "replace")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error:
        return None
    return len(rows[0]) if len(rows) == 1 else None


def _drained(pending: deque[Line]) -> Iterator[Line]:
    while pending:
        yield pending.popleft()


def _until_closed(first: Line, following: Iterator[Line], quotes: _Quotes, most_bytes: int) -> tuple[list[Line], bool]:
    """The lines of one record, and whether its quote was closed before the end of the file or `most_bytes`."""
    held, size = [first], first[2]
    for line in following:
        held.append(line)
        size += line[2]
        if line[3] or size > most_bytes or len(held) > MAX_QUOTED_LINES:
            break
        still_open = quotes.open_after_continuing(line[1])
        if still_open is None:
            break
        if not still_open:
            return held, True
    return held, False


class _Quotes:
    """Where quoted fields begin and end; a quote inside a bare field is a character like others."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter.encode())
        self._closed = re.compile(rb"(?:^|(?<=" + mark + rb'))"(?:[^"]++|"")*+"(?=' + mark + rb"|$)")
        self._opened = re.compile(rb"(?:^|" + mark + rb')"')
        self._ends = re.compile(rb'(?:[^"]++|"")*+"(?=' + mark + rb"|$)")
        self._goes_on = re.compile(rb'(?:[^"]++|"")*+')

    def open_after(self, line: bytes) -> bool:
        """Whether a quoted field begins in a line and doesn't end there."""
        return b'"' in line and self._opened.search(self._closed.sub(b"", line)) is not None

    def open_after_continuing(self, line: bytes) -> bool | None:
        """The same for a line that begins inside a quoted field; None where no CSV goes on like this."""
        ends = self._ends.match(line)
        if ends:
            return self.open_after(line[ends.end() :])
        return True if self._goes_on.fullmatch(line) else None


FLAT_OBJECT = re.compile(rb'\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)
DEPTH = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
OUTSIDE = re.compile(rb'[\[\]{}",]')
INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
SPACE = re.compile(rb"[\s,]*")
REFILL_BYTES = 1 << 16


def array_elements(stream: DumpStream) -> Iterator[Cut]:
    """A JSON array: each element is a record. A flat object is one match of a regular expression; others are followed
    bracket by bracket. Raises DumpUnreadableError where the array is not closed, or something follows it."""
    return iter(_Array(stream))


class _Array:
    def __init__(self, stream: DumpStream) -> None:
        self._stream = stream
        self._buffer = b""
        self._start = stream.offset
        self._at = 0
        self._ended = False

    def __iter__(self) -> Iterator[Cut]:
        self._skip_space()
        self._at += 1  # the bracket
        while True:
            self._skip_space()
            if self._at >= len(self._buffer):
                raise self._broken("the array is not closed")
            if self._buffer[self._at] == ord("]"):
                break
            found = FLAT_OBJECT.match(self._buffer, self._at)
            if found and found.end() - found.start() <= self._stream.max_record_bytes:
                yield Cut(self._start + self._at, found[0], len(found[0]))
                self._at = found.end()
            else:
                yield self._followed()
        self._at += 1
        self._skip_space()
        if self._at < len(self._buffer):
            raise self._broken("something follows the array")

    def _broken(self, why: str) -> DumpUnreadableError:
        path = self._stream.path
        return DumpUnreadableError(f"{path}: {why}, at byte {self._start + self._at:,}.", f"jq empty {path}")

    def _more(self) -> bool:
        """Drop what was cut and read on; False at the end of the file."""
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
        """One element of any kind, to its end or the comma behind it; only its head is kept where it is too long."""
        begun, kept, size, digest = self._start + self._at, bytearray(), 0, hashlib.sha256()
        depth, quoted, ended = 0, False, False
        while not ended:
            first = self._at
            depth, quoted, ended = self._follow(depth, quoted)
            taken = self._buffer[first : self._at]
            size += len(taken)
            digest.update(taken)
            kept += taken[: max(self._stream.max_record_bytes + 1 - len(kept), 0)]
            if not ended and not self._more():
                raise self._broken(f"the element that begins at byte {begun:,} is not closed")
        if size > self._stream.max_record_bytes:
            return Cut(begun, bytes(kept[:RAW_HEAD_BYTES]), size, digest.hexdigest())
        raw = bytes(kept).rstrip()
        return Cut(begun, raw, len(raw))

    def _follow(self, depth: int, quoted: bool) -> tuple[int, bool, bool]:
        """Go on as far as the buffer reaches: (depth, inside a string, whether the element has ended)."""
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
