"""What the README prints is true and runs as printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from sentiment import cli
from sentiment.database import transaction
from sentiment.embedded import machine
from sentiment.evaluation import stored

from tests.evaluation import models

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)

sys.path.insert(0, str(ROOT / "tools"))
import readme_settings  # type: ignore[import-not-found]  # noqa: E402


def test_settings_table_is_todays() -> None:
    assert readme_settings.renewed(README) == README, "run: make docs"


def test_there_are_four_statements() -> None:
    assert len(STATEMENTS) == 4


@pytest.fixture
def evaluation(ready: machine.Machine) -> Iterator[None]:
    """Some model on some labelled set."""
    with models.evaluations_removed():
        stored.insert(models.EVALUATION)
        yield


@pytest.mark.parametrize("statement", STATEMENTS, ids=["daily", "close", "quarantine", "evaluation"])
def test_statements_run_as_the_reader(statement: str, ready: machine.Machine, night: date, evaluation: None) -> None:
    with transaction("reader") as c:
        rows = c.execute(sa.text(statement)).all()
    assert rows


def test_commands_exist() -> None:
    top: Any = typer.main.get_command(cli.app)
    commands = set(re.findall(r"(?:bin/|`)sentiment ([a-z-]+)(?: ([a-z-]+))?", README))
    assert commands
    for name, below in commands:
        assert name in top.commands
        group = getattr(top.commands[name], "commands", None)
        assert group is None or not below or below in group, (name, below)
