"""What is past its time is told, removed once, and never what a live attempt works on."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sentiment import ledger, settings
from sentiment.bench import nights
from sentiment.bench.nights import Attempt, publish_without_spark
from sentiment.database import transaction
from sentiment.embedded.machine import Machine
from sentiment.errors import DataError, ParameterError
from sentiment.lake import Lake, Part, run_key
from sentiment.orchestration import maintenance
from sentiment.scoring import registry
from sentiment.store.retention import Leftover
from sentiment.store.staging import Staging

SOURCE = "maintained"
LONG_AGO = "now() - interval '5 years'"


@pytest.fixture(autouse=True)
def model(ready: object) -> None:
    registry.register(registry.find("demo-fr", settings.load()))


def run_sql(query: str, **values: object) -> None:
    with transaction("owner") as c:
        c.execute(sa.text(query), values)


def scalar(query: str, **values: object) -> object:
    with transaction("owner") as c:
        return c.execute(sa.text(query), values).scalar_one()


@pytest.fixture
def published() -> Iterator[ledger.Run]:
    """A night superseded by another dump: both runs, their refused records, and kept versions."""
    night = date(2026, 5, 4)
    for seed, supersede in ((5, False), (6, True)):
        publish_without_spark(Attempt(SOURCE, night, nights.dump(night, seed), supersede))
    run_id = scalar("SELECT run_id FROM sentiment.run WHERE source = :s AND status = 'superseded'", s=SOURCE)
    yield ledger.get_run(str(run_id))
    ours = "(SELECT run_id FROM sentiment.run WHERE source = :s)"
    for table in ("review_sentiment", "night_review", "film_night", "review", "quarantine", "run_step", "run"):
        run_sql(f"DELETE FROM sentiment.{table} WHERE run_id IN {ours}", s=SOURCE)


def kinds(found: list[Leftover] | None = None) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for leftover in maintenance.find() if found is None else found:
        counts[leftover.kind] += leftover.amount
    return dict(counts)


def maintained_twice(kind: str) -> int:
    """A dry run tells and leaves; the real one removes as much; the next finds nothing. Returns how much."""
    told = kinds()[kind]
    assert kinds(maintenance.maintain(dry_run=True))[kind] == told
    assert kinds(maintenance.maintain(dry_run=False))[kind] == told
    assert kind not in kinds()
    return told


def test_staging_of_a_dead_attempt_goes_and_of_a_live_one_stays(published: ledger.Run) -> None:
    run = ledger.open_run(published.night + timedelta(days=1), SOURCE, published.dump_id, "demo-fr")
    with ledger.step(run.run_id, "publish") as live:
        Staging(run.run_id, live.token).create()
        assert "staging table of a dead attempt" not in kinds()
        run_sql(f"UPDATE sentiment.run_step SET heartbeat_at = {LONG_AGO} WHERE token = :t", t=live.token)
        assert maintained_twice("staging table of a dead attempt") == 3


def test_refused_records_of_a_superseded_run(published: ledger.Run) -> None:
    assert "refused records of a superseded run" not in kinds()
    run_sql(f"UPDATE sentiment.run SET published_at = {LONG_AGO} WHERE supersedes = :r", r=published.run_id)
    count = "SELECT count(*) FROM sentiment.quarantine WHERE run_id = :r"
    assert maintained_twice("refused records of a superseded run") > 0
    assert scalar(count, r=published.run_id) == 0
    assert scalar("SELECT count(*) FROM sentiment.run WHERE run_id = :r", r=published.run_id) == 1


def test_payloads_of_refused_records_keep_reason_size_and_hash(published: ledger.Run) -> None:
    rows = scalar("SELECT count(*) FROM sentiment.quarantine")
    run_sql(f"UPDATE sentiment.run SET finished_at = {LONG_AGO} WHERE run_id = :r", r=published.run_id)
    assert maintained_twice("payloads of refused records") > 0
    assert scalar("SELECT count(*) FROM sentiment.quarantine") == rows
    query = (
        "SELECT bool_and(raw = '' AND raw_bytes > 0 AND raw_sha256 <> '') FROM sentiment.quarantine WHERE run_id = :r"
    )
    assert scalar(query, r=published.run_id) is True


def test_lake_nights_of_finished_runs(published: ledger.Run) -> None:
    lake, key = Lake(settings.load().lake), run_key(published.night, published.run_id)
    kind = "lake night of a finished run"
    for name, where in (("scored", key), ("received", f"dump={published.dump_id}")):
        file = f"{name}/{where}/token=1/chunk=0/part.parquet"
        path = Path(lake.local(file))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        lake.commit(name, where, 1, Part([file], 1, ""))
    run_sql("UPDATE sentiment.run SET finished_at = now() WHERE run_id = :r", r=published.run_id)
    assert kind not in kinds()
    run_sql(f"UPDATE sentiment.run SET finished_at = {LONG_AGO} WHERE run_id = :r", r=published.run_id)
    with ledger.step(published.run_id, "score"):
        assert kind not in kinds()
    run_sql(f"UPDATE sentiment.run SET finished_at = {LONG_AGO} WHERE run_id = :r", r=published.run_id)
    assert kinds()["records of a dump no run needs"] == 1
    assert maintained_twice(kind) == 1
    assert lake.committed("scored", key) == lake.committed("received", f"dump={published.dump_id}") == []


def test_scores_of_a_retired_model() -> None:
    copy = (
        "INSERT INTO sentiment.model SELECT 'old', name, language, engine, 'f', labels, source_uri, spark_nlp_version"
    )
    run_sql(f"{copy}, false FROM sentiment.model WHERE model_id = 'demo-fr'")
    run_sql("INSERT INTO sentiment.review_sentiment (review_id, model_id, label, score, probabilities, n_wordpieces, "
            "n_chunks, text_hash, run_id) VALUES ('r', 'old', 'pos', 1, '{}', 1, 1, 't', 'r')")  # fmt: skip
    registry.retire("old")
    assert "scores of a retired model" not in kinds()
    run_sql(f"UPDATE sentiment.model SET retired_at = {LONG_AGO} WHERE model_id = 'old'")
    assert maintained_twice("scores of a retired model") == 1
    registry.retire("old", undo=True)
    assert scalar("SELECT retired_at FROM sentiment.model WHERE model_id = 'old'") is None
    run_sql("DELETE FROM sentiment.model WHERE model_id = 'old'")


@pytest.mark.parametrize(("model_id", "words"), [("demo-fr", "is the current model"), ("none", "has scored here")])
def test_models_that_may_not_be_retired(model_id: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        registry.retire(model_id)


def test_months_are_made_ahead_and_old_ones_dropped() -> None:
    run_sql("SELECT sentiment.ensure_month('2020-01-15')")
    assert "month of night_review" in kinds()
    maintenance.maintain(dry_run=False)
    assert "month of night_review" not in kinds()
    months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'sentiment.night_review'::regclass AND "
    ahead = (
        months
        + "inhrelid::regclass::text = 'sentiment.night_review_' || to_char(now() + interval '2 months', 'YYYYMM')"
    )
    assert scalar(ahead) == 1


def test_the_dag_tells_and_removes_nothing(ready: Machine, published: ledger.Run) -> None:
    run_sql(f"UPDATE sentiment.run SET finished_at = {LONG_AGO} WHERE run_id = :r", r=published.run_id)
    command = [str(Path(sys.executable).parent / "airflow"), "dags", "test", "maintain_store"]
    done = subprocess.run(command, env=ready.env, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "would remove" in done.stdout + done.stderr
    assert kinds()["payloads of refused records"] > 0


def test_a_night_whose_replaced_versions_are_gone_is_not_superseded() -> None:
    source, first, second = "gone_versions", date(2026, 5, 4), date(2026, 5, 5)
    for night in (first, second):
        publish_without_spark(Attempt(source, night, nights.dump(night, 5)))
    kept = "SELECT count(*) FROM sentiment.review_version WHERE source = :s"
    assert scalar(kept, s=source) != 0
    run_sql("DELETE FROM sentiment.review_version WHERE source = :s", s=source)
    with pytest.raises(DataError, match="not kept any more"):
        publish_without_spark(Attempt(source, second, nights.dump(second, 6), supersede=True))
    assert scalar("SELECT count(*) FROM sentiment.run WHERE source = :s AND status = 'superseded'", s=source) == 0
