"""Parts are written as they are declared, and staging tables are what the declarations say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sentiment import schemas
from sentiment.database import transaction
from sentiment.embedded.machine import Machine
from sentiment.schemas import PARTS, STAGED, PartSchemaError
from sentiment.store.staging import Staging
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_the_review_keeps_the_columns_its_hash_covers() -> None:
    assert schemas.CONTENT == (
        "item_id", "item_type", "item_title", "author", "rating", "review_date", "title", "text", "polarity"
    )  # fmt: skip
    assert schemas.ACCEPTED.names == ("source", *schemas.POSITION, "review_id", *schemas.CONTENT, *schemas.VERSION[9:])


@pytest.mark.parametrize("schema", PARTS.values(), ids=PARTS.keys())
def test_every_column_is_declared_once_and_described(schema: schemas.PartSchema) -> None:
    assert len(schema.by_name) == len(schema.columns)
    assert all(column.meaning for column in schema.columns)


def test_an_undeclared_part_is_refused() -> None:
    with pytest.raises(PartSchemaError, match="rubbish"):
        schemas.of_part("rubbish", "night=2026-11-22/run=x")


def test_a_frame_is_written_only_as_its_part_declares(spark: SparkSession, tmp_path: Path) -> None:
    workspace, schema = Workspace(str(tmp_path)), schemas.QUARANTINED
    frame = spark.createDataFrame([], schema.spark_ddl)
    written = workspace.write(frame, "quarantined", "night=2026-11-22/run=x", 1, 0, "")
    assert workspace.read(spark, [written]).columns == list(schema.names)
    wrong = {
        "record_no is int, expected bigint": frame.withColumn("record_no", frame.record_no.cast("int")),
        "raw_sha256 is missing": frame.drop("raw_sha256"),
        "rule_x is boolean, expected no such column": frame.selectExpr("*", "true AS rule_x"),
    }
    for fault, other in wrong.items():
        with pytest.raises(PartSchemaError) as raised:
            workspace.write(other, "quarantined", "night=2026-11-22/run=x", 2, 0, "")
        assert "quarantined" in str(raised.value)
        assert fault in str(raised.value)
    assert not workspace.exists("quarantined/night=2026-11-22/run=x/token=2")


def test_flags_of_rules_are_columns_of_judged_alone(spark: SparkSession) -> None:
    frame = spark.createDataFrame([], schemas.JUDGED.spark_ddl).selectExpr("*", "true AS rule_readable")
    schemas.JUDGED.check(frame)
    with pytest.raises(PartSchemaError, match="rule_readable"):
        schemas.JUDGED.check(frame.withColumn("rule_readable", frame.rule_readable.cast("string")))


STAGED_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute
WHERE attrelid = cast(:name AS regclass) AND attnum > 0 ORDER BY attnum"""


def test_staging_tables_have_the_declared_columns(ready: Machine) -> None:
    staging = Staging("20261122-0a1b2c3d", 1)
    staging.create()
    try:
        for kind, schema in STAGED.items():
            with transaction() as c:
                rows = c.execute(sa.text(STAGED_COLUMNS), {"name": staging.table(kind)}).all()
                declared = {
                    column.name: c.execute(sa.text("SELECT cast(cast(:t AS regtype) AS text)"), {"t": column.postgres})
                    for column in schema.columns
                    if column.postgres
                }
                assert {row.attname: row.type for row in rows} == {n: t.scalar_one() for n, t in declared.items()}
            assert tuple(row.attname for row in rows) == schema.staged
    finally:
        staging.drop()
