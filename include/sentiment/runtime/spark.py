"""Start a Spark session, or give spark-submit the same settings."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.runtime import class_archive, jars, java

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Age in seconds of a temporary file that no session needs: the longest task, a rescoring, may take three days.
STALE_S = 7 * 24 * 3600
SMALL_ROWS = 10_000
"""Rows of a small run: it is over before Java's better compiler and collector have earned what they cost."""
QUIET = Path(__file__).parent / "quiet-log4j2.properties"
LANGUAGE_DAEMON = "sentiment.quality.language_daemon"
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
"""With one compiler alone Java reserves 48 MiB for code, which a dozen small nights in one process fill: a fifth of the
time then goes into evicting code, and what is evicted is interpreted. 240 MiB is what it reserves otherwise.
"""


def conf(
    config: settings.Settings, rows: int | None = None, list_classes: bool = False, detects_language: bool = False
) -> dict[str, str]:
    """Return the Spark settings of a session, however it is started; SENTIMENT_SPARK_CONF overrides them.

    `rows` is about how many rows the session works on; None where that is not known. With `list_classes` Java lists
    its classes for the archive, where there is none yet.
    """
    local = config.spark_master.startswith("local")
    small = local and rows is not None and rows <= SMALL_ROWS
    scratch = _scratch(config)
    # TensorFlow's natives unpack 422 MB; without this into ~, which may be small.
    natives = f"-Dorg.bytedeco.javacpp.cachedir={config.cache}/javacpp"
    paths = [str(path) for path in jars.spark_jars(config)]
    values = {
        "spark.driver.extraClassPath": ":".join(paths),
        # As sparknlp.start() sets them; start() itself would set local[*] and 16 GB of memory, too.
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryoserializer.buffer.max": "2000M",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Spark NLP's default of six threads a task makes tasks fight for the cores.
        "spark.jsl.settings.onnx.intraOpNumThreads": "1",
        # `dump.values` turns times into days in Paris itself, which is right only in a session that reads days in UTC.
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
        "spark.sql.shuffle.partitions": "2" if small else "8",
        "spark.driver.memory": config.spark_driver_memory,
        "spark.executor.memory": config.spark_executor_memory,
        "spark.sql.warehouse.dir": str(config.home / "spark" / "warehouse"),
        # Else Derby writes its log into whatever folder the job was started in.
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={config.home}/spark -Djava.io.tmpdir={scratch} "
        f"-Duser.timezone=UTC {natives}",
        "spark.executor.extraJavaOptions": natives,
        "spark.local.dir": str(scratch),
    }
    if local:
        # Where everything runs on one machine, nothing has to listen on an address that others reach.
        values |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        flags = [*class_archive.use(config), *(class_archive.list_classes(config) if list_classes else ())]
        flags += [QUICK_JAVA] if small else []
        if detects_language and config.check_language:
            values["spark.python.daemon.module"] = LANGUAGE_DAEMON
        values["spark.driver.extraJavaOptions"] = " ".join([values["spark.driver.extraJavaOptions"], *flags])
    else:
        # Tasks fetch these from the driver; one that shares its process would copy 150 MB for nothing.
        values["spark.jars"] = ",".join(paths)
    return values | config.spark_conf


def environment(config: settings.Settings) -> dict[str, str]:
    """Return the variables a process needs to start Spark: Java, Python, and loopback where all is on one machine."""
    values = {**java.java_environment(), "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    if config.spark_master.startswith("local"):
        values["SPARK_LOCAL_IP"] = "127.0.0.1"
    return values


def make_scratch(config: settings.Settings) -> None:
    """Make the folder of the driver's temporary files, and remove those of sessions that were killed long ago."""
    _scratch(config).mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _scratch(config).iterdir():
        with suppress(FileNotFoundError):  # its session ends at this moment
            if time.time() - path.stat().st_mtime > STALE_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _scratch(config: settings.Settings) -> Path:
    return config.home / "spark" / "tmp"


def session(
    app_name: str,
    rows: int | None = None,
    quiet: bool = False,
    config: settings.Settings | None = None,
    detects_language: bool = False,
) -> SparkSession:
    """Return this process's Spark session, started if there is none, by the settings for about so many rows.

    A quiet one prints errors only.
    """
    from pyspark.sql import SparkSession

    config = config or settings.load()
    # Before the builder: PySpark starts Java with the environment of this process.
    os.environ.update(environment(config))
    make_scratch(config)
    builder = SparkSession.builder.appName(app_name).master(config.spark_master)
    values = conf(config, rows, detects_language=detects_language)
    if quiet:
        # By a file: Java prints its banner before Python can set a level.
        values["spark.driver.extraJavaOptions"] += f" -Dlog4j2.configurationFile={QUIET.as_uri()}"
    for name, value in values.items():
        builder = builder.config(name, value)
    with _no_output() if quiet else nullcontext():
        spark = builder.getOrCreate()
    _look_up_once(spark)
    spark.sparkContext.setLogLevel("ERROR" if quiet else "WARN")
    return spark


def _look_up_once(spark: SparkSession) -> None:
    """Keep the Java classes that PySpark looks up anew for every column: an eighth of the driver's time in a small run.

    py4j looks for each in every package that PySpark imports, which are entries of a hundred jars.
    """
    for name in ("functions", "PythonUtils", "SparkSession"):
        setattr(spark._jvm, name, getattr(spark._jvm, name))


@contextmanager
def _no_output() -> Iterator[None]:
    """Let processes that are started inside print nothing to standard output; errors still go to standard error."""
    # By the descriptor, which Java inherits: Spark NLP prints there, past every logger.
    sys.stdout.flush()
    own, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(own, 1)
        os.close(own)
        os.close(nothing)
