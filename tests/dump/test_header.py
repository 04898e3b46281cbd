"""Which line of a CSV names its columns, where the records behind it are, and which files have no header."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment.dump import profiles
from sentiment.dump.header import ONE_COLUMN, header_position, looks_like_review
from sentiment.errors import DumpRefusedError, ParameterError
from sentiment.runs.model import Reading

from tests.dump.receiving import profile_folder, take, written
from tests.dump.test_decoding import decoded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BODY = "id;film;note;date;critique\r\n1;Le Lac;4,5;3/3/2024;Un film doux, lent et beau\r\n2;Le Lac;1;4/3/2024;Nul\r\n"
LONG = "Un film qui ne se presse pas, et dont chaque plan est une surprise pour qui sait attendre la fin."
ABOVE = {
    "nothing": "",
    "sep": "sep=;\r\n",
    "quoted sep": '"sep=;"\r\n',
    "blank": "\r\n \r\n\r\n",
    "empty cells": ";;;;\r\n\r\n;;;;\r\n",
    "title": "Export des critiques\r\n",
    "title with delimiters": "Critiques d'avril, mai, juin, juillet, août;;;;\r\n;;;;\r\n",
    "several": "sep=;\r\n\r\nMes critiques;;;;\r\nsource;carnet;;;\r\n\r\n",
    "numbers": "Critiques;2;;;\r\n",
}


@pytest.mark.parametrize("case", ABOVE)
def test_what_stands_above_the_header_is_no_record(tmp_path: Path, case: str) -> None:
    content = (ABOVE[case] + BODY).encode()
    dump, rows = take(written(tmp_path / "a.csv", content), tmp_path)
    assert dump.layouts[0].columns == ["id", "film", "note", "date", "critique"]
    assert dump.layouts[0].delimiter == ";"
    assert [(r["record_no"], r["problem"]) for r in rows] == [(1, None), (2, None)]
    for row, line in zip(rows, BODY.encode().splitlines()[1:], strict=True):
        offset = int(str(row["byte_offset"]))
        assert row["raw"] == line == content[offset : offset + len(line)]


def test_sep_decides_against_the_counts(tmp_path: Path) -> None:
    dump, rows = take(written(tmp_path / "a.csv", b"sep=|\nid,no,or|critique\n1|a,b,c,d\n"), tmp_path)
    assert (dump.layouts[0].columns, dump.layouts[0].delimiter) == (["id,no,or", "critique"], "|")
    assert [r["raw"] for r in rows] == [b"1|a,b,c,d"]


@pytest.mark.parametrize("above", [b"sep=;\n", b"Mes critiques\n\n"])
def test_rows_behind_the_header_count_as_ever(tmp_path: Path, above: bytes) -> None:
    """Empty cells count, blank lines don't, and a quoted field that goes on in other lines is one record."""
    body = b'id;critique\n;\n1;"deux\nlignes"\n\n;\n2;Nul\n'
    _, rows = take(written(tmp_path / "a.csv", above + body), tmp_path)
    assert [(r["record_no"], r["raw"]) for r in rows] == [(2, b'1;"deux\nlignes"'), (4, b"2;Nul")]


def test_values_below_a_title(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "a.csv", f"Export\r\n\r\nsep;;;;\r\n{BODY}".encode())
    assert [(r["own_id"], r["item_title"], r["rating"], r["review_date"], r["text"]) for r in rows] == [
        ("1", "Le Lac", 4.5, date(2024, 3, 3), "Un film doux, lent et beau"),
        ("2", "Le Lac", 1.0, date(2024, 3, 4), "Nul"),
    ]


KNOWN = list(profiles.known(None).values())


@pytest.mark.parametrize(
    ("rows", "position"),
    [
        ([["id", "critique"], ["1", "Bien"]], 0),
        ([["Export"], ["id", "critique"]], 1),
        ([["Export"], ["id", "texte"], ["x", "critique"]], 1),
        ([["1", "Nul et sans intérêt."], ["id", "critique"]], None),
        ([["Le Lac", "4", "Bien"], ["Le Lac", "5", "critique"]], None),
        ([["a", "b"], ["1", "2"]], None),
        ([["critique"], ["avis"]], 0),
        ([["Mes critiques"], ["critique"]], 1),
        ([[LONG, ""], ["id", "note", "critique"]], 1),
        ([[LONG], ["critique"]], None),
        ([["Vu hier soir, quel ennui !"], ["critique"]], None),
    ],
)
def test_the_header_is_the_first_row_with_a_name_of_the_text(rows: list[list[str]], position: int | None) -> None:
    assert header_position(rows, KNOWN) == position


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["id", "film", "note", "date", "critique"], False),
        (["", "id", "film", "avis"], False),
        (["0", "1", "2"], False),
        (["Note moyenne des spectateurs", "Avis"], False),
        (["1", "Le Lac", "Bien"], True),
        (["Le Lac", "4,5", "Bien"], True),
        (["Le Lac", "8/10"], True),
        (["★★★☆☆", "Bien"], True),
        (["Vu hier, quel ennui !"], True),
        ([LONG], True),
    ],
)
def test_a_row_that_looks_like_a_review(cells: list[str], expected: bool) -> None:
    assert looks_like_review(cells) is expected


def test_a_first_line_that_is_a_review_is_quoted_in_part(tmp_path: Path) -> None:
    path = written(tmp_path / "l'export.csv", f"Le Lac;4,5;{LONG}\nLe Lac;1;Nul\n".encode())
    with pytest.raises(DumpRefusedError, match="the first line looks like a review") as refused:
        take(path, tmp_path)
    assert LONG[:40] in refused.value.message
    assert LONG[:60] not in refused.value.message
    assert LONG[:20] not in refused.value.without_content
    assert 'header = ["column_1", "column_2", "review"]' in refused.value.message


def test_its_next_line_leads_to_a_profile_that_reads_it(tmp_path: Path) -> None:
    """The line is typed as it stands, with the commands of this checkout in the place of `sentiment`."""
    path = written(tmp_path / "l'export.csv", f"Le Lac;4,5;{LONG}\nLe Lac;1;Nul\n".encode())
    with pytest.raises(DumpRefusedError) as refused:
        take(path, tmp_path)
    usual = profiles.profile_file("usual", None)
    stub = f'sentiment() {{ if [ "$2" = show ]; then cat {shlex.quote(str(usual))}; else printf "%s\\n" "$@"; fi; }}\n'
    done = subprocess.run(
        ["bash", "-c", stub + refused.value.try_next], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["source", "look", str(path), "--profile", "no-header"]
    sources = tmp_path / "my-profiles"
    assert tomllib.loads((sources / "no-header.toml").read_text("utf-8"))["header"][-1] == "review"
    dump, rows = take(path, tmp_path, Reading(profile="no-header"), sources=sources)
    assert (dump.layouts[0].columns, len(rows)) == (["column_1", "column_2", "review"], 2)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a folder with the profile `mine`, which names the columns of files without a header."""
    columns = '[columns]\ntext = ["avis"]\nitem_title = ["film"]\nrating = ["note"]\n'
    return profile_folder(tmp_path, f'header = ["film", "note", "avis"]\n{columns}')


@pytest.mark.parametrize(
    "content",
    [
        b"Le Lac;4,5;Beau, doux, lent, rare\nLe Lac;1;Nul\n",
        b"\n;;\nLe Lac;4,5;Beau, doux, lent, rare\nLe Lac;1;Nul\n",
        b"sep=;\r\nLe Lac;4,5;Beau, doux, lent, rare\r\nLe Lac;1;Nul\r\n",
        b"Film;NOTE; avis\nLe Lac;4,5;Beau, doux, lent, rare\nLe Lac;1;Nul\n",
    ],
    ids=["plain", "blank", "sep", "with a header"],
)
def test_a_profile_names_the_columns(tmp_path: Path, sources: Path, content: bytes) -> None:
    dump, rows = take(written(tmp_path / "a.csv", content), tmp_path, Reading(profile="mine"), sources=sources)
    assert (dump.layouts[0].columns, dump.layouts[0].delimiter) == (["film", "note", "avis"], ";")
    assert [(r["record_no"], r["raw"]) for r in rows] == [
        (1, b"Le Lac;4,5;Beau, doux, lent, rare"), (2, b"Le Lac;1;Nul")
    ]  # fmt: skip
    assert [content.index(b"Le Lac;4"), content.index(b"Le Lac;1")] == [r["byte_offset"] for r in rows]


def test_its_first_record_may_have_several_lines(tmp_path: Path, sources: Path) -> None:
    content = b'Le Lac;5;"Beau,\net doux"\nLe Lac;1;Nul\n'
    _, rows = take(written(tmp_path / "a.csv", content), tmp_path, Reading(profile="mine"), sources=sources)
    assert [r["raw"] for r in rows] == [b'Le Lac;5;"Beau,\net doux"', b"Le Lac;1;Nul"]


def test_its_key_is_another_and_another_number_of_columns_is_refused(tmp_path: Path, sources: Path) -> None:
    path = written(tmp_path / "a.csv", b"film;note;avis\nLe Lac;1;Nul\n")
    plain, named = take(path, tmp_path)[0], take(path, tmp_path, Reading(profile="mine"), sources=sources)[0]
    assert plain.dump_id == named.dump_id
    assert plain.key != named.key
    with pytest.raises(DumpRefusedError, match="4 columns"):
        take(written(path, b"1;Le Lac;1;Nul\n"), tmp_path, Reading(profile="mine"), sources=sources)


@pytest.mark.parametrize("line", ['header = ["avis", "avis"]', 'escape = "/"', 'header = "avis"', "sheet = 1"])
def test_a_profile_that_can_not_be(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.toml").write_text(f'about = "x"\n{line}\n[columns]\ntext = ["avis"]\n')
    with pytest.raises(ParameterError, match=line.partition(" ")[0]):
        profiles.known(tmp_path)


@pytest.mark.parametrize(
    ("rows", "delimiter"),
    [
        (["Beau, drôle, touchant.", "Quel ennui", '"Cité, et entier"'], ONE_COLUMN),
        (["Beau drôle,4", "Long et lent,2"], ","),  # of two columns one has no name
        (["Beau, drôle.", "Long, trop long."], ONE_COLUMN),
        (["Beau ; drôle", "Long"], ONE_COLUMN),
        (["Beau"], ONE_COLUMN),
    ],
)
def test_texts_of_a_single_column_need_no_quotes(tmp_path: Path, rows: list[str], delimiter: str) -> None:
    dump, received = take(written(tmp_path / "a.csv", "\n".join(["critique", *rows]).encode()), tmp_path)
    assert dump.layouts[0].delimiter == delimiter
    assert [r["raw"] for r in received] == [row.encode() for row in rows]


def test_lines_that_end_in_a_carriage_return_are_named_with_what_turns_them(tmp_path: Path) -> None:
    path = written(tmp_path / "old mac.csv", b'id,critique\r1,"Un beau film."\r2,"Quel ennui."\r')
    with pytest.raises(DumpRefusedError, match="carriage return") as refused:
        take(path, tmp_path)
    command = refused.value.try_next.partition(" && ")[0]
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    _, received = take(tmp_path / "old mac.lines.csv", tmp_path)
    assert [r["raw"] for r in received] == [b'1,"Un beau film."', b'2,"Quel ennui."']
