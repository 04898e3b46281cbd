"""The publishing transaction without Spark: whole or nothing, once, by the newest attempt only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import database, settings
from sentiment.database import transaction
from sentiment.drift import tracking
from sentiment.errors import DataError, InfrastructureError, ParameterError, StaleAttemptError
from sentiment.runs import attempts, opening
from sentiment.runs.attempts import Attempt
from sentiment.runs.model import DumpFile, Run
from sentiment.scoring import registry
from sentiment.store import merging, publishing
from sentiment.store.publishing import Expected
from sentiment.store.staging import Staging
from sentiment.workspace import Part

from tests.kit.rows import remove_source, staged_views

SOURCE = "published_here"
NIGHT = date(2026, 8, 10)
_NUMBERS = count(1)
TABLES = ("review", "night_review", "review_sentiment", "film_night")

STAGED = """
INSERT INTO staged_review (file_no, record_no, review_id, item_id, text, text_hash, content_hash, novelty, label, score,
  p_positive, probabilities, n_wordpieces, n_chunks, scored_at)
VALUES (0, :record_no, :review_id, 'f1', :text, :text, :text, 'new', 'pos', 0.9, 0.9, '{}', 5, 1, now())"""
NAME = "UPDATE staged_review SET item_id = :item, item_type = 'film', item_title = :title WHERE review_id = :id"


@pytest.fixture(autouse=True)
def clean(server: object) -> Iterator[None]:
    registry.register(registry.find("cinema-fr", settings.load()))
    yield
    remove_source(SOURCE)


def open_run(night: date = NIGHT, **kwargs: Any) -> Run:
    dump_id = f"dump-{next(_NUMBERS)}"
    opening.record_dump(dump_id, SOURCE, "test", [DumpFile(0, "test", "0" * 64, "jsonl", "none", 1, 1)])
    return opening.open_run(night, SOURCE, dump_id, "cinema-fr", **kwargs)


def review_id(number: int) -> str:
    return f"{number:032x}"


def stage(run: Run, attempt: Attempt, texts: dict[int, str], titles: dict[str, str] | None = None) -> Expected:
    """Fill staging, and return what the manifest of `score` would have."""
    staging = Staging(run.run_id, attempt.token)
    staging.create()
    with transaction() as c, staged_views(c, staging):
        for number, text in texts.items():
            values = {"source": SOURCE, "record_no": number, "review_id": review_id(number), "text": text}
            c.execute(sa.text(STAGED), values)
        for number, (item_id, title) in zip(texts, (titles or {}).items(), strict=False):
            named = {"id": review_id(number), "item": item_id, "title": title}
            c.execute(sa.text(NAME), named)
    checksum = str(sum(int(review_id(n)[:15], 16) for n in texts))
    return Expected(Part([], len(texts), checksum), 0, 0, publishing.newest_publication(SOURCE))


def publish(run: Run, texts: dict[int, str], titles: dict[str, str] | None = None) -> None:
    with attempts.attempt(run.run_id, "publish") as attempt:
        publishing.merge(run, attempt, stage(run, attempt, texts, titles))


REVIEWS = """
SELECT review_id, text, first_night, last_night FROM sentiment.v_review_sentiment WHERE source = :s ORDER BY 1"""


def state() -> dict[str, list[Any]]:
    with transaction() as c:
        reviews = c.execute(sa.text(REVIEWS), {"s": SOURCE}).all()
        nights = c.execute(
            sa.text("SELECT night, sum(n) FROM sentiment.film_night WHERE source = :s GROUP BY night ORDER BY 1"),
            {"s": SOURCE},
        ).all()
    return {"reviews": [tuple(r) for r in reviews], "nights": [(r[0], int(r[1])) for r in nights]}


def test_a_night_is_published_and_its_staging_is_dropped() -> None:
    run = open_run()
    publish(run, {1: "a", 2: "b"})
    assert state()["nights"] == [(NIGHT, 2)]
    after = opening.get_run(run.run_id)
    assert (after.status, after.counts["published"]) == ("published", 2)
    with transaction() as c:
        query = "SELECT 1 FROM pg_tables WHERE schemaname = 'staging' AND strpos(tablename, :run) > 0"
        assert not c.execute(sa.text(query), {"run": run.run_id.replace("-", "_")}).all()


def test_publishing_again_changes_nothing() -> None:
    run = open_run()
    publish(run, {1: "a"})
    before = state()
    publish(run, {1: "changed", 9: "more"})
    assert state() == before


def test_a_stale_attempt_cannot_publish() -> None:
    run = open_run()
    with pytest.raises(StaleAttemptError, match="is stale"), attempts.attempt(run.run_id, "publish") as old:
        expected = stage(run, old, {1: "a"})
        with attempts.attempt(run.run_id, "publish"):
            publishing.merge(run, old, expected)
    assert state() == {"reviews": [], "nights": []}


@pytest.mark.parametrize("lie", ["rows", "checksum", "quarantined", "profiled", "duplicates", "unread"])
def test_staging_that_differs_from_the_manifest_is_refused(lie: str) -> None:
    run = open_run()
    with pytest.raises(InfrastructureError), attempts.attempt(run.run_id, "publish") as attempt:
        expected = stage(run, attempt, {1: "a", 2: "b"})
        part = Part([], expected.scored.rows + (lie == "rows"), "7" if lie == "checksum" else expected.scored.checksum)
        others = (int(lie == "quarantined"), int(lie == "profiled"))
        more: Any = {name: int(lie == name) for name in ("duplicates", "unread")}
        publishing.merge(run, attempt, Expected(part, *others, expected.novelty_base_run, **more))
    assert state() == {"reviews": [], "nights": []}
    assert opening.get_run(run.run_id).status == "failed"


def test_a_night_published_in_between_asks_for_a_new_score() -> None:
    first, second = open_run(), open_run(NIGHT + timedelta(days=1))
    with pytest.raises(InfrastructureError, match="Another night was published"):
        with attempts.attempt(second.run_id, "publish") as attempt:
            expected = stage(second, attempt, {2: "b"})
            publish(first, {1: "a"})
            publishing.merge(second, attempt, expected)
    assert state()["nights"] == [(NIGHT, 1)]


def test_an_older_night_published_late_overwrites_nothing_newer() -> None:
    publish(open_run(), {1: "newer", 2: "same"})
    older = NIGHT - timedelta(days=3)
    publish(open_run(older), {1: "older", 3: "only then"})
    assert state()["reviews"] == [
        (review_id(1), "newer", older, NIGHT),
        (review_id(2), "same", NIGHT, NIGHT),
        (review_id(3), "only then", older, older),
    ]
    assert state()["nights"] == [(older, 2), (NIGHT, 2)]


def test_superseding_replaces_all_of_the_night_and_only_on_request() -> None:
    old = open_run()
    publish(old, {1: "a", 2: "b"})
    with pytest.raises(ParameterError, match="already published from another dump"):
        open_run()
    new = open_run(supersede=True, reason="the export was cut")
    publish(new, {2: "b", 3: "c", 4: "d"})
    assert [row[0] for row in state()["reviews"]] == [review_id(n) for n in (2, 3, 4)]
    assert state()["nights"] == [(NIGHT, 3)]
    assert opening.get_run(old.run_id).status == "superseded"
    assert opening.get_run(new.run_id).supersedes == old.run_id


def test_a_superseded_run_stays_so_whatever_is_cleared_or_set_late() -> None:
    runs = [open_run()]
    publish(runs[0], {1: "a"})
    for text in ("b", "c"):
        runs.append(open_run(supersede=True, reason="again"))
        publish(runs[-1], {1: text})
    after = state()
    with pytest.raises(DataError, match="was superseded") as refused:
        publish(runs[1], {1: "b"})
    assert refused.value.try_next.endswith("SUPERSEDE='why'")
    opening.set_status(runs[0].run_id, "audited")
    assert [opening.get_run(run.run_id).status for run in runs] == ["superseded", "superseded", "published"]
    assert state() == after


def test_a_run_replaces_only_what_it_was_opened_to_replace() -> None:
    publish(open_run(), {1: "a"})
    first, second = (open_run(supersede=True, reason="again") for _ in range(2))
    publish(first, {1: "b"})
    with pytest.raises(DataError, match=f"as {first.run_id} meanwhile"):
        publish(second, {1: "c"})
    assert opening.get_run(first.run_id).status == "published"


def test_a_night_rescored_meanwhile_asks_for_no_new_score() -> None:
    publish(open_run(), {1: "a"})
    before, other = publishing.newest_publication(SOURCE), open_run(NIGHT - timedelta(days=1))
    with attempts.attempt(other.run_id, "rescore") as attempt:
        publishing.merge(other, attempt, stage(other, attempt, {2: "b"}))
    assert publishing.newest_publication(SOURCE) == before


def test_titles_are_those_of_the_remaining_nights() -> None:
    publish(open_run(), {1: "a", 2: "b"}, titles={"f1": "Été", "f2": "Hiver"})
    publish(open_run(NIGHT + timedelta(days=1)), {3: "c", 4: "d"}, titles={"f1": "Ã‰tÃ©", "f3": "Automne"})
    publish(open_run(NIGHT + timedelta(days=1), supersede=True, reason="mojibake"), {5: "e"}, titles={"f2": "Hiver"})
    with transaction() as c:
        items = c.execute(sa.text("SELECT item_id, item_title FROM sentiment.item WHERE source = :s"), {"s": SOURCE})
        assert {row.item_id: row.item_title for row in items} == {"f1": "Été", "f2": "Hiver"}


def test_an_older_night_that_is_replaced_changes_no_newer_title() -> None:
    publish(open_run(), {1: "a"}, titles={"f1": "Été"})
    publish(open_run(NIGHT + timedelta(days=1)), {2: "b"}, titles={"f1": "Été"})
    publish(open_run(supersede=True, reason="older"), {3: "c"}, titles={"f1": "ETE"})
    with transaction() as c:
        items = c.execute(sa.text("SELECT item_title FROM sentiment.item WHERE source = :s"), {"s": SOURCE})
        assert items.scalars().all() == ["Été"]


STAGED_PROFILE = """
INSERT INTO staged_profile (slice_key, slice_value, column_name, data_type, n, n_null, edges_id, bin_counts, n_items)
VALUES ('all', 'all', 'uncertain', 'categorical', 1, 0, 'e', '{0,0,1}', 1),
  ('all', 'all', 'positive', 'categorical', 1, 0, 'e', '{0,0,1}', 1)"""


@pytest.mark.parametrize("band", [(0.2, 0.9), None])
def test_the_band_that_score_counted_by_is_published_with_what_is_uncertain(band: tuple[float, float] | None) -> None:
    run = open_run()
    with attempts.attempt(run.run_id, "publish") as attempt:
        expected = replace(stage(run, attempt, {1: "a"}), uncertain_band=band, profiled=2)
        with transaction() as c, staged_views(c, Staging(run.run_id, attempt.token)):
            c.execute(sa.text(STAGED_PROFILE))
        publishing.merge(run, attempt, expected)
    with transaction() as c:
        query = "SELECT column_name, band_low, band_high FROM drift.profile_metrics WHERE source = :s"
        published = {name: limits for name, *limits in c.execute(sa.text(query), {"s": SOURCE})}
    assert published == {"uncertain": list(band or (None, None)), "positive": [None, None]}


def test_a_night_without_a_profile_is_tracked() -> None:
    """As one is of which every review was known."""
    for day in (0, 1):
        run = open_run(NIGHT + timedelta(days=day))
        publish(run, {day: "a"})
        assert set(tracking.track(run.run_id)) <= {"insufficient_data"}


def test_what_nothing_staged_is_about_is_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    executed: list[str] = []
    original = merging._execute

    def noted(c: sa.Connection, name: str, params: merging.Params) -> Any:
        executed.append(name.rpartition("/")[2])
        return original(c, name, params)

    monkeypatch.setattr(merging, "_execute", noted)
    publish(open_run(), {1: "a"})
    about_others = {"keep_changed_versions", "upsert_scores", "delete_other_sentences", "insert_sentences"}
    assert executed
    assert not about_others & set(executed)


def test_a_reader_sees_all_of_the_night_or_none_of_it() -> None:
    run = open_run()
    seen = []
    with attempts.attempt(run.run_id, "publish") as attempt:
        expected = stage(run, attempt, {n: str(n) for n in range(1, 50)})
        original = merging.merge

        def watched(c: sa.Connection, *rest: Any) -> int:
            merged = original(c, *rest)
            seen.append(state())
            return merged

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merging, "merge", watched)
            publishing.merge(run, attempt, expected)
    assert seen == [{"reviews": [], "nights": []}]
    assert state()["nights"] == [(NIGHT, 49)]


def test_a_publisher_that_waits_too_long_names_who_holds_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTIMENT_LOCK_TIMEOUT_S", "1")
    settings.load.cache_clear()
    database.engine("writer").dispose()
    run = open_run()
    with transaction() as holder:
        holder.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": publishing.LOCK_KEY})
        pid = holder.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with pytest.raises(InfrastructureError, match=f"holder: process {pid} \\(sentiment_writer"):
            publish(run, {1: "a"})
    monkeypatch.undo()
    settings.load.cache_clear()
    database.engine("writer").dispose()
    assert state()["reviews"] == []
