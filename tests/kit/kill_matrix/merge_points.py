"""Points of publishing without Spark: killed at a phase, overtaken by another attempt or night, and two backfills."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta

from tests.kit import nights
from tests.kit.kill_matrix.processes import exit_code, fork, kill_at, overtake
from tests.kit.kill_matrix.scenes import (
    oracle_in_order_of_publishing,
    publish_until_done,
    scene,
    short_lock_timeout,
)
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.oracle import besides_staging

MERGE_PHASES = ("loading", "staged", "locked", "merged", "before commit", "after commit", "cleaned")
COMMITTED = frozenset({"after commit", "cleaned"})
PUBLISHED_OR_REFUSED = frozenset({0, 4})
"""Exit codes that an attempt may end with that another one overtook: published, or an infrastructure error."""


def kill_merge(phase: str, seed: int) -> list[str]:
    """Kill publishing at a phase and publish the night twice more; return violations seen after each."""
    story = scene(f"kill_{MERGE_PHASES.index(phase)}_{seed}", seed)
    violations = story.publish_before()
    violations += kill_at(phase, lambda: publish_without_spark(story.disturbed))
    # A killed attempt's staging table may stay until the next attempt; nothing else may.
    violations += besides_staging(story.violations() if phase in COMMITTED else story.violations_before())
    for _ in ("ends what was begun", "changes nothing"):
        violations += publish_until_done(story.disturbed) + story.violations()
    return violations


def overtake_by_attempt(phase: str, seed: int) -> list[str]:
    """Stop an attempt at a phase while another one publishes the same night; return violations."""
    story = scene(f"inter_{MERGE_PHASES.index(phase)}_{seed}", seed)
    violations = story.publish_before()
    violations += _overtake(phase, story.disturbed, story.disturbed)
    return violations + publish_until_done(story.disturbed) + story.violations()


def overtake_by_night(phase: str, seed: int) -> list[str]:
    """Stop a night at a phase while a later one of the same source is published; return violations."""
    story = scene(f"two_{MERGE_PHASES.index(phase)}_{seed}", seed)
    violations = story.publish_before()
    date_ = nights.FIRST + timedelta(days=5)
    later = NightSpec(story.disturbed.source, date_, nights.dump(date_, seed))
    violations += _overtake(phase, story.disturbed, later)
    violations += publish_until_done(story.disturbed) + publish_until_done(later)
    return violations + oracle_in_order_of_publishing([*story.all_nights, later]).violations()


def _overtake(phase: str, slow: NightSpec, fast: NightSpec) -> list[str]:
    with short_lock_timeout():
        codes = overtake(phase, lambda: publish_without_spark(slow), lambda: publish_without_spark(fast))
    return [] if codes <= PUBLISHED_OR_REFUSED else [f"{slow.source}: ended with {codes}, not published or refused"]


def two_backfills(seed: int) -> list[str]:
    """Publish four nights of one source from each of two processes at the same time; return violations."""
    source = f"backfill_{seed}"
    dates = [nights.FIRST + timedelta(days=day) for day in range(8)]
    specs = [NightSpec(source, date_, nights.dump(date_, seed)) for date_ in dates]
    # Every other night, so that the processes publish neighbours of each other's nights.
    pids = [fork(lambda share=share: _backfill(share)) for share in (specs[::2], specs[1::2])]  # type: ignore[misc]
    codes = [exit_code(pid) for pid in pids]
    violations = [f"{source}: a backfill ended with {code}" for code in codes if code]
    return violations + oracle_in_order_of_publishing(specs).violations()


def _backfill(specs: Sequence[NightSpec]) -> None:
    for spec in specs:
        if publish_until_done(spec, tries=40):
            os._exit(1)
