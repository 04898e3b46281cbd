"""Scenes: some published nights of a source and one that is disturbed, and what the tables must hold afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sentiment import database, settings
from sentiment.errors import SentimentError

from tests.kit import nights
from tests.kit.nights import NightSpec, hashed_probability, publish_without_spark
from tests.kit.oracle import Oracle, Probability

if TYPE_CHECKING:
    from datetime import datetime

PUBLISHED_AT = """
SELECT published_at FROM sentiment.run JOIN sentiment.dump d USING (dump_id)
WHERE run.source = :source AND run.night = :night AND d.uri = :uri
"""


@dataclass(frozen=True)
class Scene:
    """Nights published before the one that is disturbed, and that one."""

    before: list[NightSpec]
    disturbed: NightSpec

    @property
    def all_nights(self) -> list[NightSpec]:
        """All nights in the order of publishing."""
        return [*self.before, self.disturbed]

    def publish_before(self) -> list[str]:
        """Publish the nights before the disturbed one; return violations."""
        return [violation for spec in self.before for violation in publish_until_done(spec)]

    def violations(self) -> list[str]:
        """Return violations once all nights are published."""
        return oracle_after(self.all_nights).violations()

    def violations_before(self) -> list[str]:
        """Return violations while the disturbed night is not published."""
        return oracle_after(self.before).violations()


def scene(source: str, seed: int) -> Scene:
    """Return one of four scenes, by turns of the seed.

    The disturbed night is the newest, replaces the newest, is an older one published late, or replaces an older one.
    """

    def night(day: int, dump_seed: int = seed, supersede: bool = False) -> NightSpec:
        date_ = nights.FIRST + timedelta(days=day)
        return NightSpec(source, date_, nights.dump(date_, dump_seed), supersede)

    # A dump of another seed has other reviews, so that replacing it takes some away and leaves versions behind.
    other = seed + 1000
    return (
        Scene([night(0), night(1)], night(2)),
        Scene([night(0), night(1, other), night(2, other)], night(2, supersede=True)),
        Scene([night(0), night(2)], night(1)),
        Scene([night(0), night(1, other), night(2)], night(1, supersede=True)),
    )[seed % 4]


def publish_until_done(spec: NightSpec, tries: int = 5) -> list[str]:
    """Publish a night, trying again as Airflow does; return a violation where it never succeeds."""
    # No pause: an attempt is refused by a lock, which it has waited for, or by a night that was published meanwhile.
    for _ in range(tries):
        try:
            publish_without_spark(spec)
        except SentimentError as error:
            last_error = str(error)
        else:
            return []
    return [f"{spec.source}: still refused after {tries} tries: {last_error}"]


def oracle_after(
    specs: Sequence[NightSpec], probability: Probability = hashed_probability, all_steps: bool = False
) -> Oracle:
    """Return an oracle that expects the nights as published in the order of `specs`.

    `all_steps` is true where all steps ran, so that the run also counts what was read and refused.
    """
    oracle = Oracle(specs[0].source, probability, all_steps)
    for spec in specs:
        oracle.publish(spec.night, spec.dump)
    return oracle


def oracle_in_order_of_publishing(specs: Sequence[NightSpec]) -> Oracle:
    """Return an oracle that expects the nights as published in the order of `run.published_at`.

    Which reviews of a night are new depends on the nights that were there before it.
    """
    return oracle_after(sorted(specs, key=_published_at))


def _published_at(spec: NightSpec) -> datetime:
    params = {"source": spec.source, "night": spec.night, "uri": str(spec.dump)}
    with database.transaction() as c:
        published_at: datetime = c.execute(sa.text(PUBLISHED_AT), params).scalar_one()
    return published_at


@contextmanager
def short_lock_timeout() -> Iterator[None]:
    """Let publishers wait 1 s for a lock, so that one that waits for a stopped process soon gives up."""
    # The settings of this process, which forked ones inherit: the environment would be read by new processes only.
    config = settings.load()
    usual, config.lock_timeout_s = config.lock_timeout_s, 1
    try:
        yield
    finally:
        config.lock_timeout_s = usual
