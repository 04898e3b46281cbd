"""Labelled sets as they come: which records count, with which label, and what is refused with which words."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from pyspark.sql import functions as F
from sentiment import contract, settings
from sentiment.database import transaction
from sentiment.errors import DataError, DumpNotFoundError, ParameterError
from sentiment.evaluation.labelled_set import LabelledSet, LabelSource
from sentiment.evaluation.model import DATASET, Evaluation, work_key
from sentiment.evaluation.paired import Pairs
from sentiment.jobs import evaluate
from sentiment.jobs.evaluate import EvaluationRequest
from sentiment.orchestration import evaluating
from sentiment.orchestration.evaluating import Request
from sentiment.runs import outcome
from sentiment.runs.model import Layout
from sentiment.runs.outcome import Outcome
from sentiment.runtime import spark as sessions
from sentiment.scoring import network, registry
from sentiment.workspace import Workspace

from tests.evaluation import models

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.usefixtures("server")

Evaluate = Callable[..., Evaluation]
Written = Callable[[list[Any]], str]
STARS = ("1 star", "2 stars", "3 stars")


class Network:
    """Answers with the first word of a text, as surely as the second word says, and remembers how many it was asked."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.n_texts = 0

    def score(self, texts: DataFrame, *_: object) -> DataFrame:
        self.n_texts += texts.count()
        label = F.translate(F.split("text", " ")[0], "_", " ")
        sure = F.split("text", " ")[1].cast("double")
        rest = (1 - sure) / (len(self.labels) - 1)
        chances = F.to_json(
            F.struct(*(F.when(label == name, sure).otherwise(rest).alias(name) for name in self.labels))
        )
        values = {"label": label, "score": sure, "probabilities": chances}
        others = ("p_positive", "n_wordpieces", "n_unknown", "n_chunks")
        values |= {name: F.lit(None).cast("int") for name in others}
        return texts.select("text_hash", *(values[name].alias(name) for name in network.SCORED[1:]))


@pytest.fixture
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Every model has these labels, and answers what its texts say."""
    labels = getattr(request, "param", ("neg", "pos"))
    found = Network(labels)
    model = registry.Model("made-up", Path("/nowhere"), labels, "f" * 64)
    monkeypatch.setattr(registry, "find", lambda model_id, _: replace(model, model_id=model_id))
    monkeypatch.setattr(network, "load", lambda *_: None)
    monkeypatch.setattr(network, "score", found.score)
    return found


@pytest.fixture
def evaluated(spark: SparkSession, said: Network) -> Iterator[Evaluate]:
    """Evaluates a file without storing; how many mistakes are told and what a Request takes may be said."""
    done: list[str] = []

    def run(path: str, mistakes: int = 10, against: str | None = None, **asked: Any) -> Evaluation:
        found = evaluating.find_set(Request(path, "made-up", **asked))
        told = evaluate.work(
            spark, EvaluationRequest(found, "made-up", mistakes, against, False), Workspace(settings.load().lake)
        )
        done.append(told.evaluation_id)
        return told

    yield run
    evaluating.clear(done)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes rows as JSON lines, and strings as they are; returns the path."""

    def write(rows: list[Any]) -> str:
        path = tmp_path / "labelled.jsonl"
        path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
        return str(path)

    return write


def confusion(told: Evaluation) -> dict[tuple[str, str], int]:
    return {pair: n for pair, n in told.report.confusion.items() if n}


def test_labels_by_name_or_number_and_what_is_left_out(evaluated: Evaluate, written: Written) -> None:
    path = written(
        [
            {"review": "pos 0.9 un", "polarity": 1},
            {"review": "neg 0.8 deux", "polarity": "NEG"},
            {"review": "pos 0.7 trois", "polarity": "négatif"},
            {"review": "neg 0.6 quatre", "polarity": "Pos"},
            {"review": "neg 0.6 cinq", "polarity": "  "},
            {"review": "neg 0.6 six", "rating": 1},
            {"review": "   ", "polarity": 1},
            {"review": None, "polarity": 1},
            {"review": "\u200b", "polarity": 1},
            "{no json",
        ]
    )
    told = evaluated(path)
    assert confusion(told) == {("pos", "pos"): 1, ("neg", "neg"): 1, ("neg", "pos"): 1, ("pos", "neg"): 1}
    assert told.left_out == {"unreadable": 1, "no_text": 3, "no_label": 2}
    assert (told.label_source, told.set_name) == (LabelSource.polarity, "labelled.jsonl")
    assert told.set_sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert "left out: 1 can't be read, 3 have no text, 2 have no label" in evaluating.report_lines(told)[0]


def test_what_a_person_asked_to_have_removed_is_left_out(evaluated: Evaluate, written: Written) -> None:
    source = settings.load().source
    review_id = hashlib.sha256(contract.UNIT_SEPARATOR.join(("id", source, "gone")).encode()).hexdigest()
    key = {"key": contract.suppressed_key("review", source, review_id[: contract.ID_HEX_CHARS])}
    with transaction("owner") as c:
        c.execute(sa.text("INSERT INTO sentiment.forgotten (kind, key_hash) VALUES ('review', :key)"), key)
    told = evaluated(written([{"id": i, "text": f"pos 0.9 {i}", "polarity": 1} for i in ("gone", "here")]))
    with transaction("owner") as c:
        c.execute(sa.text("DELETE FROM sentiment.forgotten WHERE key_hash = :key"), key)
    assert (told.left_out, told.report.n) == ({contract.FORGOTTEN: 1}, 1)


RATINGS = (0.5, 2, 2.5, 3.5, 4, 5, 11, "quatre", None, "1/5", "9/10")


def test_ratings_are_weak_labels(evaluated: Evaluate, written: Written) -> None:
    told = evaluated(written([{"review": f"pos 0.9 {n}", "note": rating} for n, rating in enumerate(RATINGS)]))
    assert told.label_source is LabelSource.rating
    assert confusion(told) == {("neg", "pos"): 3, ("pos", "pos"): 3}
    assert told.left_out == {"no_label": 1, "rating_between": 2, "no_rating": 2}
    assert "weak labels from its ratings: up to 2 negative, from 4 positive" in evaluating.report_lines(told)[0]


def test_of_both_columns_polarity_counts_unless_ratings_are_asked_for(evaluated: Evaluate, written: Written) -> None:
    path = written([{"review": "pos 0.9 un", "polarity": 1, "rating": 1.0}, {"review": "pos 0.9 deux", "rating": 5}])
    assert confusion(evaluated(path)) == {("pos", "pos"): 1}
    assert confusion(evaluated(path, labels=LabelSource.rating)) == {("neg", "pos"): 1, ("pos", "pos"): 1}


def test_the_same_text_counts_each_time_and_is_scored_once(
    evaluated: Evaluate, said: Network, written: Written
) -> None:
    told = evaluated(written([{"review": "pos 0.9 un", "polarity": n % 2} for n in range(7)]), mistakes=2)
    assert confusion(told) == {("pos", "pos"): 3, ("neg", "pos"): 4}
    assert said.n_texts == 1
    assert [(m.record_no, m.label, m.predicted, m.confidence) for m in told.mistakes] == [
        (1, "neg", "pos", 0.9),
        (3, "neg", "pos", 0.9),
    ]


def test_the_worst_mistakes_are_those_it_was_surest_of(evaluated: Evaluate, written: Written) -> None:
    sure = (0.6, 0.99, 0.7, 0.95)
    path = written([{"review": f"pos {p} texte", "polarity": int(p == 0.95)} for p in sure])
    assert [m.confidence for m in evaluated(path, mistakes=2).mistakes] == [0.99, 0.7]
    assert evaluated(path, mistakes=0).mistakes == ()


@pytest.mark.parametrize("said", [STARS], indirect=True)
def test_a_model_of_other_labels(evaluated: Evaluate, written: Written) -> None:
    answers = [("1_star", 0.8, "1 Star"), ("3_stars", 0.6, "2 stars"), ("3_stars", 0.4, "3 STARS")]
    told = evaluated(written([{"review": f"{said} {p} a", "polarity": label} for said, p, label in answers]))
    assert confusion(told) == {("1 star", "1 star"): 1, ("2 stars", "3 stars"): 1, ("3 stars", "3 stars"): 1}
    # sums over labels of (p - 1 where it is the label)^2
    whole = (0.2**2 + 2 * 0.1**2) + (0.2**2 + 0.8**2 + 0.6**2) + (0.6**2 + 2 * 0.3**2)
    assert told.report.brier == pytest.approx(whole / 3)
    assert told.report.ece == pytest.approx((0.2 + 0.6 + 0.6) / 3)


@pytest.mark.parametrize("said", [STARS], indirect=True)
def test_a_model_without_polarity_is_refused_what_it_cannot_say(evaluated: Evaluate, written: Written) -> None:
    with pytest.raises(DataError, match=r"record 1 .* 1 star, 2 stars, 3 stars") as refused:
        evaluated(written([{"review": "1_star 0.8 a", "polarity": 1}]))
    assert "neither a negative nor a positive label" in refused.value.message
    with pytest.raises(ParameterError, match=r"Ratings of .* can't be labels of made-up") as refused_rating:
        evaluated(written([{"review": "1_star 0.8 a", "rating": 5}]))
    assert "sentiment model list" in refused_rating.value.try_next


def test_a_label_that_is_none_of_the_models_is_named_with_its_record(evaluated: Evaluate, written: Written) -> None:
    labels = ("pos", "mixed", "neutral", "neg")
    path = written([{"review": f"pos 0.9 {n}", "label": label} for n, label in enumerate(labels)])
    with pytest.raises(DataError) as refused:
        evaluated(path)
    assert refused.value.message == (
        f"{path}, record 2, the first of 2 such records, has the label 'mixed'; "
        "made-up predicts one of neg, pos, or 0 for neg and 1 for pos."
    )
    assert "mend the label or leave it empty" in refused.value.try_next


def test_a_set_without_anything_to_evaluate_is_refused(evaluated: Evaluate, written: Written) -> None:
    path = written([{"review": "pos 0.9 a", "rating": 3}, {"review": "  ", "rating": 1}])
    with pytest.raises(DataError, match="no record to evaluate: 1 have no text, 1 have a rating between 2 and 4"):
        evaluated(path)


def test_a_file_without_labels_is_refused_before_spark(written: Written) -> None:
    path = written([{"review": "un", "stars": None, "title": "a"}])
    assert evaluating.find_set(Request(path, "cinema-fr")).label_source is LabelSource.rating
    with pytest.raises(DataError, match=r"no column of polarity: found review, stars, title; expected") as refused:
        evaluating.find_set(Request(path, "cinema-fr", labels=LabelSource.polarity))
    assert refused.value.try_next == f"sentiment source look {path}"
    with pytest.raises(DataError, match=r"no column of polarity or rating: found review"):
        evaluating.find_set(Request(written([{"review": "un"}]), "cinema-fr"))
    with pytest.raises(DumpNotFoundError, match="no such file"):
        evaluating.find_set(Request("/nowhere/labelled.jsonl", "cinema-fr"))


def test_models_are_looked_for_before_the_file() -> None:
    with pytest.raises(ParameterError, match="There is no model 'gpt'"):
        evaluating.find_set(Request("/nowhere", "cinema-fr", "gpt"))
    with pytest.raises(ParameterError, match="--against is 'cinema-fr', the model itself"):
        Request("/nowhere", "cinema-fr", "cinema-fr")


def test_records_are_compared_one_by_one(
    evaluated: Evaluate, said: Network, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written([{"review": f"pos 0.9 {n}", "polarity": int(n > 2)} for n in range(10)])
    first = evaluated(path)
    monkeypatch.setattr(network, "score", lambda texts, *_: _opposite(said.score(texts)))
    second = evaluated(path, against=first.evaluation_id)
    assert second.against is not None
    assert second.against.pairs == Pairs(10, 7, 3)
    assert "On the same 10 records made-up alone is right in 7, made-up alone in 3" in evaluating.comparison_sentence(
        first, second
    )


def _opposite(scored: DataFrame) -> DataFrame:
    return scored.withColumn("label", F.when(F.col("label") == "pos", "neg").otherwise("pos"))


def test_what_the_jobs_leave_to_each_other_holds_no_text(
    evaluated: Evaluate, written: Written, spark: SparkSession
) -> None:
    told = evaluated(written([{"review": "pos 0.9 secret", "polarity": 0}]))
    workspace = Workspace(settings.load().lake)
    assert told.mistakes[0].text == "pos 0.9 secret"
    left = spark.read.parquet(workspace.address(f"{DATASET}/{work_key(told.evaluation_id)}/verdicts"))
    assert not [row for row in left.collect() if "secret" in str(row)]
    assert set(left.columns) == {"file_no", "record_no", "gold", "predicted", "confidence", "squared_error", *PARTS}


PARTS = ("token", "chunk")


def test_a_mistakes_text_is_one_line_that_does_nothing() -> None:
    first, other = evaluating.report_lines(models.MADE)[-2:]
    assert first.startswith(r"  pos 0.9000, labelled neg, record 7: un texte \x1b[31m rouge [bold]xxx")
    assert first.endswith("x…")
    assert len(first) < 150
    assert other == "  pos 0.8900, labelled neg, record 2 of file 1: deux"


def test_a_result_travels_as_it_is() -> None:
    assert evaluating.from_result(evaluating.to_result(models.MADE)) == models.MADE


def test_the_job_reports_its_error_and_exits_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DataError("no record", "look")

    labelled = LabelledSet("u", "n", "0", LabelSource.polarity, "k", [Layout("csv", ["review"], ";")], {})
    path = tmp_path / "outcome.json"
    assert evaluating.set_from_json(evaluating.set_to_json(labelled)) == labelled
    monkeypatch.setattr(evaluate, "work", refuse)
    monkeypatch.setattr(sessions, "session", lambda _: None)
    arguments = ["--set", evaluating.set_to_json(labelled), "--model", "m", "--no-store", "--outcome", str(path)]
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    assert evaluate.main() == DataError.exit_code
    assert outcome.read(path) == Outcome.of_error(DataError("no record", "look"))
