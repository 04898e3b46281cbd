"""A requeue without Spark: one run replaces another of the same dump, whole, once, and takes what passes now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import DataError, ParameterError
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.store import publishing, quarantine

from tests.kit import nights, oracle
from tests.kit.kill_matrix.merge_points import COMMITTED, MERGE_PHASES
from tests.kit.kill_matrix.processes import kill_at
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import copy_rows, remove_source, rows, run_sql

NIGHT = nights.FIRST + timedelta(days=1)
N_STRICT = 3
_NUMBERS = count(1)
_READ = oracle.read


def strictly(dump: Path, source: str, night: Any) -> oracle.Night:
    """The dump as a rule reads it that is too strict: it refuses the first few of what is sound."""
    records = _READ(dump, source, night)
    lines = dump.read_bytes().splitlines()
    for review in records.accepted[:N_STRICT]:
        records.quarantined[review.record_no] = lines[review.record_no - 1]
    del records.accepted[:N_STRICT]
    return records


class Story:
    """A night between two others, published while a rule was too strict; the rule is mended since."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.expected = oracle.Oracle(source, nights.hashed_probability, all_steps=False)
        for day in (0, 1, 2):
            self.publish(day, strict=day == 1)
        self.old = self.shown()
        self.attempt = replace(self.attempt_of(1), requeue_of=self.old.run_id)

    def attempt_of(self, day: int, seed: int = 9) -> NightSpec:
        night = nights.FIRST + timedelta(days=day)
        return NightSpec(self.source, night, nights.dump(night, seed))

    def publish(self, day: int, strict: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(oracle, "read", strictly if strict else _READ)
            publish_without_spark(self.attempt_of(day))
            self.expected.publish(nights.FIRST + timedelta(days=day), self.attempt_of(day).dump)

    def mended(self) -> oracle.Oracle:
        """What the tables must hold after the requeue. Night 2 was compared with the night before it was requeued."""
        self.expected.publish(NIGHT, self.attempt.dump)
        return self.expected

    def shown(self, night: Any = NIGHT) -> Run:
        query = "SELECT run_id FROM sentiment.run WHERE source = :s AND night = :n AND status = 'published'"
        return opening.get_run(rows(query, s=self.source, n=night)[0][0])

    def strict(self) -> set[int]:
        """Numbers of the records that only the strict rule refuses."""
        return {r.record_no for r in _READ(self.attempt.dump, self.source, NIGHT).accepted[:N_STRICT]}

    def runs(self) -> int:
        return len(rows("SELECT 1 FROM sentiment.run WHERE source = :s AND night = :n", s=self.source, n=NIGHT))


@pytest.fixture
def story(server: object) -> Iterator[Story]:
    registry.register(registry.find("cinema-fr", settings.load()))
    story = Story(f"requeued_{next(_NUMBERS)}")
    yield story
    remove_source(story.source)


def test_the_night_is_complete_and_what_passes_names_the_run_that_took_it(story: Story) -> None:
    publish_without_spark(story.attempt)
    assert story.mended().violations() == []
    new = story.shown()
    assert (new.requeue_of, new.supersedes, new.reason) == (story.old.run_id, story.old.run_id, story.attempt.reason)
    assert opening.get_run(story.old.run_id).status == "superseded"
    query = "SELECT record_no, requeued_in FROM sentiment.quarantine WHERE run_id = :r"
    took = dict(rows(query, r=story.old.run_id))
    assert {number for number, run_id in took.items() if run_id == new.run_id} == story.strict()
    assert {number for number, run_id in took.items() if run_id is None} == dict(rows(query, r=new.run_id)).keys()
    assert quarantine.taken(story.old.run_id, new.run_id) == (N_STRICT, len(took))
    with transaction("reader") as c:
        view_query = "SELECT requeue_of, is_last_good FROM sentiment.v_runs WHERE run_id = :r"
        assert tuple(c.execute(sa.text(view_query), {"r": new.run_id}).one()) == (story.old.run_id, False)
        view_query = "SELECT n_records, n_requeued FROM sentiment.v_quarantine_reasons WHERE run_id = :r"
        assert tuple(c.execute(sa.text(view_query), {"r": story.old.run_id}).one()) == (len(took), N_STRICT)


def test_the_same_requeue_and_the_same_dump_again_change_nothing(story: Story) -> None:
    publish_without_spark(story.attempt)
    new, n_runs = story.shown(), story.runs()
    publish_without_spark(story.attempt)
    publish_without_spark(replace(story.attempt, requeue_of=None))
    assert (story.shown(), story.runs()) == (new, n_runs)
    assert story.mended().violations() == []


def test_until_it_is_published_the_night_is_what_it_was(story: Story) -> None:
    opened = opening.open_requeue(story.old.run_id, "mended")
    assert opening.open_requeue(story.old.run_id, "mended again").run_id == opened.run_id
    same = opening.open_run(NIGHT, story.source, story.old.dump_id, nights.MODEL)
    assert (same.run_id, same.status) == (story.old.run_id, "published")
    with pytest.raises(sa.exc.IntegrityError, match="run_identity"), transaction() as c:
        c.execute(sa.text("UPDATE sentiment.run SET supersedes = NULL WHERE run_id = :r"), {"r": opened.run_id})


def test_a_second_requeue_with_nothing_mended_takes_nothing(story: Story) -> None:
    publish_without_spark(story.attempt)
    first = story.shown()
    publish_without_spark(replace(story.attempt, requeue_of=first.run_id))
    second = story.shown()
    assert second.requeue_of == first.run_id
    accepted, total = quarantine.taken(first.run_id, second.run_id)
    assert accepted == 0 < total
    assert quarantine.taken(story.old.run_id, first.run_id)[0] == N_STRICT
    assert story.mended().violations() == []


@pytest.mark.parametrize("phase", MERGE_PHASES)
def test_killed_anywhere_it_is_typed_again_and_ends_well(story: Story, phase: str) -> None:
    assert kill_at(phase, lambda: publish_without_spark(story.attempt)) == []
    if phase not in COMMITTED:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(oracle, "read", strictly)
            assert oracle.besides_staging(story.mended().violations()) == []
    publish_without_spark(story.attempt)
    assert story.mended().violations() == []
    assert story.runs() == 2


def test_a_night_that_another_dump_took_meanwhile_stays_with_it(story: Story) -> None:
    run = opening.open_requeue(story.old.run_id, "mended")
    other = replace(story.attempt_of(1, seed=10), supersede=True)
    publish_without_spark(other)
    with pytest.raises(DataError, match=f"no use in requeueing {story.old.run_id}") as refused:
        with attempts.attempt(run.run_id, "publish") as attempt:
            publishing.merge(run, attempt, nights.stage(run, attempt, story.attempt))
    assert story.shown().run_id in refused.value.message
    story.expected.publish(NIGHT, other.dump)
    assert oracle.besides_staging(story.expected.violations()) == []
    with pytest.raises(ParameterError, match=f"is superseded.*shows {story.shown().run_id}"):
        opening.open_requeue(story.old.run_id, "mended")


def test_by_whatever_model_the_night_was_published_it_is_replaced(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_rows("model", "model_id", "cinema-fr", model_id="second", fingerprint="s", is_current=False)
    with monkeypatch.context() as patch:
        patch.setattr(oracle, "read", strictly)
        publish_without_spark(replace(story.attempt_of(1), model="second"))
    publish_without_spark(story.attempt)
    query = "SELECT status FROM sentiment.run WHERE source = :s AND night = :n AND model_id = 'second'"
    assert rows(query, s=story.source, n=NIGHT) == [("superseded",)]
    query = "SELECT count(*) FROM sentiment.quarantine WHERE requeued_in = :r"
    assert rows(query, r=story.shown().run_id) == [(2 * N_STRICT,)]
    query = "SELECT DISTINCT model_id FROM sentiment.film_night WHERE source = :s AND night = :n"
    assert rows(query, s=story.source, n=NIGHT) == [(nights.MODEL,)]
    remove_source(story.source)
    run_sql("DELETE FROM sentiment.model WHERE model_id = 'second'")


def test_a_run_that_is_not_shown_is_refused(story: Story) -> None:
    with pytest.raises(ParameterError, match="There is no run '20200101-00000000'"):
        opening.open_requeue("20200101-00000000", "mended")
    failed = opening.open_run(nights.FIRST + timedelta(days=9), story.source, story.old.dump_id, nights.MODEL)
    opening.set_status(failed.run_id, "failed")
    with pytest.raises(ParameterError, match=r"is failed, and only a run that its night shows.*shows none") as refused:
        opening.open_requeue(failed.run_id, "mended")
    assert refused.value.try_next == "sentiment runs"
