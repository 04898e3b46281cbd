"""Zip archives: their members are a dump's files, hashed unpacked, and hostile ones are refused within bounds."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.dump import archives, arrival, member
from sentiment.errors import DataError, DumpNotFoundError, DumpRefusedError, DumpUnreadableError
from sentiment.runs.model import archive_and_member
from sentiment.store import quarantine

from tests.dump.receiving import GOOD, take, written
from tests.dump.test_decoding import decoded
from tests.dump.workbooks import archive, xlsx

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CSV = "id;critique\n1;Un film « rare »,\n2;Nul\n".encode()
MIXED = {
    "b/avis.csv": CSV,
    "a/avis.jsonl.gz": gzip.compress(GOOD),
    "c.xlsx": xlsx([("avis",), ("Long mais beau.",)]),
    "__MACOSX/b/avis.csv": b"x",
    "b/.avis.csv": b"x",
    "_tmp/avis.csv": b"x",
    "lisez-moi.txt": b"x",
}


def test_members_are_files_by_name_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "export.ZIP", archive(MIXED))
    dump, rows = take(path, tmp_path)
    assert [file.uri for file in dump.files] == [
        f"{path}!{name}" for name in ("a/avis.jsonl.gz", "b/avis.csv", "c.xlsx")
    ]
    assert [(f.file_no, f.format, f.compression, f.n_records) for f in dump.files] == [
        (0, "jsonl", "gzip", 1), (1, "csv", "none", 2), (2, "xlsx", "none", 1)
    ]  # fmt: skip
    assert (dump.files[1].sha256, dump.files[1].n_bytes) == (hashlib.sha256(CSV).hexdigest(), len(CSV))
    assert [row["raw"] for row in rows if row["file_no"] == 1] == CSV.splitlines()[1:]
    assert [archive_and_member(file.uri) for file in dump.files][1] == (str(path), "b/avis.csv")


def test_packed_anew_or_unpacked_it_is_the_same_dump(tmp_path: Path) -> None:
    first, _ = take(written(tmp_path / "a.zip", archive({"x.csv": CSV, "y.jsonl": GOOD})), tmp_path)
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as again:
        again.writestr("other/z.jsonl", GOOD)
        again.writestr("other/x.csv", CSV)
    second, _ = take(written(tmp_path / "b.zip", stored.getvalue()), tmp_path)
    (tmp_path / "folder").mkdir()
    for name, content in (("x.csv", CSV), ("y.jsonl", GOOD)):
        written(tmp_path / "folder" / name, content)
    assert first.dump_id == second.dump_id == take(tmp_path / "folder", tmp_path)[0].dump_id


def test_members_are_decoded(spark: SparkSession, tmp_path: Path) -> None:
    rows = decoded(spark, tmp_path, "export.zip", archive(MIXED))
    assert [(r["file_no"], r["record_no"], r["own_id"], r["text"]) for r in rows] == [
        (0, 1, None, "Un film magnifique."),
        (1, 1, "1", "Un film « rare »,"),
        (1, 2, "2", "Nul"),
        (2, 1, None, "Long mais beau."),
    ]


def test_an_archive_is_one_of_a_folders_files(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    written(tmp_path / "drop" / "b.zip", archive({"x.csv": CSV}))
    written(tmp_path / "drop" / "a.jsonl", GOOD)
    dump, _ = take(tmp_path / "drop", tmp_path)
    assert [file.uri.partition("drop/")[2] for file in dump.files] == ["a.jsonl", "b.zip!x.csv"]
    assert [state.uri for state in arrival.look(str(tmp_path / "drop"))] == [
        str(tmp_path / "drop" / name) for name in ("a.jsonl", "b.zip")
    ]


def test_one_member_is_named_as_it_is_recorded(tmp_path: Path) -> None:
    path = written(tmp_path / "export.zip", archive(MIXED))
    dump, rows = take(Path(f"{path}!b/avis.csv"), tmp_path)
    assert (dump.files[0].uri, len(dump.files), len(rows)) == (f"{path}!b/avis.csv", 1, 2)
    assert arrival.look(f"{path}!b/avis.csv")[0].uri == str(path)
    assert dump.layouts[0].delimiter == ";"
    with pytest.raises(DumpNotFoundError, match=r"none\.csv"):
        take(Path(f"{path}!none.csv"), tmp_path)
    plain = written(tmp_path / "odd.zip!a.csv", CSV)
    assert take(plain, tmp_path)[0].files[0].uri == str(plain)


def test_its_manifest_names_the_night(tmp_path: Path) -> None:
    dated = {"x/manifest.json": b'{"night": "2026-11-22"}', "x/a.csv": CSV}
    path = written(tmp_path / "export.zip", archive(dated))
    dump, _ = take(path, tmp_path)
    assert (dump.manifest_night, len(dump.files)) == (date(2026, 11, 22), 1)
    assert take(Path(f"{path}!x/a.csv"), tmp_path)[0].manifest_night == date(2026, 11, 22)
    written(tmp_path / "manifest.json", b'{"night": "2026-11-23"}')
    with pytest.raises(DumpRefusedError, match=r"2026-11-23.*2026-11-22"):
        take(path, tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(DumpRefusedError, match=r"export\.zip!x/manifest\.json"):
        take(written(path, archive(dated | {"x/manifest.json": b"[]"})), tmp_path)


def encrypted(content: bytes) -> bytes:
    """Set the flag of encryption in an archive's list of members."""
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + b"\x01" + content[at + 1 :]


def by_method(content: bytes, method: int) -> bytes:
    at = content.index(b"PK\x01\x02") + 10
    return content[:at] + bytes([method]) + content[at + 1 :]


ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}
GOOD_ZIP = archive({"a.jsonl": GOOD * 50})
HOSTILE: dict[str, tuple[bytes, type[DataError], str]] = {
    "cut": (GOOD_ZIP[:-30], DumpUnreadableError, "damaged or cut short"),
    "half": (GOOD_ZIP[:60], DumpUnreadableError, "damaged or cut short"),
    "outside": (archive({"../a.csv": CSV}), DumpRefusedError, "../a.csv"),
    "absolute": (archive({"/etc/a.csv": CSV}), DumpRefusedError, "/etc/a.csv"),
    "windows": (archive({"..\\a.csv": CSV}), DumpRefusedError, "a.csv"),
    "encrypted": (encrypted(GOOD_ZIP), DumpRefusedError, "password"),
    "method": (by_method(GOOD_ZIP, 9), DumpRefusedError, "method 9"),
    "nothing": (archive({}), DumpNotFoundError, "nothing"),
    "no dump": (archive({"a.txt": b"x", "b/c.zip": GOOD_ZIP}), DumpNotFoundError, "a.txt, b/c.zip"),
    "inner": (archive({"a.csv": GOOD_ZIP}), DumpUnreadableError, "zip archive"),
    "empty member": (archive({"a.csv": b""}), DumpUnreadableError, "empty"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_ones_are_refused(tmp_path: Path, case: str) -> None:
    content, error, fact = HOSTILE[case]
    path = written(tmp_path / "export.zip", content)
    with pytest.raises(error) as refused:
        take(path, tmp_path)
    assert fact in refused.value.message
    assert str(path) in refused.value.message
    assert str(path) in refused.value.try_next


FAR = b"critique\n" + b" " * (70 << 20)


@pytest.mark.parametrize(
    "members",
    [
        lambda: {"a.csv": FAR},
        lambda: {f"{n}.csv": b" " * (35 << 20) for n in range(2)},
        lambda: {"a.csv.gz": gzip.compress(FAR)},
    ],
    ids=["one", "together", "twice packed"],
)
def test_bombs_are_refused(tmp_path: Path, members: Callable[[], dict[str, bytes]]) -> None:
    path = written(tmp_path / "export.zip", archive(members()))
    with pytest.raises(DumpUnreadableError, match=r"export\.zip.*200 times") as refused:
        take(path, tmp_path)
    assert "SENTIMENT_MAX_DECOMPRESSION_RATIO" in refused.value.try_next


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as doubled:
        doubled.writestr("a.csv", CSV)
        doubled.writestr("a.csv", GOOD)
    with pytest.raises(DumpRefusedError, match=r"two members of the name a\.csv"):
        take(written(tmp_path / "export.zip", target.getvalue()), tmp_path)


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    damaged = bytearray(archive({"a.csv": CSV + bytes(range(128, 256)) * 99}))
    damaged[60] ^= 0x55
    with pytest.raises(DumpUnreadableError, match=r"export\.zip!a\.csv"):
        take(written(tmp_path / "export.zip", bytes(damaged)), tmp_path)


def test_a_list_of_members_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "MAX_DIRECTORY_BYTES", 2000)
    path = written(tmp_path / "export.zip", archive({f"{n}.csv": CSV for n in range(100)}))
    with pytest.raises(DumpUnreadableError, match="list of members"):
        take(path, tmp_path)


def test_a_zip_by_another_name_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "l'export.csv", GOOD_ZIP)
    with pytest.raises(DumpUnreadableError, match="zip archive") as refused:
        take(path, tmp_path)
    subprocess.run(refused.value.try_next, shell=True, check=True)  # noqa: S602 - the line is what is tested
    assert len(take(tmp_path / "l'export.csv.zip", tmp_path)[1]) == 50


def test_hashes_are_those_of_members_as_they_are_now(tmp_path: Path) -> None:
    path = written(tmp_path / "export.zip", archive({"x.csv": CSV}))
    assert archives.sha256_of(f"{path}!x.csv") == hashlib.sha256(CSV).hexdigest()
    assert archives.sha256_of(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert archives.sha256_of(f"{path}!y.csv") is archives.sha256_of(f"{tmp_path}/none.zip!x.csv") is None
    written(path, b"x")
    with pytest.raises(DumpUnreadableError, match=r"export\.zip"):
        archives.sha256_of(f"{path}!x.csv")


@pytest.mark.skipif(shutil.which("unzip") is None, reason="the command that is printed needs unzip")
@pytest.mark.parametrize(("name", "pack"), [("l'été [1].csv", bytes), ("b/a.csv.gz", gzip.compress)])
def test_a_long_record_is_printed_from_its_member(tmp_path: Path, name: str, pack: Any) -> None:
    long = b"1;" + b"x" * 70_000
    path = written(tmp_path / "l'export.zip", archive({name: pack(b"id;critique\n" + long + b"\n2;court\n")}))
    dump, rows = take(path, tmp_path)
    file = dump.files[0]
    row = SimpleNamespace(
        raw=rows[0]["raw"][:65536], compression=file.compression, format=file.format, uri=file.uri, encoding="utf-8",  # type: ignore[index]
        byte_offset=rows[0]["byte_offset"], raw_bytes=rows[0]["raw_bytes"],
    )  # fmt: skip
    command = quarantine._read_command(row)  # type: ignore[arg-type]
    printed = subprocess.run(["bash", "-c", command], capture_output=True, check=True, env=ENVIRONMENT)
    assert printed.stdout == long + b"\n"


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1000), st.binary(min_size=1, max_size=8))
@example(981, b"\xc4")  # the list of members leads to a position before the file's start
@example(238, b"\x00" * 4)  # a member without a name
def test_damaged_bytes_are_read_or_refused(tmp_path: Path, at: int, damage: bytes) -> None:
    content = bytearray(archive({"b/avis.csv": CSV, "c.jsonl.gz": gzip.compress(GOOD, mtime=0)}))
    content[at % len(content) : at % len(content) + len(damage)] = damage
    try:
        _, rows = take(written(tmp_path / "export.zip", bytes(content)), tmp_path)
    except DataError:
        return
    assert rows
