"""Write pages: templates with autoescape, in the visitor's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sentiment.dashboard.charts import MARKS
from sentiment.dashboard.formats import ENGLISH, Translation, likeliest_language
from sentiment.drift.sentences import FACTS, SUBJECTS, sentence
from sentiment.quality.meanings import MEANINGS

FOLDER = Path(__file__).parent
SECTIONS = {"": "Last night", "drift": "Drift", "films": "Films", "quarantine": "Quarantine", "models": "Models",
            "about": "About the data"}  # fmt: skip
"""Path of a section's page -> its title."""
LANGUAGE_COOKIE = "sentiment_language"
Draw = Callable[[Translation], str]
"""Draws a chart: SVG, or nothing where there is nothing to draw."""


def page(
    request: Request,
    template: str,
    view: Any,
    charts: Mapping[str, Draw] | None = None,
    may_run: Mapping[str, bool] | None = None,
    status: int = 200,
) -> HTMLResponse:
    """Return a page of a template; `may_run` is DAG -> whether the visitor may trigger its runs."""
    bases = {"base": request.scope.get("root_path", ""), "airflow": request.scope.get("app_root_path", "")}
    text = written(template, view, translation_of(request), charts or {}, {**bases, "may_run": may_run or {}})
    return HTMLResponse(text, status)


def standalone(view: Any, tr: Translation, charts: Mapping[str, Draw]) -> str:
    """Return the page of one night that needs nothing beside itself: no script, and its styles within."""
    style = Markup((FOLDER / "static" / "page.css").read_text("utf-8"))  # noqa: S704 - our own file
    return written("print", view, tr, charts, {"base": "", "airflow": "", "may_run": {}, "style": style})


def written(template: str, view: Any, tr: Translation, charts: Mapping[str, Draw], values: Mapping[str, Any]) -> str:
    """Return the text of a page."""
    # What Vega draws has its texts escaped; no text of a review or film is in it.
    drawn = {name: Markup(draw(tr)) for name, draw in charts.items()}  # noqa: S704
    context = {"style": "", "section": template if template != "morning" else "", **values}
    return _environment().get_template(f"{template}.html").render(
        view=view, charts=drawn, tr=tr, t=tr.text, sections=SECTIONS, **context
    )  # fmt: skip


def translation_of(request: Request) -> Translation:
    """Return how to write for a visitor: as the address asks, as Airflow's pages are set, as the browser prefers."""
    wanted = request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)
    return Translation(likeliest_language(*wanted, request.headers.get("Accept-Language")))


def sentence_of(alarm: Any, tr: Translation) -> tuple[str, str]:
    """Return an alarm's sentence and its language: the visitor's, or English where an earlier version stored it alone.

    In English it is what SQL shows.
    """
    if alarm.facts is None or tr.language == ENGLISH:
        return alarm.sentence, ENGLISH
    return sentence(FACTS.validate_json(alarm.facts), tr), tr.language


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["subjects"] = SUBJECTS
    environment.globals["meanings"] = MEANINGS
    environment.globals["sentence_of"] = sentence_of
    environment.globals["mark_names"] = {kind: name for kind, (name, _) in MARKS.items()}
    return environment
