"""What functions share that run in Python on executors; apart from `contract`, since pandas takes a while to import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from zipimport import zipimporter

import pandas as pd
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf


def forget_archives() -> None:
    """Drop archives from the import cache; each of our functions on executors calls it.

    The next task's Python then starts in a tenth of the time.

    Spark has every task's Python invalidate its import caches, and until Python 3.13 that reads the directory of every
    archive on its path again, pyspark.zip sixteen times: 0.1 s. An archive that is needed after all is found again.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]


def mapped(texts: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """Return `function` of each text, null of null."""
    # As objects: Arrow can't take back a series of pandas' strings that are all null.
    return pd.Series([function(t) if isinstance(t, str) else None for t in texts], dtype="object")


def of_texts(text: Column, function: Callable[[str], str]) -> Column:
    """Return a column of `function` of each text, null of null."""

    def map_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        forget_archives()
        for texts in batches:
            yield mapped(texts, function)

    return pandas_udf(map_batches, "string")(text)  # type: ignore[call-overload, no-any-return]
