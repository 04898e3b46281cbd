"""A temporary home for a measurement, with a Postgres server of its own; everything is removed afterwards."""

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
    """Yield the settings of a temporary home, whose reviews database is migrated and knows the default model."""
    # Settings of the shell must not lead to its databases.
    environment = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SENTIMENT_")}
    with tempfile.TemporaryDirectory(prefix="sentiment-bench-") as folder:
        # Postgres refuses to run as root: where we are root, its server runs as another user, who must get in.
        Path(folder).chmod(0o755)
        os.environ["SENTIMENT_HOME"] = folder
        try:
            yield _ready()
        finally:
            machine.postgres(settings.load()).destroy()
            del os.environ["SENTIMENT_HOME"]
            os.environ.update(environment)
            settings.load.cache_clear()


def _ready() -> Settings:
    settings.load.cache_clear()
    jars.fetch(settings.load(), progress=lambda _: None)
    machine.start_postgres(settings.load())
    # Only now do the settings have the databases' addresses.
    settings.load.cache_clear()
    migrate.upgrade()
    registry.register(registry.find(settings.load().model, settings.load()))
    return settings.load()


def driver_bytes(session: SparkSession) -> float:
    """Return the driver's memory in bytes: Python's peak resident memory and the Java heap after a collection."""
    jvm = session.sparkContext._jvm
    assert jvm is not None
    jvm.System.gc()
    runtime = jvm.Runtime.getRuntime()
    return (
        float(runtime.totalMemory() - runtime.freeMemory()) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )


def reset_peak() -> int:
    """Let the peak of this process's resident memory begin anew, at what it has now; return that, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    return peak_bytes()


def peak_bytes() -> int:
    """Return the peak of this process's resident memory, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
