"""Which of our errors an exception of Python, Spark or a database driver stands for.

Python's own exceptions, like KeyError, are errors of this program; so are statements that Spark or the server does not
take. What other libraries raise is taken for an infrastructure error, which is tried again.
"""

from __future__ import annotations

import builtins
import errno
import re
import shutil
from pathlib import Path

import psycopg2
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sentiment import database, settings
from sentiment.errors import (
    ERROR_CHARS,
    DiskFullError,
    InfrastructureError,
    OutOfMemoryError,
    ProgramError,
    ReadOnlyDatabaseError,
    SentimentError,
    program_error,
    quoted,
)

# Not RuntimeError: libraries raise it for whatever their surroundings lack.
OWN_CODE = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError,
            NotImplementedError, RecursionError, SQLAlchemyError, psycopg2.Error)  # fmt: skip
SPARK_PACKAGES = ("py4j", "pyspark")
WRONG_PLANS = {"AnalysisException", "ParseException"}
"""Spark's exceptions about a statement or a plan."""
WRONG_SQL = re.compile(r"PSQLException: ERROR: (?:syntax error|.* does not exist).*")
DISK_IS_FULL = re.compile(r".*(?:No space left on device|Disk quota exceeded).*")
MEMORY_IS_FULL = re.compile(
    r".*(?:OutOfMemoryError|Java heap space|std::bad_alloc|Cannot allocate memory|exited with code 137).*"
)
TAKES_NO_WRITES = re.compile(r".*in a read-only transaction.*")
WORKER_ERROR = re.compile(r"Traceback \(most recent call last\):\n(?: .*\n)+(?:\w+\.)*(\w+)(?:: (.*))?$", re.MULTILINE)
"""A Python worker's traceback in Spark's text: frames are indented, then class and text of the exception."""
FULL_BYTES = 1 << 20
"""A disk with less free space is full: what a killed job leaves may be removed meanwhile."""
WORKER_POSITION = re.compile(r'File "[^"\n]*?(sentiment/[^"\n]+\.py)", line (\d+)')


def recognised(error: BaseException) -> SentimentError:
    """Return the error if it is one of ours, else the one that it stands for."""
    if isinstance(error, SentimentError):
        return error
    return _of_database(error) or _of_machine(error) or _of_program(error) or _unforeseen(error)


def _of_database(error: BaseException) -> InfrastructureError | None:
    if isinstance(error, PoolTimeoutError):
        return _unforeseen(error)
    return database.failure(error) if isinstance(error, DBAPIError | psycopg2.Error) else None


def _of_machine(error: BaseException) -> InfrastructureError | None:
    """Return the error for a full disk, for no memory and for a database that takes no rows of Spark's."""
    # Of other errors the text may be anything, a review among them.
    text = str(error) if isinstance(error, OSError) or _is_of_spark(error) else ""
    number = error.errno if isinstance(error, OSError) else None
    if (line := DISK_IS_FULL.search(text)) or number in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(_cut(line[0] if line else text))
    if (line := MEMORY_IS_FULL.search(text)) or isinstance(error, MemoryError) or _worker_class(text) is MemoryError:
        return out_of_memory(f"Memory ran out: {_cut(line[0] if line else repr(error))}.")
    if line := TAKES_NO_WRITES.search(text):
        return ReadOnlyDatabaseError(f"The reviews database takes no writes: {_cut(line[0])}.", database.SHOW_READ_ONLY)
    return None


def disk_is_full(folder: Path) -> bool:
    """Return whether the disk of a folder has no space left to write a report to."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def disk_full(reason: str) -> DiskFullError:
    """Return the error for a full disk, with the command that shows how full the disks of home and workspace are."""
    config = settings.load()
    folders = [str(config.home), *([] if "://" in config.lake else [config.lake])]
    return DiskFullError(f"A disk is full: {reason}.", f"df -h {' '.join(map(quoted, folders))}")


def out_of_memory(message: str) -> OutOfMemoryError:
    """Return the error for no memory, which adds how much of it Spark may use."""
    bound = settings.load().spark_driver_memory
    return OutOfMemoryError(
        f"{message} Spark's driver may use {bound}, the setting SENTIMENT_SPARK_DRIVER_MEMORY.",
        "free -m, then export SENTIMENT_SPARK_DRIVER_MEMORY: more where Java's heap is full, less where the machine is",
    )


def _of_program(error: BaseException) -> ProgramError | None:
    if isinstance(error, DBAPIError):
        return program_error(error, str(error.orig))  # its own text holds the statement with its parameters
    if isinstance(error, OWN_CODE) or type(error).__name__ in WRONG_PLANS:
        return program_error(error)
    if not _is_of_spark(error):
        return None
    text = str(error)
    if wrong := WRONG_SQL.search(text):
        return program_error(error, wrong[0])
    raised = _worker_class(text)
    return _of_worker(text) if raised and issubclass(raised, OWN_CODE) else None


def _is_of_spark(error: BaseException) -> bool:
    return type(error).__module__.startswith(SPARK_PACKAGES)


def _worker_class(text: str) -> type[BaseException] | None:
    """Return the class that a Python worker of Spark raised, where it is one of Python's own."""
    tracebacks = WORKER_ERROR.findall(text)
    raised = getattr(builtins, tracebacks[-1][0], None) if tracebacks else None
    return raised if isinstance(raised, type) and issubclass(raised, BaseException) else None


def _of_worker(text: str) -> ProgramError:
    name, reason = WORKER_ERROR.findall(text)[-1]
    positions = WORKER_POSITION.findall(text)
    position = f" at {':'.join(positions[-1])}" if positions else ""
    return ProgramError(f"An error of the program, not of data or machine: {name}{position}: {_cut(reason)}")


def _unforeseen(error: BaseException) -> InfrastructureError:
    # Some exceptions have no text, like SystemExit().
    return InfrastructureError(str(error)[:ERROR_CHARS] or repr(error))


def _cut(text: str) -> str:
    return text.strip()[:ERROR_CHARS].rstrip(".")
