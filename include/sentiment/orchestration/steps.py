"""Steps of a night that need no Spark and little code, as plain functions."""

from __future__ import annotations

import logging

from sentiment import settings
from sentiment.errors import InfrastructureError
from sentiment.orchestration import summary
from sentiment.runs import attempts, opening, phases
from sentiment.runs.handoff import ComparedCanary, Report, ScoredNight, TrackedDrift
from sentiment.runs.model import Run
from sentiment.workspace import Workspace, run_key

log = logging.getLogger(__name__)


def audit(run_id: str) -> None:
    """Check, before anything is visible, that counts add up and canary predictions equal the first ones.

    Raises InfrastructureError where rows were lost or doubled, CanaryMovedError where the network predicts otherwise.
    """
    from sentiment.drift import canary
    from sentiment.scoring import registry

    with attempts.attempt(run_id, "audit") as attempt:
        run = opening.get_run(run_id)
        _check_conservation(run)
        model = registry.find(run.model_id, settings.load())
        scored = attempts.finished(run_id, "score").handoff(ScoredNight)
        finding = canary.check(model.model_id, registry.canary_fingerprint(model), run_id, scored.canary)
        attempt.handoff = ComparedCanary(canary=finding)
        phases.reached("audited")
    opening.set_status(run_id, "audited")


def _check_conservation(run: Run) -> None:
    n = run.counts
    workspace, key = Workspace(settings.load().lake), run_key(run.night, run.run_id)
    received = workspace.committed("received", attempts.received_dump(run.run_id).records_key)
    rows = {
        dataset: sum(p.rows for p in workspace.committed(dataset, key, attempts.finished(run.run_id, step).token))
        for dataset, step in (("accepted", "validate"), ("scored", "score"))
    }
    sums = {
        "read = accepted + quarantined + duplicate": (
            sum(part.rows for part in received),
            n["accepted"] + n["quarantined"] + n["duplicate"],
        ),
        "accepted = scored + reused": (rows["accepted"], n["scored"] + n["reused"]),
        "accepted = rows with a score": (rows["accepted"], rows["scored"]),
    }
    broken = [f"{invariant} ({one:,} against {other:,})" for invariant, (one, other) in sums.items() if one != other]
    if broken:
        raise InfrastructureError(f"Rows were lost or doubled: {'; '.join(broken)}.", opening.rerun_command(run))


def track_drift(run_id: str) -> None:
    """Compare the published night with its reference and the night before."""
    from sentiment.drift import tracking

    with attempts.attempt(run_id, "track_drift") as attempt:
        attempt.handoff = TrackedDrift(statuses=dict(tracking.track(run_id)))


def report(run_id: str, nothing_new: bool, dry_run: bool) -> str:
    """Return the night in one paragraph, and store it with the run unless the run was published before."""
    text = summary.of_run(run_id, nothing_new, dry_run)
    if not nothing_new:
        with attempts.attempt(run_id, "report") as attempt:
            attempt.handoff = Report(text=text)
            if dry_run:
                from sentiment.store import refused

                # Of a published night publishing writes them.
                refused.keep_judged(attempt, opening.get_run(run_id), Workspace(settings.load().lake))
        opening.set_status(run_id, "audited", text)
    log.info("%s", text)
    return text
