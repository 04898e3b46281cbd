"""Files that are no dump: named as what they are, with the command that makes one of them."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from sentiment.dump.member import Member, try_on
from sentiment.errors import DumpUnreadableError, quoted

AS_XLSX = "libreoffice --headless --convert-to xlsx --outdir {folder} {file} && make nightly DUMP={stem}.xlsx"
UNPACKED = " && make nightly DUMP=dump"
LOOK = "head -c 300 {file}"


class Kind(NamedTuple):
    """A kind of file that is not read."""

    what: str
    """What the file is, and what to do, for people."""
    command: str
    """The command to type next; `{file}`, `{stem}` and `{folder}` stand for its path without suffix, and its folder."""


OLD_WORKBOOK = Kind("an Excel workbook of 97 to 2003, or one with a password: save it as .xlsx or CSV", AS_XLSX)
WEB_PAGE = Kind("a web page: perhaps the address needs a login, or the export is HTML with another name", LOOK)
XML = Kind("XML: export the reviews as CSV, JSON lines or .xlsx", LOOK)
BY_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLD_WORKBOOK),
    (b"%PDF", Kind("a PDF: export the reviews as CSV, JSON lines or .xlsx from where it was made", LOOK)),
    (b"version https://git-lfs", Kind("a pointer of Git LFS: the data was not downloaded", "git -C {folder} lfs pull")),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive: unpack it first", "7z x {file} -odump" + UNPACKED)),
    (b"\xfd7zXZ\x00", Kind("compressed by xz: unpack it first", "xz -dk {file} && make nightly DUMP={stem}")),
    (b"Rar!\x1a\x07", Kind("a RAR archive: unpack it first", "unrar x {file} dump/" + UNPACKED)),
    (b"{\\rtf", Kind("a text document (RTF): save the reviews as CSV or .xlsx", LOOK)),
    (b"SQLite format 3\x00", Kind("an SQLite database: export its table as CSV", "sqlite3 {file} .tables")),
)
MARKUP = (
    (re.compile(rb"<(?:!doctype\s+html|html|head|body|table)\b", re.IGNORECASE), WEB_PAGE),
    (re.compile(rb"<\?xml\b|<(?:rss|feed|urlset)\b", re.IGNORECASE), XML),
)
TAR = Kind("a tar archive: unpack it first", "mkdir dump && tar -xf {file} -C dump" + UNPACKED)
TAR_MARK = (257, b"ustar")


def refuse_foreign(file: Path | Member, head: bytes) -> None:
    """Raise DumpUnreadableError for a file that is known as no dump; `head` are its first 8 KiB, decompressed."""
    kind = _kind(head)
    if kind:
        raise unreadable(file, kind)


def _kind(head: bytes) -> Kind | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[TAR_MARK[0] :].startswith(TAR_MARK[1]):
        return TAR
    magic = (kind for magic, kind in BY_MAGIC if text.startswith(magic))
    return next(magic, next((kind for pattern, kind in MARKUP if pattern.match(text)), None))


def unreadable(file: Path | Member, kind: Kind) -> DumpUnreadableError:
    """Return the error of a file of this kind."""
    if isinstance(file, Member):
        try_next = try_on("head -c 300", file)
    else:
        parts = {"file": file, "stem": file.with_suffix(""), "folder": file.parent}
        try_next = kind.command.format(**{name: quoted(part) for name, part in parts.items()})
    return DumpUnreadableError(f"{file} is {kind.what}.", try_next)


ARCHIVE = Kind("a zip archive: its members are read where its name ends in .zip", "mv {file} {file}.zip")
WORKBOOK = "xl/workbook.xml"
"""The entry by which a zip archive is an Excel workbook."""
OTHER_OFFICE = {
    "xl/workbook.bin": Kind("a binary Excel workbook (.xlsb): save it as .xlsx or CSV", AS_XLSX),
    "word/document.xml": Kind("a Word document: put the reviews into a table, and save it as .xlsx or CSV", LOOK),
    "content.xml": Kind("a document of LibreOffice (.ods): save it as .xlsx or CSV", AS_XLSX),
    "Index/Document.iwa": Kind("a document of Numbers: export it as .xlsx or CSV", LOOK),
}
"""Entry of a zip archive -> the document that it then is."""


def office_document(names: Collection[str]) -> str | None:
    """Return the entry by which an archive is a document rather than an archive of files; None for an archive."""
    present = set(names)
    marks = [WORKBOOK, *(mark for mark in OTHER_OFFICE if mark != "content.xml")]
    if {"mimetype", "content.xml"} <= present:
        marks.append("content.xml")
    return next((mark for mark in marks if mark in present), None)
