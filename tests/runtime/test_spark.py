"""Where Spark leaves what a session needs, and how that is cleared."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

from pyspark.sql import SparkSession
from sentiment import settings
from sentiment.runtime import spark as sessions


def test_java_leaves_its_temporary_files_with_sparks(spark: SparkSession) -> None:
    java = spark.sparkContext._jvm.java.lang.System  # type: ignore[union-attr]
    # Of the context: a session's own value is what the settings were at the last request.
    assert java.getProperty("java.io.tmpdir") == spark.sparkContext.getConf().get("spark.local.dir")


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


def java_flags(config: settings.Settings, rows: int | None) -> list[str]:
    return sessions.conf(config, rows)["spark.driver.extraJavaOptions"].split()


def test_only_a_small_run_on_this_machine_starts_java_the_quick_way(spark: SparkSession, home: Path) -> None:
    config, quick = settings.load(), set(sessions.QUICK_JAVA.split())
    assert quick <= set(java_flags(config, sessions.SMALL_ROWS))
    elsewhere = config.model_copy(update={"spark_master": "spark://s:7077"})
    for other, rows in ((config, sessions.SMALL_ROWS + 1), (config, None), (elsewhere, 1)):
        assert not quick & set(java_flags(other, rows))
        assert sessions.conf(other, rows)["spark.sql.shuffle.partitions"] == "8"


def test_models_of_languages_are_loaded_once_for_all_workers_of_this_machine(spark: SparkSession, home: Path) -> None:
    config = settings.load()
    loaded = sessions.conf(config, detects_language=True)["spark.python.daemon.module"]
    assert importlib.util.find_spec(loaded)
    # A cluster's executors start their Python where this package may not be on the path yet.
    for other, changed in ((False, {}), (True, {"check_language": False}), (True, {"spark_master": "spark://s:7077"})):
        conf = sessions.conf(config.model_copy(update=changed), detects_language=other)
        assert "spark.python.daemon.module" not in conf


def test_only_a_cluster_is_sent_the_jars(spark: SparkSession, home: Path) -> None:
    config = settings.load()
    here, there = (
        sessions.conf(config.model_copy(update={"spark_master": master})) for master in ("local[*]", "spark://s:7077")
    )
    assert "spark.jars" not in here
    assert there["spark.jars"].split(",") == there["spark.driver.extraClassPath"].split(":")
    assert here["spark.driver.extraClassPath"] == there["spark.driver.extraClassPath"]
