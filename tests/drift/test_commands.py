"""The command groups `reference` and `drift` as a person types them, and drift in a night's report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sentiment import cli
from sentiment.drift import alarms, reference, tracking
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Shift
from sentiment.errors import DataError, ParameterError, SentimentError
from sentiment.orchestration import summary
from sentiment.runs import opening
from sentiment.runs.model import Run
from typer.testing import CliRunner

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE, simulated

pytestmark = pytest.mark.usefixtures("server")

STREAM = Stream("commanded", "commanded-model")
WHICH = ["--source", STREAM.source, "--model", STREAM.model_id]


@pytest.fixture(scope="module")
def nights(server: object) -> Iterator[list[date]]:
    """Stored nights of one stream, the last ten of them fallen."""
    yield stored_nights.put(STREAM, FIRST, AUDIENCE, simulated(Shift(share=-0.12)))
    stored_nights.remove(STREAM)


def typed(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, list(arguments))
    if isinstance(done.exception, SentimentError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def report(nights: list[date], monkeypatch: pytest.MonkeyPatch) -> str:
    run = Run("r", nights[-1], STREAM.source, "d", STREAM.model_id, "published", None, None, None, {})
    monkeypatch.setattr(opening, "get_run", lambda _: run)
    return summary.drift("r")


def test_pin_judge_acknowledge_and_compare(nights: list[date], monkeypatch: pytest.MonkeyPatch) -> None:
    tracking.replay(STREAM, nights[-1], None)
    assert "sentiment reference pin" in report(nights, monkeypatch)
    assert "sentiment reference pin" in typed("drift", "show", "--source", STREAM.source)

    first, last = str(nights[0]), str(nights[N_REFERENCE - 1])
    with pytest.raises(DataError, match=str(reference.MIN_NIGHTS - 30)):
        typed("reference", "pin", "--from", first, "--to", str(nights[29]), *WHICH)
    with pytest.raises(ParameterError, match="May"):
        typed("reference", "pin", "--from", "May", "--to", last, *WHICH)
    printed = typed("reference", "pin", "--from", first, "--to", last, *WHICH)
    named = (STREAM.source, str(N_REFERENCE), str(reference.ADVISED_NIGHTS), "isotonic")
    assert [text for text in named if text not in printed] == []

    assert str(nights[-1]) in typed("drift", "replay", "--from", str(nights[N_REFERENCE]), *WHICH)
    shown = typed("drift", "show", "--source", STREAM.source)
    alarm = next(a for a in alarms.listed(STREAM.source, None, only_open=True) if a.alarm_id == shown.split()[0])
    assert alarm.sentence in shown
    assert str(nights[-1]) in shown
    assert alarm.sentence.rstrip(".") in report(nights, monkeypatch)

    typed("drift", "ack", alarm.alarm_id, "--reason", "the critics are on strike")
    assert "the critics are on strike" in typed("drift", "show", "--source", STREAM.source)

    pinned = next(r.reference_id for r in reference.listed() if r.stream == STREAM)
    assert pinned in typed("reference", "list")
    assert re.search(r"all all positive 0\.[56]\d{3} 0\.0\d{3} ", typed("reference", "show", pinned))
    assert "+0.0000" in typed("reference", "compare", pinned, pinned)
    with pytest.raises(ParameterError, match="nothing"):
        typed("reference", "show", "nothing")


def test_the_simulator_prints_what_to_expect() -> None:
    printed = typed("drift", "simulate", "--reviews", "400", "--nights", "56", "--replays", "5", "--change", "-12")
    assert re.search(r"\d\.\d\d \(\d\.\d\d to \d+\.\d\d\)", printed)
    assert "-12 points" in printed


def test_the_bench_counts_what_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench import drift
    from bench.__main__ import app as bench_app

    def measured(*_: Any) -> list[drift.Table]:
        table = drift.Table("title", ["what", "met"], [])
        table.add(True, "good")
        table.add(False, "bad")
        return [table]

    monkeypatch.setattr(drift, "measure", measured)
    done = CliRunner().invoke(bench_app, ["--only", "drift", "--replays", "2"])
    assert done.exit_code == 1
    assert "NO" in done.output
