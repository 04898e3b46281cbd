"""Receiving a dump: every record numbered with its exact bytes, or a clear refusal and nothing committed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.errors import DataError, DumpNotFoundError, DumpRefusedError, DumpUnreadableError

from tests.dump.receiving import GOOD, take, written, zstd


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
        ("binary.jsonl", bytes(range(256)), DumpUnreadableError, "Next: head -c 100 "),
        ("archive.csv", b"PK\x03\x04xxxx", DumpUnreadableError, "Next: ls -la "),
        ("table.parquet", b"PAR1xxxx", DumpUnreadableError, "Next: ls -la "),
        ("open.json", b'[{"review": "a"}', DumpUnreadableError, "byte 16"),
        ("open2.json", b'[{"review": ["a"}, {"review": "b"}', DumpUnreadableError, "byte 1 "),
        ("more.json", b'[{"review": "a"}] []', DumpUnreadableError, "byte 18"),
        ("wide.csv", "id;review\n".encode("utf-16"), DumpUnreadableError, "UTF-16"),
        ("cut.jsonl.bz2", bz2.compress(GOOD * 9999)[:-20], DumpUnreadableError, "Next: bzip2 -t "),
        ("cut.jsonl.zst", zstd(GOOD * 9999)[:-20], DumpUnreadableError, "Next: zstd -t "),
        pytest.param(
            "columns.csv",
            (",".join(f"c{i}" for i in range(10_000)) + "\n1\n").encode(),
            DumpRefusedError,
            "10,000",
            id="10,000 columns",
        ),
        ("header.csv", "id;critiqué\n1;a\n".encode("cp1252"), DumpRefusedError, "ENCODING="),
        ("cut.jsonl.gz", gzip.compress(GOOD * 9999, mtime=0)[:-20], DumpUnreadableError, "Next: gzip -t "),
        (
            "columns.jsonl",
            b'{"texte_libre": "a", "nota": 3}\n',
            DumpRefusedError,
            "texte_libre, nota",
        ),
        ("columns.csv", b"a,b\n1,2\n", DumpRefusedError, "a, b"),
        ("twice.csv", b"review,review\n1,2\n", DumpRefusedError, "review"),
        ("header.csv", b"id,review\n", DumpUnreadableError, "Next: head -c 300 "),
        ("mac.csv", b"id;review\r1;bien\r2;mal\r", DumpRefusedError, "Next: sed 's/"),
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
