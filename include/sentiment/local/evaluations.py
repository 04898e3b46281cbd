"""Evaluate one or two models on a labelled set, each in a process of its own on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sentiment import settings
from sentiment.embedded import airflow, machine
from sentiment.errors import log_end
from sentiment.evaluation.labelled_set import LabelledSet
from sentiment.evaluation.model import Evaluation
from sentiment.orchestration import evaluating
from sentiment.orchestration.evaluating import Request
from sentiment.runs import outcome

Progress = Callable[[str], None]
PROGRESS = "INFO sentiment.jobs: "
"""How those lines of a job's log begin that are reported to the person who waits."""


def run(request: Request, mistakes: int, progress: Progress) -> list[Evaluation]:
    """Evaluate the request's models, the second against the first, and return an evaluation for each.

    `mistakes` is how many wrong predictions an evaluation lists at most; `progress` receives a line for each stage.
    Raises what `evaluating.find_set` raises, and the error of the job that failed.
    """
    machine.make_private(settings.load())
    progress(f"taking in {request.uri}")
    labelled, done = evaluating.find_set(request), list[Evaluation]()
    with ExitStack() as afterwards:
        # One job a model: Spark NLP gives executors every network under the same name, so an application loads one.
        for model in request.models:
            progress(f"{model}: starting Spark and loading the network")
            arguments = ["--set", evaluating.set_to_json(labelled), "--model", model, "--mistakes", str(mistakes)]
            arguments += ["--against", done[0].evaluation_id] if done else []
            done.append(_job([*arguments, *([] if request.store else ["--no-store"])], labelled, progress))
            afterwards.callback(evaluating.clear, [done[-1].evaluation_id])
    return done


def _job(arguments: list[str], labelled: LabelledSet, progress: Progress) -> Evaluation:
    """Run the job and wait for it; its output goes to a log, its progress is reported, its error is raised."""
    log = settings.load().home / "logs" / f"evaluate-{datetime.now():%Y%m%dT%H%M%S.%f}.log"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "sentiment.jobs.evaluate", *arguments, "--outcome", str(path)]
        code = _wait(command, log, progress)
        cause = RuntimeError(f"exit code {code}; see {log}") if code else None
        job = f"evaluate of {labelled.name}"
        return evaluating.from_result(outcome.result(path, job, log_end(log), cause))


def _wait(command: list[str], log: Path, progress: Progress) -> int:
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True, errors="replace")
        assert process.stdout is not None
        try:
            for line in process.stdout:
                out.write(line)
                if line.startswith(PROGRESS):
                    progress(line.removeprefix(PROGRESS).rstrip())
            return process.wait()
        except BaseException:  # Ctrl-C too: the job would go on alone
            airflow.end_tree(process.pid)
            raise
