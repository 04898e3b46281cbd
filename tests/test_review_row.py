"""What makes two rows the same review, whatever the rows are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sentiment import contract

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.parametrize("texts", [[None, None], [None, "e\u0301t\u00e9"], ["\u00e9te\u0301"], [""]])
def test_text_hashes_are_of_the_nfc_form_and_null_of_null(spark: SparkSession, texts: list[str | None]) -> None:
    frame = spark.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    hashes = [row["h"] for row in frame.select(contract.text_hash().alias("h")).collect()]
    wanted = {None: None, "": hashlib.sha256(b"").hexdigest()}
    assert hashes == [wanted.get(text, hashlib.sha256("été".encode()).hexdigest()) for text in texts]
