"""Store evaluations in Postgres: figures and counts, never a text."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from sentiment.database import transaction
from sentiment.evaluation import paired
from sentiment.evaluation.model import Against, Evaluation
from sentiment.evaluation.report import Figure, Report
from sentiment.runs import opening
from sentiment.sql import statement


def insert(evaluation: Evaluation) -> None:
    """Insert an evaluation, and its comparison with another stored one where it has one, in one transaction."""
    report, key = evaluation.report, {"evaluation_id": evaluation.evaluation_id}
    with transaction() as c:
        # The evaluation first: rows of the other tables refer to it.
        c.execute(statement("evaluation/insert_evaluation"), _summary(evaluation, report))
        c.execute(statement("evaluation/insert_class"), [key | row for row in _classes(report)])
        c.execute(statement("evaluation/insert_confusion"), [key | row for row in _confusion(report)])
        if evaluation.against:
            comparison = _comparison(evaluation.evaluation_id, evaluation.against)
            c.execute(statement("evaluation/insert_comparison"), comparison)


def _summary(evaluation: Evaluation, report: Report) -> dict[str, Any]:
    averages = {"macro": report.macro, "weighted": report.weighted}
    return {
        "evaluation_id": evaluation.evaluation_id,
        "model_id": evaluation.model_id,
        "fingerprint": evaluation.fingerprint,
        "set_name": evaluation.set_name,
        "set_sha256": evaluation.set_sha256,
        "label_source": evaluation.label_source.value,
        "n": report.n,
        "left_out": sum(evaluation.excluded.values()),
        **_figure("accuracy", report.accuracy),
        **{f"{kind}_{name}": value for kind, row in averages.items() for name, value in row._asdict().items()},
        "ece": report.ece,
        "brier": report.brier,
        "spark_nlp_version": version("spark-nlp"),
        "code_version": opening.code_version(),
    }


def _classes(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "label": row.label,
            **_figure("precision", row.precision),
            **_figure("recall", row.recall),
            **_figure("f1_score", row.f1_score),
            "support": row.support,
        }
        for row in report.labels
    ]


def _figure(name: str, figure: Figure) -> dict[str, float | None]:
    low, high = figure.interval or (None, None)
    return {name: figure.value, f"{name}_low": low, f"{name}_high": high}


def _confusion(report: Report) -> list[dict[str, Any]]:
    return [{"label": label, "predicted": predicted, "n": n} for (label, predicted), n in report.confusion.items()]


def _comparison(evaluation_id: str, against: Against) -> dict[str, Any]:
    result = paired.compare(against.pairs)
    return {
        "first_id": against.evaluation_id,
        "second_id": evaluation_id,
        **asdict(against.pairs),
        "p_value": result.p_value,
        "difference": result.difference,
        "difference_low": result.low,
        "difference_high": result.high,
    }
