"""Excel workbooks (.xlsx): every row of a sheet becomes a JSON object, which is then read like any other record.

The reader, calamine, holds a sheet as a rectangle in memory: two cells at its corners would take all there is, and end
the process. So what it will hold is counted beforehand, in a copy of the XML alone, whose sizes are those it has.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time
from itertools import chain, islice
from typing import IO, TYPE_CHECKING

from sentiment.dump.cutting import Cutting
from sentiment.dump.foreign import ARCHIVE, OTHER_OFFICE, WORKBOOK, office_document, unreadable
from sentiment.dump.header import ROWS_AHEAD, header_position, is_header, looks_like_review, no_header, other_width
from sentiment.dump.member import UNZIPPABLE, listing, open_zip
from sentiment.dump.profiles import Profile, missing_text_column
from sentiment.dump.records import Record, of_row
from sentiment.dump.stream import CHUNK_BYTES, RATIO_FREE_BYTES, DumpStream
from sentiment.errors import DumpRefusedError, DumpUnreadableError, quoted
from sentiment.runs.model import Layout

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Row = tuple[int, Sequence[object]]
"""Number of a row in its sheet, from 1, and its cells."""

MAX_UNPACKED_BYTES = 2 << 30
"""Most bytes of a workbook's XML: its texts are held in memory."""
MAX_ROWS = 1 << 20
"""Rows of a sheet, as in Excel."""
MAX_CELLS = 32 << 20
"""Cells of the rectangle that a sheet's cells span: calamine holds 64 bytes for a cell, full or empty."""
READ_ENTRIES = (".xml", ".rels")
MAX_TAG_BYTES = 64 << 20
TOKEN = re.compile(rb"""<(?:[\w.-]+:)?(row|c)(?=[\s/>])|\sr\s*=\s*["']([A-Za-z]{0,8})(\d{1,20})""")
EXACT_DIGITS = 15
"""Digits of a number that Excel stores exactly; longer ones are left as they are read."""


def open_rows(stream: DumpStream, cutting: Cutting, candidates: Collection[Profile]) -> tuple[Layout, Iterator[Record]]:
    """Return a workbook's layout and the rows of its sheet as records; the rows are read when iterated.

    Raises DumpUnreadableError for a file that is damaged, no workbook or beyond a bound, DumpRefusedError for a sheet
    that isn't there, has no column with the text, or whose first row is a review.
    """
    with tempfile.TemporaryFile() as spooled, tempfile.NamedTemporaryFile(suffix=".xlsx") as copy:
        # Like Parquet, it is read from its end.
        while chunk := stream.chunk():
            spooled.write(chunk)
        _copy_xml(stream, spooled, copy)
        copy.flush()
        return _read(stream, copy.name, cutting, candidates)


def _copy_xml(stream: DumpStream, spooled: IO[bytes], copy: IO[bytes]) -> None:
    """Write the workbook's XML, unpacked, as an archive of its own, once it is known to fit into memory."""
    try:
        with open_zip(spooled) as archive, zipfile.ZipFile(copy, "w") as target:
            for info in _checked(stream, archive, spooled):
                extent = _Extent()
                with archive.open(info) as source, target.open(_stored(info), "w") as entry:
                    while data := source.read(CHUNK_BYTES):
                        extent.feed(data)
                        entry.write(data)
                extent.check(stream.path)
    except UNZIPPABLE as error:
        raise _damaged(stream, error) from error


def _stored(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(info.filename)
    entry.file_size = info.file_size
    return entry


def _checked(stream: DumpStream, archive: zipfile.ZipFile, spooled: IO[bytes]) -> list[zipfile.ZipInfo]:
    """Return the entries to read; raise where the archive is no workbook, names one twice or unpacks too far."""
    kind = office_document(archive.namelist())
    if kind != WORKBOOK:
        raise unreadable(stream.path, OTHER_OFFICE[kind] if kind else ARCHIVE)
    infos = [info for info in archive.infolist() if info.filename.lower().endswith(READ_ENTRIES)]
    if len({info.filename for info in infos}) < len(infos):
        raise zipfile.BadZipFile("it has two entries of one name")
    total, size = sum(info.file_size for info in infos), spooled.seek(0, 2)
    if total > MAX_UNPACKED_BYTES or (total > RATIO_FREE_BYTES and total > stream.max_ratio * size):
        most = f"{MAX_UNPACKED_BYTES:,} bytes" if total > MAX_UNPACKED_BYTES else f"{stream.max_ratio:g} times its size"
        raise DumpUnreadableError(
            f"{stream.path} unpacks to {total:,} bytes, more than {most}: save it as CSV, in several files.",
            listing(stream.path),
        )
    return infos


def _damaged(stream: DumpStream, error: Exception) -> DumpUnreadableError:
    return DumpUnreadableError(f"{stream.path} is damaged, or no workbook of Excel: {error}", listing(stream.path))


class _Extent:
    """The rectangle that the cells of a sheet's XML span, at least; of other XML it is empty."""

    def __init__(self) -> None:
        self._rest = b""
        self._row = self._column = self._rows = self._columns = 0

    def feed(self, data: bytes) -> None:
        """Count the cells of the next bytes; raise BadZipFile for XML in which they can't be counted."""
        data = self._rest + data
        if (not self._rows and b"\0" in data[:4]) or data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise zipfile.BadZipFile("its XML is UTF-16")
        # Up to the end of a tag, so that none is cut in two.
        end = data.rfind(b">") + 1
        data, self._rest = data[:end], data[end:]
        if len(self._rest) > MAX_TAG_BYTES:
            raise zipfile.BadZipFile("its XML has no tags")
        for tag, letters, digits in TOKEN.findall(data):
            if tag == b"row":
                self._row, self._column = self._row + 1, 0
            elif tag:
                self._column += 1
            else:
                self._row = int(digits)
                self._column = _column_no(letters) if letters else self._column
            self._rows, self._columns = max(self._rows, self._row), max(self._columns, self._column)

    def check(self, file: object) -> None:
        """Raise DumpUnreadableError where the rectangle doesn't fit into memory."""
        if self._rows > MAX_ROWS or self._rows * self._columns > MAX_CELLS:
            raise DumpUnreadableError(
                f"{file} has a sheet of {self._rows:,} rows by {self._columns:,} columns; at most {MAX_ROWS:,} rows "
                f"and {MAX_CELLS:,} cells are read: delete what lies behind the table, or save it as CSV.",
                f"libreoffice --headless --convert-to csv {quoted(file)}",
            )


def _column_no(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _read(
    stream: DumpStream, path: str, cutting: Cutting, candidates: Collection[Profile]
) -> tuple[Layout, Iterator[Record]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(path)
        name, others = _chosen_sheet(stream.path, workbook, cutting.sheet)
        sheet = workbook.get_sheet_by_name(name)
    except CalamineError as error:
        raise _damaged(stream, error) from error
    rows = _rows(sheet)
    first = list(islice(rows, ROWS_AHEAD))
    if not first:
        raise DumpUnreadableError(f"{stream.path}: its sheet {name} is empty.", _other_sheet(stream.path, others))
    names, header_no, records = _header(stream, first, rows, cutting, candidates, (name, others))
    columns = [name for name in names if name]
    layout = Layout("xlsx", columns, sheet=name, other_sheets=others)
    return layout, (_record(no - header_no, cells, names, stream.max_record_bytes) for no, cells in records)


def _chosen_sheet(file: object, workbook: CalamineWorkbook, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the name of the sheet to read, and those of the other sheets with cells."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    names = [sheet.name for sheet in sheets]
    if wanted is not None:
        chosen = next((name for name in names if name.strip().lower() == wanted.strip().lower()), None)
    else:
        visible = (sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible)
        chosen = next(visible, names[0] if names else None)
    if chosen is None:
        raise DumpRefusedError(
            f"{file} has no sheet {wanted or 'with cells'}; it has {', '.join(names) or 'none'}.",
            f"sentiment source look {quoted(file)}",
        )
    return chosen, tuple(name for name in names if name != chosen)


def _other_sheet(file: object, others: Sequence[str]) -> str:
    """Return the command that looks at the file by a profile of another sheet."""
    if not others:
        return f"sentiment source look {quoted(file)}"
    line = f"sheet = {json.dumps(others[0], ensure_ascii=False)}"
    return (
        f"mkdir -p my-profiles && {{ echo {quoted(line)}; sentiment source show usual; }} > my-profiles/sheet.toml && "
        f"SENTIMENT_SOURCES=my-profiles sentiment source look {quoted(file)} --profile sheet"
    )


def _rows(sheet: CalamineSheet) -> Iterator[Row]:
    """Yield the rows that have a cell with content."""
    if sheet.start is None:
        return
    # calamine leaves out the empty columns before the first cell.
    before = [""] * sheet.start[1]
    for number, filled in enumerate(sheet.iter_rows(), 1):
        cells = [*before, *filled]
        if any(cell.strip() if isinstance(cell, str) else True for cell in cells):
            yield number, cells


def _header(
    stream: DumpStream,
    first: list[Row],
    rows: Iterator[Row],
    cutting: Cutting,
    candidates: Collection[Profile],
    sheets: tuple[str, tuple[str, ...]],
) -> tuple[list[str], int, Iterator[Row]]:
    """Return the columns' names, empty for one without, the number of the header's row, and the rows behind it."""
    texts = [[_text(cell) for cell in cells] for _, cells in first]
    if cutting.header:
        n_cells = max((n for n, text in enumerate(texts[0], 1) if text), default=0)
        if is_header(texts[0][: len(cutting.header)], cutting.header):
            return list(cutting.header), first[0][0], chain(first[1:], rows)
        if n_cells > len(cutting.header):
            raise other_width(stream.path, n_cells, cutting.header)
        return list(cutting.header), first[0][0] - 1, chain(first, rows)
    position = header_position(texts, candidates)
    if position is not None:
        return texts[position], first[position][0], chain(first[position + 1 :], rows)
    if looks_like_review(texts[0]):
        raise no_header(stream.path, texts[0], " ".join(filter(None, texts[0])))
    refused = missing_text_column([t for t in texts[0] if t], candidates, f"the sheet {sheets[0]} of {stream.path}")
    if sheets[1]:
        refused.message += f" Other sheets: {', '.join(sheets[1])}."
        refused.try_next = _other_sheet(stream.path, sheets[1])
    raise refused


def _text(value: object) -> str:
    plain = _plain(value)
    return "" if plain is None else str(plain).strip()


def _plain(value: object) -> object:
    """Return a cell as JSON has it: null of an empty one, dates in ISO 8601, a whole number without a fraction."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 10**EXACT_DIGITS else value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return value if isinstance(value, (bool, int)) else str(value)


def _record(number: int, cells: Sequence[object], names: Sequence[str], most_bytes: int) -> Record:
    """Return a row as a record with byte offset 0, since a row has no position in bytes."""
    values = {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name}
    unnamed = {
        f"column {n}": plain
        for n, cell in enumerate(cells, 1)
        if not (n <= len(names) and names[n - 1]) and (plain := _plain(cell)) is not None
    }
    raw = json.dumps({**unnamed, **values}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return of_row(number, raw, most_bytes)
