"""The copy that a model is scored with is made once by each version of the code that makes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from sentiment import settings
from sentiment.scoring import network, registry


def test_a_copy_is_used_again_until_other_code_makes_its_own(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = registry.find("cinema-fr", settings.load())
    first = network.served_copy(spark, bundled, tmp_path)
    os.utime(first, (0, 0))
    assert network.served_copy(spark, bundled, tmp_path) == first
    assert first.stat().st_mtime > 0, "so that maintain_store leaves it"
    monkeypatch.setattr(network, "_code_hash", lambda: "later")
    later = network.served_copy(spark, bundled, tmp_path)
    assert sorted(path.name for path in later.iterdir()) == ["assets", "model.onnx"]
    assert set(tmp_path.iterdir()) == {first, later}, "a running job may hand out the first to new executors"
