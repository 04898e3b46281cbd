"""A run for people: what was read, refused, scored and published, how positive it was, and how it drifted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from sentiment.database import transaction
from sentiment.quality import batch
from sentiment.runs import opening
from sentiment.runs.model import Run
from sentiment.sql import statement

BY_SEVERITY = ("alarm", "watch", "acknowledged", "ok", "insufficient_data")
"""Drift statuses as `drift.v_drift` has them, the one that matters most first."""


def of_run(run_id: str, nothing_new: bool = False, dry_run: bool = False) -> str:
    """Return what became of a run in one paragraph; `nothing_new` where the run was published before."""
    run = opening.get_run(run_id)
    if nothing_new:
        done = f"requeued run {run.requeue_of}" if run.requeue_of else f"published this dump for night {run.night}"
        return f"Nothing new: run {run_id} has {done} before; nothing was changed."
    n = run.counts
    text = (
        f"Night {run.night} of {run.source} by {run.model_id}: {n['read']:,} records read, {n['accepted']:,} accepted, "
        f"{n['quarantined']:,} quarantined, {n['duplicate']:,} duplicate; {n['scored']:,} scored, "
        f"{n['reused']:,} reused"
    )
    text += "".join(f". {notice}" for notice in (*batch.notices(run_id), *judged(run)))
    if dry_run:
        return f"{text}. Dry run: nothing was published."
    text += f", {n['published']:,} published ({novelty(run)}), {label_shares(run_id)}."
    text += f" Drift: {drift(run_id)}.{_other_model(run)}"
    return f"{text} {_requeued(run)}" if run.requeue_of else text


def judged(run: Run) -> list[str]:
    """Return what the night left out of its reviews and how sure their identity is, as sentences without full stop."""
    from sentiment.store import sources

    row, sentences = _judged(run.run_id), []
    if row.unread:
        sentences.append(f"Values that can't be read, and are null: {batch.by_rule(row.unread)}")
    if row.flagged:
        sentences.append(f"Flagged, and published all the same: {batch.by_rule(row.flagged)}")
    if row.n_read_anew:
        sentences.append(f"{int(row.n_read_anew):,} known reviews are read anew by this version")
    fixed = sources.fixed(run.source)
    if row.n_numbered:
        sentences.append(
            f"{int(row.n_numbered):,} records have neither id, author nor date: one that equals another of an earlier "
            "night counts as that one"
        )
    if row.n_unnamed and fixed and fixed.rule.version == 1:
        sentences.append(f"{int(row.n_unnamed):,} records are identified by position, and are new wherever that moves")
    if fixed and fixed.n_nights == 1 and fixed.rule.version > 1:
        rule = sources.described(fixed.rule)
        sentences.append(f"Reviews of {run.source} are identified by {rule}, which a second night has yet to confirm")
    return sentences


def by_rule(run_id: str) -> dict[str, dict[str, int]]:
    """Return `refused`, `values left out` and `flagged` -> rule -> records or values; of every run, whole."""
    row = _judged(run_id)
    return {"refused": row.reasons or {}, "values left out": row.unread or {}, "flagged": row.flagged or {}}


def _judged(run_id: str) -> sa.Row[Any]:
    with transaction() as c:
        return c.execute(statement("orchestration/summary/judged"), {"run_id": run_id}).one()


def _other_model(run: Run) -> str:
    from sentiment.scoring import registry

    with transaction() as c:
        current = registry.current(c)
    if current == run.model_id:
        return ""
    return f" The views show {current}; to show this one: sentiment model use {run.model_id}."


def _requeued(run: Run) -> str:
    from sentiment.store import quarantine

    passed, total = quarantine.taken(str(run.requeue_of), run.run_id)
    return f"{passed:,} of the {total:,} requeued records passed; {total - passed:,} are refused again."


def novelty(run: Run) -> str:
    """Return how much of what a run published was new, like `1,780 new, 20 changed, 180 known`.

    Of a run by another model than the one that brought its night's reviews: how many it scored.
    """
    query = sa.text("SELECT novelty, count(*) AS n FROM sentiment.night_review WHERE run_id = :run_id GROUP BY novelty")
    with transaction() as c:
        counted = {row.novelty: row.n for row in c.execute(query, {"run_id": run.run_id})}
    if not counted:
        return f"{run.counts['published']:,} scored for a second model"
    return ", ".join(f"{counted.get(name, 0):,} {name}" for name in ("new", "changed", "known"))


def label_shares(run_id: str) -> str:
    """Return the positive share of what a run published, like `61.3% positive`.

    Of a model without a positive label: the share of each label, the most frequent first.
    """
    with transaction() as c:
        positive = c.execute(statement("orchestration/summary/positive_share"), {"run_id": run_id}).one()
        if positive.positive_label:
            return "none published" if positive.share is None else f"{positive.share:.1%} positive"
        shares = c.execute(statement("orchestration/summary/label_shares"), {"run_id": run_id}).all()
    return ", ".join(f"{row.share:.1%} {row.label}" for row in shares) or "none published"


def drift(run_id: str) -> str:
    """Return the worst drift status of a run's night, how many series have each, and up to three alarms' sentences."""
    run = opening.get_run(run_id)
    keys = {"source": run.source, "model_id": run.model_id, "night": run.night}
    with transaction() as c:
        statuses = c.execute(statement("orchestration/summary/drift_statuses"), keys).all()
        sentences = c.execute(statement("orchestration/summary/open_alarms"), keys).scalars().all()
    counted = {row.status: row.n for row in statuses}
    if set(counted) <= {"insufficient_data"}:
        return "insufficient data; sentiment reference pin --from … --to … gives nights something to be compared with"
    worst = next(status for status in BY_SEVERITY if status in counted)
    numbers = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in sorted(counted.items()))
    return " ".join([f"{worst} ({numbers})", *sentences]).rstrip(".")
