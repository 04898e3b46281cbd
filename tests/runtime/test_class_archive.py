"""Spark's driver takes its classes from an archive, in the class path that spark-submit composes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from sentiment import settings
from sentiment.runtime import class_archive, jars
from sentiment.runtime import spark as sessions
from sentiment.settings import Settings

pytestmark = pytest.mark.spark
LOADED = "org.apache.spark.deploy.SparkSubmit "


@pytest.fixture(scope="module")
def config(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings with a cache of their own, which has the jars and no archive."""
    config = settings.load()
    jars.fetch(config, lambda _: None)
    own = tmp_path_factory.mktemp("cache")
    (own / "jars").symlink_to(config.cache / "jars")
    return config.model_copy(update={"cache": own, "home": own, "spark_master": "local[1]"})


def submit(config: Settings, folder: Path, conf: dict[str, str]) -> str:
    """Submit a job that does nothing; return Java's log of the classes it loaded."""
    job, log = folder / "job.py", folder / "classes.log"
    job.touch()
    conf = conf | {
        "spark.driver.extraJavaOptions": f"{conf['spark.driver.extraJavaOptions']} -Xlog:class+load:file={log}"
    }
    command = [str(Path(sys.executable).parent / "spark-submit"), "--master", config.spark_master]
    command += [argument for name, value in conf.items() for argument in ("--conf", f"{name}={value}")]
    env = {**os.environ, **sessions.environment(config)}
    subprocess.run([*command, str(job)], env=env, check=True, capture_output=True)
    return log.read_text("utf-8")


def own_jar(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "own.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return folder / "own.jar"


def test_the_second_job_takes_its_classes_from_the_archive_of_the_first(config: Settings, tmp_path: Path) -> None:
    sessions.make_scratch(config)
    first = sessions.conf(config, 1, list_classes=True)
    assert "DumpLoadedClassList" in first["spark.driver.extraJavaOptions"]
    assert not class_archive.is_due(config)
    source = [line for line in submit(config, tmp_path, first).splitlines() if LOADED in line]
    assert "shared objects file" not in source[0]
    assert class_archive.is_due(config)

    assert class_archive.make(config)
    assert not class_archive.is_due(config)
    for rows in (1, sessions.SMALL_ROWS + 1):  # either collector
        then = sessions.conf(config, rows, list_classes=True)
        assert "DumpLoadedClassList" not in then["spark.driver.extraJavaOptions"]
        loaded = submit(config, tmp_path, then).splitlines()
        source = [line for line in loaded if LOADED in line]
        assert "shared objects file" in source[0]
        assert sum("shared objects file" in line for line in loaded) > 0.9 * len(loaded)


def test_another_jar_has_another_archive(config: Settings, tmp_path: Path) -> None:
    other = config.model_copy(update={"jars": str(own_jar(tmp_path).parent)})
    flags = class_archive.list_classes(other)
    os.utime(tmp_path / "own.jar", (1, 1))
    assert class_archive.list_classes(other)[0].split(".")[0] != flags[0].split(".")[0]


def test_lists_without_an_archive_are_few_and_old_archives_go(config: Settings, tmp_path: Path) -> None:
    other = config.model_copy(update={"jars": str(own_jar(tmp_path).parent), "cache": tmp_path})
    for _ in range(class_archive.MOST_LISTS):
        Path(class_archive.list_classes(other)[0].partition("=")[2]).write_text("java/lang/Object id: 0\n", "utf-8")
    assert not class_archive.list_classes(other)
    unused = tmp_path / "classes" / "0123456789abcdef.jsa"
    unused.touch()
    long_ago = time.time() - class_archive.UNUSED_S - 60
    os.utime(unused, (long_ago, long_ago))
    assert class_archive.make(other)
    assert not unused.exists()
    assert not [path for path in unused.parent.iterdir() if path.suffix not in (".jsa", ".lock")]
