"""The command `python -m bench`: what its options choose, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Collection

import pytest
from sentiment.errors import InfrastructureError
from typer.testing import CliRunner

from bench.__main__ import app, main
from tests.kit.kill_matrix import runner


@pytest.mark.parametrize(("violations", "exit_code"), [(0, 0), (2, 1)])
@pytest.mark.parametrize(
    ("options", "points"),
    [
        ([], set(runner.NAMES)),
        (["--without-spark"], set(runner.NAMES_WITHOUT_SPARK)),
        (["--point", "judged", "--point", "killed: merged"], {"judged", "killed: merged"}),
    ],
    ids=["all", "without Spark", "named"],
)
def test_the_kill_matrix_alone(
    options: list[str], points: set[str], violations: int, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, set[str]]] = []

    def measure(n_seeds: int, _: runner.Report, names: Collection[str]) -> int:
        calls.append((n_seeds, set(names)))
        return violations

    monkeypatch.setattr(runner, "measure", measure)
    result = CliRunner().invoke(app, ["--only", "matrix", "--seeds", "3", *options])
    assert (result.exit_code, calls) == (exit_code, [(3, points)])


def test_a_point_that_there_is_not_is_refused_by_name() -> None:
    result = CliRunner().invoke(app, ["--only", "matrix", "--point", "nowhere"])
    assert result.exit_code == 2
    assert "nowhere" in result.output


def test_an_error_ends_with_its_exit_code_and_the_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: object) -> int:
        raise InfrastructureError("no server", "make doctor")

    monkeypatch.setattr(runner, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "matrix"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == InfrastructureError.exit_code
    assert "make doctor" in capsys.readouterr().err
