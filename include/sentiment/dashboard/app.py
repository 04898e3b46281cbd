"""The application behind the guard: pages, tables to download, and the two static files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException

from sentiment.dashboard import charts, pages
from sentiment.dashboard.formats import Translation, likeliest_language
from sentiment.dashboard.pages import TABLES, Choice
from sentiment.dashboard.reading import BusyError, Reader
from sentiment.errors import SentimentError
from sentiment.spreadsheet import cell

FOLDER = Path(__file__).parent
SECTIONS = {"": "Last night", "drift": "Drift", "films": "Films", "quarantine": "Quarantine", "models": "Models",
            "about": "About the data"}  # fmt: skip
"""Path of a section's page -> its title."""
LANGUAGE_COOKIE = "sentiment_language"
Source = Annotated[str | None, Query(max_length=200)]
Night = Annotated[date | None, Query()]


def build() -> FastAPI:
    """Return the application; it has no pages about itself, and only GET routes."""
    app = FastAPI(title="Film reviews", docs_url=None, redoc_url=None, openapi_url=None)
    reader = Reader()
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.add_exception_handler(SentimentError, _away)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(HTTPException, _none)

    @app.get("/", response_class=HTMLResponse)
    async def morning(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.morning, choice=Choice(source, night)))
        return _page(request, "", view, chart=partial(charts.positive_share, view.nights))

    @app.get("/drift", response_class=HTMLResponse)
    async def drift(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.drift, choice=Choice(source, night)))
        return _page(request, "drift", view, chart=partial(charts.series, view.series))

    @app.get("/films", response_class=HTMLResponse)
    async def films(
        request: Request, source: Source = None, night: Night = None, q: Annotated[str, Query(max_length=200)] = ""
    ) -> HTMLResponse:
        view = await reader.read(partial(pages.films, choice=Choice(source, night), wanted=q))
        return _page(request, "films", view)

    @app.get("/film", response_class=HTMLResponse)
    async def film(
        request: Request, source: Annotated[str, Query(max_length=200)], item: Annotated[str, Query(max_length=1100)],
        doubt: bool = False,
    ) -> HTMLResponse:  # fmt: skip
        view = await reader.read(partial(pages.film, source=source, item_id=item, by_doubt=doubt))
        if view.film is None:
            raise HTTPException(404)
        return _page(request, "film", view, chart=partial(charts.film_share, view.nights))

    @app.get("/quarantine", response_class=HTMLResponse)
    async def quarantine(
        request: Request, source: Source = None, night: Night = None,
        rule: Annotated[str | None, Query(max_length=100)] = None,
    ) -> HTMLResponse:  # fmt: skip
        view = await reader.read(partial(pages.quarantine, choice=Choice(source, night), rule=rule))
        return _page(request, "quarantine", view, chart=partial(charts.refused, view.nights))

    @app.get("/models", response_class=HTMLResponse)
    async def models(request: Request) -> HTMLResponse:
        return _page(request, "models", await reader.read(pages.models))

    @app.get("/about", response_class=HTMLResponse)
    async def about(request: Request) -> HTMLResponse:
        return _page(request, "about", None)

    @app.get("/tables/{name}.csv")
    async def table(request: Request, name: str, source: Source = None, night: Night = None) -> Response:
        if name not in TABLES:
            raise HTTPException(404)
        columns, rows = await reader.read(partial(pages.table, name=name, choice=Choice(source, night)))
        named = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(as_csv(columns, rows), media_type="text/csv; charset=utf-8", headers=named)

    return app


def as_csv(columns: list[str], rows: pages.Rows) -> str:
    """Return rows as CSV that is safe to open in a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    return file.getvalue()


def translation_of(request: Request) -> Translation:
    """Return how to write for a visitor: as the address asks, as Airflow's pages are set, as the browser prefers."""
    wanted = request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)
    return Translation(likeliest_language(*wanted, request.headers.get("Accept-Language")))


def _page(
    request: Request, name: str, view: Any, chart: Callable[[Translation], str] | None = None, status: int = 200
) -> HTMLResponse:
    tr = translation_of(request)
    # What Vega draws has its texts escaped; no text of a review or film is in it.
    drawn = Markup(chart(tr)) if chart else ""  # noqa: S704
    text = _environment().get_template(f"{name or 'morning'}.html").render(
        view=view, chart=drawn, tr=tr, t=tr.text, sections=SECTIONS, section=name,
        base=request.scope.get("root_path", ""), airflow=request.scope.get("app_root_path", ""),
    )  # fmt: skip
    return HTMLResponse(text, status)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


async def _away(request: Request, error: Exception) -> Response:
    assert isinstance(error, SentimentError)
    response = _page(request, "error", error, status=503)
    if isinstance(error, BusyError):
        response.headers["Retry-After"] = "1"
    return response


async def _wrong(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _page(request, "error", SentimentError(f"{first['loc'][-1]}: {first['msg']}.", ""), status=400)


async def _none(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _page(request, "error", SentimentError("There is no such page.", ""), status=error.status_code)
