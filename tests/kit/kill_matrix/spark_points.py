"""Points before the merge, on the real jobs: a night killed at a phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sentiment import database
from sentiment.errors import DumpRefusedError

from tests.kit import nights, oracle
from tests.kit.kill_matrix.processes import in_own_thread, kill_at
from tests.kit.kill_matrix.scenes import oracle_after
from tests.kit.nights import NightSpec, run_all_steps

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK_PHASES = ("records received", "run opened", "judged", "stopped", "validated", "chunk scored", "audited", "staged")
STOPPED = "stopped"
"""The point of a night that a batch check stops; it is killed there, stopped again, then allowed."""
REFUSED = """
SELECT count(*) FROM sentiment.quarantine JOIN sentiment.run USING (run_id) WHERE source = :source
UNION ALL SELECT count(*) FROM sentiment.unread_value JOIN sentiment.run USING (run_id) WHERE source = :source
"""
LISTED = "SELECT count(*) FROM sentiment.night_review WHERE source = :source"


def kill_night(session: SparkSession, phase: str, seeds: range) -> list[str]:
    """Kill a night at a phase and run it again, for each seed; return violations.

    With even seeds the second run leaves out the steps that are done. The session's Java machine outlives the killed
    processes, as a cluster does.
    """
    number, violations = SPARK_PHASES.index(phase), list[str]()
    dump = nights.unread_dump if phase == STOPPED else nights.dump
    specs = {
        seed: NightSpec(f"night_{number}_{seed}", nights.FIRST, dump(nights.FIRST, seed + 1000 * number))
        for seed in seeds
    }
    # One pass of the network for all seeds takes a fraction of the time.
    probability = _probabilities(session, list(specs.values()))
    with _small_chunks():
        for seed, spec in specs.items():
            violations += kill_at(phase, in_own_thread(lambda spec=spec: run_all_steps(session, spec)))  # type: ignore[misc]
            if phase == STOPPED:
                violations += _stopped(session, spec)
                run_all_steps(session, replace(spec, allow=("unread_share",)))
            else:
                run_all_steps(session, spec, resume=seed % 2 == 0)
            violations += oracle_after([spec], probability, all_steps=True).violations()
    return violations


def _stopped(session: SparkSession, spec: NightSpec) -> list[str]:
    """Run a night that is stopped; return violations of what must be there of it, and nowhere else."""
    try:
        run_all_steps(session, spec)
    except DumpRefusedError:
        night = oracle.read(spec.dump, spec.source, spec.night)
        with database.transaction() as c:
            stored = list(c.execute(sa.text(REFUSED), {"source": spec.source}).scalars())
            published = c.execute(sa.text(LISTED), {"source": spec.source}).scalar_one()
        expected = [len(night.quarantined), len(night.unread)]
        fits = stored == expected and published == 0
        return [] if fits else [f"{spec.source}: {stored} stored, not {expected}; {published} reviews listed"]
    return [f"{spec.source}: was not stopped"]


def _probabilities(session: SparkSession, specs: list[NightSpec]) -> Callable[[str], float]:
    texts = {r.text for spec in specs for r in oracle.read(spec.dump, spec.source, spec.night).accepted}
    return nights.predicted_probabilities(session, texts).__getitem__


@contextmanager
def _small_chunks() -> Iterator[None]:
    from sentiment.scoring import reuse

    # A night of 40 records must be scored in several chunks for one of them to be killed in the middle.
    usual, reuse.CHUNK_TEXTS = reuse.CHUNK_TEXTS, 10
    try:
        yield
    finally:
        reuse.CHUNK_TEXTS = usual
