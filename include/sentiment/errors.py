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
│   └── StaleAttemptError          a newer attempt of the same step has begun
└── SetupError                 5   something this machine lacks
```
"""

from __future__ import annotations

import shlex


class SentimentError(Exception):
    """Base of the package's errors: a message that names what is wrong, and in `try_next` the command to type next.

    `try_next` is shown below the message, so it should work as it stands; "" where no command helps.
    """

    exit_code = 1

    def __init__(self, message: str, try_next: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.try_next = try_next

    def __str__(self) -> str:
        return f"{self.message}\n  Next: {self.try_next}" if self.try_next else self.message


def quoted(value: object) -> str:
    """Return a path, or other text from outside, as one word of the shell: for commands in `try_next`."""
    return shlex.quote(str(value))


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


class StaleAttemptError(InfrastructureError):
    """A newer attempt of the step holds the fencing token, so this one must not write."""


class SetupError(SentimentError):
    """This machine lacks something; `sentiment doctor` lists what."""

    exit_code = 5


def from_record(kind: str, message: str, try_next: str = "") -> SentimentError:
    """Return the error that another process recorded by its class name; of an unknown class InfrastructureError."""
    classes = {c.__name__: c for c in _tree(SentimentError)}
    return classes.get(kind, InfrastructureError)(message, try_next)


def _tree(root: type[SentimentError]) -> list[type[SentimentError]]:
    return [root, *(c for child in root.__subclasses__() for c in _tree(child))]
