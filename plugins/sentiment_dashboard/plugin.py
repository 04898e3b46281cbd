"""The pages about nights in Airflow's navigation, and the night of each run as a tab of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin
from sentiment.dashboard.links import DataDocsLink, FilmsLink, NightLink
from sentiment.orchestration import run_note

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/sentiment"


class Pages:
    """The guarded application, imported by its first visitor: Airflow loads plugins in every one of its processes."""

    def __init__(self) -> None:
        self._guard: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._guard is None:
            from sentiment.dashboard import app, guard

            self._guard = guard.Guard(app.build(), guard.airflow_user, guard.may)
        await self._guard(scope, receive, send)


class SentimentDashboard(AirflowPlugin):
    """What Airflow's UI is given."""

    name = "sentiment_dashboard"
    fastapi_apps: list[Any] = [{"app": Pages(), "url_prefix": PREFIX, "name": "Film reviews"}]  # noqa: RUF012 - Airflow's own form
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Film reviews",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "sentiment",
        },
        {
            "name": "Night",
            "href": f"{PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "night",
        },
    ]
    operator_extra_links: list[Any] = [NightLink(), DataDocsLink(), FilmsLink()]  # noqa: RUF012
    listeners: list[Any] = [run_note]  # noqa: RUF012
