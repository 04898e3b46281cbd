"""A task's log begins with what the task is about to do and ends with a table of what it did."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from sentiment.orchestration import task_log
from sentiment.orchestration.spark_tasks import BriefLogger


def test_log_begins_with_the_intent_and_ends_with_figures(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), task_log.logged("score: every review") as figures:
        logging.getLogger("sentiment.jobs").info("at work")
        figures.update({"records read": 12345, "rows a second": 1.25, "nothing_new": False})
    first, between, last = (record.getMessage() for record in caplog.records)
    assert (first, between) == ("score: every review", "at work")
    table = [line.rsplit(maxsplit=1) for line in last.splitlines()[1:]]
    assert [row[0].rstrip() for row in table[:3]] == ["records read", "rows a second", "nothing_new"]
    assert [row[1] for row in table[:3]] == ["12,345", "1.2", "False"]
    assert last.splitlines()[-1].split()[0] == "duration"


def test_a_task_that_fails_has_no_table(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(KeyError), task_log.logged("score: every review"):
        raise KeyError("text")
    assert [record.getMessage() for record in caplog.records] == ["score: every review"]


def test_figures_of_a_result_leave_out_what_is_long() -> None:
    assert task_log.of_result({"set": "x" * 101, "model": "cinema-fr", "against": None}) == {"model": "cinema-fr"}
    assert task_log.of_result("0123456789abcdef") == {"result": "0123456789abcdef"}
    assert task_log.of_result(None) == {}


def test_the_command_of_a_job_is_no_line_at_info() -> None:
    lines: list[tuple[str, str]] = []
    wrapped: Any = SimpleNamespace(
        debug=lambda message, *_: lines.append(("debug", message)),
        info=lambda message, *_: lines.append(("info", message)),
        name="hook",
    )
    brief = BriefLogger(wrapped)
    brief.info("Spark-Submit cmd: %s", "spark-submit --conf …")
    brief.info("INFO sentiment.jobs: 1 of 2")
    brief.debug("more")
    assert [level for level, _ in lines] == ["debug", "info", "debug"]
    assert brief.name == "hook"


def test_jobs_log_their_own_progress_and_only_warnings_of_libraries() -> None:
    code = (
        "import logging; from sentiment.jobs.entry import log_own_progress as log; log('%(name)s')\n"
        "for name in ('great_expectations._docs_decorators', 'py4j.clientserver', 'sentiment.jobs'):\n"
        "    logging.getLogger(name).info('registering'); logging.getLogger(name).warning('no disk')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["great_expectations._docs_decorators", "py4j.clientserver", *["sentiment.jobs"] * 2]
