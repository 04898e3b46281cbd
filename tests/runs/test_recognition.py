"""An exception of Python, Spark or a driver stands for one of our errors: it names what failed, and where."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest
from sentiment import sql
from sentiment.errors import (
    DiskFullError,
    InfrastructureError,
    OutOfMemoryError,
    ProgramError,
    ReadOnlyDatabaseError,
    SentimentError,
)
from sentiment.runs.recognition import recognised
from sentiment.workspace import Workspace
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError

from tests.kit.disks import fill

WORKER = """Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3
 (TID 1) (executor 1): org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "/opt/pyspark/worker.py", line 1247, in main
    process()
  File "/app/include/sentiment/dump/decoding.py", line 88, in convert
    return record["text"]
{raised}

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)
"""


class JavaError(Exception):
    """Stands for what py4j raises for an exception of the Java machine."""

    __module__ = "py4j.protocol"


class AnalysisException(Exception):
    """Stands for Spark's, which can't be made without a session."""

    __module__ = "pyspark.errors.exceptions.captured"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("text"), ProgramError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), ProgramError),
        (NotImplementedError(), ProgramError),
        (psycopg2.ProgrammingError("can't adapt type 'set'"), ProgramError),
        (InvalidRequestError("no row was found"), ProgramError),
        (AnalysisException("[UNRESOLVED_COLUMN] nope"), ProgramError),
        (JavaError(': org.postgresql.util.PSQLException: ERROR: column "nope" does not exist'), ProgramError),
        (JavaError(WORKER.format(raised="KeyError: 'text'")), ProgramError),
        (JavaError(WORKER.format(raised="ConnectionResetError: gone")), InfrastructureError),
        (JavaError("Answer from Java side is empty"), InfrastructureError),
        (RuntimeError("a library"), InfrastructureError),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), InfrastructureError),
        (OperationalError("SELECT 1", {}, psycopg2.OperationalError("server closed")), InfrastructureError),
        (
            DBAPIError("SELECT 1", {}, psycopg2.InterfaceError("closed"), connection_invalidated=True),
            InfrastructureError,
        ),
        (SystemExit(1), InfrastructureError),
        (KeyboardInterrupt(), InfrastructureError),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFullError),
        (OSError(errno.EDQUOT, "over quota"), DiskFullError),
        (JavaError(": java.io.IOException: No space left on device"), DiskFullError),
        (JavaError(WORKER.format(raised="OSError: [Errno 28] No space left on device")), DiskFullError),
        (MemoryError(), OutOfMemoryError),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), OutOfMemoryError),
        (JavaError(": java.lang.OutOfMemoryError: Java heap space"), OutOfMemoryError),
        (JavaError(WORKER.format(raised="MemoryError")), OutOfMemoryError),
        (JavaError("PSQLException: ERROR: cannot execute COPY in a read-only transaction"), ReadOnlyDatabaseError),
    ],
    ids=repr,
)
def test_an_exception_stands_for_an_error(error: BaseException, kind: type[SentimentError]) -> None:
    assert type(recognised(error)) is kind


def test_text_of_a_review_names_no_fault() -> None:
    assert type(recognised(KeyError("No space left on device, Java heap space"))) is ProgramError


def test_a_program_error_names_class_file_and_line() -> None:
    with pytest.raises(LookupError) as raised:
        sql.text("store/no_such_statement")
    message = recognised(raised.value).message
    assert re.search(r"LookupError at include/sentiment/sql\.py:\d+: ", message)
    assert "decoding.py:88" in recognised(JavaError(WORKER.format(raised="KeyError: 'text'"))).message


def test_a_program_error_holds_no_parameters() -> None:
    orig = psycopg2.ProgrammingError("syntax error")
    error = DBAPIError("INSERT INTO review VALUES (:author)", {"author": "Jean Dupont"}, orig)
    assert "Dupont" not in recognised(error).message


def test_an_error_has_at_most_4000_characters_of_another() -> None:
    assert len(recognised(RuntimeError("x" * 9000)).message) == 4000
    assert recognised(RuntimeError()).message == "RuntimeError()"


def test_a_full_workspace_is_named(small_disk: Path) -> None:
    fill(small_disk)
    workspace = Workspace(str(small_disk))
    with pytest.raises(OSError, match="No space left") as raised:
        with workspace.filesystem.open_output_stream(workspace.local("part.parquet")) as out:
            out.write(pa.py_buffer(b"x" * (1 << 20)))
    full = recognised(raised.value)
    assert type(full) is DiskFullError
    assert full.try_next.startswith("df -h /")
