"""A typed date that can't be read is answered with the line that was meant, and a prediction with how sure it is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from sentiment.cli import values
from sentiment.cli.models import confidence_line
from sentiment.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("21/11/2026", "2026-11-21"),
        ("1.2.2026", "2026-02-01"),
        ("2026/3/9", "2026-03-09"),
        ("31/02/2026", None),
        ("hier", None),
    ],
)
def test_a_date_is_answered_with_the_line_that_was_meant(text: str, meant: str | None) -> None:
    with pytest.raises(ParameterError, match="DATE") as refused:
        values.parse_date("DATE", text, lambda day: f"make nightly DATE={day.isoformat()}")
    expected = meant or (date.today() - timedelta(days=1)).isoformat()
    assert refused.value.try_next == f"make nightly DATE={expected}"
    assert repr(text) in refused.value.message


def run(*arguments: str, home: Path, **env: str) -> list[str]:
    """Run a command that is refused; return the words of its next line."""
    code = "import sys; from sentiment import cli; sys.argv[0] = 'sentiment'; cli.main()"
    env = {"SENTIMENT_HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), **env}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == ParameterError.exit_code, done.stderr
    return shlex.split(done.stderr.rpartition("Next:")[2])


def test_a_night_s_next_line_keeps_what_was_typed(tmp_path: Path) -> None:
    typed = {"NIGHTLY_DUMP": "/data/l'été.csv", "NIGHTLY_SOURCE": "web", "NIGHTLY_ENCODING": "windows-1252"}
    line = run("nightly", home=tmp_path, NIGHTLY_DATE="21/11/2026", **typed)
    assert line == [
        "make", "nightly", "DUMP=/data/l'été.csv", "DATE=2026-11-21", "SOURCE=web", "ENCODING=windows-1252"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("quarantine", "list", "--night", "{}", "--source", "l'été", "--rule", "readable"),
        ("quarantine", "export", "l'été.csv", "--force", "--night", "{}"),
        ("rescore", "--model", "mine", "--from", "{}", "--to", "2026-11-22", "--source", "web"),
        ("reference", "pin", "--from", "2026-05-01", "--to", "{}", "--model", "mine"),
        ("drift", "show", "--all", "--source", "web", "--since", "{}"),
        ("drift", "replay", "--from", "{}", "--source", "web"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_next_lines_keep_the_other_options(arguments: tuple[str, ...], tmp_path: Path) -> None:
    line = run(*(argument.format("21/11/2026") for argument in arguments), home=tmp_path)
    assert sorted(line) == sorted(["sentiment", *(argument.format("2026-11-21") for argument in arguments)])


def test_a_folder_of_source_profiles_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    line = run("source", "list", home=tmp_path, SENTIMENT_SOURCES=str(tmp_path / "l'été"))
    assert line[:3] == ["mkdir", "-p", f"{tmp_path}/l'été;"]


@pytest.mark.parametrize(
    ("p_positive", "score", "uncertain"),
    [
        (0.35, 0.65, True),
        (0.5, 0.5, True),
        (0.65, 0.65, True),
        (0.66, 0.66, False),
        (0.34, 0.66, False),
        (None, 0.6, True),
        (None, 0.7, False),
    ],
)
def test_a_prediction_reports_whether_it_is_uncertain(p_positive: float | None, score: float, uncertain: bool) -> None:
    line = confidence_line(p_positive, score, (0.35, 0.65))
    assert line.startswith("uncertain: " if uncertain else "not uncertain: ")
    assert "0.65" in line
