"""Prepared text, sentences and cuts are those of the golden file, or the versions in fingerprints are raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.scoring import registry

from tools import make_golden

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PINNED = Path(__file__).parents[1] / "golden" / "prepared.jsonl"
AGAIN = "raise PREPARATION_VERSION or CHUNK_RULE, then: python tools/make_golden.py --help"


def test_prepared_text_is_that_of_the_golden_file(spark: SparkSession, home: Path) -> None:
    versions, *rows = [json.loads(line) for line in PINNED.read_text("utf-8").splitlines()]
    assert versions == make_golden.VERSIONS, AGAIN
    vocabulary = registry.find("demo-fr", settings.load()).vocabulary()
    assert make_golden.prepared(spark, [row["text"] for row in rows], vocabulary) == rows, AGAIN
    assert any(row["chunks"] for row in rows)


def test_the_tool_refuses_a_change_without_a_new_version(
    spark: SparkSession, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.runtime.spark.session", lambda _: spark)
    model = registry.find("demo-fr", settings.load()).folder
    other = tmp_path / "other.jsonl"
    other.write_text(PINNED.read_text("utf-8").replace('"prepared": "', '"prepared": "x', 1), "utf-8")
    with pytest.raises(SystemExit, match="Raise PREPARATION_VERSION"):
        make_golden.pin(other, other, model)
    monkeypatch.setattr(make_golden, "VERSIONS", {"preparation_version": 99})
    make_golden.pin(other, other, model)
    assert other.read_text("utf-8").splitlines()[1:] == PINNED.read_text("utf-8").splitlines()[1:]
