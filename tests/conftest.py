"""Heavy things, started once a session: a home of its own, Postgres, a Spark session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.embedded import machine
from sentiment.local import nights
from sentiment.runtime import jars
from sentiment.samples import sample_dump
from sentiment.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NIGHT = date(2026, 11, 19)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A SENTIMENT_HOME of this test session; nothing of the checkout's own state is read or written."""
    folder = Path(tempfile.mkdtemp(prefix="sentiment-tests-"))
    folder.chmod(0o755)
    for name in [n for n in os.environ if n.startswith(("SENTIMENT_", "AIRFLOW"))]:
        del os.environ[name]
    os.environ["SENTIMENT_HOME"] = str(folder)
    settings.load.cache_clear()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ready(home: Path) -> Iterator[machine.Machine]:
    """The whole machine of this home: jars, Postgres, both databases migrated."""
    config = settings.load()
    prepared = machine.prepare(config, lambda _: None)
    yield prepared
    machine.postgres(config).destroy()


@pytest.fixture
def config(ready: machine.Machine) -> Settings:
    """The settings of the session's machine."""
    return settings.load()


@pytest.fixture(scope="session")
def spark(home: Path) -> Iterator[SparkSession]:
    """One Spark session with the jars, for all tests."""
    from sentiment.runtime import spark as sessions

    os.environ["SENTIMENT_SPARK_MASTER"] = "local[2,4]"  # tasks are tried again, as on a cluster
    settings.load.cache_clear()
    for part in ("base", jars.TENSORFLOW):
        jars.fetch(settings.load(), lambda _: None, part)
    session = sessions.session("tests")
    del os.environ["SENTIMENT_SPARK_MASTER"]
    settings.load.cache_clear()
    gateway = session.sparkContext._gateway
    yield session
    session.stop()
    if gateway is not None:
        gateway.shutdown()  # else py4j says goodbye to a closed log when Python ends


@pytest.fixture(scope="session")
def night(ready: machine.Machine) -> date:
    """A small night with every kind of record, published through the real DAG once for all tests."""
    config = settings.load()
    path = config.home / "dumps" / f"allocine-{NIGHT}.jsonl.gz"
    sample_dump.write(sample_dump.SampleDump(night=NIGHT, n_reviews=200, defect_share=0.05), path)
    nights.run({"dump": str(path), "night": NIGHT.isoformat(), "sentences": True}, lambda _: None)
    return NIGHT
