"""Workbooks of Excel: values as they are in the cells, positions, sheets, and hostile files within bounds."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.dump import workbook as reader
from sentiment.errors import DataError, DumpRefusedError, DumpUnreadableError
from sentiment.runs.model import Reading

from tests.dump.receiving import GOOD, take, written
from tests.dump.test_decoding import decoded
from tests.dump.workbooks import Cell, archive, sheet, workbook, xlsx

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEADER = ("id", "film", "note", "date", "pseudo", "avis", "recommandé")
ROWS: list[tuple[Cell, ...]] = [
    (1, "Le Lac", 4.5, date(2024, 3, 3), "Zoé", "Un film doux & lent,\nvraiment « beau ».", True),
    (2, "Le Lac", 3, datetime(2024, 3, 4, 12, 30), None, "Creux <du début à la fin>.", False),
    (None,) * 7,
    (12345678, "Les Îles", None, None, "", "Œuvre rare 😀", None),
]


def values(rows: list[dict[str, object]]) -> list[tuple[object, dict[str, Any]]]:
    """Return number and values of received rows."""
    return [(row["record_no"], json.loads(row["raw"])) for row in rows]  # type: ignore[arg-type]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Return the folder of source profiles that the test writes."""
    (tmp_path / "sources").mkdir()
    return tmp_path / "sources"


def own(folder: Path, lines: str) -> None:
    """Write the profile `mine`: the lines, and usual names of columns."""
    columns = 'text = ["avis"]\nitem_title = ["film"]\nrating = ["note"]\n'
    (folder / "mine.toml").write_text(f'about = "made up"\n{lines}\n[columns]\n{columns}', "utf-8")


def test_cells_are_values_of_json(tmp_path: Path) -> None:
    """Dates are ISO, whole numbers have no fraction, and a row without content keeps its number."""
    path = written(tmp_path / "avis.xlsx", xlsx([HEADER, *ROWS]))
    dump, rows = take(path, tmp_path)
    assert dump.layouts[0].columns == list(HEADER)
    assert (dump.files[0].format, dump.files[0].compression, dump.layouts[0].sheet) == ("xlsx", "none", "Avis")
    assert [number for number, _ in values(rows)] == [1, 2, 4]
    first, second, last = (list(row.values()) for _, row in values(rows))
    assert first == [1, "Le Lac", 4.5, "2024-03-03", "Zoé", "Un film doux & lent,\nvraiment « beau ».", True]
    assert second == [2, "Le Lac", 3, "2024-03-04T12:30:00", None, "Creux <du début à la fin>.", False]
    assert last == [12345678, "Les Îles", None, None, None, "Œuvre rare 😀", None]
    assert b'"note": 3,' in rows[1]["raw"]  # type: ignore[operator]


def test_rows_are_decoded(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "avis.xlsx", xlsx([HEADER, *ROWS]))
    assert [(r["own_id"], r["item_title"], r["rating"], r["review_date"], r["author"], r["problem"]) for r in rows] == [
        ("1", "Le Lac", 4.5, date(2024, 3, 3), "Zoé", None),
        ("2", "Le Lac", 3.0, date(2024, 3, 4), None, None),
        ("12345678", "Les Îles", None, None, None, None),
    ]
    assert [r["text"] for r in rows] == [ROWS[n][5] for n in (0, 1, 3)]


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx.gz", "a.zip"])
def test_it_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    content = xlsx([HEADER, *ROWS])
    path = written(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
    dump, rows = take(path, tmp_path)
    assert (dump.files[0].format, len(rows)) == ("xlsx", 3)


def test_blank_rows_and_a_title_above_the_header(tmp_path: Path) -> None:
    above: list[tuple[Cell, ...]] = [("Export des avis du mois",), (None,)]
    rows = [*above, *((None, None, *row) for row in (HEADER, *ROWS))]
    _, received = take(written(tmp_path / "a.xlsx", xlsx(rows, first_row=3)), tmp_path)
    assert [(number, row["avis"]) for number, row in values(received)] == [(n, ROWS[n - 1][5]) for n in (1, 2, 4)]


def test_a_cell_below_no_name_is_no_column_and_not_lost(tmp_path: Path) -> None:
    rows: list[tuple[Cell, ...]] = [("avis", None, "note"), ("Bien", "en marge", 4), ("Mal", None, 1)]
    dump, received = take(written(tmp_path / "a.xlsx", xlsx(rows)), tmp_path)
    assert dump.layouts[0].columns == ["avis", "note"]
    assert [row for _, row in values(received)] == [
        {"column 2": "en marge", "avis": "Bien", "note": 4},
        {"avis": "Mal", "note": 1},
    ]


def test_the_first_sheet_is_read_or_the_one_that_a_profile_names(tmp_path: Path, profile: Path) -> None:
    sheets = {
        "Notes": sheet([("Total", 2)]),
        "Liste": sheet([("avis",), ("Liste.",)]),
        "Avis": sheet([("avis",), ("Bon.",)]),
    }
    path = written(tmp_path / "a.xlsx", archive(workbook(sheets, hidden=["Notes"])))
    dump, rows = take(path, tmp_path)
    assert (dump.layouts[0].sheet, dump.layouts[0].other_sheets) == ("Liste", ("Notes", "Avis"))
    assert [row["avis"] for _, row in values(rows)] == ["Liste."]
    own(profile, 'sheet = "avis"')
    named, rows = take(path, tmp_path, Reading(profile="mine"), sources=profile)
    assert (named.dump_id, named.key == dump.key, named.layouts[0].sheet) == (dump.dump_id, False, "Avis")
    assert [row["avis"] for _, row in values(rows)] == ["Bon."]
    own(profile, 'sheet = "Critiques"')
    with pytest.raises(DumpRefusedError, match="Notes, Liste, Avis"):
        take(path, tmp_path, Reading(profile="mine"), sources=profile)


def test_other_sheets_are_named_where_the_first_has_no_text(tmp_path: Path) -> None:
    sheets = {"Synthèse": sheet([("mois", "total"), ("mars", "2")]), "Avis": sheet([("avis",), ("Bon.",)])}
    path = written(tmp_path / "a.xlsx", archive(workbook(sheets)))
    with pytest.raises(DumpRefusedError, match=r"mois, total.*Other sheets: Avis") as refused:
        take(path, tmp_path)
    assert "echo 'sheet = \"Avis\"'" in refused.value.try_next


def test_a_sheet_without_a_header_is_read_by_the_profiles_header(tmp_path: Path, profile: Path) -> None:
    rows = [("Le Lac", 4.5, "Un film doux, qui ne se presse pas."), ("Le Lac", 1, "Nul.")]
    path = written(tmp_path / "a.xlsx", xlsx([(None, *row) for row in rows]))
    with pytest.raises(DumpRefusedError, match="looks like a review") as refused:
        take(path, tmp_path)
    assert 'header = ["column_1", "column_2", "column_3", "review"]' in refused.value.try_next
    own(profile, 'header = ["", "film", "note", "avis"]')
    _, received = take(path, tmp_path, Reading(profile="mine"), sources=profile)
    assert values(received) == [
        (n, dict(zip(("film", "note", "avis"), row, strict=True))) for n, row in enumerate(rows, 1)
    ]
    own(profile, 'header = ["film", "avis"]')
    with pytest.raises(DumpRefusedError, match="4 columns"):
        take(path, tmp_path, Reading(profile="mine"), sources=profile)


def entries(xml: str) -> dict[str, bytes]:
    """Return the entries of a workbook whose one sheet is this XML."""
    rows = '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>avis</t></is></c></row>'
    return workbook({"Avis": sheet([]).replace("<sheetData>", rows + xml)})


CORNER = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
HOSTILE: dict[str, tuple[bytes, str]] = {
    "two corners": (archive(entries(CORNER)), "1,048,576 rows by 16,384 columns"),
    "spaced": (archive(entries(CORNER.replace('r="', "r = \n'").replace('"', "'"))), "16,384 columns"),
    "rows past Excel's": (archive(entries('<row r="10000000"><c r="A10000000"><v>1</v></c></row>')), "10,000,000 rows"),
    "cells without references": (archive(entries(f'<row>{"<c/>" * 40_000}</row><row r="1000"/>')), "40,000 columns"),
    "overflow": (archive(entries('<row r="2"><c r="A99999999999"><v>1</v></c></row>')), "99,999,999,999 rows"),
    "utf-16": (archive(workbook({"Avis": ""}) | {"xl/worksheets/sheet1.xml": sheet([]).encode("utf-16")}), "UTF-16"),
    "empty": (archive(workbook({"Avis": sheet([])})), "empty"),
    "cut": (xlsx([HEADER, *ROWS])[:-40], "damaged"),
    "not closed": (archive(workbook({"Avis": sheet([HEADER])[:-20]})), "damaged"),
    "without its sheet": (archive({k: v for k, v in entries("").items() if "sheet1" not in k}), "damaged"),
    "a zip by another name": (archive({"a.jsonl": GOOD}), "zip archive"),
    "binary": (archive({"xl/workbook.bin": b"x"}), ".xlsb"),
    "document": (archive({"word/document.xml": b"x"}), "Word"),
    "ods": (archive({"mimetype": b"x", "content.xml": b"x"}), ".ods"),
    "no zip": (b"PK\x03\x04xxxx", "damaged"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_ones_are_refused(tmp_path: Path, case: str) -> None:
    content, fact = HOSTILE[case]
    path = written(tmp_path / "a.xlsx", content)
    with pytest.raises(DumpUnreadableError) as refused:
        take(path, tmp_path)
    assert fact in refused.value.message
    assert str(path) in refused.value.message
    assert refused.value.try_next


def test_a_declared_size_is_no_size(tmp_path: Path) -> None:
    rows = '<dimension ref="A1:C10000000"/>'
    content = archive(workbook({"Avis": sheet([("avis",), ("Bien.",)]).replace("<sheetData>", rows + "<sheetData>")}))
    assert [row for _, row in values(take(written(tmp_path / "a.xlsx", content), tmp_path)[1])] == [{"avis": "Bien."}]


def test_one_that_unpacks_too_far_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = entries("") | {"xl/sharedStrings.xml": b" " * (80 << 20)}
    with pytest.raises(DumpUnreadableError, match="200 times"):
        take(written(tmp_path / "a.xlsx", archive(bomb)), tmp_path)
    monkeypatch.setattr(reader, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DumpUnreadableError, match="1,000 bytes"):
        take(written(tmp_path / "a.xlsx", xlsx([HEADER, *ROWS])), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", xlsx([HEADER, *ROWS]))
    with zipfile.ZipFile(path, "a") as more:
        more.writestr("xl/worksheets/sheet1.xml", sheet([HEADER]))
    with pytest.raises(DumpUnreadableError, match="two entries"):
        take(path, tmp_path)


def test_a_long_row_has_its_problem(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", xlsx([("avis",), ("Bien.",), ("x" * 3000,), ("Mal.",)]))
    _, rows = take(path, tmp_path, max_record_bytes=2000)
    assert [r["problem"] for r in rows] == [None, "too_long", None]


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_bytes_are_read_or_refused(tmp_path: Path, at: int, damage: bytes, stored: bool) -> None:
    content = bytearray(xlsx([HEADER, *ROWS]))
    if stored:
        inner = workbook({"Avis": sheet([HEADER, *ROWS])})
        name = list(inner)[at % len(inner)]
        xml = bytearray(inner[name])
        xml[at % len(xml) : at % len(xml) + len(damage)] = damage
        content = bytearray(archive(inner | {name: bytes(xml)}))
    else:
        content[at % len(content) : at % len(content) + len(damage)] = damage
    path = written(tmp_path / "a.xlsx", bytes(content))
    try:
        _, rows = take(path, tmp_path)
    except DataError:
        return
    assert rows
