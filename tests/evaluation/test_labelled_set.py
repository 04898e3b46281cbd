"""Labelled sets as they come: which records count, with which label, and which sets are refused."""

from __future__ import annotations

import hashlib
import json
import re
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
    """A network that predicts a text's first word with its second as probability; `n_texts` counts texts scored."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.n_texts = 0

    def score(self, texts: DataFrame, *_: object) -> DataFrame:
        self.n_texts += texts.count()
        label = F.translate(F.split("text", " ")[0], "_", " ")
        sure = F.split("text", " ")[1].cast("double")
        rest = (1 - sure) / (len(self.labels) - 1)
        probabilities = F.to_json(
            F.struct(*(F.when(label == name, sure).otherwise(rest).alias(name) for name in self.labels))
        )
        values = {"label": label, "score": sure, "probabilities": probabilities}
        others = {"p_positive": "double", "n_wordpieces": "int", "n_unknown": "int", "n_chunks": "smallint"}
        values |= {name: F.lit(None).cast(spark_type) for name, spark_type in others.items()}
        return texts.select("text_hash", *(values[name].alias(name) for name in network.SCORED[1:]))


@pytest.fixture
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Let every model have these labels and this network."""
    labels = getattr(request, "param", ("neg", "pos"))
    fake = Network(labels)
    model = registry.Model("made-up", Path("/nowhere"), labels, "f" * 64)
    monkeypatch.setattr(registry, "find", lambda model_id, _: replace(model, model_id=model_id))
    monkeypatch.setattr(network, "load", lambda *_: None)
    monkeypatch.setattr(network, "score", fake.score)
    return fake


@pytest.fixture
def evaluated(spark: SparkSession, fake: Network) -> Iterator[Evaluate]:
    """A function that evaluates a file without storing; it takes the number of mistakes and fields of a Request."""
    evaluation_ids: list[str] = []

    def run(path: str, mistakes: int = 10, against: str | None = None, **fields: Any) -> Evaluation:
        labelled_set = evaluating.find_set(Request(path, "made-up", **fields))
        request = EvaluationRequest(labelled_set, "made-up", mistakes, against, False)
        evaluation = evaluate.work(spark, request, Workspace(settings.load().lake))
        evaluation_ids.append(evaluation.evaluation_id)
        return evaluation

    yield run
    evaluating.clear(evaluation_ids)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A function that writes rows as JSON lines, and strings as they are, and returns the path."""

    def write(rows: list[Any]) -> str:
        path = tmp_path / "labelled.jsonl"
        path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
        return str(path)

    return write


def confusion(evaluation: Evaluation) -> dict[tuple[str, str], int]:
    return {pair: n for pair, n in evaluation.report.confusion.items() if n}


def test_labels_by_name_or_number_and_excluded_records(evaluated: Evaluate, written: Written) -> None:
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
    evaluation = evaluated(path)
    assert confusion(evaluation) == {("pos", "pos"): 1, ("neg", "neg"): 1, ("neg", "pos"): 1, ("pos", "neg"): 1}
    assert evaluation.excluded == {"unreadable": 1, "no_text": 3, "no_label": 2}
    assert (evaluation.label_source, evaluation.set_name) == (LabelSource.polarity, "labelled.jsonl")
    assert evaluation.set_sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert re.findall(r"\d+", evaluating.report_lines(evaluation)[0]) == ["4", "1", "3", "2"], (
        "evaluated, and by reason"
    )


def test_reviews_of_the_suppression_list_are_excluded(evaluated: Evaluate, written: Written) -> None:
    source = settings.load().source
    review_id = hashlib.sha256(contract.UNIT_SEPARATOR.join(("id", source, "gone")).encode()).hexdigest()
    key = {"key": contract.suppressed_key("review", source, review_id[: contract.ID_HEX_CHARS])}
    with transaction("owner") as c:
        c.execute(sa.text("INSERT INTO sentiment.forgotten (kind, key_hash) VALUES ('review', :key)"), key)
    evaluation = evaluated(written([{"id": i, "text": f"pos 0.9 {i}", "polarity": 1} for i in ("gone", "here")]))
    with transaction("owner") as c:
        c.execute(sa.text("DELETE FROM sentiment.forgotten WHERE key_hash = :key"), key)
    assert (evaluation.excluded, evaluation.report.n) == ({contract.FORGOTTEN: 1}, 1)


RATINGS = (0.5, 2, 2.5, 3.5, 4, 5, 11, "quatre", None, "1/5", "9/10")


def test_ratings_are_weak_labels(evaluated: Evaluate, written: Written) -> None:
    evaluation = evaluated(written([{"review": f"pos 0.9 {n}", "note": rating} for n, rating in enumerate(RATINGS)]))
    assert evaluation.label_source is LabelSource.rating
    assert confusion(evaluation) == {("neg", "pos"): 3, ("pos", "pos"): 3}
    assert evaluation.excluded == {"no_label": 1, "rating_between": 2, "no_rating": 2}


def test_of_both_columns_polarity_counts_unless_ratings_are_requested(evaluated: Evaluate, written: Written) -> None:
    path = written([{"review": "pos 0.9 un", "polarity": 1, "rating": 1.0}, {"review": "pos 0.9 deux", "rating": 5}])
    assert confusion(evaluated(path)) == {("pos", "pos"): 1}
    assert confusion(evaluated(path, labels=LabelSource.rating)) == {("neg", "pos"): 1, ("pos", "pos"): 1}


def test_a_repeated_text_counts_every_time_and_is_scored_once(
    evaluated: Evaluate, fake: Network, written: Written
) -> None:
    evaluation = evaluated(written([{"review": "pos 0.9 un", "polarity": n % 2} for n in range(7)]), mistakes=2)
    assert confusion(evaluation) == {("pos", "pos"): 3, ("neg", "pos"): 4}
    assert fake.n_texts == 1
    assert [(m.record_no, m.label, m.predicted, m.confidence) for m in evaluation.mistakes] == [
        (1, "neg", "pos", 0.9),
        (3, "neg", "pos", 0.9),
    ]


def test_the_worst_mistakes_are_those_of_highest_confidence(evaluated: Evaluate, written: Written) -> None:
    sure = (0.6, 0.99, 0.7, 0.95)
    path = written([{"review": f"pos {p} texte", "polarity": int(p == 0.95)} for p in sure])
    assert [m.confidence for m in evaluated(path, mistakes=2).mistakes] == [0.99, 0.7]
    assert evaluated(path, mistakes=0).mistakes == ()


@pytest.mark.parametrize("fake", [STARS], indirect=True)
def test_a_model_of_other_labels(evaluated: Evaluate, written: Written) -> None:
    answers = [("1_star", 0.8, "1 Star"), ("3_stars", 0.6, "2 stars"), ("3_stars", 0.4, "3 STARS")]
    evaluation = evaluated(
        written([{"review": f"{predicted} {p} a", "polarity": label} for predicted, p, label in answers])
    )
    assert confusion(evaluation) == {("1 star", "1 star"): 1, ("2 stars", "3 stars"): 1, ("3 stars", "3 stars"): 1}
    # sums over labels of (p - 1 where it is the label)^2
    squared_error = (0.2**2 + 2 * 0.1**2) + (0.2**2 + 0.8**2 + 0.6**2) + (0.6**2 + 2 * 0.3**2)
    assert evaluation.report.brier == pytest.approx(squared_error / 3)
    assert evaluation.report.ece == pytest.approx((0.2 + 0.6 + 0.6) / 3)


@pytest.mark.parametrize("fake", [STARS], indirect=True)
def test_a_model_without_polarity_takes_neither_numbers_nor_ratings(evaluated: Evaluate, written: Written) -> None:
    with pytest.raises(DataError, match=r"record 1 .* 1 star, 2 stars, 3 stars") as refused:
        evaluated(written([{"review": "1_star 0.8 a", "polarity": 1}]))
    assert refused.value.try_next
    with pytest.raises(ParameterError, match="made-up") as refused_rating:
        evaluated(written([{"review": "1_star 0.8 a", "rating": 5}]))
    assert "sentiment model list" in refused_rating.value.try_next


def test_a_label_that_is_none_of_the_models_is_named_with_its_record(evaluated: Evaluate, written: Written) -> None:
    labels = ("pos", "mixed", "neutral", "neg")
    path = written([{"review": f"pos 0.9 {n}", "label": label} for n, label in enumerate(labels)])
    with pytest.raises(DataError, match=rf"^{re.escape(path)}, record 2\b.*\b2\b.*'mixed'") as refused:
        evaluated(path)
    assert "neg, pos" in refused.value.message
    assert f"sentiment evaluate {path} --model" in refused.value.try_next


def test_a_set_without_anything_to_evaluate_is_refused(evaluated: Evaluate, written: Written) -> None:
    path = written([{"review": "pos 0.9 a", "rating": 3}, {"review": "  ", "rating": 1}])
    with pytest.raises(DataError, match=r"\b1\b.*\b1\b.*\b2 and 4\b"):
        evaluated(path)


def test_a_file_without_labels_is_refused_before_spark(written: Written) -> None:
    path = written([{"review": "un", "stars": None, "title": "a"}])
    assert evaluating.find_set(Request(path, "cinema-fr")).label_source is LabelSource.rating
    with pytest.raises(DataError, match=r"polarity: .*review, stars, title") as refused:
        evaluating.find_set(Request(path, "cinema-fr", labels=LabelSource.polarity))
    assert refused.value.try_next == f"sentiment source look {path}"
    with pytest.raises(DataError, match=r"polarity or rating: .*review"):
        evaluating.find_set(Request(written([{"review": "un"}]), "cinema-fr"))
    with pytest.raises(DumpNotFoundError, match=r"/nowhere/labelled\.jsonl"):
        evaluating.find_set(Request("/nowhere/labelled.jsonl", "cinema-fr"))


def test_models_are_looked_for_before_the_file() -> None:
    with pytest.raises(ParameterError, match="'gpt'"):
        evaluating.find_set(Request("/nowhere", "cinema-fr", "gpt"))
    with pytest.raises(ParameterError, match=r"--against .*'cinema-fr'"):
        Request("/nowhere", "cinema-fr", "cinema-fr")


def test_records_are_compared_one_by_one(
    evaluated: Evaluate, fake: Network, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written([{"review": f"pos 0.9 {n}", "polarity": int(n > 2)} for n in range(10)])
    first = evaluated(path)
    monkeypatch.setattr(network, "score", lambda texts, *_: _opposite(fake.score(texts)))
    second = evaluated(path, against=first.evaluation_id)
    assert second.against is not None
    assert second.against.pairs == Pairs(10, 7, 3)
    assert re.findall(r"\b\d+\b", evaluating.comparison_sentence(first, second))[:3] == ["10", "7", "3"]


def _opposite(scored: DataFrame) -> DataFrame:
    return scored.withColumn("label", F.when(F.col("label") == "pos", "neg").otherwise("pos"))


def test_rows_that_a_job_leaves_for_the_next_hold_no_text(
    evaluated: Evaluate, written: Written, spark: SparkSession
) -> None:
    evaluation = evaluated(written([{"review": "pos 0.9 secret", "polarity": 0}]))
    workspace = Workspace(settings.load().lake)
    assert evaluation.mistakes[0].text == "pos 0.9 secret"
    rows = spark.read.parquet(workspace.address(f"{DATASET}/{work_key(evaluation.evaluation_id)}/verdicts"))
    assert not [row for row in rows.collect() if "secret" in str(row)]
    assert set(rows.columns) == {"file_no", "record_no", "gold", "predicted", "confidence", "squared_error", *PARTS}


PARTS = ("token", "chunk")


def test_a_mistakes_text_is_one_line_that_does_nothing() -> None:
    first, other = evaluating.report_lines(models.EVALUATION)[-2:]
    assert first.startswith(r"  pos 0.9000, labelled neg, record 7: un texte \x1b[31m rouge [bold]xxx")
    assert first.endswith("x…")
    assert len(first) < 150
    assert other == "  pos 0.8900, labelled neg, record 2 of file 1: deux"


def test_a_result_travels_as_it_is() -> None:
    assert evaluating.from_result(evaluating.to_result(models.EVALUATION)) == models.EVALUATION


def test_the_job_reports_its_error_and_exits_with_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise DataError("no record", "look")

    labelled = LabelledSet("u", "n", "0", LabelSource.polarity, 1, "k", [Layout("csv", ["review"], ";")], {})
    path = tmp_path / "outcome.json"
    assert evaluating.set_from_json(evaluating.set_to_json(labelled)) == labelled
    monkeypatch.setattr(evaluate, "work", refuse)
    monkeypatch.setattr(sessions, "session", lambda *_: None)
    arguments = ["--set", evaluating.set_to_json(labelled), "--model", "m", "--no-store", "--outcome", str(path)]
    monkeypatch.setattr(sys, "argv", ["evaluate", *arguments])
    assert evaluate.main() == DataError.exit_code
    assert outcome.read(path) == Outcome.of_error(DataError("no record", "look"))
