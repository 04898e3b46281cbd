"""Fetch the jars that Spark NLP's wheel only wraps, once, by the Ivy inside pyspark; verify and cache them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock, Timeout

from sentiment.errors import InfrastructureError, SetupError
from sentiment.runtime import java
from sentiment.settings import Settings

MANIFEST = Path(__file__).parent / "jars_manifest"
PATTERN = "[artifact]-[revision](-[classifier]).[ext]"
TENSORFLOW, PRETRAINED = "tensorflow", "pretrained"
"""Configurations of the manifest that only some models need: TensorFlow's engine, and the publisher's store."""
# Errors are shown without the registry's address: it may hold a token.
HOST = re.compile(r"https?://[^/\s]+/\S*/")
Progress = Callable[[str], None]


def expected(configuration: str = "base", sums: Path = MANIFEST / "sha256.txt") -> dict[str, str]:
    """Return file name -> SHA-256, in hex, of every jar in a configuration of the manifest; empty for an unknown one.

    `sums` is a file of lines `hash name configuration`.
    """
    rows = (line.split() for line in sums.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name, listed_in in rows if listed_in == configuration}


def spark_jars(config: Settings) -> list[Path]:
    """Return the jars a session needs, from SENTIMENT_JARS or the cache; SetupError where one is missing.

    Those of an optional configuration are among them once they have been fetched.
    """
    if config.jars:
        jars = sorted(Path(config.jars).glob("*.jar"))
        if not jars:
            raise SetupError(f"SENTIMENT_JARS={config.jars} holds no jar.", "unset SENTIMENT_JARS and: make nightly")
        return jars
    paths = [config.cache / "jars" / name for name in sorted(expected())]
    missing = [p.name for p in paths if not p.exists()]
    if missing:
        raise SetupError(f"{len(missing)} of {len(paths)} jars are missing, e.g. {missing[0]}.", "make nightly")
    return paths + [jar for optional in (TENSORFLOW, PRETRAINED) for jar in _cached(config, optional)]


def _cached(config: Settings, configuration: str) -> list[Path]:
    """Return all jars of a configuration that the cache holds; none where one is missing."""
    paths = [config.cache / "jars" / name for name in sorted(expected(configuration))]
    return paths if all(path.is_file() for path in paths) else []


def fetch(
    config: Settings, progress: Progress, configuration: str = "base", *, manifest: Path = MANIFEST
) -> list[Path]:
    """Return the verified jars of a configuration in the cache, after fetching those that are missing.

    `progress` receives a line for each jar. A jar is hashed again only where its size or time has changed since it
    was verified.
    Raises InfrastructureError where the registry can't be reached or a sum does not match.
    """
    folder, sums = config.cache / "jars", expected(configuration, manifest / "sha256.txt")
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock", progress):
        missing = {name: digest for name, digest in sums.items() if not (folder / name).is_file()}
        if missing:
            # In a folder of the same disk: a jar appears in the cache verified, by a rename, or not at all.
            with tempfile.TemporaryDirectory(dir=folder) as fetched:
                _ivy(config, configuration, Path(fetched), manifest, progress)
                verify(Path(fetched), missing, config.cache / "ivy")
                for name in missing:
                    (Path(fetched) / name).replace(folder / name)
        else:
            progress(f"{len(sums)} jars there already")
        _verify_changed(folder, sums, config.cache / "ivy")
    return [folder / name for name in sorted(sums)]


@contextmanager
def _locked(lock: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of the cache; report where another process holds it and this one must wait."""
    try:
        held = FileLock(lock).acquire(timeout=0)
    except Timeout:
        progress("another process is fetching the jars: waiting for it")
        held = FileLock(lock).acquire()
    with held:
        yield


def _verify_changed(folder: Path, sums: dict[str, str], copies: Path) -> None:
    """Verify the jars whose hash, size or time differs from the marker, then write the marker anew."""
    marker = folder / ".verified"
    marks = _marks(marker)
    changed = {name: digest for name, digest in sums.items() if marks.get(name) != _mark(folder / name, digest)}
    if changed:
        verify(folder, changed, copies)
        marks |= {name: _mark(folder / name, digest) for name, digest in changed.items()}
        temporary = marker.with_name(".verified.new")
        temporary.write_text(json.dumps(marks, indent=1), "utf-8")
        temporary.replace(marker)


def _marks(marker: Path) -> dict[str, list[str | int]]:
    """Return what was verified; nothing where the marker is missing or damaged, so that all is verified again."""
    try:
        marks = json.loads(marker.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return marks if isinstance(marks, dict) else {}


def _mark(path: Path, digest: str) -> list[str | int]:
    stat = path.stat()
    return [digest, stat.st_size, stat.st_mtime_ns]


def verify(folder: Path, sums: dict[str, str], copies: Path | None = None) -> None:
    """Compare every file with its SHA-256; delete the first that differs and raise InfrastructureError with its name.

    Ivy's copies of it below `copies` are deleted too, or the next fetch would take one of them.
    """
    for name, digest in sums.items():
        path = folder / name
        if not path.is_file():
            raise InfrastructureError(f"{name} was not fetched.", "make nightly")
        with path.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != digest:
            for damaged in (path, *(copies.rglob(name) if copies else ())):
                damaged.unlink()
            raise InfrastructureError(
                f"{name} is not the file it should be: SHA-256 {actual}, expected {digest}. It was deleted.",
                "make nightly",
            )


def _ivy(config: Settings, configuration: str, target: Path, manifest: Path, progress: Progress) -> None:
    """Fetch a configuration's jars into a folder; InfrastructureError with Ivy's last error where that fails."""
    spark = find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise SetupError("pyspark is not installed here.", "rm -rf .venv && make nightly")
    ivy = next((Path(spark.origin).parent / "jars").glob("ivy-*.jar"))
    command = [str(java.java_home() / "bin" / "java"), *java.trust_store(config.cache), "-jar", str(ivy)]
    command += ["-settings", str(manifest / "ivysettings.xml"), "-cache", str(config.cache / "ivy")]
    command += ["-ivy", str(manifest / "ivy.xml"), "-confs", configuration, "-retrieve", f"{target}/{PATTERN}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        output = list(_reported(process.stdout, config.cache / "ivy", progress))
    if process.returncode or not any(target.iterdir()):
        errors = [HOST.sub("…/", line.strip()) for line in output if "rror" in line or "not found" in line]
        raise InfrastructureError(
            f"The jars could not be fetched: {(errors or output or ['Ivy printed nothing'])[-1]}",
            "check the way to the Maven registry (proxy, SSL_CERT_FILE), then: make nightly",
        )


def _reported(lines: Iterator[str], cache: Path, progress: Progress) -> Iterator[str]:
    """Yield Ivy's lines; report each file that has arrived with its size, without the address it came from."""
    name = ""
    for line in lines:
        began = re.match(r"downloading \S*/(\S+) ", line)
        name = began[1] if began else name
        if "[SUCCESSFUL ]" in line and name:
            progress(f"{name} {_size(next(cache.rglob(name), None))}".rstrip())
        yield line


def _size(path: Path | None) -> str:
    if path is None:
        return ""
    n = path.stat().st_size
    return f"{n / 1e6:.0f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"
