"""What is typed after `make nightly` reaches the night as it was typed, through the real make and the real command."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# The command itself, but for the night: its params go to a file.
STUB = """#!{python}
import json, sys
from sentiment import cli
from sentiment.local import nights
def run(params, progress):
    json.dump(params, open("params.json", "w"))
    sys.exit(0)
nights.run = run
cli.main()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the Makefile, whose environment is complete and whose nights only report their params."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements-uv.txt", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    (commands / "sentiment").write_text(STUB.format(python=sys.executable), "utf-8")
    (commands / "sentiment").chmod(0o755)
    for marker in (commands / "uv", tmp_path / ".venv" / ".run"):
        marker.touch()
    return tmp_path


def run(checkout: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command without what pytest's own caller may have handed to a make above it."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env = {**inherited, "PYTHONPATH": ":".join(sys.path), "SENTIMENT_HOME": str(checkout / "home"), **env}
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False, timeout=60)


def params(checkout: Path, *arguments: str) -> dict[str, Any]:
    """Return the params of the night that make runs, without those that are false."""
    return stored_params(checkout, run(checkout, "make", "nightly", *arguments))


def stored_params(checkout: Path, done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    stored: dict[str, Any] = json.loads((checkout / "params.json").read_text("utf-8"))
    return {name: value for name, value in stored.items() if value}


def test_values_arrive_as_they_were_typed(checkout: Path) -> None:
    typed = {"REASON": "l'export était coupé", "SOURCE": "50$", "MODEL": "a b\"c`touch t`", "PROFILE": "';touch t;'",
             "DUMP": "$(shell touch t)/$$x # \\n", "ENCODING": "$(touch t)"}  # fmt: skip
    arrived = params(checkout, *(f"{name}={value}" for name, value in typed.items()))
    assert arrived == {name.lower(): value for name, value in typed.items()}
    assert not (checkout / "t").exists()


def test_names_of_make_are_the_night_s(checkout: Path) -> None:
    arrived = params(checkout, "DATE=2026-11-22", "SUPERSEDE=cut", "ALLOW=row_count,same_dump", "REASON=a fair")
    assert arrived == {
        "night": "2026-11-22", "supersede": True, "allow": ["row_count", "same_dump"], "reason": "cut; a fair"
    }  # fmt: skip


@pytest.mark.parametrize(("value", "switched"), [("1", True), ("yes", True), ("0", False), ("no", False), ("", False)])
def test_switches_mean_what_they_are_set_to(checkout: Path, value: str, switched: bool) -> None:
    arrived = params(checkout, f"SENTENCES={value}", f"DRY_RUN={value}")
    assert arrived == ({"sentences": True, "dry_run": True} if switched else {})


def test_a_switch_that_is_neither_is_refused(checkout: Path) -> None:
    assert run(checkout, "make", "nightly", "DRY_RUN=perhaps").returncode == 2
    assert not (checkout / "params.json").exists()


def test_values_of_the_environment_stop_with_the_line_to_type(checkout: Path) -> None:
    environment = {"DUMP": "/data/l'été $1.csv", "DRY_RUN": "0"}
    done = run(checkout, "make", "nightly", "REASON=50$", **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (checkout / "params.json").exists()
    (line,) = [line.partition(": ")[2] for line in done.stderr.splitlines() if line.startswith("Next: ")]
    assert line.startswith("make nightly ")
    again = run(checkout, "bash", "-c", line)
    assert stored_params(checkout, again) == {"dump": environment["DUMP"], "reason": "50$"}


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6])
def test_the_exit_code_of_a_night_is_printed(checkout: Path, code: int) -> None:
    command = checkout / ".venv" / "bin" / "sentiment"
    command.write_text(f"#!/bin/sh\nexit {code}\n", "utf-8")
    for target in ("nightly", "doctor"):
        done = run(checkout, "make", target)
        assert done.returncode == 2  # make's own, whatever failed
        explained, own = done.stderr.splitlines()
        assert explained.startswith(f"Exit code {code}: ")
        assert own.endswith(f"Error {code}")


def test_the_readme_has_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    listed = re.search(r"Exit codes of `sentiment`:(.*?);", readme, re.DOTALL)
    assert listed
    assert sorted(map(int, re.findall(r"\b\d\b", listed[1]))) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("typed", ["SURE=0", "SURE=no", "SURE=", 'SURE=1" = 1 -o "', "SURE=$(shell echo 1)"])
def test_clean_asks(checkout: Path, typed: str) -> None:
    done = run(checkout, "make", "clean", typed)
    assert done.returncode == 2
    assert "make clean SURE=1" in done.stdout
    assert (checkout / ".venv").exists()


def test_clean_does_not_take_its_answer_from_the_environment(checkout: Path) -> None:
    assert run(checkout, "make", "clean", SURE="1").returncode == 2
    assert (checkout / ".venv").exists()
    (checkout / ".venv/bin/sentiment").unlink()
    assert run(checkout, "make", "clean", "SURE=1").returncode == 0
    assert not (checkout / ".venv").exists()
