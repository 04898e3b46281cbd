"""What a job ended with comes back whole, and never from another submission."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import pytest
from sentiment.errors import (
    DataError,
    DiskFullError,
    DumpRefusedError,
    InfrastructureError,
    OutOfMemoryError,
    ParameterError,
    ProgramError,
)
from sentiment.jobs import entry
from sentiment.runs import outcome
from sentiment.runs.outcome import Outcome

from tests.kit.disks import fill


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"counts": [1, 2], "name": "été", "share": 0.25, "none": None}
    outcome.write(tmp_path / "o", Outcome(result=value))
    assert outcome.result(tmp_path / "o", "evaluate", "the log") == value
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_an_error_comes_back_as_its_class(tmp_path: Path) -> None:
    outcome.write(tmp_path / "o", Outcome.of_error(DumpRefusedError("half of it is broken", "look at it")))
    with pytest.raises(DumpRefusedError) as raised:
        outcome.result(tmp_path / "o", "validate", "the log", RuntimeError("exit code 3"))
    assert (raised.value.message, raised.value.try_next) == ("half of it is broken", "look at it")


@pytest.mark.parametrize(
    ("error", "kind"), [(KeyError("text"), ProgramError), (RuntimeError("gateway"), InfrastructureError)]
)
def test_an_error_that_is_not_our_own_is_recognised(error: Exception, kind: type, tmp_path: Path) -> None:
    outcome.write(tmp_path / "o", Outcome.of_error(error, task="score"))
    noted = outcome.read(tmp_path / "o")
    assert noted is not None
    assert noted.task == "score"
    assert noted.error is not None
    assert type(noted.error.error()) is kind
    with pytest.raises(kind) as raised:
        outcome.result(tmp_path / "o", "score", "less score.log")
    assert raised.value.try_next == "less score.log"


def test_a_job_without_a_report_is_an_infrastructure_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError) as raised:
        outcome.result(tmp_path / "none", "score", "tail -n 30 score.log", RuntimeError("exit code 134"))
    assert type(raised.value) is InfrastructureError
    assert "score" in raised.value.message
    assert "134" in raised.value.message
    assert "score.log" in raised.value.try_next


@pytest.mark.parametrize("cause", ["exit code -9; see log", "Error code is: 137.", "Error code is: -9."])
def test_a_killed_job_ran_out_of_memory_whatever_it_reported(cause: str, tmp_path: Path) -> None:
    outcome.write(tmp_path / "o", Outcome.of_error(RuntimeError("Answer from Java side is empty")))
    for name in ("o", "none"):
        with pytest.raises(OutOfMemoryError, match="score"):
            outcome.result(tmp_path / name, "score", "", RuntimeError(cause))


def test_a_job_without_space_for_its_report_met_a_full_disk(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(DiskFullError, match="score"):
        outcome.result(small_disk / "none", "score", "", RuntimeError("exit code 1"))


def test_a_job_that_fails_after_its_report_is_an_infrastructure_error(tmp_path: Path) -> None:
    outcome.write(tmp_path / "o", Outcome())
    with pytest.raises(InfrastructureError):
        outcome.result(tmp_path / "o", "score", "the log", RuntimeError("exit code 134"))


def refuse() -> NoReturn:
    raise DataError("no record", "look")


def break_off() -> NoReturn:
    raise KeyError("text")


def test_a_job_reports_its_error_and_exits_with_its_code(tmp_path: Path) -> None:
    assert entry.ended(refuse, tmp_path / "o") == DataError.exit_code
    noted = outcome.read(tmp_path / "o")
    assert noted == Outcome.of_error(DataError("no record", "look"))
    assert entry.ended(break_off, tmp_path / "other") == ProgramError.exit_code
    noted = outcome.read(tmp_path / "other")
    assert noted is not None
    assert noted.error is not None
    assert noted.error.kind == "ProgramError"


def test_a_job_reports_its_result_or_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.ended(lambda: {"n": 3}, tmp_path / "o") == 0
    assert outcome.read(tmp_path / "o") == Outcome(result={"n": 3})
    assert capsys.readouterr().out == ""
    assert entry.ended(lambda: {"n": 3}, None) == 0
    assert capsys.readouterr().out == '{"n": 3}\n'


def test_a_run_that_is_not_there_is_reported_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: object
) -> None:
    monkeypatch.setattr(sys, "argv", ["score", "--run-id", "20260101-00000000", "--outcome", str(tmp_path / "o")])
    assert entry.main("score", lambda *_: None) == ParameterError.exit_code
    noted = outcome.read(tmp_path / "o")
    assert noted is not None
    assert noted.error is not None
    assert noted.error.kind == "ParameterError"
