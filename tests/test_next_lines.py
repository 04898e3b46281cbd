"""What stands after "Next:" can be typed as it stands: names of files come from strangers."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import sentiment
from sentiment.dump import profiles
from sentiment.dump.locate import locate
from sentiment.dump.receive import receive
from sentiment.errors import SentimentError
from sentiment.evaluation.labelled_set import label_source
from sentiment.orchestration import adding, rescoring
from sentiment.runs.model import Reading
from sentiment.settings import Settings
from sentiment.workspace import Workspace

PACKAGE = Path(sentiment.__file__).parent
TAKES_COMMAND = {"wrong_value", "parse_date", "_check_once", "new_folder", "result", "_in_the_way"}
"""Functions that hand an argument on as a command to type, beside the classes of errors."""
COMMANDS = {"try_next", "mend", "command", "again"}
"""Names of what such a command is put together in."""
OWN = {
    "run_id", "requeued_in", "requeue_of", "shown", "night", "file_no", "record_no", "model_id", "retired", "alarm_id",
    "review_id", "pid", "port", "airflow_port", "first", "last", "today", "sha256", "source", "wide", "model", "dag",
    "suggested_encoding", "scheduled", "current", "S3", "SPARK_CLUSTER", "DEFAULT_HOME", "query", "name", "names",
    "test", "restart", "summary", "covers", "rerun_command", "row_count", "ENCODINGS", "allow",
    "message", "BUNDLED", "dependent", "nearest", "meant", "day", "reviews", "encoding", "options", "range_of",
    "BUDGET",
}  # fmt: skip
"""Names of what this project makes up or has checked: ids, dates, numbers, names by a pattern, texts of its own."""


def commands(tree: ast.AST) -> Iterator[ast.JoinedStr]:
    """Yield the f-strings that are commands to type."""
    for node in ast.walk(tree):
        holders: list[ast.AST] = []
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name.endswith("Error") or name in TAKES_COMMAND:
                holders = [*node.args[1:], *(k.value for k in node.keywords if k.arg == "try_next")]
        elif isinstance(node, ast.FunctionDef) and node.name in COMMANDS:
            holders = list(node.body)
        elif isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} & COMMANDS:
            holders = [node.value]
        for holder in holders:
            yield from (text for text in ast.walk(holder) if isinstance(text, ast.JoinedStr))
        if isinstance(node, ast.JoinedStr) and any("Next: " in str(getattr(v, "value", "")) for v in node.values):
            yield node


def is_safe(value: ast.expr) -> bool:
    names = set(re.findall(r"\w+", ast.unparse(value)))
    return bool(names & {"quoted", "quote", *COMMANDS, *OWN}) or "shlex" in names


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_text_from_outside_is_quoted(path: Path) -> None:
    unquoted = [
        f"{text.lineno}: {ast.unparse(value)}"
        for text in commands(ast.parse(path.read_text("utf-8")))
        for value in text.values
        if isinstance(value, ast.FormattedValue) and not is_safe(value.value)
    ]
    assert unquoted == []


HOSTILE = "l'été; touch owned $(touch owned).csv"


def _empty_file(folder: Path) -> None:
    (folder / HOSTILE).touch()
    receive(str(folder / HOSTILE), Settings(home=folder), Workspace(str(folder / "lake")), Reading("allocine"))


def _folder_without_dump(folder: Path) -> None:
    (folder / HOSTILE).mkdir()
    locate(str(folder / HOSTILE))


@pytest.mark.parametrize(
    "fail",
    [
        _empty_file,
        _folder_without_dump,
        lambda folder: adding.Request(f"{folder / HOSTILE}/é").model_id,
        lambda folder: label_source({}, None, str(folder / HOSTILE), []),
        lambda folder: rescoring.Request(str(folder / HOSTILE), "allocine", date(2027, 1, 1), date(2026, 1, 1)),
        lambda folder: profiles.get_profile(HOSTILE, None),
    ],
    ids=["dump", "folder", "model", "labels", "rescore", "profile"],
)
def test_a_stranger_s_name_is_one_word(fail: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(SentimentError) as refused:
        fail(tmp_path)
    arguments = shlex.split(refused.value.try_next)
    assert not {"touch", "owned"} & set(arguments)
    assert "owned" not in refused.value.try_next or any(HOSTILE in argument for argument in arguments)
