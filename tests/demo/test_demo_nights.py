"""The demo's nights: what happens in their dumps, and a few of them through its job and the steps of a night."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sentiment import settings
from sentiment.demo import home, publishing, scoring, story
from sentiment.demo.story import DemoNight
from sentiment.orchestration import rescoring
from sentiment.runs.handoff import CanaryPrediction
from sentiment.samples.sample_dump import INVENTED
from sentiment.scoring import registry
from sentiment.settings import Settings
from sentiment.workspace import Workspace

from tests.kit.rows import rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LAST = date(2026, 11, 19)


def records(night: DemoNight) -> list[dict[str, object]]:
    lines = night.dump.read_bytes().splitlines()
    return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}") and b"\xe9" not in line]


def share_positive(nights: list[DemoNight]) -> float:
    polarities = [r["polarity"] for night in nights for r in records(night) if r.get("polarity") is not None]
    return sum(1 for polarity in polarities if polarity == 1) / len(polarities)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[DemoNight]:
    nights = story.nights(LAST, tmp_path_factory.mktemp("demo"))
    for night in (*nights[story.FALL - 12 : story.BOMBED.start + 1], nights[story.UNRATED]):
        night.dump.parent.mkdir(exist_ok=True)
        story.write_dump(night)
    return nights


def test_the_dumps_hold_what_the_story_is(written: list[DemoNight]) -> None:
    assert len(written) == story.N_NIGHTS
    assert written[-1].night == LAST
    fallen = share_positive(written[story.FALL : story.FALL + 12]) - share_positive(
        written[story.FALL - 12 : story.FALL]
    )
    assert -0.08 < fallen < -0.02
    of_film = [r for r in records(written[story.BOMBED.start]) if r.get("film_id") == story.BOMBED_FILM]
    assert sum(1 for r in of_film if r["polarity"] == 0) >= 0.8 * story.BOMBS
    assert {r["rating"] for r in records(written[story.UNRATED])} == {None}
    assert "/dumps/sample-" in str(written[0].dump)
    assert INVENTED == "%/dumps/sample-%"


@pytest.fixture
def few_nights(
    config: Settings, set_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[DemoNight]:
    """Write three nights, of which the last has sentences, in a home of their own."""
    for name, n in {"N_NIGHTS": 3, "FIRST_MODEL_NIGHTS": 1, "SENTENCE_NIGHTS": 1, "REVIEWS": 30}.items():
        monkeypatch.setattr(story, name, n)
    set_settings(lake=tmp_path / "lake", source=home.SOURCE)
    nights = story.nights(LAST, tmp_path)
    for night in nights:
        story.write_dump(night)
    return nights


@pytest.mark.spark
def test_nights_are_published_by_the_steps_of_a_night(
    spark: SparkSession, few_nights: list[DemoNight], tmp_path: Path, config: Settings
) -> None:
    workspace, model = Workspace(str(tmp_path / "all")), registry.find(home.MODEL, settings.load())
    scoring.judge(spark, str(tmp_path / "dumps" / "sample-*.jsonl"), home.SOURCE, LAST, workspace)
    predictions = scoring.score_nights(spark, model, home.SOURCE, workspace)
    canary = [CanaryPrediction.model_validate(p) for p in predictions]
    nights = publishing.load(workspace, home.MODEL, canary)
    runs = [publishing.publish(night, home.SOURCE, nights) for night in few_nights]
    assert [run.status for run in runs] == ["published"] * 3
    for run in runs:
        n = run.counts
        assert n["read"] == n["accepted"] + n["quarantined"] + n["duplicate"] == 30
        assert n["accepted"] == n["scored"] == n["published"]
    # Of three nights two have a defect that costs the record, not a value of it.
    assert sum(run.counts["quarantined"] for run in runs) == len(rows("SELECT FROM sentiment.quarantine"))
    assert sum(run.counts["quarantined"] for run in runs) >= 1
    stored = rows(
        "SELECT first_night, count(*) AS n FROM sentiment.review WHERE source = :s GROUP BY 1 ORDER BY 1", s=home.SOURCE
    )
    assert [(row.first_night, row.n) for row in stored] == [(run.night, run.counts["published"]) for run in runs]
    profiled = rows(
        "SELECT night, n FROM drift.profile_metrics WHERE source = :s AND slice_key = 'all' "
        "AND column_name = 'positive' ORDER BY night", s=home.SOURCE
    )  # fmt: skip
    assert [(row.night, row.n) for row in profiled] == [(run.night, run.counts["published"]) for run in runs]
    sentences = rows(
        "SELECT DISTINCT first_night AS night FROM sentiment.sentence_sentiment JOIN sentiment.review USING (review_id)"
    )
    assert [row.night for row in sentences] == [LAST]
    scoring.evaluate_on(spark, model, str(few_nights[0].dump))
    evaluated = rows(
        "SELECT support FROM sentiment.v_evaluation WHERE set_name = :n AND label = 'accuracy'",
        n=few_nights[0].dump.name,
    )
    assert 20 < evaluated[0].support <= 30
    again = publishing.publish(few_nights[0], home.SOURCE, nights)
    assert again.run_id == runs[0].run_id
    assert rescoring.missing(home.MODEL).is_complete


def test_the_demo_has_nothing_of_its_owners_settings(set_settings: Callable[..., Settings], tmp_path: Path) -> None:
    another = "postgresql://writer:x@db.example/reviews"
    set_settings(
        database_url=another, reader_url=another, owner_url=another, spark_master="spark://far:7077", lake="s3a://b/l"
    )
    with home.at_home(tmp_path / "demo"):
        own = settings.load()
        assert (own.database_url, own.reader_url, own.owner_url) == (None, None, None)
        assert own.spark_master == "local[*]"
        assert own.lake == str(tmp_path / "demo" / "lake")
        assert (own.source, own.model) == (home.SOURCE, home.MODEL)
    assert settings.load().database_url
    home.remove(settings.load().model_copy(update={"home": tmp_path / "nothing"}))
