"""The application behind the guard: pages, tables to download, Data Docs, and the two static files."""

from __future__ import annotations

import csv
import io
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from sentiment import settings
from sentiment.dashboard import charts, evidence, pages
from sentiment.dashboard.guard import MAY_RUN
from sentiment.dashboard.pages import TABLES, Choice
from sentiment.dashboard.reading import BusyError, Reader, Rows
from sentiment.dashboard.rendering import FOLDER, Draw, page
from sentiment.errors import ParameterError, SentimentError
from sentiment.spreadsheet import cell

DATA_DOCS_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
)
"""Of pages that are made from strangers' data: none acts as the visitor, and none fetches anything."""
Source = Annotated[str | None, Query(max_length=200)]
Night = Annotated[date | None, Query()]
Short = Annotated[str, Query(max_length=200)]
Item = Annotated[str, Query(max_length=1100)]
PageNumber = Annotated[int, Query(ge=1, le=pages.NEWEST_REVIEWS // pages.MOST_REVIEWS)]


def build() -> FastAPI:
    """Return the application; it has no pages about itself, and only GET routes."""
    app = FastAPI(title="Film reviews", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.mount("/data-docs", DataDocs(directory=settings.load().data_docs, html=True, check_dir=False))
    app.add_exception_handler(SentimentError, _failed)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(HTTPException, _none)
    reader = Reader()
    _add_nights(app, reader)
    _add_drift(app, reader)
    _add_films(app, reader)
    _add_others(app, reader)
    return app


class DataDocs(StaticFiles):
    """Great Expectations' pages, under a policy of their own."""

    async def get_response(self, path: str, scope: object) -> Response:
        """Return a page; HTTPException where there is none."""
        response = await super().get_response(path, scope)  # type: ignore[arg-type]
        response.headers["Content-Security-Policy"] = DATA_DOCS_POLICY
        return response


def _add_nights(app: FastAPI, reader: Reader) -> None:
    @app.get("/", response_class=HTMLResponse)
    async def morning(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.morning, choice=Choice(source, night)))
        return page(
            request, "morning", view, _share(view), await _may_run(request, "acknowledge_alarm", "nightly_reviews")
        )

    @app.get("/print", response_class=HTMLResponse)
    async def printed(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.morning, choice=Choice(source, night)))
        return page(request, "print", view, _share(view))

    @app.get("/run", response_class=HTMLResponse)
    async def run(request: Request, dag_id: Short, run_id: Annotated[str, Query(max_length=300)]) -> HTMLResponse:
        view = await reader.read(partial(pages.run_of_airflow, dag_id=dag_id, airflow_run_id=run_id))
        return page(request, "run", view)


def _share(view: pages.Morning) -> dict[str, Draw]:
    return {"share": partial(charts.positive_share, view.nights, view.marks)}


def _add_drift(app: FastAPI, reader: Reader) -> None:
    @app.get("/drift", response_class=HTMLResponse)
    async def drift(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.drift, choice=Choice(source, night)))
        drawn = {"series": partial(charts.series, view.series)}
        return page(request, "drift", view, drawn, await _may_run(request, "acknowledge_alarm"))

    @app.get("/series", response_class=HTMLResponse)
    async def series(
        request: Request, column: Short, slice_key: Short = "all", slice_value: Item = "all",
        source: Source = None, night: Night = None,
    ) -> HTMLResponse:  # fmt: skip
        key = (slice_key, slice_value, column)
        view = await reader.read(partial(evidence.series, choice=Choice(source, night), key=key))
        drawn = {"series": partial(charts.one_series, view.nights), "bins": partial(charts.distribution, view.bins)}
        return page(request, "series", view, drawn)


def _add_films(app: FastAPI, reader: Reader) -> None:
    @app.get("/films", response_class=HTMLResponse)
    async def films(request: Request, source: Source = None, night: Night = None, q: Short = "") -> HTMLResponse:
        view = await reader.read(partial(pages.films, choice=Choice(source, night), wanted=q))
        return page(request, "films", view)

    @app.get("/film", response_class=HTMLResponse)
    async def film(
        request: Request, source: Short, item: Item, doubt: bool = False, page_no: PageNumber = 1
    ) -> HTMLResponse:
        view = await reader.read(partial(pages.film, source=source, item_id=item, by_doubt=doubt, page_no=page_no))
        if view.film is None:
            raise HTTPException(404)
        drawn = {"share": partial(charts.film_share, view.nights), "ratings": partial(charts.ratings, view.ratings)}
        return page(request, "film", view, drawn)


def _add_others(app: FastAPI, reader: Reader) -> None:
    @app.get("/quarantine", response_class=HTMLResponse)
    async def quarantine(
        request: Request, source: Source = None, night: Night = None,
        rule: Annotated[str | None, Query(max_length=100)] = None,
    ) -> HTMLResponse:  # fmt: skip
        view = await reader.read(partial(pages.quarantine, choice=Choice(source, night), rule=rule))
        drawn = {"refused": partial(charts.refused, view.nights)}
        return page(request, "quarantine", view, drawn, await _may_run(request, "requeue_quarantine"))

    @app.get("/models", response_class=HTMLResponse)
    async def models(request: Request, source: Source = None, night: Night = None) -> HTMLResponse:
        view = await reader.read(partial(pages.models, choice=Choice(source, night)))
        drawn = {"calibration": partial(charts.calibration, view.calibration)}
        return page(request, "models", view, drawn, await _may_run(request, "rescore_reviews"))

    @app.get("/about", response_class=HTMLResponse)
    async def about(request: Request, source: Source = None) -> HTMLResponse:
        return page(request, "about", await reader.read(partial(pages.about, choice=Choice(source))))

    @app.get("/tables/{name}.csv")
    async def table(request: Request, name: str, source: Source = None, night: Night = None) -> Response:
        if name not in TABLES:
            raise HTTPException(404)
        columns, rows = await reader.read(partial(pages.table, name=name, choice=Choice(source, night)))
        named = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(as_csv(columns, rows), media_type="text/csv; charset=utf-8", headers=named)


async def _may_run(request: Request, *dags: str) -> dict[str, bool]:
    """Return DAG -> whether the visitor may trigger its runs, of those that a page has a form for."""
    return {dag: await request.scope[MAY_RUN](dag) for dag in dags}


def as_csv(columns: list[str], rows: Rows) -> str:
    """Return rows as CSV that is safe to open in a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    return file.getvalue()


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, SentimentError)
    response = page(request, "error", error, status=400 if isinstance(error, ParameterError) else 503)
    if isinstance(error, BusyError):
        response.headers["Retry-After"] = "1"
    return response


async def _wrong(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return page(request, "error", SentimentError(f"{first['loc'][-1]}: {first['msg']}.", ""), status=400)


async def _none(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return page(request, "error", SentimentError("There is no such page.", ""), status=error.status_code)
