"""JSON files that are one object: a list of reviews in it is read, others are refused with the command for them."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sentiment.errors import DumpRefusedError, DumpUnreadableError

from tests.dump.receiving import take, written

ROWS = [
    {"id": str(n), "critique": f"Vu {n} fois ; l'été [oui] {{non}}.", "film": {"titre": "Le Lac"}} for n in range(5)
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "document",
    [
        {"reviews": ROWS},
        {"total": 5, "next": None, "data": {"page": {"no": 1}, "reviews": ROWS}, "films": [{"id": 1, "titre": "[{"}]},
        {"schema": {"fields": [{"name": "id", "type": "string"}], "pandas_version": "1.4.0"}, "data": ROWS},
        {"hits": {"total": 5, "results": ROWS}, "took": [1, [2], "[{"]},
    ],
    ids=["reviews", "below", "pandas table", "numbers after"],
)
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_a_list_in_a_document_is_read(
    tmp_path: Path, document: dict[str, Any], indent: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.dumps(document, ensure_ascii=False, indent=indent).encode()
    path = written(tmp_path / "a.json", b"\xef\xbb\xbf" + content + b"\n")
    monkeypatch.setattr("sentiment.dump.records.REFILL_BYTES", chunk)
    dump, rows = take(path, tmp_path)
    assert dump.files[0].format == "json"
    assert [json.loads(str(row["raw"], "utf-8")) for row in rows] == ROWS  # type: ignore[call-overload]
    assert [row["problem"] for row in rows] == [None] * len(ROWS)
    at = [int(str(row["byte_offset"])) for row in rows]
    raws = [bytes(row["raw"]) for row in rows]  # type: ignore[call-overload]
    assert all(path.read_bytes()[start:].startswith(raw) for start, raw in zip(at, raws, strict=True))


def test_a_list_larger_than_what_is_previewed_is_read(tmp_path: Path) -> None:
    many = [{"id": n, "review": "x" * 900} for n in range(2000)]
    path = written(tmp_path / "a.json", json.dumps({"meta": {"n": 2000}, "items": many}).encode())
    assert len(take(path, tmp_path)[1]) == 2000


@pytest.mark.parametrize("end", [b"", b"}", b'}, "x": "', b'}, "x": "\\'])
def test_a_document_that_is_cut_is_damaged(tmp_path: Path, end: bytes) -> None:
    content = json.dumps({"data": {"reviews": ROWS}}).encode()[:-2] + end
    with pytest.raises(DumpUnreadableError, match="not closed"):
        take(written(tmp_path / "a.json", content), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        {"id": 1, "critique": "Bien.", "comments": [{"text": "Oui."}]},
        {"id": 1, "review": {"text": "Bien.", "note": 4}, "comments": [{"auteur": "Zoé"}]},
        {"review": {"text": "Bien.", "note": 4}},
        {"review": {"text": "Bien."}, "author": {"name": "Zoé", "text": "x"}},
        {"avis": "Bien.", "acteurs": [{"nom": "Zoé"}]},
    ],
)
@pytest.mark.parametrize("n", [1, 3])
def test_lines_are_records_whatever_lists_they_hold(tmp_path: Path, line: dict[str, Any], n: int) -> None:
    content = (json.dumps(line) + "\n").encode() * n
    dump, rows = take(written(tmp_path / "a.jsonl", content), tmp_path)
    assert dump.files[0].format == "jsonl"
    assert [json.loads(str(row["raw"], "utf-8")) for row in rows] == [line] * n  # type: ignore[call-overload]


FLAT = [{"id": f"r{n}", "film": "L'été", "critique": f"Vu {n} fois."} for n in range(4)]
BY_COLUMN = {name: {str(n): row[name] for n, row in enumerate(FLAT)} for name in FLAT[0]}
BY_KEY = {name: {f"k{n}": row[name] for n, row in enumerate(FLAT)} for name in FLAT[0]}
SPLIT = {"columns": list(FLAT[0]), "index": [0, 1, 2, 3], "data": [list(row.values()) for row in FLAT]}
KEYED = {str(row["id"]): {name: row[name] for name in ("film", "critique")} for row in FLAT}


@pytest.mark.parametrize(
    "document",
    [BY_COLUMN, BY_KEY, SPLIT, KEYED, {str(n): row for n, row in enumerate(FLAT)}],
    ids=["columns", "columns by key", "split", "keyed", "index"],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_document_of_another_shape_is_refused_with_what_turns_it(
    tmp_path: Path, document: dict[str, Any], indent: int | None, is_packed: bool
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    path = written(tmp_path / "l'été $x.json", gzip.compress(content) if is_packed else content)
    with pytest.raises(DumpRefusedError) as refused:
        take(path, tmp_path)
    subprocess.run(["bash", "-c", refused.value.try_next], check=True)
    (turned,) = tmp_path.glob("*.lines.jsonl")
    _, rows = take(turned, tmp_path)
    records = [json.loads(str(row["raw"], "utf-8")) for row in rows]  # type: ignore[call-overload]
    assert [dict(sorted(record.items())) for record in records] == [dict(sorted(row.items())) for row in FLAT]


@pytest.mark.parametrize(
    ("content", "message", "program"),
    [
        (json.dumps({"a": ROWS, "b": ROWS}), "a and b", "jq -c '.[\"a\"][]'"),
        (
            json.dumps({"data": {"a b": [{"x": "y" * 2_000_000}], "c": ROWS}}),
            "after data.a b",
            'jq -c \'.["data"]["a b"][]\'',
        ),
        (json.dumps({"n": 1, "data": {"reviews": KEYED}}), "data.reviews", 'jq -c \'.["data"]["reviews"] | to_entries'),
        ("\n".join(json.dumps(row, indent=1) for row in ROWS), "over several lines", "jq -c ."),
    ],
    ids=["two lists", "one behind", "by key", "many lines"],
)
def test_what_a_program_has_to_choose_is_refused(tmp_path: Path, content: str, message: str, program: str) -> None:
    path = written(tmp_path / "a.json", content.encode())
    with pytest.raises(DumpRefusedError, match=message) as refused:
        take(path, tmp_path)
    assert f"| {program}" in refused.value.try_next
    if shutil.which("jq"):
        subprocess.run(["bash", "-c", refused.value.try_next], check=True)
        assert (tmp_path / "a.lines.jsonl").read_text("utf-8").count("\n") >= 1
