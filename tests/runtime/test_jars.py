"""Jars: fetched once, verified, and mended when what is kept has been damaged."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from filelock import FileLock
from sentiment.errors import InfrastructureError
from sentiment.runtime import jars
from sentiment.settings import Settings

pytestmark = pytest.mark.postgres

JAR = "config-1.4.2.jar"
IVY = """<ivy-module version="2.0"><info organisation="local" module="one"/>
<configurations defaultconf="base" defaultconfmapping="base->master"><conf name="base"/></configurations>
<dependencies><dependency org="com.typesafe" name="config" rev="{rev}" transitive="false"/></dependencies>
</ivy-module>"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest of one small jar."""
    folder = tmp_path / "manifest"
    folder.mkdir()
    (folder / "ivy.xml").write_text(IVY.format(rev="1.4.2"))
    (folder / "ivysettings.xml").write_bytes((jars.MANIFEST / "ivysettings.xml").read_bytes())
    (folder / "sha256.txt").write_text(f"{jars.expected()[JAR]} {JAR} base\n")
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", cache=tmp_path / "cache")


def test_a_jar_is_fetched_once_and_reported_with_its_size(config: Settings, manifest: Path) -> None:
    reported: list[str] = []
    (path,) = jars.fetch(config, reported.append, manifest=manifest)
    assert path == config.cache / "jars" / JAR
    assert reported == [f"{JAR} 295 kB"]
    written = path.stat().st_mtime_ns
    assert jars.fetch(config, reported.append, manifest=manifest) == [path]
    assert path.stat().st_mtime_ns == written
    assert len(reported) == 2
    assert {p.name for p in path.parent.iterdir()} == {JAR, ".lock", ".verified"}


def test_no_report_names_the_registry(config: Settings, manifest: Path) -> None:
    reported: list[str] = []
    jars.fetch(config, reported.append, manifest=manifest)
    assert not re.search(r"https?:|maven", " ".join(reported))


def test_a_damaged_jar_is_named_deleted_and_fetched_anew(config: Settings, manifest: Path) -> None:
    (path,) = jars.fetch(config, lambda _: None, manifest=manifest)
    (copy,) = (config.cache / "ivy").rglob(JAR)
    for damaged in (path, copy):
        damaged.write_bytes(b"cut short")
    with pytest.raises(InfrastructureError) as refused:
        jars.fetch(config, lambda _: None, manifest=manifest)
    for sum_ in (hashlib.sha256(b"cut short").hexdigest(), jars.expected()[JAR]):
        assert sum_ in str(refused.value)
    assert not path.exists()
    assert jars.fetch(config, lambda _: None, manifest=manifest) == [path]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == jars.expected()[JAR]


def test_a_sum_that_never_matches_leaves_nothing(config: Settings, manifest: Path) -> None:
    (manifest / "sha256.txt").write_text(f"{'0' * 64} {JAR} base\n")
    with pytest.raises(InfrastructureError, match=JAR):
        jars.fetch(config, lambda _: None, manifest=manifest)
    assert not list(config.cache.rglob("*.jar"))


def test_verified_jars_are_not_hashed_again(config: Settings, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = jars.fetch(config, lambda _: None, manifest=manifest)
    hashed: list[str] = []
    monkeypatch.setattr(jars, "verify", lambda _folder, sums, _copies: hashed.extend(sums))
    jars.fetch(config, lambda _: None, manifest=manifest)
    assert hashed == []
    os.utime(path)
    jars.fetch(config, lambda _: None, manifest=manifest)
    assert hashed == [JAR]


def test_a_jar_that_does_not_exist_is_reported_with_ivys_error(config: Settings, manifest: Path) -> None:
    (manifest / "ivy.xml").write_text(IVY.format(rev="9.9.9"))
    with pytest.raises(InfrastructureError, match=r"config;9\.9\.9.*not found"):
        jars.fetch(config, lambda _: None, manifest=manifest)


def test_a_second_checkout_reports_that_it_waits(config: Settings, manifest: Path) -> None:
    jars.fetch(config, lambda _: None, manifest=manifest)
    lock = FileLock(config.cache / "jars" / ".lock")
    lock.acquire()
    reported: list[str] = []

    def report(line: str) -> None:
        reported.append(line)
        if lock.is_locked:
            lock.release()

    jars.fetch(config, report, manifest=manifest)
    assert len(reported) == 2, "that it waits, and that the jar is there"
