"""Files that are no dump are named as what they are, with a command that leads on."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

import pytest
from sentiment.errors import DumpUnreadableError

from tests.dump.receiving import GOOD, take, written
from tests.dump.workbooks import archive


def tar(compression: str = "") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=f"w:{compression}") as packed:  # type: ignore[call-overload]
        entry = tarfile.TarInfo("a.jsonl")
        entry.size = len(GOOD)
        packed.addfile(entry, io.BytesIO(GOOD))
    return target.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"
FOREIGN = {
    "a.csv": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Excel workbook of 97", "--convert-to xlsx"),
    "b.csv": (tar(), "tar archive", "tar -xf"),
    "b.jsonl.gz": (tar("gz"), "tar archive", "tar -xf"),
    "c.json": (b"\n<!DOCTYPE html>\n<html><body>403</body></html>", "web page", "head -c 300"),
    "c.csv": (b"<table><tr><td>avis</td></tr></table>", "web page", "head -c 300"),
    "d.csv": (b"\xef\xbb\xbf<?xml version='1.0'?><avis/>", "XML", "head -c 300"),
    "e.csv": (LFS, "Git LFS", "lfs pull"),
    "f.csv": (b"%PDF-1.7\n", "PDF", "head -c 300"),
    "g.csv": (b"7z\xbc\xaf\x27\x1c\0\4", "7z", "7z x"),
    "h.csv.xz": (lzma.compress(GOOD), "xz", "xz -dk"),
    "i.csv": (b"Rar!\x1a\x07\x01", "RAR", "unrar x"),
    "j.csv": (b"SQLite format 3\0" + bytes(100), "SQLite", "sqlite3"),
    "k.json": (b"{\\rtf1\\ansi Bien}", "RTF", "head -c 300"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_it_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    content, what, command = FOREIGN[name]
    path = written(tmp_path / name, content)
    with pytest.raises(DumpUnreadableError) as refused:
        take(path, tmp_path)
    assert what in refused.value.message
    assert str(path) in refused.value.message
    assert command in refused.value.try_next
    assert str(path.parent) in refused.value.try_next


def test_a_member_is_named_too(tmp_path: Path) -> None:
    path = written(tmp_path / "export.zip", archive({"a.csv": FOREIGN["a.csv"][0]}))
    with pytest.raises(DumpUnreadableError, match=r"export\.zip!a\.csv is an Excel workbook") as refused:
        take(path, tmp_path)
    assert refused.value.try_next.startswith(f"unzip -p {path} a.csv | ")


def test_a_review_may_begin_like_one(tmp_path: Path) -> None:
    """Markup inside a text, or a column of such a name, is none of a file's beginning."""
    _, rows = take(written(tmp_path / "a.csv", b"review\n<html> est un film\nversion https://git-lfs\n"), tmp_path)
    assert len(rows) == 2
