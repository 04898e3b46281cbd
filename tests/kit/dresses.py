"""One list of reviews in the forms in which people have them, and the lines of a source profile that read each."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Review:
    """A review as each dress holds it; `rating` in stars out of five, `polarity` 0 or 1."""

    number: int
    film: str
    author: str
    day: date
    rating: float | None
    polarity: int | None
    text: str

    @property
    def columns(self) -> dict[str, Any]:
        """The review by the columns of a plain dump."""
        return {
            "id": self.number,
            "film": self.film,
            "pseudo": self.author,
            "date": self.day.isoformat(),
            "note": self.rating,
            "critique": self.text,
            "label": self.polarity,
        }


@dataclass(frozen=True)
class Dress:
    """A form in which a dump comes."""

    name: str
    write: Callable[[Sequence[Review], Path], Path]
    """Writes the reviews below a folder; returns the dump's path."""
    lines: str = ""
    """Lines of a source profile without which the dump is not read as it is; empty: it is read as it comes."""
    encoding: str | None = None
    is_refused: bool = False
    """Whether it is refused, with the line to type that leads to one that is read."""

    def holds(self, review: Review) -> bool:
        """Return whether the dress can hold the review's characters."""
        try:
            review.text.encode("cp1252" if self.encoding else "utf-8")
        except UnicodeEncodeError:
            return False
        return True


FILMS = 7
FIRST_DAY = date(2023, 12, 20)


def reviews(texts: Sequence[tuple[str, int | None, float | None]]) -> list[Review]:
    """Return reviews of (text, polarity, rating), with films, authors and days of our own."""
    return [
        Review(n, f"Film {n % FILMS}", f"auteur{n}", FIRST_DAY + timedelta(days=n % 90), rating, polarity, text)
        for n, (text, polarity, rating) in enumerate(texts, 1)
    ]


def _csv(rows: Sequence[dict[str, Any]], delimiter: str = ",") -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    return path


def plain(reviews: Sequence[Review], folder: Path) -> Path:
    """Write the reviews as JSON lines with usual names; return the path."""
    return _lines(folder / "plain.jsonl", [r.columns for r in reviews])


def pandas_lines(reviews: Sequence[Review], folder: Path) -> Path:
    """Write JSON lines by pandas; return the path."""
    import pandas as pd

    path = folder / "frame.jsonl"
    pd.DataFrame([r.columns for r in reviews]).to_json(path, orient="records", lines=True)
    return path


def _excel_csv(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [r.columns | {"note": None if r.rating is None else str(r.rating).replace(".", ",")} for r in reviews]
    path = folder / "export.csv"
    path.write_bytes(_csv(rows, ";").encode("cp1252"))
    return path


def _workbook(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [r.columns for r in reviews]
    sheet = "".join(
        f"<row>{''.join(map(_cell, row))}</row>" for row in [list(rows[0]), *(list(row.values()) for row in rows)]
    )
    main, relations = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org"
    kind, package = f"{relations}/officeDocument/2006/relationships", f"{relations}/package/2006"
    members = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{kind}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets><sheet name="Avis" sheetId="1" '
        'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{kind}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    path = folder / "export.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path


def _cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def _nested(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [
        {
            "id": r.number,
            "film": {"title": r.film},
            "author": {"name": r.author},
            "review": {"text": r.text, "rating": r.rating, "date": r.day.isoformat()},
            "label": r.polarity,
        }
        for r in reviews
    ]
    return _lines(folder / "nested.jsonl", rows)


def _no_ids(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [{name: value for name, value in r.columns.items() if name != "id"} for r in reviews]
    return _lines(folder / "no_ids.jsonl", rows)


def _by_film(reviews: Sequence[Review], folder: Path) -> Path:
    parts = folder / "by_film"
    parts.mkdir()
    for film in {r.film for r in reviews}:
        own = [replace(r, number=n) for n, r in enumerate((r for r in reviews if r.film == film), 1)]
        _lines(parts / f"{film}.jsonl", [r.columns for r in own])
    return parts


def _of_ten(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [r.columns | {"note": None if r.rating is None else r.rating * 2} for r in reviews]
    return _lines(folder / "of_ten.jsonl", rows)


def _short_years(reviews: Sequence[Review], folder: Path) -> Path:
    path = folder / "short_years.csv"
    path.write_text(_csv([r.columns | {"date": f"{r.day:%d/%m/%y 12:29}"} for r in reviews]), "utf-8")
    return path


def _structs(reviews: Sequence[Review], folder: Path) -> Path:
    rows = [
        {
            "id": r.number,
            "film": {"title": r.film},
            "review": {"text": r.text, "rating": r.rating, "date": r.day},
            "author": {"name": r.author},
            "label": r.polarity,
        }
        for r in reviews
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "structs.parquet")
    return folder / "structs.parquet"


def _zipped(reviews: Sequence[Review], folder: Path) -> Path:
    half = len(reviews) // 2
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, own in (("avis/1.csv", reviews[:half]), ("avis/2.csv", reviews[half:])):
            archive.writestr(name, _csv([r.columns for r in own]))
    return path


def _pandas(reviews: Sequence[Review], folder: Path) -> Path:
    import pandas as pd

    path = folder / "frame.json"
    pd.DataFrame([r.columns for r in reviews]).to_json(path)
    return path


DRESSES = (
    Dress("Excel's CSV", _excel_csv, encoding="windows-1252"),
    Dress("xlsx", _workbook),
    Dress("nested objects", _nested),
    Dress("no ids", _no_ids),
    Dress("ids by film", _by_film, 'identity = ["item_id", "own_id"]'),
    Dress("ratings of ten", _of_ten, "rating_scale = 10"),
    Dress("two-digit years", _short_years),
    Dress("Parquet structs", _structs),
    Dress("zip", _zipped),
    Dress("pandas' default", _pandas, is_refused=True),
)
