"""Lines of a sample dump: a record as JSON or CSV, sound or with one defect."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from enum import StrEnum

from sentiment.samples.sample_review import Record

COLUMNS = ("id", "film_id", "film", "type", "author", "date", "rating", "title", "review", "polarity")
FAR_FUTURE = "2999-12-31"


class Defect(StrEnum):
    """Why a record should end in quarantine."""

    BLANK_TEXT = "blank_text"
    MISSING_TEXT = "missing_text"
    MARKUP_ONLY = "markup_only"
    RATING_OUT_OF_RANGE = "rating_out_of_range"
    UNPARSEABLE = "unparseable"
    INVALID_UTF8 = "invalid_utf8"
    NUL_IN_TEXT = "nul_in_text"
    FUTURE_DATE = "future_date"


def header() -> bytes:
    """Return the first line of a CSV dump."""
    return _csv_row(COLUMNS).encode()


def sound_line(record: Record, as_csv: bool) -> bytes:
    """Return a record's line, in UTF-8."""
    return _line(record, as_csv).encode()


def defective_line(record: Record, defect: Defect, number: int, as_csv: bool) -> bytes:
    """Return a sound record's line with a defect put in; `number` counts the dump's defective records from 0.

    The line is in UTF-8, or in Latin-1 where that is the defect; its line end is included.
    """
    if defect is Defect.UNPARSEABLE:
        return _unparseable(record, as_csv, number)
    line = _line(_spoilt(record, defect, key_absent=number // len(Defect) % 2 == 0), as_csv)
    return line.encode("latin-1", "replace") if defect is Defect.INVALID_UTF8 else line.encode()


def _line(record: Record, as_csv: bool) -> str:
    if as_csv:
        return _csv_row([record.get(column) for column in COLUMNS])
    return json.dumps(record, ensure_ascii=False) + "\n"


def _csv_row(values: Iterable[object]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(values)
    return row.getvalue()


def _spoilt(record: Record, defect: Defect, key_absent: bool) -> Record:
    """Return a copy with a value that no quality rule should accept."""
    text = record["review"]
    wrong: dict[Defect, Record] = {
        Defect.BLANK_TEXT: {"review": "   "},
        Defect.MISSING_TEXT: {"review": None},
        Defect.MARKUP_ONLY: {"review": "<p><br />&nbsp;</p>\t"},
        Defect.RATING_OUT_OF_RANGE: {"rating": 11.0},
        # An accented letter before a plain one can't be UTF-8 once it is a Latin-1 byte.
        Defect.INVALID_UTF8: {"review": f"Déjà vu, hélas. {text}"},
        Defect.NUL_IN_TEXT: {"review": f"{text}\0 Fin."},
        Defect.FUTURE_DATE: {"date": FAR_FUTURE},
    }
    spoilt = record | wrong[defect]
    # JSON knows two ways of having no text, null and no key; dumps have both.
    if defect is Defect.MISSING_TEXT and key_absent:
        del spoilt["review"]
    return spoilt


def _unparseable(record: Record, as_csv: bool, number: int) -> bytes:
    """Cut a JSON line short; give a CSV row too few fields, or too many."""
    if not as_csv:
        line = _line(record, as_csv=False)
        return (line[: len(line) * 2 // 3].rstrip() + "\n").encode()
    fields = [record[column] for column in COLUMNS]
    return _csv_row([*fields, "?", "?"] if number % 2 else fields[:-3]).encode()
