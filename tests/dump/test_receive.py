"""A dump in: every record numbered and as it came, or a clear refusal and nothing committed."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from sentiment.dump.receive import Dump, receive
from sentiment.errors import DataError, DumpNotFoundError, DumpRefusedError, DumpUnreadableError
from sentiment.lake import Lake
from sentiment.settings import Settings

GOOD = b'{"review": "Un film magnifique.", "polarity": 1}\n'


def take(path: Path, tmp_path: Path, **changes: object) -> tuple[Dump, list[dict[str, object]]]:
    lake = Lake(str(tmp_path / "lake"))
    dump = receive(str(path), Settings(home=tmp_path, **changes), lake)  # type: ignore[arg-type]
    parts = lake.committed("received", f"dump={dump.dump_id}")
    rows = [row for part in parts for f in part.files for row in pq.read_table(lake.local(f)).to_pylist()]
    return dump, rows


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_records_keep_place_bytes_and_offset(tmp_path: Path) -> None:
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


def test_gzip_and_plain_hold_the_same_records(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.jsonl", GOOD * 3)
    packed = written(tmp_path / "b.jsonl.gz", gzip.compress(GOOD * 3))
    one, two = take(plain, tmp_path), take(packed, tmp_path)
    assert one[1] == two[1]
    assert one[0].dump_id != two[0].dump_id
    assert two[0].files[0].compression == "gzip"
    assert two[0].files[0].sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_csv_joins_quoted_newlines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", b'\xef\xbb\xbfid;review\n1;"deux\nlignes ""cit\xc3\xa9es"""\n2;simple\n')
    dump, rows = take(path, tmp_path)
    assert dump.layouts[0].columns == ["id", "review"]
    assert dump.layouts[0].delimiter == ";"
    assert [r["raw"] for r in rows] == [b'1;"deux\nlignes ""cit\xc3\xa9es"""', b"2;simple"]


def test_folder_is_one_dump_whatever_its_files_are_called(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    for folder, names in ((first, ("a.jsonl", "b.jsonl")), (second, ("y.jsonl", "x.jsonl"))):
        folder.mkdir()
        written(folder / names[0], GOOD)
        written(folder / names[1], GOOD * 2)
    assert take(first, tmp_path)[0].dump_id == take(second, tmp_path)[0].dump_id


def test_too_long_record_is_kept_as_head_with_size_and_hash(tmp_path: Path) -> None:
    long = b'{"review": "' + b"a" * 200_000 + b'"}'
    path = written(tmp_path / "a.jsonl", GOOD + long + b"\n" + GOOD)
    _, rows = take(path, tmp_path, max_record_bytes=100_000)
    assert [r["problem"] for r in rows] == [None, "too_long", None]
    assert rows[1]["raw"] == long[: 64 * 1024]
    assert rows[1]["raw_sha256"] == hashlib.sha256(long).hexdigest()
    assert rows[1]["raw_bytes"] == len(long) + 1


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("empty.jsonl", b"", DumpUnreadableError, "is empty"),
        ("blank.jsonl", b"\n \n", DumpUnreadableError, "is empty"),
        ("binary.jsonl", bytes(range(256)), DumpUnreadableError, "is binary"),
        ("table.parquet.csv", b"PAR1xxxx", DumpUnreadableError, "is binary"),
        ("array.json", b'[{"review": "a"}]', DumpUnreadableError, "one JSON object a line"),
        ("cut.jsonl.gz", gzip.compress(GOOD * 9999)[:-20], DumpUnreadableError, "cut short"),
        (
            "columns.jsonl",
            b'{"texte_libre": "a", "nota": 3}\n',
            DumpRefusedError,
            "found texte_libre, nota; needed one",
        ),
        ("columns.csv", b"a,b\n1,2\n", DumpRefusedError, "found a, b; needed one"),
        ("twice.csv", b"review,review\n1,2\n", DumpRefusedError, "named twice: review"),
        ("header.csv", b"id,review\n", DumpUnreadableError, "no record"),
        ("prose.jsonl", b"{not json\n{nor this\n", DumpRefusedError, "no JSON object in its first 2"),
    ],
)
def test_refused_with_a_clear_message_and_nothing_committed(
    tmp_path: Path, name: str, content: bytes, error: type[DataError], words: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(error) as told:
        take(path, tmp_path)
    assert words in told.value.message
    assert str(path) in told.value.message
    assert told.value.try_next
    assert not list((tmp_path / "lake").rglob("manifest/**/*.json"))


def test_gzip_bomb_is_refused_before_it_fills_anything(tmp_path: Path) -> None:
    path = written(tmp_path / "bomb.jsonl.gz", gzip.compress(GOOD + b" " * (300 << 20)))
    with pytest.raises(DumpUnreadableError, match="bomb"):
        take(path, tmp_path)


@pytest.mark.parametrize("where", ["missing.jsonl", "empty_folder", "none-*.jsonl"])
def test_nothing_there(tmp_path: Path, where: str) -> None:
    (tmp_path / "empty_folder").mkdir()
    (tmp_path / "empty_folder" / "notes.docx").write_text("x")
    with pytest.raises(DumpNotFoundError) as told:
        take(tmp_path / where, tmp_path)
    assert where in told.value.message


@given_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=200).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=30))
def test_any_bytes_come_back_as_they_were(tmp_path: Path, lines: list[bytes]) -> None:
    path = written(tmp_path / "any.jsonl", GOOD + b"\x20" * 9000 + b"\n" + b"\n".join(lines))
    _, rows = take(path, tmp_path)
    assert [r["raw"] for r in rows][1:] == [line for line in lines if line.strip()]
