"""Receiving a dump: every record numbered with its exact bytes, or a clear refusal and nothing committed."""

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
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.dump import records
from sentiment.dump.receive import Dump, receive
from sentiment.errors import DataError, DumpNotFoundError, DumpRefusedError, DumpUnreadableError, ParameterError
from sentiment.runs.model import Reading
from sentiment.settings import Settings
from sentiment.workspace import Workspace

PLAIN = Reading()
GOOD = b'{"review": "Un film magnifique.", "polarity": 1}\n'


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def take(
    path: Path, tmp_path: Path, reading: Reading = PLAIN, **changes: object
) -> tuple[Dump, list[dict[str, object]]]:
    workspace = Workspace(str(tmp_path / "lake"))
    dump = receive(str(path), Settings(home=tmp_path, **changes), workspace, reading)  # type: ignore[arg-type]
    parts = workspace.committed("received", dump.key)
    rows = [row for part in parts for f in part.files for row in pq.read_table(workspace.local(f)).to_pylist()]
    return dump, rows


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_records_have_number_bytes_and_offset(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD + b"\n" + b'{"review": "\xe9"}\r\n' + GOOD.rstrip())
    dump, rows = take(path, tmp_path)
    assert [r["record_no"] for r in rows] == [1, 2, 3]
    assert [r["raw"] for r in rows] == [GOOD.rstrip(), b'{"review": "\xe9"}', GOOD.rstrip()]
    content = path.read_bytes()
    for row in rows:
        offset, raw = row["byte_offset"], row["raw"]
        assert isinstance(offset, int)
        assert isinstance(raw, bytes)
        assert content[offset : offset + len(raw)] == raw
    assert dump.files[0].sha256 == hashlib.sha256(content).hexdigest()


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


def test_a_damaged_stream_of_a_bzip2_file_is_no_end(tmp_path: Path) -> None:
    streams = [bytearray(bz2.compress(GOOD * 60)) for _ in range(3)]
    path = written(tmp_path / "a.jsonl.bz2", b"".join(streams))
    assert len(take(path, tmp_path)[1]) == 180
    streams[1][len(streams[1]) // 2] ^= 0x55
    for content in (b"".join(streams), bytes(streams[0]) + GOOD):
        with pytest.raises(DumpUnreadableError, match=r"Next: bzip2 -t .*a\.jsonl\.bz2"):
            take(written(path, content), tmp_path)


def test_a_file_that_was_renamed_keeps_its_number(tmp_path: Path) -> None:
    folder = tmp_path / "dump"
    folder.mkdir()
    written(folder / "a.csv", b"id;review;title\n1;Un texte;Un titre\n")
    second = written(folder / "b.csv", b"id;title;review\n2;Deux titre;Deux texte\n")
    dump, rows = take(folder, tmp_path)
    (folder / "a.csv").rename(folder / "c.csv")
    second_dump, second_rows = take(folder, tmp_path)
    assert (second_dump.dump_id, second_dump.layouts, second_rows) == (dump.dump_id, dump.layouts, rows)
    assert [Path(file.uri).name for file in second_dump.files] == ["c.csv", "b.csv"]
    assert [file.file_no for file in second_dump.files] == [0, 1]
    assert second.exists()


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


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    secret, folder = written(tmp_path / "secret.jsonl", GOOD), tmp_path / "drop"
    folder.mkdir()
    (folder / "a.jsonl").symlink_to(secret)
    with pytest.raises(DumpRefusedError, match=r"secret\.jsonl"):
        take(folder, tmp_path)


def test_a_glob_is_as_careful_as_a_folder(tmp_path: Path) -> None:
    drop, pattern = tmp_path / "drop", tmp_path / "drop" / "*2026-11-22*"
    (drop / "2026-11-22").mkdir(parents=True)
    written(drop / "2026-11-22" / "a.jsonl", GOOD)
    for name in (".reviews-2026-11-22.jsonl", "_tmp-2026-11-22.jsonl"):
        written(drop / name, b"half")
    assert [Path(file.uri).name for file in take(pattern, tmp_path)[0].files] == ["a.jsonl"]
    (drop / "x-2026-11-22.jsonl").symlink_to(written(tmp_path / "secret.jsonl", GOOD))
    with pytest.raises(DumpRefusedError, match=r"secret\.jsonl"):
        take(pattern, tmp_path)


def test_a_manifest_names_the_night_and_is_no_part(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    written(folder / "a.jsonl", GOOD)
    written(folder / "_SUCCESS", b"")
    written(folder / "manifest.json", b'{"night": "2026-11-22"}')
    dump, rows = take(folder, tmp_path)
    assert (dump.manifest_night, len(dump.files), len(rows)) == (date(2026, 11, 22), 1, 1)
    written(folder / "manifest.json", b"[]")
    written(folder / "b.jsonl", GOOD)
    before = sorted((tmp_path / "lake").rglob("*"))
    with pytest.raises(DumpRefusedError, match=r"manifest\.json"):
        take(folder, tmp_path)
    assert sorted((tmp_path / "lake").rglob("*")) == before


def test_folder_is_one_dump_whatever_its_files_are_called(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    for folder, names in ((first, ("a.jsonl", "b.jsonl")), (second, ("y.jsonl", "x.jsonl"))):
        folder.mkdir()
        written(folder / names[0], GOOD)
        written(folder / names[1], GOOD * 2)
    assert take(first, tmp_path)[0].dump_id == take(second, tmp_path)[0].dump_id


def test_a_too_long_record_is_received_as_head_with_size_and_hash(tmp_path: Path) -> None:
    long = b'{"review": "' + b"a" * 200_000 + b'"}'
    path = written(tmp_path / "a.jsonl", GOOD + long + b"\n" + GOOD)
    _, rows = take(path, tmp_path, max_record_bytes=100_000)
    assert [r["problem"] for r in rows] == [None, "too_long", None]
    assert rows[1]["raw"] == long[: 64 * 1024]
    assert rows[1]["raw_sha256"] == hashlib.sha256(long).hexdigest()
    assert rows[1]["raw_bytes"] == len(long) + 1


@pytest.mark.parametrize(
    ("name", "content", "error", "fact"),
    [
        ("empty.jsonl", b"", DumpUnreadableError, "Next: ls -la "),
        ("blank.jsonl", b"\n \n", DumpUnreadableError, "Next: ls -la "),
        ("binary.jsonl", bytes(range(256)), DumpUnreadableError, "Next: file "),
        ("archive.csv", b"PK\x03\x04xxxx", DumpUnreadableError, "Next: file "),
        ("table.parquet", b"PAR1xxxx", DumpUnreadableError, "Next: ls -la "),
        ("open.json", b'[{"review": "a"}', DumpUnreadableError, "byte 16"),
        ("open2.json", b'[{"review": ["a"}, {"review": "b"}', DumpUnreadableError, "byte 1 "),
        ("more.json", b'[{"review": "a"}] []', DumpUnreadableError, "byte 18"),
        ("wide.csv", "id;review\n".encode("utf-16"), DumpUnreadableError, "UTF-16"),
        ("cut.jsonl.bz2", bz2.compress(GOOD * 9999)[:-20], DumpUnreadableError, "Next: bzip2 -t "),
        ("cut.jsonl.zst", zstd(GOOD * 9999)[:-20], DumpUnreadableError, "Next: zstd -t "),
        (
            "columns.csv",
            (",".join(f"c{i}" for i in range(10_000)) + "\n1\n").encode(),
            DumpRefusedError,
            "10,000",
        ),
        ("header.csv", "id;critiqué\n1;a\n".encode("cp1252"), DumpRefusedError, "ENCODING="),
        ("cut.jsonl.gz", gzip.compress(GOOD * 9999)[:-20], DumpUnreadableError, "Next: gzip -t "),
        (
            "columns.jsonl",
            b'{"texte_libre": "a", "nota": 3}\n',
            DumpRefusedError,
            "texte_libre, nota",
        ),
        ("columns.csv", b"a,b\n1,2\n", DumpRefusedError, "a, b"),
        ("twice.csv", b"review,review\n1,2\n", DumpRefusedError, "review"),
        ("header.csv", b"id,review\n", DumpUnreadableError, "Next: head -c 300 "),
        ("mac.csv", b"id;review\r1;bien\r2;mal\r", DumpRefusedError, "Next: head -c 300 "),
        ("prose.jsonl", b"{not json\n{nor this\n", DumpRefusedError, " 2 "),
    ],
)
def test_refused_with_a_clear_message_and_nothing_committed(
    tmp_path: Path, name: str, content: bytes, error: type[DataError], fact: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(error) as refused:
        take(path, tmp_path)
    assert fact in str(refused.value)
    assert str(path) in refused.value.message
    assert refused.value.try_next
    assert not list((tmp_path / "lake").rglob("manifest/**/*.json"))


def test_gzip_bomb_is_refused_before_it_fills_anything(tmp_path: Path) -> None:
    path = written(tmp_path / "bomb.jsonl.gz", gzip.compress(GOOD + b" " * (300 << 20)))
    with pytest.raises(DumpUnreadableError, match="SENTIMENT_MAX_DECOMPRESSION_RATIO"):
        take(path, tmp_path)


@pytest.mark.parametrize("name", ["missing.jsonl", "empty_folder", "none-*.jsonl"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "empty_folder" / "notes.docx").write_text("x")
    with pytest.raises(DumpNotFoundError) as refused:
        take(tmp_path / name, tmp_path)
    assert name in refused.value.message


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=30))
def test_any_bytes_come_back_as_they_were(tmp_path: Path, lines: list[bytes]) -> None:
    path = written(tmp_path / "any.jsonl", GOOD + b"\x20" * 9000 + b"\n" + b"\n".join(lines))
    _, rows = take(path, tmp_path)
    assert [r["raw"] for r in rows][1:] == [line for line in lines if line.strip()]
