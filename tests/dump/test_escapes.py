"""Backslash escapes in CSV, as MySQL writes them: cut and parsed alike by a profile, never half of one without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.runs.model import Reading

from tests.dump.receiving import decoded, profile_folder, take, written

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

MINE = Reading(profile="mine")
PLAIN = Reading()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a folder with the profile `mine`, by which a backslash escapes."""
    columns = '[columns]\nown_id = ["id"]\ntext = ["critique"]\nauthor = ["pseudo"]\n'
    return profile_folder(tmp_path, f'escape = "\\\\"\n{columns}')


def rows_of(spark: SparkSession, folder: Path, sources: Path, content: bytes, reading: Reading) -> list[Row]:
    return decoded(spark, written(folder / "a.csv", content), folder, reading, sources=sources).collect()


CONTENT = (
    "id,pseudo,critique\n"
    '1,"Zo","Un film \\"culte\\", vraiment \\"beau\\""\n'
    '2,\\N,"C:\\\\film\\\\"\n'
    '3,"a\\\\",Sans guillemets\\, mais avec une virgule\n'
    '4,"b","Deux\nlignes, \\"dont une\\"\ncitée"\n'
    "5,c,Une fin\\\nde ligne\n"
    "6,d,\"tab\\tici, ligne\\nlà, \\'apostrophe\\', \\% et N\\A\"\n"
    '7,e,"doublé ""aussi"""\n'
    '8,f,"\\\\\\"fin\\\\"\n'
    '9,g,\\"sans\\"\n'
).encode()
EXPECTED = [
    ("1", "Zo", 'Un film "culte", vraiment "beau"'),
    ("2", None, "C:\\film\\"),
    ("3", "a\\", "Sans guillemets, mais avec une virgule"),
    ("4", "b", 'Deux\nlignes, "dont une"\ncitée'),
    ("5", "c", "Une fin\nde ligne"),
    ("6", "d", "tab\tici, ligne\nlà, 'apostrophe', % et NA"),
    ("7", "e", 'doublé "aussi"'),
    ("8", "f", '\\"fin\\'),
    ("9", "g", '"sans"'),
]


def test_escapes_are_read_by_a_profile(spark: SparkSession, tmp_path: Path, sources: Path) -> None:
    rows = rows_of(spark, tmp_path, sources, CONTENT, MINE)
    assert [(r["own_id"], r["author"], r["text"]) for r in rows] == EXPECTED
    assert {r["problem"] for r in rows} == {None}
    for row in rows:
        assert CONTENT[row["byte_offset"] :].startswith(bytes(row["raw"]))


def test_without_one_a_record_is_refused_or_read_as_it_is(spark: SparkSession, tmp_path: Path, sources: Path) -> None:
    lines = CONTENT.splitlines()
    content = b"\n".join([lines[0], lines[1], b"2,x,bien,trop", b'3,"x","bien"'])
    rows = rows_of(spark, tmp_path, sources, content, PLAIN)
    assert [(r["problem"], r["text"]) for r in rows] == [("not_csv", None), ("not_csv", None), (None, "bien")]
    assert 'escape = "\\\\"' in rows[0]["problem_detail"]
    assert "escape" not in rows[1]["problem_detail"]


def test_ends_that_never_end_are_bounded(tmp_path: Path, sources: Path) -> None:
    content = b"id,critique\n" + b"1,x\\\n" * 12_000 + b"2,fin\n"
    _, rows = take(written(tmp_path / "a.csv", content), tmp_path, MINE, sources=sources)
    assert sum(bytes(row["raw"]).count(b"\n") + 1 for row in rows) == 12_001  # type: ignore[call-overload]
    content += b"3,autre\n"
    _, rows = take(written(tmp_path / "b.csv", content), tmp_path, MINE, sources=sources, max_record_bytes=1000)
    assert {row["problem"] for row in rows} == {"too_long", None}
    assert sum(int(str(row["raw_bytes"])) for row in rows) == len(content) - len(b"id,critique\n")


FIELD = st.text(st.sampled_from('ab,"\\\n N'), min_size=1, max_size=12).filter(lambda text: text.strip(" \nNa"))


def as_mysql(value: str) -> str:
    escaped = "".join(f"\\{c}" if c in '\\"' else c for c in value)
    return f'"{escaped}"'


@hypothesis_settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(FIELD, min_size=20, max_size=80))
def test_what_mysql_writes_comes_back(spark: SparkSession, tmp_path: Path, sources: Path, texts: list[str]) -> None:
    content = "id,critique\n" + "".join(f"{n},{as_mysql(text)}\n" for n, text in enumerate(texts))
    rows = rows_of(spark, tmp_path, sources, content.encode(), MINE)
    assert [(r["own_id"], r["text"]) for r in rows] == [(str(n), text) for n, text in enumerate(texts)]
