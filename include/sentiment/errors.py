"""Every error a person may meet, and the exit code each one ends a command with.

```
SentimentError                 1
├── ParameterError             2   a value that was typed or configured
├── DataError                  3   the dump or its content; trying again changes nothing
│   ├── DumpNotFoundError
│   ├── DumpUnreadableError
│   ├── DumpRefusedError
│   └── CanaryMovedError           the pipeline scores otherwise than before
├── InfrastructureError        4   database, Spark, disk; trying again may help
│   ├── DiskFullError              no space is left on a disk
│   ├── OutOfMemoryError           no memory is left to Python, Java or the database
│   ├── ReadOnlyDatabaseError      the database takes no writes
│   └── StaleAttemptError          a newer attempt of the same step has begun
├── SetupError                 5   something this machine lacks
└── ProgramError               6   an error of this program's own code; trying again changes nothing
```
"""

from __future__ import annotations

import shlex
import traceback
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
OWN_FOLDERS = (Path(__file__).resolve().parent, CHECKOUT / "dags")
ERROR_CHARS = 4000
"""An error that is not one of this package's is cut to so many characters: Spark's hold whole plans."""


class SentimentError(Exception):
    """Base of the package's errors: a message that names what is wrong, and in `try_next` the command to type next.

    `try_next` is shown below the message, so it should work as it stands; "" where no command helps. `content` is the
    part of the message that quotes a dump's content, which in a file without a header is a review; "" where none does.
    """

    exit_code = 1

    def __init__(self, message: str, try_next: str = "", content: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.try_next = try_next
        self.content = content

    @property
    def without_content(self) -> str:
        """Return the message with an ellipsis where it quotes a dump's content."""
        return self.message.replace(self.content, "…") if self.content else self.message

    def __str__(self) -> str:
        return f"{self.message}\n  Next: {self.try_next}" if self.try_next else self.message


def quoted(value: object) -> str:
    """Return a path, or other text from outside, as one word of the shell: for commands in `try_next`."""
    return shlex.quote(str(value))


def log_end(log: Path) -> str:
    """Return the command that shows the last lines of a log, for `try_next`."""
    return f"tail -n 30 {quoted(log)}"


class ParameterError(SentimentError):
    """A typed or configured value that can't be used."""

    exit_code = 2


class DataError(SentimentError):
    """An error of the data, which would fail again; Airflow does not retry the task."""

    exit_code = 3


class DumpNotFoundError(DataError):
    """There is no dump where one was named, or where a scheduled night looks."""


class DumpUnreadableError(DataError):
    """A dump that is empty, cut short, binary or beyond a safety bound."""


class DumpRefusedError(DataError):
    """A readable dump that fails a batch check, or is not the one that was published."""


class CanaryMovedError(DataError):
    """The canary's sentences get other predictions than when the model was first used."""


class InfrastructureError(SentimentError):
    """An error of the infrastructure: database, Spark or disk; Airflow tries the task again with back-off."""

    exit_code = 4


class DiskFullError(InfrastructureError):
    """No space is left on a disk of this machine, of an executor or of the database server."""


class OutOfMemoryError(InfrastructureError):
    """No memory is left to Python, Java or the database server."""


class ReadOnlyDatabaseError(InfrastructureError):
    """The reviews database takes no writes: it is a standby, or an administrator has made it read-only."""


class StaleAttemptError(InfrastructureError):
    """A newer attempt of the step holds the fencing token, so this one must not write."""


class NightAtWorkError(InfrastructureError):
    """Another night of the source is between ingest and publish; this one waits for it."""


class SetupError(SentimentError):
    """This machine lacks something; `sentiment doctor` lists what."""

    exit_code = 5


class ProgramError(SentimentError):
    """An error of the program, like a KeyError or a wrong SQL statement; Airflow does not retry the task."""

    exit_code = 6


def program_error(error: BaseException, text: str = "") -> ProgramError:
    """Return the error that names an exception's class, the last line of own code in its traceback, and its text.

    `text` replaces the exception's own, which of SQLAlchemy holds the statement with its parameters.
    """
    lines = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [(path, line) for path, line in lines if any(path.is_relative_to(folder) for folder in OWN_FOLDERS)]
    position = f" at {own[-1][0].relative_to(CHECKOUT)}:{own[-1][1]}" if own else ""
    reason = " ".join((text or str(error)).split())[:ERROR_CHARS]
    return ProgramError(f"An error of the program, not of data or machine: {type(error).__name__}{position}: {reason}")


def from_record(kind: str, message: str, try_next: str = "") -> SentimentError:
    """Return the error that another process recorded by its class name; of an unknown class InfrastructureError."""
    classes = {c.__name__: c for c in _tree(SentimentError)}
    return classes.get(kind, InfrastructureError)(message, try_next)


def _tree(root: type[SentimentError]) -> list[type[SentimentError]]:
    return [root, *(c for child in root.__subclasses__() for c in _tree(child))]
