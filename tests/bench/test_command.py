"""The command `python -m bench`: what its options choose, and its exit code."""

from __future__ import annotations

import sys

import pytest
from sentiment.errors import InfrastructureError
from typer.testing import CliRunner

from bench.__main__ import app, main
from tests.kit.kill_matrix import runner


@pytest.mark.parametrize(("violations", "exit_code"), [(0, 0), (2, 1)])
@pytest.mark.parametrize("with_spark", [True, False])
def test_the_kill_matrix_alone(
    with_spark: bool, violations: int, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, bool]] = []

    def measure(n_seeds: int, report: runner.Report, with_spark: bool = True) -> int:
        calls.append((n_seeds, with_spark))
        return violations

    monkeypatch.setattr(runner, "measure", measure)
    options = [] if with_spark else ["--without-spark"]
    result = CliRunner().invoke(app, ["--only", "matrix", "--seeds", "3", *options])
    assert (result.exit_code, calls) == (exit_code, [(3, with_spark)])


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
