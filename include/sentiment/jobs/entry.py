"""What every job shares: arguments, a session, an attempt of a step, and an exit code by the kind of error."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from sentiment import settings
from sentiment.errors import SentimentError
from sentiment.runs import attempts, opening
from sentiment.runs.model import Run
from sentiment.runtime import spark
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger("sentiment.jobs")

Work = Callable[["SparkSession", Run, attempts.Attempt, Workspace], None]


def main(step: str, work: Work) -> int:
    """Run `work` as one attempt of a step of `--run-id`; return the process's exit code."""
    parser = argparse.ArgumentParser(description=f"{step}, for a run that find_dump has opened")
    parser.add_argument("--run-id", required=True, help="e.g. 20261122-1a2b3c4d, as `sentiment runs` lists them")
    run_id = parser.parse_args().run_id

    def start() -> None:
        run = opening.get_run(run_id)
        with attempts.attempt(run_id, step) as attempt:
            work(spark.session(f"sentiment {step} {run_id}"), run, attempt, Workspace(settings.load().lake))

    return ended(start)


def ended(start: Callable[[], None]) -> int:
    """Do a job's work with its log on standard output; returns the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    try:
        start()
    except SentimentError as error:
        log.error("%s", error)
        return error.exit_code
    return 0
