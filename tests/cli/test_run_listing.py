"""What `sentiment runs` and `sentiment run show` list of stored runs and attempts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from sentiment import cli
from sentiment.database import transaction
from sentiment.runs import attempts, listing
from sentiment.runs.model import Run
from typer.testing import CliRunner

from tests.kit.rows import remove_source, run_sql
from tests.store import small_night

pytestmark = pytest.mark.usefixtures("server")

SOURCE, NIGHT = "listed", date(2031, 5, 6)
RUNNING = """
UPDATE sentiment.run_step SET state = 'running', finished_at = NULL, rows_done = 500, rows_total = 2000,
  detail = '{"rows_per_s": 50.5, "left_s": 30}' WHERE run_id = :run_id AND step = 'score'"""


@pytest.fixture(scope="module")
def run(server: object) -> Iterator[Run]:
    """A published run, with an attempt of `score` that is a quarter through."""
    published = small_night.publish(SOURCE, NIGHT, ["Zoé Vexillaire"])
    with attempts.attempt(published.run_id, "score"):
        pass
    with transaction("owner") as c:
        c.execute(sa.text(RUNNING), {"run_id": published.run_id})
    yield published
    remove_source(SOURCE)


def output(*arguments: str) -> list[list[str]]:
    done = CliRunner().invoke(cli.app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return [line.split() for line in done.output.splitlines()]


def test_runs_are_listed_newest_first(run: Run) -> None:
    (newest,) = listing.newest_runs(1)
    assert (newest.run_id, newest.night, newest.source, newest.status) == (run.run_id, NIGHT, SOURCE, "published")
    assert newest.rows_published == run.counts["published"]
    header, row = output("runs", "--limit", "1")
    assert header[-5:] == ["Airflow", "run", "dump", "error", "next"]
    values = dict(zip(header[:-5], row[:-1], strict=True))
    assert values["run"] == run.run_id
    assert values["published"] == str(run.counts["published"])


@pytest.fixture
def unopened(run: Run) -> Iterator[str]:
    """A night that failed without a run, before the published run began; its dump's name would change a terminal."""
    name = "/data/\x1b[31m[bold]nuit.jsonl"
    insert = (
        "INSERT INTO sentiment.unopened_run (dag_id, airflow_run_id, night, source, dump_uri, error_kind, error, "
        "try_next, failed_at) SELECT 'nightly_reviews', 'manual__1', :night, :source, :name, 'DumpNotFoundError', "
        "'No dump at ' || :name, 'ls', started_at - interval '1 second' FROM sentiment.run WHERE run_id = :run_id"
    )
    run_sql(insert, night=NIGHT, source=SOURCE, name=name, run_id=run.run_id)
    yield name
    run_sql("DELETE FROM sentiment.unopened_run")


def test_nights_without_a_run_are_listed_by_their_time(run: Run, unopened: str) -> None:
    published, failed = listing.newest_runs(2)
    assert (published.run_id, published.error) == (run.run_id, None)
    assert (failed.run_id, failed.night, failed.source, failed.status) == (None, NIGHT, SOURCE, "failed")
    assert (failed.airflow_run_id, failed.dump_uri, failed.try_next) == ("manual__1", unopened, "ls")
    assert failed.error == f"DumpNotFoundError: No dump at {unopened}"
    done = CliRunner().invoke(cli.app, ["runs", "--limit", "2"], catch_exceptions=False)
    assert "\x1b" not in done.output
    assert done.output.count(r"/data/\x1b[31m[bold]nuit.jsonl") == 2


def test_attempts_are_listed_with_speed_and_remaining_time(run: Run) -> None:
    published, running = listing.attempts_of_run(run.run_id)
    assert (published.step, published.state, published.remaining_s) == ("publish", "done", None)
    assert published.duration is not None
    assert published.token < running.token
    assert (running.step, running.state, running.duration) == ("score", "running", None)
    assert (running.rows_done, running.rows_total, running.rows_per_s, running.remaining_s) == (500, 2000, 50.5, 30)
    assert output("run", "show", run.run_id)[-1] == [
        "score", str(running.token), "running", "500", "of", "2000", "50.5", "30"
    ]  # fmt: skip


def test_unknown_run_has_no_attempt(run: Run) -> None:
    assert listing.attempts_of_run("20310506-ffffffff") == []
