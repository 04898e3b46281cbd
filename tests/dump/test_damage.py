"""Dumps of any form, damaged anywhere: read or refused by our own error, in bounded memory, no value in another row.

Twenty minutes of it: `timeout 1200 .venv/bin/python -m pytest tests/dump/test_damage.py --hypothesis-profile=long`.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.errors import DataError
from sentiment.runs.model import Reading
from sentiment.settings import Settings

from tests.dump.receiving import take
from tests.dump.workbooks import archive, xlsx
from tests.intake import through
from tests.kit.homes import peak_bytes, reset_peak

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Record = dict[str, Any]
NAMES = ("Zoé", "Léa", "Noël", "Anaïs", "Maël", "Chloé", "Théo", "Inès", "Loïc", "Clara", "Hugo", "Jade")
MOST_BYTES = 256 << 20
"""More than receiving a file of some kilobytes may take beyond what the process had."""


def record(n: int) -> Record:
    """Return the nth record, in which every value is its own."""
    name = NAMES[n]
    return {
        "id": f"id-{name}", "film": f"Le film de {name}", "pseudo": name, "note": 0.5 + n % 10 / 2,
        "date": date(2024, n + 1, 2 * n + 3).isoformat(),
        "critique": f"Un beau film, dit {name} ; « rare », très drôle et touchant à la fin.",
    }  # fmt: skip


OWNERS = {record(n)[column]: n for n in range(len(NAMES)) for column in ("film", "pseudo", "date", "critique")}
"""Value -> the record that alone has it."""


def _csv(records: Sequence[Record], delimiter: str, encoding: str) -> bytes:
    file = io.StringIO()
    columns = list(dict.fromkeys(name for r in records for name in r))
    writer = csv.DictWriter(file, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue().encode(encoding, "replace")


def _lines(records: Sequence[Record], encoding: str) -> bytes:
    return "".join(f"{json.dumps(r, ensure_ascii=False)}\n" for r in records).encode(encoding, "replace")


def _parquet(records: Sequence[Record]) -> bytes:
    file = io.BytesIO()
    columns = dict.fromkeys(name for r in records for name in r)
    pq.write_table(pa.table({c: [json_or_text(r.get(c)) for r in records] for c in columns}), file)
    return file.getvalue()


def json_or_text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _rows(records: Sequence[Record]) -> list[list[str | None]]:
    columns = list(dict.fromkeys(name for r in records for name in r))
    return [list(columns), *([json_or_text(r.get(c)) for c in columns] for r in records)]


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
FORMS: dict[str, Callable[[Sequence[Record], str], bytes]] = {
    "a.csv": lambda records, encoding: _csv(records, ";", encoding),
    "b.csv": lambda records, encoding: _csv(records, ",", encoding),
    "a.tsv": lambda records, encoding: _csv(records, "\t", encoding),
    "a.jsonl": _lines,
    "a.json": lambda records, encoding: json.dumps(records, ensure_ascii=False).encode(encoding, "replace"),
    "b.json": lambda records, encoding: json.dumps({"n": 1, "reviews": records}).encode(encoding),
    "a.xlsx": lambda records, _: xlsx(_rows(records)),
    "a.parquet": lambda records, _: _parquet(records),
}
PACKINGS: dict[str, Callable[[bytes, str], bytes]] = {
    "": lambda content, _: content,
    ".gz": lambda content, _: gzip.compress(content, mtime=0),
    ".bz2": lambda content, _: bz2.compress(content),
    ".zip": lambda content, name: archive({f"avis/{name}": content, "lisez-moi.txt": b"x"}),
}
WITHOUT_PACKING = ("a.xlsx", "a.parquet")


@dataclass(frozen=True)
class Damage:
    """Bytes that stand at a point of a file instead of so many others."""

    at: float
    """Where, as a share of the file."""
    n_lost: int
    """Bytes that go; -1: all to the end."""
    new: bytes

    def of(self, content: bytes) -> bytes:
        at = int(self.at * len(content))
        rest = b"" if self.n_lost < 0 else content[at + self.n_lost :]
        return content[:at] + self.new + rest


NEW_BYTES = st.binary(max_size=6) | st.sampled_from(
    [b'"', b"\\", b"\n", b";", b",", b"\x00", b"{", b"]", b'"\n"', b"\xff\xfe"]
)
DAMAGE = st.builds(Damage, st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 1, 2, 6, -1]), NEW_BYTES)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@dataclass(frozen=True)
class File:
    """A file of a dump, and the encoding that it is read by."""

    name: str
    content: bytes
    encoding: str | None


@st.composite
def damaged_files(draw: st.DrawFn) -> File:
    """Draw a form, records of which some hold any JSON instead of a value, a packing, and damage in and around it."""
    records = [record(n) for n in range(draw(st.integers(1, len(NAMES))))]
    for changed in draw(st.lists(st.sampled_from(records), max_size=2)):
        changed[draw(st.sampled_from(list(changed)))] = draw(ANY_JSON)
    form, encoding = draw(st.sampled_from(list(FORMS))), draw(st.sampled_from(ENCODINGS))
    content = FORMS[form](records, encoding)
    for damage in draw(st.lists(DAMAGE, max_size=3)):
        content = damage.of(content)
    packing = "" if form in WITHOUT_PACKING else draw(st.sampled_from(list(PACKINGS)))
    packed = PACKINGS[packing](content, form)
    if packing:
        for damage in draw(st.lists(DAMAGE, max_size=1)):
            packed = damage.of(packed)
    read_by = draw(st.sampled_from([None, None, "utf-8", "windows-1252"]))
    return File("export.zip" if packing == ".zip" else form + packing, packed, read_by)


def written(file: File, folder: str) -> Path:
    path = Path(folder) / "drop" / file.name
    path.parent.mkdir()
    path.write_bytes(file.content)
    return path


HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
N = hypothesis_settings().max_examples


@hypothesis_settings(max_examples=N, deadline=None, suppress_health_check=HEALTH)
@given(damaged_files())
def test_it_is_received_or_refused_in_bounded_memory(file: File) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, before = written(file, folder), reset_peak()
        with suppress(DataError):
            _, rows = take(path, Path(folder), Reading(encoding=file.encoding))
            assert rows
        assert peak_bytes() - before < MOST_BYTES


@hypothesis_settings(max_examples=max(N // 25, 1), deadline=None, suppress_health_check=HEALTH)
@given(damaged_files())
def test_no_review_has_another_s_values(spark: SparkSession, file: File) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(file, folder)
        try:
            night = through(spark, path, Settings(home=Path(folder)), Reading("damaged", encoding=file.encoding))
        except DataError:
            return
        assert night.n_read == len(night.accepted) + len(night.refused) + len(night.repeated)
        for row in night.accepted:
            values = row["text"], row["author"], row["item_title"], str(row["review_date"])
            assert len({OWNERS[value] for value in values if value in OWNERS}) < 2, values
