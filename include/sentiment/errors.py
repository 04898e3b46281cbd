"""Every error a person may meet, and the exit code each one ends a command with.

```
SentimentError                 1
├── ParameterError             2   a value that was typed or configured
├── DataError                  3   the dump, or what it says; trying again changes nothing
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


class SentimentError(Exception):
    """Base of all our errors: what is wrong, and the command to type next.

    `try_next` is shown behind the message; a stranger should be able to type it as it is.
    """

    exit_code = 1

    def __init__(self, message: str, try_next: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.try_next = try_next

    def __str__(self) -> str:
        return f"{self.message}\n  Next: {self.try_next}" if self.try_next else self.message


class ParameterError(SentimentError):
    """A typed or configured value is not one we can use."""

    exit_code = 2


class DataError(SentimentError):
    """The data are at fault; the same data fail again, so nothing is retried."""

    exit_code = 3


class DumpNotFoundError(DataError):
    """No dump where one was named."""


class DumpUnreadableError(DataError):
    """A dump that is empty, cut short, binary or past a safety bound."""


class DumpRefusedError(DataError):
    """A readable dump that a rule for the whole batch does not let pass."""


class CanaryMovedError(DataError):
    """The bundled sentences are scored otherwise than when the model was first used."""


class InfrastructureError(SentimentError):
    """Something around the pipeline failed; the task is tried again with back-off."""

    exit_code = 4


class StaleAttemptError(InfrastructureError):
    """A newer attempt of the same step holds the fence token; this one must not write."""


class SetupError(SentimentError):
    """This machine lacks something; `sentiment doctor` says what."""

    exit_code = 5


def from_record(kind: str, message: str, try_next: str = "") -> SentimentError:
    """Build the error that another process recorded by its class name."""
    found = {c.__name__: c for c in _tree(SentimentError)}
    return found.get(kind, InfrastructureError)(message, try_next)


def _tree(root: type[SentimentError]) -> list[type[SentimentError]]:
    return [root, *(c for child in root.__subclasses__() for c in _tree(child))]
