"""`sentiment evaluate` from file to table and back: real jobs, each in a process of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from scipy.stats import binomtest
from sentiment import cli, database, settings
from sentiment.errors import DataError, InfrastructureError, OutOfMemoryError
from sentiment.evaluation.model import DATASET
from sentiment.local import evaluations
from sentiment.orchestration.evaluating import Request
from sentiment.workspace import Workspace
from sklearn.metrics import classification_report
from typer.testing import CliRunner

from tests.evaluation import models

pytestmark = [pytest.mark.night, pytest.mark.usefixtures("ready")]

OWN = Path(__file__).parents[1] / "golden" / "own-sentences.jsonl"
SHARED = Path(__file__).parents[3] / "shared"
N_REAL = 500
"""Real reviews that are evaluated here; `tests/scoring/test_golden.py` scores them all."""
Row = dict[str, Any]


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def name(positive: bool) -> str:
    return "pos" if positive else "neg"


def stored(query: str) -> list[Any]:
    with database.transaction("reader") as c:
        return list(c.execute(sa.text(query)))


@pytest.fixture(scope="module")
def second(ready: object) -> Iterator[str]:
    with models.opposite() as model:
        yield model


def test_own_sentences_by_two_models_are_printed_and_stored(second: str) -> None:
    golden = lines(OWN)
    labels, predicted = ([name(g["polarity"] == 1) for g in golden], [name(g["pos"] >= 0.5) for g in golden])
    right = sum(label == answer for label, answer in zip(labels, predicted, strict=True))
    arguments = ["evaluate", str(OWN), "--against", second, "--digits", "3", "--mistakes", "2", "--name", "own"]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert classification_report(labels, predicted, digits=3) in done.stdout
    assert re.search(r"cinema-fr .*\bown\b.* 271 ", done.stdout)
    assert "271 of 271" in done.stderr
    worst = min((g for g in golden if g["polarity"] == 1), key=lambda g: g["pos"])
    mistake = f"  neg {1 - worst['pos']:.4f}, labelled pos, record {golden.index(worst) + 1}: {worst['text']}\n"
    assert mistake in done.stdout
    assert done.stdout.count(", labelled ") == 4

    (first, other) = stored("SELECT * FROM sentiment.evaluation ORDER BY model_id")
    assert (first.model_id, first.set_name, first.label_source, first.n, first.left_out) == (
        "cinema-fr", "own", "polarity", 271, 0
    )  # fmt: skip
    assert (first.accuracy, other.accuracy) == (right / 271, (271 - right) / 271)
    expected = classification_report(labels, predicted, output_dict=True)
    card = stored("SELECT * FROM sentiment.v_evaluation WHERE model_id = 'cinema-fr' ORDER BY row_no")
    assert [row.label for row in card] == ["neg", "pos", "accuracy", "macro avg", "weighted avg"]
    for row in card:
        figures = expected[row.label]
        if row.label == "accuracy":
            figures = {"precision": None, "recall": None, "f1-score": figures, "support": 271}
        assert [row.precision, row.recall, row.f1_score, row.support] == [*figures.values()]
    (test,) = stored("SELECT * FROM sentiment.evaluation_comparison")
    assert (test.first_id, test.second_id, test.n) == (first.evaluation_id, other.evaluation_id, 271)
    assert (test.only_first_right, test.only_second_right) == (right, 271 - right)
    assert test.p_value == pytest.approx(binomtest(right, 271).pvalue)
    assert f"sentiment.v_evaluation as {first.evaluation_id}, {other.evaluation_id}." in done.stdout
    assert Workspace(settings.load().lake).size(DATASET) == (0, 0), "parts that only the jobs needed are removed"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the founders' shared/ folder is not beside this checkout")
def test_real_reviews_give_scikit_learns_table(tmp_path: Path) -> None:
    reviews = lines(SHARED / "data" / "allocine-train.jsonl")
    golden = [g for g in lines(SHARED / "golden/demo-fr-allocine-train.jsonl") if g["n_wordpieces"] < 512][:N_REAL]
    path = tmp_path / "whole.jsonl"
    path.write_text("".join(json.dumps(reviews[g["row"]]) + "\n" for g in golden), "utf-8")
    labels = [name(reviews[g["row"]]["polarity"] == 1) for g in golden]
    expected = classification_report(labels, [name(g["pos"] >= 0.5) for g in golden], digits=4)
    before = stored("SELECT count(*) FROM sentiment.evaluation")
    done = CliRunner().invoke(
        cli.app, ["evaluate", str(path), "--model", "demo-fr", "--digits", "4", "--mistakes", "0", "--no-store"]
    )
    assert done.exit_code == 0, done.output
    assert expected in done.stdout
    assert "v_evaluation" not in done.stdout
    assert stored("SELECT count(*) FROM sentiment.evaluation") == before


def test_an_error_of_the_job_comes_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "typed.csv"
    path.write_text("review;label\nUn film magnifique;pos\nPas mal;peut-être\n", "utf-8")
    with pytest.raises(DataError) as refused:
        evaluations.run(Request(str(path), "cinema-fr"), 10, lambda _: None)
    assert re.search(rf"^{re.escape(str(path))}, record 2\b.*'peut-être'.*cinema-fr.*neg, pos", refused.value.message)
    assert f"sentiment evaluate {path}" in refused.value.try_next


@pytest.mark.parametrize(
    ("exit_code", "kind", "program"), [(1, InfrastructureError, "tail"), (137, OutOfMemoryError, "free")]
)
def test_a_job_that_ends_without_an_outcome(
    exit_code: int, kind: type[InfrastructureError], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "_wait", lambda *_: exit_code)
    with pytest.raises(InfrastructureError, match=rf"\b{exit_code}\b") as ended:
        evaluations.run(Request(str(OWN), "cinema-fr"), 10, lambda _: None)
    assert (type(ended.value), ended.value.try_next.split()[0]) == (kind, program)
