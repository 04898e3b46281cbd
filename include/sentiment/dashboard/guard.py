"""Who may see the pages: whoever may read runs of `nightly_reviews` in Airflow, as its auth manager decides.

The guard wraps the whole application, what is mounted in it too: a dependency of FastAPI would guard its routes only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

DAG = "nightly_reviews"
COOKIE = "_token"
READS = ("GET", "HEAD")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
MAY_RUN = "sentiment.may_run"
"""Key of the scope: a coroutine function that answers whether the visitor may trigger runs of a DAG."""
Allowed = Callable[[Any, str, str], Awaitable[bool]]
"""Answers whether a user may, by `GET` read and by `POST` trigger, the runs of a DAG."""
Identify = Callable[[str], Awaitable[Any]]


class Guard:
    """Answers whoever may not see the pages, and lets the application answer the others."""

    def __init__(self, app: ASGIApp, identify: Identify, is_allowed: Allowed) -> None:
        self._app, self._identify, self._is_allowed = app, identify, is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; websockets are closed."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        send, request = _with_headers(send), Request(scope)
        if request.method not in READS:
            refused: Response = PlainTextResponse("Only GET.", 405, {"Allow": ", ".join(READS)})
        elif (user := await self._identify(_token(request))) is None:
            refused = _to_login(request)
        elif not await self._is_allowed(user, DAG, "GET"):
            refused = PlainTextResponse(f"You may not read runs of {DAG}: ask who administers this Airflow.", 403)
        else:
            await self._app({**scope, MAY_RUN: partial(self._may_run, user)}, receive, send)
            return
        await refused(scope, receive, send)

    async def _may_run(self, user: Any, dag: str) -> bool:
        """Return whether the visitor may trigger runs of a DAG."""
        return await self._is_allowed(user, dag, "POST")


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers


def _token(request: Request) -> str:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def _to_login(request: Request) -> Response:
    """Return the way to Airflow's login and back to the same view; to a program that reads no HTML, 401."""
    if "text/html" not in request.headers.get("Accept", ""):
        return JSONResponse({"detail": "Not authenticated"}, 401)
    root = request.scope.get("app_root_path", "")
    return RedirectResponse(f"{root}/api/v2/auth/login?next={quote(str(request.url), safe='')}", 302)


async def airflow_user(token: str) -> Any:
    """Return Airflow's user of a token; None of none, of one that is expired or wrong."""
    from airflow.api_fastapi.core_api.security import resolve_user_from_token
    from fastapi import HTTPException

    try:
        return await resolve_user_from_token(token)
    except HTTPException:
        return None


async def may(user: Any, dag: str, method: Any) -> bool:
    """Return whether Airflow lets a user read (`GET`) or trigger (`POST`) the runs of a DAG."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
    from starlette.concurrency import run_in_threadpool

    manager = get_auth_manager()
    return await run_in_threadpool(
        lambda: manager.is_authorized_dag(
            method=method, access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag), user=user
        )
    )
