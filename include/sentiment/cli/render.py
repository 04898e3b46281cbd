"""Print tables, lines and errors: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentiment import settings
from sentiment.errors import SentimentError, log_end

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
# Characters in a row of a table before rich cuts cells: wide enough for logs, pipes and ids to copy.
UNCUT_WIDTH = 1000


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table without borders; each row has one value for each column, and None becomes an empty cell."""
    grid = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*("" if value is None else escape(str(value)) for value in row))
    return grid


def show(grid: Table) -> None:
    """Print a table in full width to standard output, however narrow the terminal is."""
    # A console of its own each time: rich binds to sys.stdout when it is made, and tests replace that.
    Console(highlight=False, width=UNCUT_WIDTH).print(grid)


def show_error(error: SentimentError) -> None:
    """Print an error as one paragraph to standard error: what is wrong, then the command to type next, if any."""
    ERR.print(f"[bold red]Error:[/] {escape(error.message)}")
    if error.try_next:
        ERR.print(f"[bold]Next:[/]  {escape(error.try_next)}")


def run(command: Callable[[], object]) -> None:
    """Run a command line; print an error as one paragraph and exit with its code.

    Of an error that is not one of ours the traceback is in a log that the paragraph names.
    """
    try:
        command()
    except SentimentError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        # Imported here, as the help needs none of what it imports.
        from sentiment.runs.recognition import recognised

        known = recognised(error)
        known.try_next = known.try_next or log_end(_log_of(error))
        show_error(known)
        raise SystemExit(known.exit_code) from error


def _log_of(error: Exception) -> Path:
    """Write an error's traceback to a log; return its path."""
    log = settings.load().home / "logs" / f"error-{datetime.now():%Y%m%dT%H%M%S.%f}.log"
    log.parent.mkdir(0o700, parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)), "utf-8")
    return log
