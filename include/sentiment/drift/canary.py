"""The canary: bundled sentences of our own, scored by every run and never from the cache.

If a label flips or a probability moves, the pipeline changed, not the audience.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.errors import CanaryMovedError

TOLERANCE = 1e-4
"""Largest move of a probability that is not a change (one network, one kind of processor)."""


@dataclass(frozen=True)
class Said:
    """What a model said of one sentence."""

    sentence_no: int
    label: str
    score: float


def check(model_id: str, fingerprint: str, run_id: str, said: list[Said]) -> str:
    """Compare with what this model said first; the first time, write it down. Returns the finding in words.

    Raises CanaryMovedError naming the worst sentences.
    """
    with transaction() as c:
        first = _opened(c, model_id, fingerprint)
        if not first:
            _open(c, model_id, fingerprint, run_id, said)
            return f"canary opened with {len(said)} sentences"
    moved = [s for s in said if _moved(s, first.get(s.sentence_no))]
    if moved or len(said) != len(first):
        worst = json.dumps([vars(s) for s in moved[:3]])
        raise CanaryMovedError(
            f"The canary moved: {len(moved)} of {len(first)} sentences are scored otherwise than when model "
            f"{model_id} was first used, e.g. {worst}. The pipeline changed, so nothing is published.",
            "sentiment doctor",
        )
    return f"canary unchanged ({len(said)} sentences)"


def _moved(now: Said, then: Said | None) -> bool:
    return then is None or now.label != then.label or abs(now.score - then.score) > TOLERANCE


def _opened(c: sa.Connection, model_id: str, fingerprint: str) -> dict[int, Said]:
    rows = c.execute(
        sa.text(
            "SELECT sentence_no, label, score FROM drift.canary "
            "WHERE model_id = :model_id AND fingerprint = :fingerprint"
        ),
        {"model_id": model_id, "fingerprint": fingerprint},
    )
    return {row.sentence_no: Said(row.sentence_no, row.label, row.score) for row in rows}


def _open(c: sa.Connection, model_id: str, fingerprint: str, run_id: str, said: list[Said]) -> None:
    c.execute(
        sa.text(
            "INSERT INTO drift.canary (model_id, fingerprint, sentence_no, label, score, run_id) "
            "VALUES (:model_id, :fingerprint, :sentence_no, :label, :score, :run_id)"
        ),
        [{"model_id": model_id, "fingerprint": fingerprint, "run_id": run_id, **vars(s)} for s in said],
    )
