"""A second model scores a published night: its run is reported as that, and it can be shown."""

from __future__ import annotations

import re
from datetime import date

import pytest
from sentiment import cli, settings
from sentiment.cli import models
from sentiment.evaluation.model import Evaluation
from sentiment.local import evaluations
from sentiment.orchestration import rescoring, summary
from sentiment.orchestration.evaluating import Request
from sentiment.orchestration.rescoring import Coverage
from sentiment.runs import opening
from sentiment.scoring import registry
from typer.testing import CliRunner

from tests.kit import nights
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import scalar

SOURCE, NIGHTS = "second_model", [date(2026, 5, 4), date(2026, 5, 5)]
SECOND = "demo-fr"
RUN = "SELECT run_id FROM sentiment.run WHERE source = :source AND night = :night AND model_id = :model"


def run_of(night: date, model: str) -> str:
    return str(scalar(RUN, source=SOURCE, night=night, model=model))


@pytest.fixture(scope="module")
def _published(server: object) -> None:
    """Publish two nights by the current model, the first by the second model, too."""
    for model in (nights.MODEL, SECOND):
        registry.register(registry.find(model, settings.load()))
    for night, model in ((NIGHTS[0], nights.MODEL), (NIGHTS[0], SECOND), (NIGHTS[1], nights.MODEL)):
        publish_without_spark(NightSpec(SOURCE, night, nights.dump(night, 5), model=model))


@pytest.mark.usefixtures("_published")
def test_a_second_models_night_is_reported_as_scored() -> None:
    first, second = (opening.get_run(run_of(NIGHTS[0], model)) for model in (nights.MODEL, SECOND))
    n = second.counts["published"]
    assert n == first.counts["published"] > 0
    assert re.findall(r"(\d+) (\w+)", summary.novelty(second)) == [(str(n), "scored")]
    assert {name for _, name in re.findall(r"(\d+) (\w+)", summary.novelty(first))} == {"new", "changed", "known"}
    assert summary.novelty(second) in summary.of_run(second.run_id)


@pytest.mark.usefixtures("_published")
def test_use_names_only_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    lacked = rescoring.missing(SECOND)
    assert lacked.nights == 1
    shown = [message_of(SECOND, capsys, anyway=True)]
    assert f"{lacked.reviews} reviews" in shown[0]
    publish_without_spark(NightSpec(SOURCE, NIGHTS[1], nights.dump(NIGHTS[1], 5), model=SECOND))
    shown += [message_of(model, capsys) for model in (nights.MODEL, SECOND, SECOND, nights.MODEL)]
    assert not [line for line in shown if re.search(r"\b0\b|nothing", line)]
    assert not re.search(r"\d", shown[1].replace(nights.MODEL, ""))


def message_of(model: str, capsys: pytest.CaptureFixture[str], anyway: bool = False) -> str:
    models.use_model(model, anyway)
    return capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize("option", ["--name", "--source-name"])
def test_a_set_is_named_by_the_new_option_and_the_earlier_one(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[Request] = []

    def run(request: Request, *_: object) -> list[Evaluation]:
        requests.append(request)
        return []

    monkeypatch.setattr(evaluations, "run", run)
    done = CliRunner().invoke(cli.app, ["evaluate", "set.jsonl", option, "own", "--no-store"])
    assert (done.exit_code, requests[0].name) == (0, "own")
    assert ("--name" in done.stderr) == (option == "--source-name")


def test_coverage_leaves_zeros_out() -> None:
    assert re.findall(r"\d+", Coverage(0, 1, 20).summary()) == ["1", "20"]
    assert not re.findall(r"\d+", Coverage(0, 0, 0).summary())
