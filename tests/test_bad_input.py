"""Nights that can't begin, through the real command and Airflow: exit codes, messages, and nothing that changes."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from sentiment import database
from sentiment.embedded import machine

from tests.kit.commands import run
from tests.kit.rows import rows

pytestmark = [pytest.mark.night, pytest.mark.usefixtures("ready")]

BAD_INPUT = {
    "missing file": (["--dump", "{tmp}/none.jsonl"], 3, "No dump at"),
    "empty file": (["--dump", "{tmp}/empty.jsonl"], 3, "is empty"),
    "folder without dumps": (["--dump", "{tmp}/folder"], 3, "No dump in the folder"),
    "cut gzip": (["--dump", "{tmp}/cut.jsonl.gz"], 3, "cut short"),
    "wrong columns": (["--dump", "{tmp}/columns.jsonl"], 3, "no column with the review's text"),
    "unknown model": (["--dump", "{tmp}/good.jsonl", "--model", "gpt"], 2, "There is no model 'gpt'"),
    "wrong date": (["--date", "22/11/2026"], 2, "expected a date like"),
    "future night": (["--dump", "{tmp}/good.jsonl", "--date", "2999-01-01"], 2, "lies in the future"),
    "allowed without a reason": (["--dump", "{tmp}/good.jsonl", "--allow", "row_count"], 2, "allow needs a reason"),
    "wrong source": (["--dump", "{tmp}/good.jsonl", "--source", "No Way!"], 2, "source"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_ends_with_its_exit_code_and_publishes_nothing(name: str, tmp_path: Path, ready: object) -> None:
    good = b'{"review": "Un beau film."}\n'
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "good.jsonl").write_bytes(good)
    (tmp_path / "columns.jsonl").write_bytes(b'{"a": 1}\n')
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(good * 999)[:-9])
    arguments, code, text = BAD_INPUT[name]
    before = rows("SELECT count(*) FROM sentiment.run")
    exit_code, output = run("nightly", *(a.replace("{tmp}", str(tmp_path)) for a in arguments))
    assert (exit_code, text in output) == (code, True), output
    assert "Next:" in output
    assert "Traceback" not in output
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
