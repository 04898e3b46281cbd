"""Which version a run records: of a checkout, of the image, without git; and which programs are needed at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import sentiment
from sentiment.runs import opening

PACKAGE = Path(sentiment.__file__).parent
ROOT = PACKAGE.parents[1]
VERSION = version("sentiment")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is looked through in place of the package's own; versions are not remembered."""
    monkeypatch.setattr(opening, "files", lambda _: tmp_path)
    opening.code_version.cache_clear()
    yield tmp_path
    opening.code_version.cache_clear()


def test_without_git_the_version_is_the_package_s(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(package))
    assert opening.code_version() == VERSION


def test_an_image_s_commit_comes_from_its_file(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(package))
    (package / opening.COMMIT).write_text("0123456789ab\n", "utf-8")
    assert opening.code_version() == f"{VERSION}+0123456789ab"


def test_a_checkout_s_commit_comes_from_git(package: Path) -> None:
    assert re.fullmatch(rf"{re.escape(VERSION)}\+[0-9a-f]{{12,}}", opening.code_version())


def test_a_repository_around_an_installed_package_is_not_its_own(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PROJECT_ROOT", ROOT / "include")
    assert opening.code_version() == VERSION


def test_the_image_writes_the_file_that_is_read() -> None:
    dockerfile = (ROOT / "docker/Dockerfile").read_text("utf-8")
    written = re.findall(r"^RUN .*\$COMMIT.*>(\S+);", dockerfile, re.MULTILINE)
    assert [ROOT / path for path in written] == [PACKAGE / opening.COMMIT]


def test_no_program_is_named_but_git() -> None:
    # Others are paths: of this Python, or of a locked wheel.
    source = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    started = re.findall(r"(?:command\b.* = |subprocess\.\w+\(\s*)\[([^,\]]+)", source)
    assert len(started) >= source.count("subprocess.Popen(")
    of_this_python = ("str(", "sys.executable", "*command()", "*airflow.command()")
    assert [program for program in started if not program.startswith(of_this_python)] == ['"git"']
