"""`sentiment evaluate`: one or two models on a labelled set, each in a process of its own on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sentiment import settings
from sentiment.embedded import airflow
from sentiment.errors import InfrastructureError
from sentiment.evaluation.labelled_set import LabelledSet
from sentiment.evaluation.model import Evaluation
from sentiment.orchestration import evaluating
from sentiment.orchestration.evaluating import Request

Tell = Callable[[str], None]
PROGRESS = "INFO sentiment.jobs: "
"""How lines of the job's log begin that are for the person who waits."""


def run(request: Request, mistakes: int, tell: Tell) -> list[Evaluation]:
    """Evaluate the request's models, the second against the first: one Spark application loads one network.

    Raises what `evaluating.find_set` raises, and the error of the job that failed.
    """
    tell(f"taking in {request.uri}")
    found, done = evaluating.find_set(request), list[Evaluation]()
    with ExitStack() as afterwards:
        for model in request.models:
            tell(f"{model}: starting Spark and loading the network")
            arguments = ["--set", evaluating.set_to_json(found), "--model", model, "--mistakes", str(mistakes)]
            arguments += ["--against", done[0].evaluation_id] if done else []
            done.append(_job([*arguments, *([] if request.store else ["--no-store"])], found, tell))
            afterwards.callback(evaluating.clear, [done[-1].evaluation_id])
    return done


def _job(arguments: list[str], found: LabelledSet, tell: Tell) -> Evaluation:
    """Run the job and wait for it; what it says goes to a log, what it is doing is told."""
    log = settings.load().home / "logs" / f"evaluate-{datetime.now():%Y%m%dT%H%M%S.%f}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        left = Path(folder) / "result.json"
        code = _wait([sys.executable, "-m", "sentiment.jobs.evaluate", *arguments, "--result", str(left)], log, tell)
        if code:
            unknown = f"The job that evaluates {found.name} ended without a word (exit code {code}); see {log}."
            evaluating.raise_failure(left, InfrastructureError(unknown, f"tail -n 30 {log}"))
        return evaluating.result(left)


def _wait(command: list[str], log: Path, tell: Tell) -> int:
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True, errors="replace")
        assert process.stdout is not None
        try:
            for line in process.stdout:
                out.write(line)
                if line.startswith(PROGRESS):
                    tell(line.removeprefix(PROGRESS).rstrip())
            return process.wait()
        except BaseException:
            airflow.end_tree(process.pid)
            raise
