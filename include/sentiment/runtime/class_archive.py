"""An archive of the Java classes that Spark's driver loads: parsed and verified once, then mapped from one file.

`python -m sentiment.runtime.class_archive` makes it, from the lists that jobs left of their classes.

Measured on two shared cores, for one session that validates and scores 2,000 reviews: 41.8 s of CPU in place of 46.4,
of which the session's start takes 1.7 in place of 3.1. Making it takes some 25 s of CPU, and it has 180 MB. The bundled
Java has no archive of its own that another could be based on, so this one has Java's classes too.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from sentiment import settings
from sentiment.errors import SetupError
from sentiment.runtime import jars, java
from sentiment.settings import Settings

UNUSED_S = 30 * 24 * 3600
"""Seconds after which an archive that no session used, like an older version's, is removed when another is made."""
MOST_LISTS = 4
"""Lists of classes that wait for an archive at most: one from each job of a night, and some of a failed one."""


def use(config: Settings) -> list[str]:
    """Return the flags by which Java maps the archive; none where there is none."""
    archive = _archive(config)
    with suppress(FileNotFoundError):
        os.utime(archive)
        # Where it doesn't fit after all, Java loads classes as if there were none.
        return [f"-XX:SharedArchiveFile={archive}"]
    return []


def list_classes(config: Settings) -> list[str]:
    """Return the flags by which Java lists its classes for the archive; none where that or enough lists are there."""
    archive = _archive(config)
    if archive.exists() or len(_lists(archive)) >= MOST_LISTS:
        return []
    archive.parent.mkdir(parents=True, exist_ok=True)
    return [f"-XX:DumpLoadedClassList={archive.with_suffix('')}.{uuid4().hex}.classlist"]


def is_due(config: Settings) -> bool:
    """Return whether there are lists of classes, but no archive of them yet."""
    archive = _archive(config)
    return not archive.exists() and bool(_lists(archive))


def make_in_background(config: Settings) -> None:
    """Begin to make the archive, where it is due, in a process that outlives this one by half a minute."""
    if is_due(config):
        env = {**os.environ, **config.resolved_paths()}
        command = [sys.executable, "-P", "-m", __spec__.name]
        subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip


def make(config: Settings) -> bool:
    """Make the archive of the listed classes; return False where another process is at it, or Java made none."""
    archive = _archive(config)
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(archive.with_suffix(".lock"), timeout=0):
            return archive.exists() or _make(config, archive)
    except Timeout:
        return False


def _make(config: Settings, archive: Path) -> bool:
    lists, beside = _lists(archive), archive.with_suffix(f".{os.getpid()}")
    listed = dict.fromkeys(line for path in lists for line in path.read_text("utf-8").splitlines())
    union = beside.with_suffix(".union")
    union.write_text("\n".join(listed), "utf-8")
    command = [str(java.java_home() / "bin" / "java"), "-Xshare:dump", "-XX:SharedClassListFile=" + str(union)]
    command += [f"-XX:SharedArchiveFile={beside}", "-cp", _class_path(config)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    # Also where Java failed: from these lists it would fail again.
    for path in (union, *lists):
        path.unlink(missing_ok=True)
    if done.returncode or not beside.exists():
        beside.unlink(missing_ok=True)
        return False
    beside.replace(archive)
    _remove_unused(archive.parent)
    return True


def _remove_unused(folder: Path) -> None:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process removes it at this moment
            if time.time() - path.stat().st_mtime > UNUSED_S:
                path.unlink()


def _archive(config: Settings) -> Path:
    """Return the archive's file, named by all that decides whether Java takes it: its version, and every jar."""
    paths = [path for entry in _class_path(config).split(":") for path in _expanded(entry)]
    marks = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    release = (java.java_home() / "release").read_text("utf-8")
    digest = hashlib.sha256("\n".join([release, *marks]).encode()).hexdigest()
    return config.cache / "classes" / f"{digest[:16]}.jsa"


def _expanded(entry: str) -> list[Path]:
    folder, _, name = entry.rpartition("/")
    return sorted(Path(folder).glob("*.jar")) if name == "*" else [Path(entry)] if name else []


def _lists(archive: Path) -> list[Path]:
    return sorted(archive.parent.glob(f"{archive.stem}.*.classlist"))


def _class_path(config: Settings) -> str:
    """Return the driver's class path as spark-submit composes it: Java takes no archive of another one."""
    spark = find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise SetupError("pyspark is not installed here.", "rm -rf .venv && make nightly")
    home = Path(spark.origin).parent
    return ":".join([*(str(path) for path in jars.spark_jars(config)), f"{home}/conf/", f"{home}/jars/*"])


if __name__ == "__main__":
    os.nice(19)
    make(settings.load())
