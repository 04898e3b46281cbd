"""The whole night through the real DAG: real Airflow, Spark, Spark NLP, Great Expectations and Postgres."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sentiment.dashboard import reading
from sentiment.dashboard.pages import MOST_RECORDS
from sentiment.embedded import secrets
from sentiment.errors import ParameterError
from sentiment.local import nights
from sentiment.orchestration import summary
from sentiment.quality.meanings import MEANINGS
from sentiment.runs import opening
from sentiment.runs.model import STEPS
from sentiment.samples import sample_dump
from sentiment.scoring import registry
from sentiment.settings import Settings

from tests.conftest import NIGHT
from tests.kit import nights as small_nights
from tests.kit import visitors, warm_spark
from tests.kit.commands import run, start
from tests.kit.nights import NightSpec, publish_without_spark
from tests.kit.rows import fingerprint, remove_source, rows

pytestmark = [pytest.mark.night, pytest.mark.usefixtures("ready")]


def counts(night: date, source: str = "allocine") -> dict[str, int]:
    (run_id,) = rows(
        "SELECT run_id FROM sentiment.run WHERE night = :night AND source = :source AND status = 'published'",
        night=night,
        source=source,
    )[0]
    return opening.get_run(run_id).counts


@pytest.fixture(scope="module")
def dump(home: Path) -> Path:
    return home / "dumps" / f"allocine-{NIGHT}.jsonl.gz"


@pytest.fixture
def warm(spark_server: Path, home: Path) -> Callable[[], AbstractContextManager[None]]:
    """Return what lets nights that start meanwhile use the warm server; all others start Spark themselves."""
    return lambda: warm_spark.used_by_airflow(spark_server, home / "airflow")


def test_a_night_is_published_and_counts_add_up(night: date) -> None:
    n = counts(NIGHT)
    assert n["read"] == 200
    assert n["read"] == n["accepted"] + n["quarantined"] + n["duplicate"]
    assert n["accepted"] == n["scored"] + n["reused"] == n["published"]
    assert min(n["quarantined"], n["duplicate"]) > 0
    published = rows(
        "SELECT count(*) AS n, count(DISTINCT review_id) AS once, count(s.label) AS scored "
        "FROM sentiment.night_review LEFT JOIN sentiment.review_sentiment s USING (review_id) WHERE night = :night",
        night=NIGHT,
    )[0]
    assert tuple(published) == (n["accepted"],) * 3
    assert rows("SELECT sum(n) FROM sentiment.film_night WHERE night = :night", night=NIGHT)[0][0] == n["accepted"]
    text = summary.of_run(rows("SELECT run_id FROM sentiment.run WHERE night = :n", n=NIGHT)[0][0])
    assert "insufficient data" in text
    assert f"{n['published']} published" in text


def test_a_night_with_sentences_has_them(night: date) -> None:
    """Every review has a sentence at least; together they hold its visible text; a single one is scored like it."""
    output = rows(
        "SELECT r.text, v.label, v.p_positive, array_agg(s.sentence ORDER BY sentence_no) AS sentences, "
        "min(s.label) AS label_of_one, min(s.score) AS score_of_one FROM sentiment.night_review n "
        "JOIN sentiment.review r USING (review_id) JOIN sentiment.v_review_sentiment v USING (review_id) "
        "LEFT JOIN sentiment.v_sentence_sentiment s USING (review_id) WHERE n.night = :night GROUP BY 1, 2, 3",
        night=NIGHT,
    )
    assert all("".join("".join(row.sentences).split()) == "".join(row.text.split()) for row in output)
    single = [row for row in output if len(row.sentences) == 1]
    assert 0 < len(single) < len(output)
    for row in single:
        assert row.label_of_one == row.label
        assert row.score_of_one == pytest.approx(max(row.p_positive, 1 - row.p_positive), abs=1e-6)


def test_every_refused_record_has_its_reasons_and_bytes(night: date, dump: Path) -> None:
    import gzip

    content = gzip.decompress(dump.read_bytes())
    refused = rows(
        "SELECT reasons, details, raw, raw_bytes, byte_offset FROM sentiment.quarantine "
        "JOIN sentiment.run USING (run_id) WHERE night = :night AND source = 'allocine' AND status = 'published'",
        night=NIGHT,
    )
    assert len(refused) == counts(NIGHT)["quarantined"]
    for row in refused:
        raw = bytes(row.raw)
        assert row.reasons
        assert row.details
        assert content[row.byte_offset : row.byte_offset + len(raw)] == raw


@pytest.fixture
def page(night: date) -> Iterator[Callable[[str], BeautifulSoup]]:
    """Return a function that reads a page about the night."""
    visitor = visitors.client()
    yield lambda path: visitors.page_of(visitor, path, source="allocine", night=NIGHT)
    reading._engine.cache_clear()


def test_the_pages_show_what_was_published_and_refused(page: Callable[[str], BeautifulSoup]) -> None:
    ((run_id,),) = rows("SELECT run_id FROM sentiment.run WHERE source = 'allocine' AND status = 'published'")
    counted = rows(
        "SELECT (SELECT count(*) FROM sentiment.quarantine WHERE run_id = :r) AS refused, (SELECT count(*) "
        "FROM sentiment.duplicate WHERE run_id = :r) AS duplicates, (SELECT count(*) FROM sentiment.night_review "
        "JOIN sentiment.review_sentiment USING (review_id) WHERE night = :n) AS published", r=run_id, n=NIGHT,
    )[0]  # fmt: skip
    by_rule = "SELECT rule, count(*) FROM sentiment.quarantine, unnest(reasons) AS rule WHERE run_id = :r GROUP BY 1"
    rules = {f"{n} by the rule {rule} {MEANINGS[rule]}" for rule, n in rows(by_rule, r=run_id)}
    for path in ("/", "/quarantine"):
        text = visitors.text_of(page(path))
        assert f"{counted.refused} records were refused, {counted.duplicates} repeat a review." in text
        assert rules <= {visitors.text_of(item) for item in page(path).select("ul.losses li")}
    funnel = [cell.get_text() for cell in page("/").select("table.funnel td.n")]
    assert funnel == ["200", str(counted.published), str(counted.published)]
    listed = page("/quarantine").tbody
    assert listed
    assert len(listed.select("tr")) == counted.refused < MOST_RECORDS


def test_the_same_again_changes_nothing(night: date, dump: Path) -> None:
    before = snapshot()
    code, output = run("nightly", "--dump", str(dump), "--date", NIGHT.isoformat())
    assert code == 0, output
    assert "Nothing new" in output
    assert snapshot() == before


def snapshot() -> list[tuple[int, str | None]]:
    tables = ("review", "night_review", "review_sentiment", "film_night", "quarantine", "run", "run_step", "dump")
    drift = ("profile_metrics", "drift_metrics", "canary")
    return [fingerprint("sentiment", table) for table in tables] + [fingerprint("drift", table) for table in drift]


def test_another_dump_of_the_night_is_refused_without_a_reason(night: date, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    sample_dump.write(sample_dump.SampleDump(night=NIGHT, n_reviews=100, seed=5), other)
    before = snapshot()
    code, output = run("nightly", "--dump", str(other), "--date", NIGHT.isoformat())
    assert code == 2, output
    assert "already published from another dump" in output
    assert "SUPERSEDE" in output
    assert snapshot()[:4] == before[:4]


def test_predict_runs_command(night: date) -> None:
    code, output = run("predict", "j'ai bien aime le film harry potter!")
    assert code == 0, output
    assert re.fullmatch(r"(pos|neg)  neg 0\.\d{4}  pos 0\.\d{4}\n(not )?uncertain: a p_positive of .*\n", output)
    code, output = run("runs")
    assert code == 0
    assert NIGHT.isoformat() in output
    run_id = re.search(r"\d{8}-[0-9a-f]{8}", output)
    assert run_id
    code, output = run("run", "show", run_id[0])
    assert code == 0
    assert all(step in output for step in STEPS if step != "find_dump")  # which needs no run


def test_killed_while_scoring_ends_as_if_undisturbed(
    night: date, dump: Path, config: Settings, warm: Callable[[], AbstractContextManager[None]]
) -> None:
    other = date(2026, 11, 18)
    allowed = ("--allow", "dump_date", "--reason", "the night before, again")
    arguments = ("nightly", "--dump", str(dump), "--date", other.isoformat(), "--source", "killed", *allowed)
    scored = Path(config.lake) / "scored" / f"night={other}"
    with warm():
        process = start(*arguments)
        wait_for(lambda: any(scored.glob("run=*/token=*")))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not rows("SELECT 1 FROM sentiment.run WHERE source = 'killed' AND status = 'published'")
        code, output = run(*arguments)
    assert code == 0, output
    assert all(name in output for name in ("dump_date", dump.name, str(NIGHT), str(other)))
    undisturbed, resumed = counts(NIGHT), counts(other, "killed")
    for name in ("read", "accepted", "quarantined", "duplicate", "published"):
        assert resumed[name] == undisturbed[name]
    same = rows(
        "SELECT source, md5(string_agg(text_hash || label || p_positive || n_wordpieces, '|' ORDER BY text_hash)) "
        "FROM sentiment.review JOIN sentiment.review_sentiment s USING (review_id, text_hash) "
        "WHERE source IN ('killed', 'allocine') GROUP BY source"
    )
    digests = dict(tuple(row) for row in same)
    assert digests["killed"] == digests["allocine"]
    assert len(rows("SELECT 1 FROM sentiment.run WHERE source = 'killed'")) == 1


def wait_for(condition: Callable[[], bool], within_s: float = 240) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.5)


def test_sample_reviews_are_not_published_among_real_ones(night: date) -> None:
    with pytest.raises(ParameterError, match="not published among allocine's own, like those of") as refused:
        nights.run({"night": (night + timedelta(days=1)).isoformat()}, lambda _: None)
    assert refused.value.try_next.startswith("make nightly DUMP=")


def test_a_dry_run_publishes_nothing(
    night: date, dump: Path, config: Settings, warm: Callable[[], AbstractContextManager[None]]
) -> None:
    """And it reports its own run, not the one that the night shows."""
    source = "rehearsal"
    registry.register(registry.find("cinema-fr", config))
    publish_without_spark(NightSpec(source, NIGHT, small_nights.dump(NIGHT, 5)))
    arguments = ("--dump", str(dump), "--date", NIGHT.isoformat(), "--source", source, "--supersede", "why")
    before = snapshot()
    with warm():
        code, output = run("nightly", *arguments, "--dry-run")
    assert code == 0, output
    assert "Dry run: nothing was published" in output
    query = "SELECT run_id FROM sentiment.run WHERE source = :s AND status = :status"
    (rehearsed,), (shown,) = (rows(query, s=source, status=status)[0] for status in ("audited", "published"))
    assert rehearsed in output
    assert shown not in output
    after = snapshot()
    assert (after[:4], after[8]) == (before[:4], before[8])  # all but the ledger's and the canary's rows
    refused = rows("SELECT count(*) FROM sentiment.quarantine WHERE run_id = :r", r=rehearsed)[0][0]
    assert refused == opening.get_run(rehearsed).counts["quarantined"] > 0
    remove_source(source)


def test_logs_of_tasks_begin_with_intents_and_end_with_figures(night: date, home: Path) -> None:
    log = min(home.glob(f"logs/nightly-{NIGHT}-*.log")).read_text("utf-8")
    assert "_docs_decorators" not in log
    assert "Spark-Submit cmd" not in log
    n = counts(NIGHT)
    figures = {"ingest": ["read"], "validate": ["accepted", "quarantined", "duplicate"], "publish": ["published"]}
    for step in STEPS:
        _, _, rest = log.partition(f"[DAG TEST] starting task_id={step} ")
        lines = rest.partition(f"[DAG TEST] end task task_id={step} ")[0].splitlines()
        own = [i for i, line in enumerate(lines) if re.search(r"\[sentiment\.|SparkSubmitHook", line)]
        assert f" {step}: " in lines[own[0]]
        done = max(i for i, line in enumerate(lines) if re.search(r"\bdone:", line))
        assert not [lines[i] for i in own if i > done and "[sentiment.orchestration.task_log]" not in lines[i]]
        table = [line.partition("[sentiment")[0] for line in lines[done + 1 :]]
        assert any(line.startswith("duration ") for line in table)
        for name in figures.get(step, []):
            assert any(line.split()[-2:] == [name, f"{n[name]:,}"] for line in table), (name, table)


def test_no_secret_in_logs_pages_xcom_or_arguments(night: date, home: Path) -> None:
    secret_values = [value.encode() for value in secrets.load(home).values()]
    folders = [home / "logs", home / "data_docs", home / "lake", home / "airflow" / "logs"]
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 10
    assert not [p for p in files for secret in secret_values if secret in p.read_bytes()]
    details = json.dumps([list(r) for r in rows("SELECT detail, error FROM sentiment.run_step")])
    assert not [secret for secret in secret_values if secret.decode() in details]
