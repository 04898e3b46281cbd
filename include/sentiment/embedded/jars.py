"""The jars that Spark NLP's wheel only wraps: fetched once by pyspark's own Ivy, checked, kept in a cache."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from sentiment.embedded import java
from sentiment.errors import InfrastructureError, SetupError
from sentiment.settings import Settings

MANIFEST = Path(__file__).parent / "jars_manifest"
PATTERN = "[artifact]-[revision](-[classifier]).[ext]"
HOST = re.compile(r"https?://[^/\s]+/\S*/")
Progress = Callable[[str], None]


def expected(configuration: str = "base", sums: Path = MANIFEST / "sha256.txt") -> dict[str, str]:
    """File name -> SHA-256 of every jar in a configuration of the manifest."""
    rows = (line.split() for line in sums.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name, part in rows if part == configuration}


def spark_jars(config: Settings) -> list[Path]:
    """The jars a session needs, from SENTIMENT_JARS or the cache; SetupError where one is missing."""
    if config.jars:
        found = sorted(Path(config.jars).expanduser().glob("*.jar"))
        if not found:
            raise SetupError(f"SENTIMENT_JARS={config.jars} holds no jar.", "unset SENTIMENT_JARS and: make nightly")
        return found
    paths = [config.cache / "jars" / name for name in sorted(expected())]
    missing = [p.name for p in paths if not p.exists()]
    if missing:
        raise SetupError(f"{len(missing)} of {len(paths)} jars are missing, e.g. {missing[0]}.", "make nightly")
    return paths


def fetch(config: Settings, progress: Progress, configuration: str = "base") -> None:
    """Fetch what is missing of a configuration, verify it, and move it into the cache.

    Raises InfrastructureError where the registry can't be reached or a sum does not match.
    """
    folder, sums = config.cache / "jars", expected(configuration)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if all((folder / name).exists() for name in sums):
            progress(f"{len(sums)} jars there already")
            return
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            _ivy(config, configuration, Path(beside), progress)
            verify(Path(beside), sums)
            for name in sums:
                (Path(beside) / name).replace(folder / name)


def verify(folder: Path, sums: dict[str, str]) -> None:
    """Compare every file with its sum; InfrastructureError naming the first that differs."""
    for name, digest in sums.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise InfrastructureError(
                f"{name} is not the file it should be: SHA-256 {found}, expected {digest}.", "make nightly"
            )


def _ivy(config: Settings, configuration: str, target: Path, progress: Progress) -> None:
    spark = find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise SetupError("pyspark is not installed here.", "rm -rf .venv && make nightly")
    ivy = next((Path(spark.origin).parent / "jars").glob("ivy-*.jar"))
    command = [str(java.java_home() / "bin" / "java"), *java.trust_flags(config.cache), "-jar", str(ivy)]
    command += ["-settings", str(MANIFEST / "ivysettings.xml"), "-cache", str(config.cache / "ivy")]
    command += ["-ivy", str(MANIFEST / "ivy.xml"), "-confs", configuration, "-retrieve", f"{target}/{PATTERN}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = list(_told(process.stdout, progress))
    if process.returncode or not any(target.iterdir()):
        errors = [HOST.sub("…/", line.strip()) for line in said if "rror" in line or "not found" in line]
        raise InfrastructureError(
            f"The jars could not be fetched: {(errors or said or ['Ivy said nothing'])[-1]}",
            "check the way to the Maven registry (proxy, SSL_CERT_FILE), then: make nightly",
        )


def _told(lines: Iterator[str], progress: Progress) -> Iterator[str]:
    for line in lines:
        done = re.search(r"\[SUCCESSFUL \] \S+?#(\S+?)!\S+ \((\d+)ms\)", line)
        if done:
            progress(f"{done[1].replace(';', ' ')} in {int(done[2]) / 1000:.1f} s")
        yield line
