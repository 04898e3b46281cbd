"""One night as a file of its own, by the templates of the pages: it needs no server, no script and no network."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sentiment.dashboard import charts, pages
from sentiment.dashboard.formats import LANGUAGES, Translation
from sentiment.dashboard.reading import read_now
from sentiment.dashboard.rendering import standalone
from sentiment.errors import ParameterError, quoted


def write(run_id: str, path: Path, language: str) -> None:
    """Write the night of a run to an HTML file, whole or not at all.

    Raises ParameterError for an unknown run or language, or a folder that is not there; AwayError where the database
    doesn't answer.
    """
    if language not in LANGUAGES:
        raise ParameterError(
            f"--lang is {language!r}; expected one of {', '.join(LANGUAGES)}.", "sentiment report --help"
        )
    if not path.parent.is_dir():
        raise ParameterError(f"There is no folder {path.parent}.", f"mkdir -p {quoted(path.parent)}")
    view = read_now(partial(pages.morning_of_run, run_id=run_id))
    draw = {"share": partial(charts.positive_share, view.nights, view.marks)}
    beside = path.with_name(f".{path.name}.unfinished")
    beside.write_text(standalone(view, Translation(language), draw), "utf-8")
    beside.replace(path)
