"""The first and the last lines of a task's log: what it is about to do, and a table of what it did."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from sentiment.runs import listing, opening

log = logging.getLogger(__name__)

LONGEST_VALUE = 100
"""Characters; a longer value, like a labelled set as JSON, is no figure."""
Figures = dict[str, object]


@contextmanager
def logged(intent: str) -> Iterator[Figures]:
    """Log what the block is about to do, then a table of the figures that it put into the mapping, and its duration."""
    log.info("%s", intent)
    began, figures = time.monotonic(), Figures()
    yield figures
    log.info("done:\n%s", _table({**figures, "duration": f"{time.monotonic() - began:.1f} s"}))


def of_run(run_id: str, step: str) -> Figures:
    """Return a run's counts by now, in records, and how fast the newest attempt of the step was, in rows a second."""
    run = opening.get_run(run_id)
    rates = [a.rows_per_s for a in listing.attempts_of_run(run_id) if a.step == step]
    counts = {f"records {name}": n for name, n in run.counts.items() if n}
    return {"run": run_id, **counts, **({"rows a second": rates[-1]} if rates and rates[-1] else {})}


def of_result(result: object) -> Figures:
    """Return the figures of what a task returns: the short values of a mapping, or a short text."""
    values = result if isinstance(result, Mapping) else {"result": result}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str | int | float) and len(str(value)) <= LONGEST_VALUE
    }


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _table(figures: Figures) -> str:
    grid = Table(box=None, show_header=False, pad_edge=False)
    for name, value in figures.items():
        grid.add_row(name, _text(value))
    console = Console(width=LONGEST_VALUE * 2, color_system=None, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
