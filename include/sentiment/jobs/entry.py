"""What every job shares: arguments, a session, an attempt of a step, its outcome and its exit code."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from sentiment import settings
from sentiment.errors import SentimentError
from sentiment.runs import attempts, opening, outcome
from sentiment.runs.model import Run
from sentiment.runs.outcome import Outcome
from sentiment.runs.recognition import recognised
from sentiment.runtime import spark
from sentiment.runtime.garbage import collect_seldom
from sentiment.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger("sentiment.jobs")

Work = Callable[["SparkSession", Run, attempts.Attempt, Workspace], None]


def main(step: str, work: Work, ahead: Callable[[], object] | None = None) -> int:
    """Run `work` as one attempt of a step of `--run-id`; return 0, or the exit code of the error it raised.

    `ahead` runs in a thread while the session starts, which leaves Python idle for seconds: an import that `work` needs
    later, and which raises its error there again.
    """
    collect_seldom()
    parser = argparse.ArgumentParser(description=f"{step}, for a run that ingest has opened")
    parser.add_argument("--run-id", required=True, help="e.g. 20261122-1a2b3c4d, as `sentiment runs` lists them")
    add_outcome(parser)
    arguments = parser.parse_args()

    def start() -> None:
        run = opening.get_run(arguments.run_id)
        with attempts.attempt(run.run_id, step) as attempt:
            if ahead:
                # A daemon, so that no import keeps a job alive that has failed.
                threading.Thread(target=ahead, daemon=True).start()
            # Inside the attempt, so that a session that does not start is recorded as the attempt's failure.
            session = spark.session(f"sentiment {step} {run.run_id}", run.counts["read"])
            work(session, run, attempt, Workspace(settings.load().lake))

    return ended(start, arguments.outcome)


def add_outcome(parser: argparse.ArgumentParser) -> None:
    """Add the option `--outcome`."""
    parser.add_argument(
        "--outcome", type=Path, help="file for the result or the error, which must not be there; else it is printed"
    )


def ended(start: Callable[[], JsonValue], path: Path | None) -> int:
    """Do a job's work with its log on standard output; return the process's exit code.

    Its result or its error is written to `path`. Without a path a result is printed as one line of JSON, and an error
    is in the log alone. Of an error that is not one of ours the log has the traceback as well.
    """
    log_own_progress("%(levelname)s %(name)s: %(message)s")
    try:
        _report(path, Outcome(result=start()))
    except SentimentError as error:
        log.error("%s", error)
        _report(path, Outcome.of_error(error))
        return error.exit_code
    except Exception as error:
        known = recognised(error)
        log.exception("%s", known)
        _report(path, Outcome.of_error(known))
        return known.exit_code
    except BaseException as error:  # interrupted: SystemExit, KeyboardInterrupt
        _report(path, Outcome.of_error(error))
        raise
    return 0


def log_own_progress(line_format: str) -> None:
    """Log to standard output what this package reports at INFO, and what libraries warn of."""
    # At INFO Great Expectations logs how it registers its functions: 200 lines a night.
    logging.basicConfig(level=logging.WARNING, format=line_format, stream=sys.stdout)
    logging.getLogger("sentiment").setLevel(logging.INFO)


def _report(path: Path | None, ending: Outcome) -> None:
    if path is not None:
        outcome.write(path, ending)
    elif ending.result is not None:
        sys.stdout.write(f"{json.dumps(ending.result)}\n")
