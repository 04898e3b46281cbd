"""Parts are counted and opened by what their files say, without a Spark job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import parquet
from pyspark.sql import functions as F
from sentiment import contract, schemas
from sentiment.workspace import Part, Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

KEY = "night=2026-11-22/run=x"


def duplicates(spark: SparkSession, n: int) -> DataFrame:
    rows = spark.range(n).withColumn("review_id", F.substring(F.sha2(F.col("id").cast("string"), 256), 1, 32))
    values = {name: f"CAST(NULL AS {column.spark}) AS {name}" for name, column in schemas.DUPLICATE.by_name.items()}
    return rows.selectExpr(*(values | {"review_id": "review_id"}).values())


def n_jobs(spark: SparkSession) -> int:
    return int(spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs())


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_a_part_is_counted_as_spark_counts_it(spark: SparkSession, tmp_path: Path, n: int) -> None:
    workspace, frame = Workspace(str(tmp_path)), duplicates(spark, n).repartition(3)
    part = workspace.write(frame, "duplicate", KEY, 1, 0, "")
    before = n_jobs(spark)
    counted, without_key = workspace.counted(part, "review_id"), workspace.counted(part)
    assert n_jobs(spark) == before
    assert (counted.rows, without_key.rows, without_key.checksum) == (n, n, "")
    assert counted.checksum == frame.agg(contract.key_checksum()).collect()[0][0]


def test_a_part_that_spark_wrote_is_opened_without_a_job(spark: SparkSession, tmp_path: Path) -> None:
    workspace, frame = Workspace(str(tmp_path)), duplicates(spark, 10)
    part = workspace.write(frame, "duplicate", KEY, 1, 0, "")
    before = n_jobs(spark)
    opened = workspace.read(spark, [part])
    assert n_jobs(spark) == before
    assert [(f.name, f.dataType) for f in opened.schema] == [(f.name, f.dataType) for f in frame.schema]
    assert opened.orderBy("review_id").collect() == frame.orderBy("review_id").collect()


def test_a_part_of_another_writer_is_opened_by_its_own_schema(spark: SparkSession, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"raw": [b"x"], "record_no": [7]}), tmp_path / "part.parquet")
    opened = Workspace(str(tmp_path)).read(spark, [Part(["part.parquet"], 1, "")])
    assert [tuple(row) for row in opened.collect()] == [(b"x", 7)]
