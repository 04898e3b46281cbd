"""Where Spark leaves what a session needs, and how that is cleared."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pyspark.sql import SparkSession
from sentiment import settings
from sentiment.runtime import spark as sessions


def test_java_leaves_its_temporary_files_with_sparks(spark: SparkSession) -> None:
    java = spark.sparkContext._jvm.java.lang.System  # type: ignore[union-attr]
    assert java.getProperty("java.io.tmpdir") == spark.conf.get("spark.local.dir")


def test_temporary_files_of_a_killed_session_go_and_those_in_use_stay(tmp_path: Path) -> None:
    config = settings.load().model_copy(update={"home": tmp_path})
    sessions.make_scratch(config)
    scratch = Path(sessions.conf(config)["spark.local.dir"])
    for name in ("killed_onnx", "running_onnx"):
        (scratch / name).mkdir()
        (scratch / name / "model.onnx").touch()
    (scratch / "killed.so").touch()
    week_ago = time.time() - sessions.STALE_S - 60
    for name in ("killed_onnx", "killed.so"):
        os.utime(scratch / name, (week_ago, week_ago))
    sessions.make_scratch(config)
    assert [path.name for path in scratch.iterdir()] == ["running_onnx"]
