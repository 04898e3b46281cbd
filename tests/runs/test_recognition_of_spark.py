"""What a real Spark session raises is recognised: a full disk, a wrong plan, an error in a Python worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import functions as F
from sentiment.errors import DiskFullError, ProgramError, SentimentError
from sentiment.runs.recognition import recognised

from tests.kit.disks import fill

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

RAISED = (Py4JJavaError, AnalysisException, PythonException)


def error_of(action: Callable[[], object]) -> SentimentError:
    with pytest.raises(RAISED) as raised:
        action()
    return recognised(raised.value)


def test_a_full_disk_below_the_workspace(spark: SparkSession, small_disk: Path) -> None:
    frame = spark.range(100_000).select(F.sha2(F.col("id").cast("string"), 256).alias("text"))
    fill(small_disk)
    assert type(error_of(lambda: frame.write.parquet(f"file://{small_disk}/part"))) is DiskFullError


def test_errors_of_own_code_on_executors_and_in_plans(spark: SparkSession) -> None:
    def look_up(text: str) -> str:
        return {"a": text}["text"]

    looked_up = spark.range(1).select(F.udf(look_up)(F.col("id").cast("string")))
    error = error_of(looked_up.collect)
    assert type(error) is ProgramError
    assert "KeyError" in error.message
    assert type(error_of(lambda: spark.sql("SELECT nope FROM VALUES (1) AS t(id)"))) is ProgramError
