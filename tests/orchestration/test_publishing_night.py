"""The step publish without Spark: from a run's parts to what readers see, in one attempt."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from sentiment import settings
from sentiment.database import transaction
from sentiment.errors import InfrastructureError, ParameterError
from sentiment.orchestration import connections, night_tasks, publishing_night
from sentiment.runs import attempts, listing, opening
from sentiment.runs.model import Run
from sentiment.scoring import registry
from sentiment.store import publishing
from sentiment.store.staging import Staging
from sentiment.workspace import Workspace

from tests.dags.loading import load
from tests.kit import nights
from tests.kit.kill_matrix.scenes import oracle_after
from tests.kit.nights import NightSpec
from tests.kit.rows import remove_source, rows

SOURCE = "published_alone"


@pytest.fixture
def spec(server: object) -> Iterator[NightSpec]:
    registry.register(registry.find("cinema-fr", settings.load()))
    yield NightSpec(SOURCE, nights.FIRST, nights.dump(nights.FIRST, 5))
    remove_source(SOURCE)


@pytest.fixture
def run(spec: NightSpec) -> Run:
    """A run that is scored, but not published."""
    opened = nights.open_night(spec)
    nights.write_parts(opened, spec)
    return opened


def test_a_scored_run_is_published_and_its_attempt_counts(spec: NightSpec, run: Run) -> None:
    publishing_night.publish(run.run_id)
    assert oracle_after([spec]).violations() == []
    (published,) = (a for a in listing.attempts_of_run(run.run_id) if a.step == "publish")
    n_reviews = opening.get_run(run.run_id).counts["published"]
    assert (published.state, published.rows_done, published.rows_total) == ("done", n_reviews, n_reviews)
    assert published.rows_per_s
    publishing_night.publish(run.run_id)
    assert oracle_after([spec]).violations() == []


def test_known_reviews_travel_without_their_texts_unless_a_night_is_replaced(
    spec: NightSpec, run: Run, tmp_path: Path
) -> None:
    publishing_night.publish(run.run_id)
    later = NightSpec(SOURCE, nights.FIRST + timedelta(days=1), nights.dump(nights.FIRST + timedelta(days=1), 5))
    assert without_text(later) == {"known"}
    nights.publish_without_spark(later)
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_bytes(b"".join(later.dump.read_bytes().splitlines(keepends=True)[:-1]))
    assert without_text(NightSpec(SOURCE, later.night, shorter, supersede=True)) == set()


def without_text(spec: NightSpec) -> set[str]:
    """Stage a night; return the kinds of novelty whose reviews have no text there."""
    run = nights.open_night(spec)
    with attempts.attempt(run.run_id, "publish") as attempt:
        nights.stage(run, attempt, spec)
        table = Staging(run.run_id, attempt.token).table("review")
        with transaction() as c:
            novelties = c.exec_driver_sql(f"SELECT DISTINCT novelty FROM {table} WHERE text IS NULL")  # noqa: S608
            assert c.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE novelty = 'known'").scalar_one()  # noqa: S608
            return set(novelties.scalars())


@pytest.mark.parametrize("kind", ["review", "quarantine"])
def test_rows_that_are_gone_from_staging_are_missed(run: Run, kind: str) -> None:
    with pytest.raises(InfrastructureError, match="the manifest says"):
        with attempts.attempt(run.run_id, "publish") as attempt:
            expected = publishing_night.stage(run, attempt, Workspace())
            with transaction() as c:
                c.exec_driver_sql(f"TRUNCATE {Staging(run.run_id, attempt.token).table(kind)}")
            publishing.merge(run, attempt, expected)
    assert rows("SELECT 1 FROM sentiment.night_review WHERE source = :s", s=SOURCE) == []
    publishing_night.publish(run.run_id)
    assert opening.get_run(run.run_id).status == "published"


def test_a_run_without_its_parts_is_not_published(spec: NightSpec) -> None:
    opened = nights.open_night(spec)
    with pytest.raises(ParameterError, match="score"):
        publishing_night.publish(opened.run_id)


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs the task's body with a Param `dry_run`, for a run that find_dump returned."""
    dag = load("nightly_reviews")
    monkeypatch.setattr(connections, "use_connections", lambda: None)

    def execute(run: dict[str, Any], dry_run: bool = False) -> None:
        context = {"params": {"dry_run": dry_run}, "dag": dag, "dag_run": SimpleNamespace(conf=None)}
        for module in (connections, night_tasks):
            monkeypatch.setattr(module, "get_current_context", lambda: context)
        dag.task_dict["publish"].python_callable(run)

    return execute


def test_the_task_is_skipped_in_a_dry_run_and_where_nothing_is_new(task: Any, run: Run) -> None:
    for reason, dry_run in (({"nothing_new": True}, False), ({"nothing_new": False}, True)):
        with pytest.raises(AirflowSkipException):
            task({"run_id": run.run_id, **reason}, dry_run)
    assert [a for a in listing.attempts_of_run(run.run_id) if a.step == "publish"] == []


def test_the_log_begins_with_the_intent_and_ends_with_figures(
    task: Any, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sentiment"):
        task({"run_id": run.run_id, "nothing_new": False})
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("sentiment.")]
    assert messages[0].startswith("publish: ")
    n_published = opening.get_run(run.run_id).counts["published"]
    assert ["records", "published", f"{n_published:,}"] in [line.split() for line in messages[-1].splitlines()]


def test_no_statement_outlives_the_task(
    task: Any, run: Run, monkeypatch: pytest.MonkeyPatch, set_settings: Any
) -> None:
    set_settings(statement_timeout_s=99_999)
    seen = []
    monkeypatch.setattr(publishing_night, "publish", lambda _: seen.append(settings.load().statement_timeout_s))
    task({"run_id": run.run_id, "nothing_new": False})
    assert seen == [2 * 3600]
    assert settings.load().statement_timeout_s == 99_999
