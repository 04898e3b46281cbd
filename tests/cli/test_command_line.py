"""The command line: every command explains itself with an example, ends with its exit code, and holds no SQL."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sentiment import cli
from sentiment.cli import render
from sentiment.errors import DataError, InfrastructureError, ParameterError, ProgramError, SentimentError, SetupError
from typer.testing import CliRunner

MODULES = sorted(Path(cli.__file__).parent.glob("*.py"))
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT INTO|DELETE FROM|UPDATE\s\S+\sSET|CREATE (TABLE|VIEW|INDEX)|ALTER )\b", re.S
)
HEAVY = (
    "pyspark",
    "sparknlp",
    "great_expectations",
    "airflow",
    "pandas",
    "scipy",
    "onnxruntime",
    "pyarrow",
    "sqlalchemy",
)
COMMANDS = {
    "nightly", "runs", "run show", "quarantine list", "quarantine show", "quarantine export", "quarantine requeue",
    "quarantine duplicates", "drift show", "drift ack", "drift replay", "drift simulate", "reference pin",
    "reference list", "reference show", "reference compare", "report", "demo", "predict", "evaluate", "rescore",
    "model list", "model add", "model quantize", "model use", "model retire", "sample-dump", "source list",
    "source show", "source look", "review forget", "maintain", "db url", "db start", "db migrate", "db roles",
    "db text-index", "db dictionary", "up", "down", "doctor",
}  # fmt: skip
"""What people type and scripts hold: a name that goes away breaks them."""


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each group and command below `command` with what is typed for it; the root's are empty."""
    # Any: Typer 0.29 brings its own copy of click, whose types are not click's.
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


TREE = dict(walk(typer.main.get_command(cli.app)))


def test_commands_keep_their_names() -> None:
    assert {path for path, command in TREE.items() if not hasattr(command, "commands")} == COMMANDS


@pytest.mark.parametrize("path", TREE, ids=[path or "sentiment" for path in TREE])
def test_help_exits_with_0_and_has_an_example(path: str) -> None:
    done = CliRunner().invoke(cli.app, [*path.split(), "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert re.search(r"Examples?: ", done.output)
    assert f"sentiment {path}".strip() in done.output


@pytest.mark.parametrize("path", TREE, ids=[path or "sentiment" for path in TREE])
def test_options_and_arguments_of_examples_exist(path: str) -> None:
    for example in re.findall(r"`sentiment ([^`]*)`", TREE[path].help or ""):
        arguments = example.split()
        named = max((name for name in TREE if arguments[: len(name.split())] == name.split()), key=len)
        known = {option for parameter in TREE[named].params for option in parameter.opts + parameter.secondary_opts}
        assert {word for word in arguments if word.startswith("--")} <= known, example


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParameterError("a"), 2),
        (DataError("a"), 3),
        (InfrastructureError("a"), 4),
        (SetupError("a", "sentiment doctor"), 5),
        (ProgramError("a"), 6),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SentimentError) else str(value),
)
def test_class_of_error_decides_exit_code(
    error: SentimentError, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().out == ""


def test_error_of_the_program_names_its_log(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def fail() -> None:
        raise KeyError("no such row")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == ProgramError.exit_code
    lines = capsys.readouterr().err.splitlines()
    assert "KeyError" in lines[0]
    assert "Traceback" in Path(lines[1].split()[-1]).read_text("utf-8")
    assert len(lines) == 2


def run_command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from sentiment import cli; sys.argv[0] = 'sentiment'; cli.main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_exit_codes_of_the_command_itself(tmp_path: Path) -> None:
    env = {"SENTIMENT_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    closed = "postgresql://sentiment_writer:x@127.0.0.1:1/reviews"
    assert run_command("sample-dump", str(tmp_path / "dump.jsonl"), "--date", "May", **env).returncode == 2
    assert run_command("runs", "--limit", "0", **env).returncode == 2
    assert run_command("source", "look", str(tmp_path / "none.csv"), **env).returncode == 3
    assert run_command("runs", **env, SENTIMENT_DATABASE_URL=closed).returncode == 4
    assert run_command("runs", **env).returncode == 5


def test_error_paragraph_names_the_next_command_and_keeps_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    render.show_error(DataError("bytes [red] of a.csv", "sentiment source look a.csv"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].strip() for line in lines] == ["bytes [red] of a.csv", "sentiment source look a.csv"]
    render.show_error(DataError("alone"))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_table_shows_brackets_and_leaves_null_empty(capsys: pytest.CaptureFixture[str]) -> None:
    render.show(render.table(["a", "b"], [["[bold]", None], ["x" * 300, 0]]))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["a", "b"], ["[bold]"], ["x" * 300, "0"]
    ]  # fmt: skip


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_holds_sql(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if SQL.search(text)]
    assert "sqlalchemy" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    ["SELECT a\nFROM b", "INSERT INTO a VALUES (1)", "DELETE FROM a", "UPDATE sentiment.run SET a = 1"],
)
def test_sql_is_recognised(text: str) -> None:
    assert SQL.search(text)


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, sentiment.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
