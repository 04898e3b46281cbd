"""Records of every format, compression and encoding are read as they are written, or have a problem of their own."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sentiment.dump import records
from sentiment.errors import DumpRefusedError, DumpUnreadableError, ParameterError
from sentiment.runs.model import Reading

from tests.dump.receiving import GOOD, take, written, zstd

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": zstd,
}


ROWS = [{"id": "1", "review": 'Un "beau" film,\nvraiment;\ttrès beau {oui}.'}, {"id": "2", "review": "Nul [non]."}]


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


def as_csv(rows: list[dict[str, str]], delimiter: str) -> bytes:
    quoted = [delimiter.join(f'"{v}"' for v in (r["id"], r["review"].replace('"', '""'))) for r in rows]
    return "\n".join([f"id{delimiter}review", *quoted, ""]).encode()


FORMATS = {
    "jsonl": "".join(json.dumps(r) + "\n" for r in ROWS).encode(),
    "json": json.dumps(ROWS, indent=2).encode(),
    "csv": as_csv(ROWS, ","),
    "semicolon.csv": as_csv(ROWS, ";"),
    "pipe.csv": as_csv(ROWS, "|"),
    "tsv": as_csv(ROWS, "\t"),
    "parquet": as_parquet(ROWS),
}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("kind", FORMATS)
def test_formats_and_compressions(tmp_path: Path, kind: str, compression: str) -> None:
    path = written(tmp_path / f"dump.{kind}.x", COMPRESS[compression](FORMATS[kind]))
    dump, rows = take(path, tmp_path)
    assert [r["problem"] for r in rows] == [None, None]
    assert [r["record_no"] for r in rows] == [1, 2]
    assert dump.layouts[0].columns == ["id", "review"]
    assert (dump.files[0].compression, dump.files[0].format) == (
        compression,
        kind.rpartition(".")[2].replace("tsv", "csv"),
    )
    assert dump.files[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if dump.layouts[0].format != "csv":
        assert [json.loads(r["raw"]) for r in rows] == ROWS  # type: ignore[arg-type]
    else:
        assert [r["raw"] for r in rows] == FORMATS[kind].split(b"\n", 1)[1].rstrip().replace(b'\n"2', b'\0"2').split(
            b"\0"
        )


def test_csv_joins_quoted_newlines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b'\xef\xbb\xbfid;review\n1;"deux\nlignes ""cit\xc3\xa9es"""\n2;simple\n')
    dump, rows = take(path, tmp_path)
    assert dump.layouts[0].columns == ["id", "review"]
    assert dump.layouts[0].delimiter == ";"
    assert [r["raw"] for r in rows] == [b'1;"deux\nlignes ""cit\xc3\xa9es"""', b"2;simple"]


def test_a_quote_that_is_never_closed_takes_its_own_line_only(tmp_path: Path) -> None:
    content = b'id;review\n1;"jamais ferm\xc3\xa9\n2;il dit "bravo" et "merci\n3;"a\nb"\n4;bien\n'
    _, rows = take(written(tmp_path / "a.csv", content), tmp_path)
    assert [r["problem"] for r in rows] == ["not_csv", None, None, None]
    assert [r["raw"] for r in rows][1:] == [b'2;il dit "bravo" et "merci', b'3;"a\nb"', b"4;bien"]
    assert rows[0]["problem_detail"]


def test_a_field_may_begin_with_a_quoted_word(tmp_path: Path) -> None:
    """It takes no other line in, though a later one has a quote before its end."""
    rows = [b'1;"Avatar" est nul', *(b"%d;Un bon film" % n for n in range(2, 50)), b'50;Vu sur un 55"', b"51;fin"]
    _, received = take(written(tmp_path / "a.csv", b"\n".join([b"id;critique", *rows])), tmp_path)
    assert [(r["raw"], r["problem"]) for r in received] == [(row, None) for row in rows]


def test_a_long_field_of_many_lines_is_one_record(tmp_path: Path) -> None:
    """Whatever its length, and where its columns are too many, its lines make up no records of their own."""
    long = b'1;"' + b"\n".join(b"ligne %d; avec une virgule " % n + b"x" * 170 for n in range(900)) + b'"'
    wide = b'2;"a\nb;c\nd";e'
    _, rows = take(written(tmp_path / "a.csv", b"id;texte\n" + long + b"\n" + wide + b"\n3;court\n"), tmp_path)
    assert [r["raw"] for r in rows] == [long, wide, b"3;court"]


def test_quotes_that_never_close_are_not_looked_for_all_through_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    goes_on = records._Quotes.open_after_continuing

    def counted(self: records._Quotes, line: bytes) -> bool | None:
        nonlocal read
        read += 1
        return goes_on(self, line)

    monkeypatch.setattr(records, "MAX_QUOTED_LINES", 5)
    monkeypatch.setattr(records._Quotes, "open_after_continuing", counted)
    _, rows = take(written(tmp_path / "a.csv", b"id;text\n" + b'1;"ouvert\n' * 100), tmp_path)
    assert [r["problem"] for r in rows] == ["not_csv"] * 100
    assert read <= 600


@pytest.mark.parametrize("chunk", [2, 7, 1 << 20])
def test_array_of_anything_whatever_the_chunks(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment.dump.stream.CHUNK_BYTES", chunk)
    monkeypatch.setattr("sentiment.dump.records.REFILL_BYTES", 0)
    elements = [
        b'{"review": "a \\"] , [ \\\\", "n": [1, {"b": "}"}]}',
        b"[1, [2]]",
        b'"text"',
        b"{broken}",
        b"12",
        b'{"review": "' + b"x" * 300 + b'"}',
        b'{"review": ["' + b"y" * 300 + b'"]}',
    ]
    path = written(tmp_path / "a.json", b" [\n" + b" ,\n ".join(elements) + b"] \n")
    _, rows = take(path, tmp_path, max_record_bytes=200)
    assert [r["problem"] for r in rows] == [None, *["not_json"] * 4, "too_long", "too_long"]
    assert [r["raw"] for r in rows][:5] == elements[:5]
    for row, element in zip(rows[5:], elements[5:], strict=True):
        assert (row["raw_bytes"], row["raw_sha256"]) == (len(element), hashlib.sha256(element).hexdigest())
    content = path.read_bytes()
    offsets = [int(str(r["byte_offset"])) for r in rows]
    assert all(content[at:].startswith(element) for at, element in zip(offsets, elements, strict=True))


@pytest.mark.parametrize(
    ("line", "problem", "detail"),
    [
        (b'{"review": "a"} {"review": "b"}', "not_json", "Extra data"),
        (b'{"review": "a"', "not_json", "Expecting"),
        (b"[1]", "not_json", "list"),
        (b'{"review": ' + b"[" * 100_000 + b"}", "too_deep", ""),
        (b'{"review": "\xe9t\xe9"}', "not_utf8", "13"),
        (b'{"review": "\xed\xa0\xbd"}', "not_utf8", "13"),
        (b'{"review": "a\x00b"}', "not_json", "control"),
    ],
)
def test_a_broken_line_has_its_problem(tmp_path: Path, line: bytes, problem: str, detail: str) -> None:
    _, rows = take(written(tmp_path / "a.jsonl", GOOD + line + b"\n" + GOOD), tmp_path)
    assert [r["problem"] for r in rows] == [None, problem, None]
    assert detail in str(rows[1]["problem_detail"])


def test_an_encoding_is_suggested_and_used_only_when_named(tmp_path: Path) -> None:
    text = 'id;review\n1;"C’était très émouvant, à voir"\n2;"Déçu par la fin"\n3;ok\n'
    path = written(tmp_path / "a.csv", text.encode("cp1252"))
    dump, rows = take(path, tmp_path)
    assert [r["problem"] for r in rows] == ["not_utf8", "not_utf8", None]
    assert dump.layouts[0].suggested_encoding == "windows-1252"
    decoded, rows = take(path, tmp_path, Reading(encoding="windows-1252"))
    assert [r["problem"] for r in rows] == [None, None, None]
    assert (decoded.dump_id, decoded.key == dump.key) == (dump.dump_id, False)
    with pytest.raises(ParameterError, match=r"klingon.*utf-8, windows-1252"):
        take(path, tmp_path, Reading(encoding="klingon"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le", "utf-32"])
def test_wide_encodings_are_read_as_utf8(tmp_path: Path, encoding: str) -> None:
    text = "".join(json.dumps(r, ensure_ascii=False) + "\r\n" for r in ROWS)
    path = written(tmp_path / "a.jsonl", text.encode(encoding))
    _, rows = take(path, tmp_path, Reading(encoding=encoding))
    assert [json.loads(r["raw"]) for r in rows] == ROWS  # type: ignore[arg-type]
    cut = written(tmp_path / "b.jsonl", text.encode(encoding)[:-1])
    with pytest.raises(DumpUnreadableError, match=r"Next: ls -la .*b\.jsonl"):
        take(cut, tmp_path, Reading(encoding=encoding))


def test_parquet_rows_that_are_not_utf8_or_too_long_have_problems_and_the_others_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "review": pa.array([b"bien", b"caf\xe9", b"x" * 3000], pa.binary()).view(pa.string()),
            "note": pa.array([float("nan"), 4.5, 3.0]),
            "date": pa.array([date(2026, 11, 20), None, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    _, rows = take(tmp_path / "a.parquet", tmp_path, max_record_bytes=2000)
    assert [r["problem"] for r in rows] == [None, "not_utf8", "too_long"]
    assert json.loads(str(rows[0]["raw"], "utf-8")) == {"review": "bien", "note": None, "date": "2026-11-20"}  # type: ignore[call-overload]
    assert "review" in str(rows[1]["problem_detail"])


def test_parquet_of_polars_and_pandas(tmp_path: Path) -> None:
    """Large and categorical text, a day no calendar has, and pictures beside."""
    bad = pa.array([b"Bien.", b"\xff"], pa.binary())
    large = pa.LargeStringArray.from_buffers(2, pa.array([0, 5, 6], pa.int64()).buffers()[1], bad.buffers()[2])
    columns = {
        "review": large,
        "author": pa.array(["Zoé", "Zoé"]).dictionary_encode(),
        "date": pa.array([2**60, 0], pa.timestamp("us")),
        "day": pa.array([2**31 - 1, 0], pa.date32()),
        "poster": pa.array([b"\xff\xd8", b"\xff\xd8"], pa.binary()),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    _, rows = take(tmp_path / "a.parquet", tmp_path)
    assert [r["problem"] for r in rows] == [None, "not_utf8"]
    first, second = (json.loads(r["raw"]) for r in rows)  # type: ignore[arg-type]
    assert (first["review"], first["author"], first["poster"]) == ("Bien.", "Zoé", None)
    assert (second["date"][:10], second["day"]) == ("1970-01-01", "1970-01-01")


def test_parquet_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["bien"]), pa.array(["mal"])], names=["review", "review"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DumpRefusedError, match="review"):
        take(tmp_path / "a.parquet", tmp_path)
