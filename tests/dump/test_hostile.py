"""Hostile dumps: nothing is lost, every refusal has its reason, and memory stays bounded."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sentiment.quality import rules
from sentiment.settings import Settings

from tests.intake import NIGHT, through

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LINE = '{"id": "%d", "review": %s}\n'
DEEP = "[" * 900 + "]" * 900
WIDE = ", ".join(f'"c{i}": {i}' for i in range(10_000))

CORPUS: dict[str, tuple[bytes, list[str]]] = {
    # file -> bytes, and what becomes of each record: accepted, duplicate, or the first rule that it fails
    "bom.jsonl": (b'\xef\xbb\xbf{"review": "Un tr\xc3\xa8s beau film."}\n', ["accepted"]),
    "nul.jsonl": (b'{"review": "mal\\u0000venu"}\n{"review": "mal\x00venu"}\n', ["no_nul", "readable"]),
    "surrogate.jsonl": (b'{"review": "seul \\ud83d ici"}\n{"review": "paire \\ud83d\\ude00 ici"}\n',
                        ["no_lone_surrogate", "accepted"]),
    "cp1252.jsonl": ('{"review": "ok"}\n{"review": "déçu"}\n'.encode("cp1252"), ["accepted", "readable"]),
    "mojibake.jsonl": ('{"review": "trÃ¨s dÃ©cevant, câ€™est long"}\n'.encode(), ["not_mojibake"]),
    "nested.jsonl": (b'{"review": {"text": "a"}, "note": [4]}\n{"review": ["x"]}\n', ["accepted", "readable"]),
    "deep.jsonl": (f'{{"review": "a", "x": {DEEP}}}\n{{"review": "b", "x": {"[" * 99_999}}}\n'.encode(),
                   ["accepted", "readable"]),
    "wide.jsonl": (b'{"review": "a"}\n' + f'{{"review": "Large.", {WIDE}}}\n'.encode(),
                   ["accepted", "readable"]),
    "two_in_a_line.jsonl": (b'{"review": "a"}\n{"review": "a"}{"review": "b"}\n{"review": "a"},\n',
                            ["accepted", "readable", "readable"]),
    "scalars.jsonl": (b'{"review": "a"}\n12\nnull\n"text"\n[]\n{}\n', ["accepted", *["readable"] * 4, "text_present"]),
    "same.jsonl": ((LINE % (1, '"Bien."') + LINE % (1, '"Autre."') + LINE % (2, '"Bien."')).encode(),
                   ["accepted", "same_id_other_review", "accepted"]),
    "ragged.csv": (b"id;review\n10;a\n11\n12;b;c\n13;\"d\n\n\"\"d\"\n14;\"open\n",
                   ["accepted", "readable", "readable", "accepted", "readable"]),
    "blank.csv": (b'id,review\n20," "\n21,"<br/>"\n22,"&nbsp;"\n', ["no_text", "text_not_markup", "text_present"]),
    "array.json": (b'[{"id": "30", "review": "a"}, {"id": "31", "review": nul}, 3, {"id": "30", "review": "a"}]',
                   ["accepted", "readable", "readable", "duplicate"]),
    "numbers.jsonl": (b'{"review": 12, "note": 1e400, "date": 99999999999999999999}\n{"review": true, "note": NaN}\n',
                      ["accepted", "accepted"]),
    "pandas.jsonl": (b'{"id": 12345678.0, "review": "a"}\n{"id": 12345678, "review": "a"}\n'
                     b'{"id": NaN, "author": NaN, "review": "Bien."}\n{"id": NaN, "author": NaN, "review": "Mal."}\n'
                     b'{"id": 77, "date": 1700000000.5, "review": "Rien."}\n{"id": 78, "review": NaN}\n',
                     ["accepted", "duplicate", "accepted", "accepted", "accepted", "no_text"]),
    "excel.csv": (b"id;review;;\n80;Bien.;;\n", ["accepted"]),
    "wide.csv": (b"id;review\n60;Bien.\n61" + b";" * 20_500 + b"\n62;Mal.\n", ["accepted", "readable", "accepted"]),
    "entities.jsonl": (b'{"review": "Un &#0; film"}\n{"review": "Film &#xD83D; &#1114112; magnifique et touchant"}\n',
                       ["no_nul", "accepted"]),
}  # fmt: skip


def test_the_corpus(spark: SparkSession, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for name, (content, _) in CORPUS.items():
        (drop / name).write_bytes(content)
    config = Settings(home=tmp_path, max_record_bytes=1 << 20)
    accepted, quarantined, duplicates, n_read, _ = through(spark, drop, config)
    assert n_read == len(accepted) + len(quarantined) + len(duplicates)
    became = {(r["file_no"], r["record_no"]): r["reasons"][0] for r in quarantined}
    became |= {(r["file_no"], r["record_no"]): "accepted" for r in accepted}
    became |= {(r["file_no"], r["record_no"]): "duplicate" for r in duplicates}
    names = sorted(CORPUS)
    by_file = {name: [became[n, k] for n, k in sorted(became) if n == names.index(name)] for name in names}
    assert by_file == {name: outcome for name, (_, outcome) in CORPUS.items()}
    assert all(r["details"] and "unknown" not in r["details"] for r in quarantined)
    assert all(bool(r["raw"]) == ("no_text" not in r["reasons"]) for r in quarantined)
    known = {rule.name for rule in rules.table(config, NIGHT)}
    assert {reason for r in quarantined for reason in r["reasons"]} <= known


TEXTS = st.text(max_size=60) | st.sampled_from(["Un film magnifique.", "<b></b>", " ", "\x00", "Ã©", "http://x.fr"])
CSV_LINES = st.lists(TEXTS, min_size=1, max_size=5).map(lambda cells: ";".join(cells).encode("utf-8", "replace"))


@hypothesis_settings(max_examples=3, deadline=None, phases=[Phase.generate], database=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large])  # fmt: skip
@given(st.lists(CSV_LINES, min_size=60, max_size=120))
def test_whatever_comes_as_a_table_is_accepted_quarantined_or_duplicate(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    drop = folder / "drop"
    drop.mkdir()
    (drop / "b.csv").write_bytes(b"id;note;date;review\n1;2;;Un beau film\n" + b"\n".join(rows))
    pq.write_table(pa.table({"review": [str(r, "utf-8", "replace") for r in rows]}), drop / "c.parquet")
    accepted, quarantined, duplicates, n_read, _ = through(spark, drop, Settings(home=folder))
    positions = Counter((r["file_no"], r["record_no"]) for r in [*accepted, *quarantined, *duplicates])
    assert n_read == len(positions) == positions.total() > len(rows)
    assert all(r["reasons"] and r["details"].count("\n") + 1 == len(r["reasons"]) for r in quarantined)


MEASURED = """
import resource, sys
from pathlib import Path
from sentiment.dump.receive import receive
from sentiment.workspace import Workspace
from sentiment.settings import Settings
home = Path(sys.argv[1])
(home / "small").mkdir()
(home / "small" / "a.jsonl").write_bytes(b'{"review": "a"}' + bytes([10]))
receive(str(home / "small"), Settings(home=home), Workspace(str(home / "lake")))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dump = receive(sys.argv[2], Settings(home=home), Workspace(str(home / "lake")))
print(dump.files[0].n_records, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_line_of_100_mb_costs_no_more_memory_than_a_record_may(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as out:
        out.write(b'{"review": "ok"}\n{"review": "')
        for _ in range(100):
            out.write(b"x" * (1 << 20))
        out.write(b'"}\n{"review": "ok"}\n')
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEASURED, str(tmp_path), str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    n_records, grown_mib = map(int, done.stdout.split()[-2:])
    assert n_records == 3
    assert grown_mib < 4 * 16, "at most a few times SENTIMENT_MAX_RECORD_BYTES"
