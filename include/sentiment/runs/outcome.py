"""How an error or a result comes back from a job to whoever submitted it: one file, named for that one submission.

Whoever submits a job makes a fresh path and passes it on (`--outcome PATH`; for `make nightly` the setting
SENTIMENT_FAILURE_NOTE). The job writes one outcome there, whole or not at all, before it ends. A file can't be an
older attempt's, since its path was never used before; and where there is none, the job died without a report, which
trying again may mend. The ledger's rows say the same to people, and nobody takes a job's end from them.

The driver of a Spark job runs on the machine that submits it (deploy mode client, the only one that is allowed), so
a path in that machine's own temporary folder reaches it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, JsonValue

from sentiment.errors import InfrastructureError, SentimentError, from_record
from sentiment.runs.recognition import disk_full, disk_is_full, out_of_memory, recognised

KILLED = re.compile(r"code\D{0,5}(-9|137)\b")
"""How those who waited for it describe a process that was ended by SIGKILL."""


class Failure(BaseModel):
    """An error as another process may raise it again."""

    kind: str
    """Name of its class in `sentiment.errors`."""
    message: str
    try_next: str = ""
    """The command to type next; may be empty."""

    def error(self) -> SentimentError:
        """Return the error, of the class it had."""
        return from_record(self.kind, self.message, self.try_next)


class Outcome(BaseModel):
    """How a job or a task ended: with an error, else with a result, which may be nothing."""

    error: Failure | None = None
    result: JsonValue = None
    task: str | None = None
    """The Airflow task that failed, in a note for `make nightly`."""

    @classmethod
    def of_error(cls, error: BaseException, task: str | None = None) -> Outcome:
        """Return the outcome of work that raised `error`."""
        known = recognised(error)
        failure = Failure(kind=type(known).__name__, message=known.message, try_next=known.try_next)
        return cls(error=failure, task=task)


def write(path: Path, outcome: Outcome) -> None:
    """Write an outcome, whole or not at all."""
    beside = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    beside.write_text(outcome.model_dump_json(), "utf-8")
    os.replace(beside, path)


def read(path: Path) -> Outcome | None:
    """Return the outcome that was written to `path`; None where there is none."""
    try:
        return Outcome.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def result(path: Path, job: str, try_next: str, cause: BaseException | None = None) -> JsonValue:
    """Return the result of a job that has ended.

    Raises the error that the job reported, OutOfMemoryError where it was killed, DiskFullError where it had no space to
    report, InfrastructureError, naming the job, where it reported nothing else, or failed (`cause`) after it had
    reported a result: then its last steps are unknown. `try_next` shows the job's log; may be empty.
    """
    outcome = read(path)
    if cause and KILLED.search(str(cause)):
        raise out_of_memory(f"The job {job} was killed: {cause}; the system does so where memory runs out.") from cause
    if outcome is not None and outcome.error is not None:
        error = outcome.error.error()
        error.try_next = error.try_next or try_next
        raise error from cause
    if outcome is None or cause is not None:
        raise _unreported(path, job, try_next, cause) from cause
    return outcome.result


def _unreported(path: Path, job: str, try_next: str, cause: BaseException | None) -> InfrastructureError:
    reason = f": {cause}" if cause else ""
    if disk_is_full(path.parent):
        return disk_full(f"the job {job} could write no report to {path.parent}{reason}")
    return InfrastructureError(f"The job {job} ended without a report{reason}", try_next)
