"""Nobody sees a page without Airflow's leave, whatever is asked for and however."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sentiment.dashboard import app, guard
from sentiment.dashboard.guard import DAG, MAY_RUN, Guard
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

HTML = {"Accept": "text/html,*/*"}
TOKENS = {"of a viewer": "viewer", "of a stranger": "stranger"}


async def identify(token: str) -> Any:
    return TOKENS.get(token)


async def is_allowed(user: Any, dag: str, method: str) -> bool:
    return bool(user == "viewer" and method == "GET" and dag == DAG)


@pytest.fixture
def visitor() -> TestClient:
    return TestClient(Guard(app.build(), identify, is_allowed), follow_redirects=False)


def addresses() -> list[str]:
    """Return an address of every route and of everything that is mounted."""
    known = ["/static/page.css", "/static/page.js", "/static/", "/docs", "/redoc", "/openapi.json", "/nothing"]
    known += ["/data-docs/", "/data-docs/index.html", "/data-docs/../secrets.env"]
    for route in app.build().routes:
        assert isinstance(route, (Route, Mount)), route
        if isinstance(route, Route):
            assert route.methods is not None
            assert route.methods <= {"GET", "HEAD"}, route.path
            known.append(route.path.replace("{name}", "nights"))
    return known


@pytest.mark.parametrize("headers", [{}, {"Cookie": "_token=wrong"}, {"Authorization": "Bearer wrong"}], ids=str)
@pytest.mark.parametrize("path", addresses())
def test_anonymous_and_wrong_tokens_are_refused(visitor: TestClient, path: str, headers: dict[str, str]) -> None:
    assert visitor.get(path, headers=headers).status_code == 401
    to_login = visitor.get(f"{path}?q=a%26b", headers=headers | HTML)
    assert to_login.status_code == 302
    assert to_login.headers["location"].startswith("/api/v2/auth/login?next=")
    assert "q%3Da%2526b" in to_login.headers["location"]


def test_who_may_not_read_runs_is_refused(visitor: TestClient) -> None:
    answer = visitor.get("/static/page.css", headers={"Cookie": "_token=of a stranger"})
    assert answer.status_code == 403
    assert DAG in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading(visitor: TestClient, method: str) -> None:
    answer = visitor.request(method, "/static/page.css", headers={"Cookie": "_token=of a viewer"})
    assert answer.status_code == 405


def test_who_may_is_answered_under_a_strict_policy(visitor: TestClient) -> None:
    answer = visitor.get("/static/page.css", headers={"Authorization": "Bearer of a viewer"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"] == guard.POLICY
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert visitor.get(path, headers={"Authorization": "Bearer of a viewer"}).status_code == 404


def test_data_docs_can_do_nothing_in_the_visitors_name(visitor: TestClient, set_settings: Any, tmp_path: Path) -> None:
    set_settings(data_docs=tmp_path)
    (tmp_path / "index.html").write_text("<script>alert(1)</script>", "utf-8")
    visitor = TestClient(Guard(app.build(), identify, is_allowed), follow_redirects=False)
    answer = visitor.get("/data-docs/index.html", headers={"Authorization": "Bearer of a viewer"})
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-scripts;" in policy
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    (tmp_path.parent / "secret.txt").write_text("secret", "utf-8")
    for path in ("/data-docs/%2e%2e/secret.txt", "/data-docs/..%2fsecret.txt"):
        assert "secret" not in visitor.get(path, headers={"Authorization": "Bearer of a viewer"}).text


def test_who_may_read_may_not_therefore_trigger() -> None:
    scopes: list[Any] = []

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await PlainTextResponse("seen")(scope, receive, send)

    visitor = TestClient(Guard(noted, identify, is_allowed))
    assert visitor.get("/", headers={"Authorization": "Bearer of a viewer"}).text == "seen"
    assert asyncio.run(scopes[0][MAY_RUN](DAG)) is False
