"""The canary: bundled sentences of our own, scored by every run and never read from the score cache.

A label that flips or a probability that moves means that the pipeline changed, not the audience.
"""

from __future__ import annotations

import json

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import CanaryMovedError
from sentiment.runs.handoff import CanaryPrediction
from sentiment.sql import statement

# Largest move of a probability that counts as none: one network on one kind of processor moves less.
TOLERANCE = 1e-4


def check(model_id: str, fingerprint: str, run_id: str, predictions: list[CanaryPrediction]) -> str:
    """Compare predictions with the baseline, those this model opened its canary with; return a summary.

    A `fingerprint` covers the network and the sentences; a new one opens a canary with these predictions as baseline.
    Raises CanaryMovedError naming the sentences that moved most.
    """
    with transaction() as c:
        baseline = _baseline(c, model_id, fingerprint)
        if not baseline:
            opened_before = _has_other_fingerprint(c, model_id, fingerprint)
            _open(c, model_id, fingerprint, run_id, predictions)
            why = "its network or the sentences are new" if opened_before else "it is new here"
            return f"new canary opened for model {model_id}: {why}; {len(predictions)} sentences"
    moved = [p for p in predictions if _moved(p, baseline.get(p.sentence_no))]
    if moved or len(predictions) != len(baseline):
        raise CanaryMovedError(_message(model_id, moved, baseline, len(predictions)), "sentiment doctor")
    return f"canary unchanged ({len(predictions)} sentences)"


def _moved(now: CanaryPrediction, then: CanaryPrediction | None) -> bool:
    return then is None or now.label != then.label or distance(now, then) > TOLERANCE


def distance(now: CanaryPrediction, then: CanaryPrediction) -> float:
    """Return how far the probability of the baseline's label moved, 0 to 1; of two labels where the label differs."""
    return abs(now.score - (then.score if now.label == then.label else 1 - then.score))


def _message(
    model_id: str, moved: list[CanaryPrediction], baseline: dict[int, CanaryPrediction], n_predictions: int
) -> str:
    if not moved:
        return f"The canary has {n_predictions} sentences, it was opened with {len(baseline)}. Nothing is published."
    known = [p for p in moved if p.sentence_no in baseline]
    known.sort(key=lambda p: -distance(p, baseline[p.sentence_no]))
    flipped = sum(p.label != baseline[p.sentence_no].label for p in known)
    worst = json.dumps([{**p.model_dump(), "was": baseline[p.sentence_no].model_dump()} for p in known[:3]])
    return (
        f"The canary moved: {len(moved)} of {len(baseline)} sentences are scored otherwise than when model {model_id} "
        f"was first used ({flipped} with another label, the tolerance is {TOLERANCE:g}), e.g. {worst}. The pipeline "
        "changed, not the audience, so nothing is published."
    )


def _has_other_fingerprint(c: sa.Connection, model_id: str, fingerprint: str) -> bool:
    params = {"model_id": model_id, "fingerprint": fingerprint}
    return c.execute(statement("drift/canary/other_fingerprint"), params).first() is not None


def _baseline(c: sa.Connection, model_id: str, fingerprint: str) -> dict[int, CanaryPrediction]:
    rows = c.execute(statement("drift/canary/baseline"), {"model_id": model_id, "fingerprint": fingerprint})
    return {row.sentence_no: CanaryPrediction(**row._mapping) for row in rows}


def _open(c: sa.Connection, model_id: str, fingerprint: str, run_id: str, predictions: list[CanaryPrediction]) -> None:
    canary = {"model_id": model_id, "fingerprint": fingerprint, "run_id": run_id}
    c.execute(statement("drift/canary/insert"), [{**canary, **p.model_dump()} for p in predictions])
