"""What is a record of a file, and which number it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dump.receiving import take, written


@pytest.mark.parametrize("empty", [b";;", b'"";"";""', b" ; ;\t", b";;;;"])
def test_a_row_of_empty_cells_is_no_record_and_the_others_keep_their_numbers(tmp_path: Path, empty: bytes) -> None:
    content = b"id;note;critique\n1;4;Bien\n" + empty + b"\n2;;Mal\n" + empty + b"\n"
    dump, rows = take(written(tmp_path / "a.csv", content), tmp_path)
    assert [(row["record_no"], row["problem"]) for row in rows] == [(1, None), (3, None)]
    assert dump.n_records == 2


def test_a_cell_that_holds_a_delimiter_is_not_empty(tmp_path: Path) -> None:
    _, rows = take(written(tmp_path / "a.csv", b'id;note;critique\n1;4;Bien\n;;";"\n'), tmp_path)
    assert [row["record_no"] for row in rows] == [1, 2]
