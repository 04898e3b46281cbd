"""Workbooks and archives written byte by byte, so that tests can write hostile ones too."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
"""Cell style 1 is a date, 2 a date with time."""
EPOCH = datetime(1899, 12, 30)

Cell = str | int | float | bool | date | None


def cell(value: Cell) -> str:
    """Return a cell's XML, without a reference."""
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case str():
            return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case datetime():
            return f'<c s="2"><v>{(value - EPOCH).total_seconds() / 86400!r}</v></c>'
        case date():
            return f'<c s="1"><v>{(datetime(value.year, value.month, value.day) - EPOCH).days}</v></c>'
    return f"<c><v>{value!r}</v></c>"


def sheet(rows: Iterable[Sequence[Cell]], first_row: int = 1) -> str:
    """Return a sheet's XML; the rows follow one another from `first_row` on."""
    body = "".join(f'<row r="{n}">{"".join(map(cell, row))}</row>' for n, row in enumerate(rows, first_row))
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def workbook(sheets: Mapping[str, str], hidden: Sequence[str] = ()) -> dict[str, bytes]:
    """Return the entries of a workbook with these sheets, name -> XML, in order."""
    names = list(sheets)
    states = dict.fromkeys(hidden, ' state="hidden"')
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"{states.get(name, "")}/>'
        for n, name in enumerate(names, 1)
    )
    relation = f'<Relationship Id="{{}}" Type="{OFFICE}/{{}}" Target="{{}}"/>'
    relations = [relation.format(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(names) + 1)]
    relations.append(relation.format("rIdS", "styles", "styles.xml"))
    entries = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + relation.format("rId1", "officeDocument", "xl/workbook.xml")
        + "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(relations)}'
        "</Relationships>",
        "xl/styles.xml": STYLES,
        **{f"xl/worksheets/sheet{n}.xml": xml for n, xml in enumerate(sheets.values(), 1)},
    }
    return {name: xml.encode() for name, xml in entries.items()}


def xlsx(rows: Iterable[Sequence[Cell]], first_row: int = 1) -> bytes:
    """Return a workbook with one sheet."""
    return archive(workbook({"Avis": sheet(rows, first_row)}))


def archive(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of these members, name -> bytes, in order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return target.getvalue()
