"""Nights that can't begin, through the real command and Airflow: exit codes, messages, and nothing that changes."""

from __future__ import annotations

import gzip
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sentiment import database
from sentiment.embedded import machine
from sentiment.errors import SentimentError
from sentiment.orchestration import ingesting

from tests.kit.commands import run
from tests.kit.rows import rows

pytestmark = [pytest.mark.night, pytest.mark.usefixtures("ready")]

BAD_INPUT: dict[str, tuple[list[str], int, str]] = {
    "missing file": (["--dump", "{tmp}/none.jsonl"], 3, "No dump at"),
    "wrong date": (["--date", "22/11/2026"], 2, "expected a date like"),
    "wrong source": (["--dump", "{tmp}/good.jsonl", "--source", "No Way!"], 2, "source"),
}
"""What the command or the sensor refuses. What ingest refuses through Airflow is in tests/test_night.py."""
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "cut gzip": ({"dump": "{tmp}/cut.jsonl.gz"}, 3, "cut short"),
    "empty file": ({"dump": "{tmp}/empty.jsonl"}, 3, "is empty"),
    "folder without dumps": ({"dump": "{tmp}/folder"}, 3, "No dump in the folder"),
    "wrong columns": ({"dump": "{tmp}/columns.jsonl"}, 3, "no column with the review's text"),
    "unknown model": ({"dump": "{tmp}/good.jsonl", "model": "gpt"}, 2, "There is no model 'gpt'"),
    "future night": ({"dump": "{tmp}/good.jsonl", "night": date(2999, 1, 1)}, 2, "lies in the future"),
    "allowed without a reason": ({"dump": "{tmp}/good.jsonl", "allow": ("row_count",)}, 2, "allow needs a reason"),
}
"""What these refuse by the same errors, whose way out is the same."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of files that are no dumps, and one that is."""
    good = b'{"review": "Un beau film."}\n'
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "good.jsonl").write_bytes(good)
    (tmp_path / "columns.jsonl").write_bytes(b'{"a": 1}\n')
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(good * 999)[:-9])
    return tmp_path


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_ends_with_its_exit_code_and_publishes_nothing(name: str, folder: Path, ready: object) -> None:
    arguments, code, text = BAD_INPUT[name]
    before = rows("SELECT count(*) FROM sentiment.run")
    exit_code, output = run("nightly", *(a.replace("{tmp}", str(folder)) for a in arguments))
    assert (exit_code, text in output) == (code, True), output
    assert "Next:" in output
    assert "Traceback" not in output
    assert rows("SELECT count(*) FROM sentiment.run") == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_opens_no_run(name: str, folder: Path, ready: object) -> None:
    values, code, text = REFUSED[name]
    before = rows("SELECT count(*) FROM sentiment.run")
    usual: dict[str, Any] = {"night": date(2026, 11, 1), "source": "bad", "model": "cinema-fr"}
    dump = str(values["dump"]).replace("{tmp}", str(folder))
    with pytest.raises(SentimentError, match=text) as refused:
        ingesting.ingest(ingesting.Request(**usual | values | {"dump": dump}))
    assert refused.value.exit_code == code
    assert refused.value.try_next
    assert rows("SELECT count(*) FROM sentiment.run") == before


def test_database_down_and_wrong_password(ready: machine.Machine) -> None:
    good = str(database.url("writer").render_as_string(hide_password=False))
    wrong = re.sub(r":[^:@/]+@", ":wrong-password@", good)
    code, output = run("runs", SENTIMENT_DATABASE_URL=wrong)
    assert code == 4, output
    assert "password authentication failed" in output
    assert "wrong-password" not in output
    code, output = run("runs", SENTIMENT_DATABASE_URL="postgresql://u:p@127.0.0.1:1/reviews")
    assert code == 4
    assert "127.0.0.1:1/reviews" in output
    assert "Next:" in output
