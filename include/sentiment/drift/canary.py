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

    `fingerprint` covers the network and the sentences: another of either opens a new canary, and is told as such.
    Raises CanaryMovedError naming the worst sentences.
    """
    with transaction() as c:
        first = _opened(c, model_id, fingerprint)
        if not first:
            before = _other_fingerprints(c, model_id, fingerprint)
            _open(c, model_id, fingerprint, run_id, said)
            why = "its network or the sentences are new" if before else "it is new here"
            return f"new canary opened for model {model_id}: {why}; {len(said)} sentences"
    moved = [s for s in said if _moved(s, first.get(s.sentence_no))]
    if moved or len(said) != len(first):
        raise CanaryMovedError(_in_words(model_id, moved, first, len(said)), "sentiment doctor")
    return f"canary unchanged ({len(said)} sentences)"


def _moved(now: Said, then: Said | None) -> bool:
    return then is None or now.label != then.label or distance(now, then) > TOLERANCE


def distance(now: Said, then: Said) -> float:
    """How far the probability of the label said first moved; both are of two labels where they differ."""
    return abs(now.score - (then.score if now.label == then.label else 1 - then.score))


def _in_words(model_id: str, moved: list[Said], first: dict[int, Said], n_said: int) -> str:
    if not moved:
        return f"The canary has {n_said} sentences, it was opened with {len(first)}. Nothing is published."
    known = sorted((s for s in moved if s.sentence_no in first), key=lambda s: -distance(s, first[s.sentence_no]))
    flipped = sum(s.label != first[s.sentence_no].label for s in known)
    worst = json.dumps([{**vars(s), "was": vars(first[s.sentence_no])} for s in known[:3]])
    return (
        f"The canary moved: {len(moved)} of {len(first)} sentences are scored otherwise than when model {model_id} "
        f"was first used ({flipped} with another label, the tolerance is {TOLERANCE:g}), e.g. {worst}. The pipeline "
        "changed, not the audience, so nothing is published."
    )


def _other_fingerprints(c: sa.Connection, model_id: str, fingerprint: str) -> bool:
    query = "SELECT 1 FROM drift.canary WHERE model_id = :model_id AND fingerprint <> :fingerprint LIMIT 1"
    return c.execute(sa.text(query), {"model_id": model_id, "fingerprint": fingerprint}).first() is not None


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
