"""Films and series: ids for those that a dump only names, and whether an address or a title is the item's at all."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from urllib.parse import urlsplit

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.contract import BY_TITLE, MAX_FIELD_BYTES
from sentiment.dump import paths
from sentiment.dump.encoding import find_encoding
from sentiment.dump.locate import COMPRESSIONS
from sentiment.dump.matching import loose
from sentiment.dump.profiles import ItemSource, Profile
from sentiment.dump.records import Record
from sentiment.runs.model import DumpFile, Layout

FILM = "film"
"""The type that a title is taken for where a record has none."""
_ACCENTED = {
    chr(code): unicodedata.normalize("NFD", chr(code))[0]
    for code in (*range(0xC0, 0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000))
    if unicodedata.decomposition(chr(code)) and unicodedata.normalize("NFD", chr(code))[0] != chr(code)
}
_LIGATURES = {"œ": "oe", "æ": "ae", "ß": "ss"}
_SPACES = r"[\s\p{Z}]+"


def id_of_title(title: Column, item_type: Column) -> Column:
    """Return the id of an item that a dump names by title only, at most 1,000 bytes: `title:le phare du nord`.

    Of a type other than film it is `title(series):le phare du nord`. Titles are the same item where they differ in
    case, accents, composed or decomposed letters, apostrophes and runs of spaces only. Of a longer title the SHA-256
    stands in its place. Null where nothing of a title is left.
    """
    # Spark has no Unicode normalisation: composed letters are replaced, and the marks of decomposed ones left out.
    accented, plain = "".join(_ACCENTED), "".join(_ACCENTED.values())
    folded = F.lower(F.regexp_replace(F.translate(title, f"{accented}’", f"{plain}'"), r"\p{M}+", ""))
    for ligature, letters in _LIGATURES.items():
        folded = F.replace(folded, F.lit(ligature), F.lit(letters))
    name = F.nullif(F.trim(F.regexp_replace(folded, _SPACES, " ")), F.lit(""))
    is_film = F.coalesce(item_type, F.lit(FILM)) == FILM
    prefix = F.when(is_film, F.lit(f"{BY_TITLE}:")).otherwise(F.concat(F.lit(f"{BY_TITLE}("), item_type, F.lit("):")))
    by_title = F.concat(prefix, name)
    return F.when(F.octet_length(by_title) <= MAX_FIELD_BYTES, by_title).otherwise(F.concat(prefix, F.sha2(name, 256)))


def named_by_file(layouts: Sequence[Layout], files: Sequence[DumpFile], profile: Profile) -> list[Layout]:
    """Return the layouts, each with the title that its file's name is where the profile reads items from files."""
    by_file = profile.item_from is ItemSource.file
    return [replace(y, file_title=file_title(f.uri) if by_file else None) for y, f in zip(layouts, files, strict=True)]


def file_title(uri: str) -> str | None:
    """Return the title that a file's name is: `forrest_gump.csv.gz` names `forrest gump`; None of a nameless file."""
    # A file in an archive is `archive.zip!folder/member.csv`.
    name = PurePath(uri.rpartition("!")[2]).name
    if any(name.lower().endswith(suffix) for suffix in COMPRESSIONS if suffix):
        name = PurePath(name).stem
    return " ".join(re.sub(r"[_-]", " ", PurePath(name).stem).split()) or None


NEARLY_ALL = 0.9
"""Share of different values from which a column's values are one a record."""
OF_REVIEW = re.compile(r"(?:^|[/_.-])(?:reviews?|critiques?|avis|comments?|commentaires?)(?:[/_.-]|$)", re.IGNORECASE)
"""What the path of a review's own address has."""
NAME, OF_FILM = "name", ("year", "annee", "releaseyear", "letterboxduri")
"""A column `name` beside one of these is a film's."""


def inferred(layout: Layout, first: Iterable[Record], profile: Profile) -> dict[str, str | None]:
    """Return what the first records show of columns whose name leaves open whether they are the review's or the item's.

    Column -> column of the contract, None: none. An address (`Profile.urls`) that differs in nearly every record is
    the review's where its path has a name like critique, or where another column names the item. A title
    (`Profile.titles`) is the item's where no other column names it, and it is shared by records, stands in records
    without a text, or there is neither author nor id of the review.
    """
    mapped = profile.mapping(layout.columns)
    url, title = mapped.get("item_id", ""), mapped.get("title", "")
    # Beside an id of the item an address is none.
    decided: dict[str, str | None] = {c: None for c in layout.columns if c.lower() in profile.urls and c != url}
    if named := _name_of_film(layout, mapped, profile):
        decided[named] = "item_title"
    is_open_url = url.lower() in profile.urls
    is_named = "item_title" in mapped or bool(named) or (bool(url) and not is_open_url)
    is_open_title = title.lower() in profile.titles and not is_named
    if not (is_open_url or is_open_title):
        return decided
    rows = [_cells(layout, record) for record in first if not record.problem]
    if is_open_url:
        addresses = [value for row in rows if (value := row.get(url))]
        if _differ(addresses) and (is_named or is_open_title or _are_of_reviews(addresses)):
            decided[url] = None
        else:
            is_named = True
    if is_open_title and not is_named and _is_of_item(rows, title, mapped):
        decided[title] = "item_title"
    return decided


def _name_of_film(layout: Layout, mapped: Mapping[str, str], profile: Profile) -> str | None:
    names = {loose(column): column for column in layout.columns} if profile.titles else {}
    is_film = "item_title" not in mapped and names.keys() & set(OF_FILM)
    return names.get(NAME) if is_film else None


def _differ(values: Collection[str]) -> bool:
    return bool(values) and len(set(values)) >= NEARLY_ALL * len(values)


def _are_of_reviews(addresses: Sequence[str]) -> bool:
    return 2 * sum(bool(OF_REVIEW.search(_path(address))) for address in addresses) > len(addresses)


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _is_of_item(rows: Sequence[Mapping[str, str]], title: str, mapped: Mapping[str, str]) -> bool:
    titled = [row for row in rows if row.get(title, "").strip()]
    without_text = any(not row.get(mapped["text"], "").strip() for row in titled)
    is_nobodys = not {"author", "own_id"} & mapped.keys()
    is_open = without_text or is_nobodys or not _differ([row[title] for row in titled])
    return bool(titled) and is_open


def _cells(layout: Layout, record: Record) -> dict[str, str]:
    """Return a record's values by column, those that are missing left out."""
    text = record.raw.decode(find_encoding(layout.encoding).record_codec)
    if layout.format != "csv":
        values = json.loads(text)
        return {
            ".".join(path): str(value) for path in paths.scalars(values) if (value := _at(values, path)) is not None
        }
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=layout.delimiter), [])
    except csv.Error:
        return {}
    return dict(zip(layout.columns, cells, strict=False))


def _at(value: object, path: paths.Path) -> object:
    for name in path:
        value = value[name] if isinstance(value, dict) else None
    return value


def as_fixed(
    layouts: Sequence[Layout], columns: Collection[str], profile: Profile, fixed: Mapping[str, str]
) -> list[Layout]:
    """Return the layouts, their inferred columns read as at the source's first night.

    `columns` are those of all files, `fixed` has column of the contract -> the dump's column at that night.
    """
    then = {name.lower(): column for column, name in fixed.items()}
    decided: dict[str, str | None] = {}
    for name in columns:
        lower = name.lower()
        if lower in profile.urls and then.get(lower) != "item_id":
            decided[name] = None
        elif (lower in profile.titles or loose(name) == NAME) and then.get(lower) == "item_title":
            decided[name] = "item_title"
    return [replace(layout, inferred=decided) for layout in layouts]
