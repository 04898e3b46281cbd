"""A home of its own for a measurement: Postgres started, schema migrated, everything removed afterwards."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.embedded import machine
from sentiment.runtime import jars
from sentiment.scoring import registry
from sentiment.settings import Settings
from sentiment.store import migrate

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def own_home() -> Iterator[Settings]:
    """Settings of a temporary home; the reviews database is up, at the newest revision, with the default model."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SENTIMENT_")}
    with tempfile.TemporaryDirectory(prefix="sentiment-bench-") as folder:
        Path(folder).chmod(0o755)
        os.environ["SENTIMENT_HOME"] = folder
        try:
            yield _ready()
        finally:
            machine.postgres(settings.load()).destroy()
            del os.environ["SENTIMENT_HOME"]
            os.environ.update(kept)
            settings.load.cache_clear()


def _ready() -> Settings:
    settings.load.cache_clear()
    jars.fetch(settings.load(), progress=lambda _: None)
    machine.start_postgres(settings.load())
    settings.load.cache_clear()
    migrate.upgrade()
    registry.register(registry.find(settings.load().model, settings.load()))
    return settings.load()


def driver_bytes(session: SparkSession) -> float:
    """What the driver uses: Python's peak, and the live Java heap after a collection."""
    jvm = session.sparkContext._jvm
    assert jvm is not None
    jvm.System.gc()
    runtime = jvm.Runtime.getRuntime()
    return (
        float(runtime.totalMemory() - runtime.freeMemory()) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
