"""The pages in a browser, in each of their states and looks: no fault of accessibility, nothing cut, no other host.

The pictures are in pytest's cache, `.pytest_cache/d/screenshots`, for a person to look at.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sentiment.dashboard import reading
from sentiment.drift.history import Stream

from tests.kit import browsers, databases, stored_nights, visitors
from tests.kit.databases import Database
from tests.kit.rows import run_sql
from tests.store import small_night

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

GOOD, FAILED = "good", "failed"
PAGES = (
    "", "print", "drift", "series?column=positive", "films", "film?source=good&item=f1", "quarantine", "models",
    "about",
)  # fmt: skip
STATES = {
    "good": [f"{page}{'&' if '?' in page else '?'}source={GOOD}" for page in PAGES],
    "failed": [f"?source={FAILED}", f"quarantine?source={FAILED}"],
    "empty": [page for page in PAGES if "film?" not in page],
    "stopped": ["", "films"],
}
"""State of the database -> paths that are looked at."""
LOOKS = {"light": (1100, "light"), "dark": (1100, "dark"), "narrow": (390, "light")}
UNOPENED = """
INSERT INTO sentiment.unopened_run
  (airflow_run_id, dag_id, night, source, dump_uri, error_kind, error, try_next, failed_at)
VALUES ('r1', 'nightly_reviews', :n, :s, 'x', 'DumpNotFoundError', 'No dump of that night.', 'ls -la x', now())"""


@pytest.fixture(scope="module")
def nights(server: object, _database_of_the_module: None) -> None:
    """Store a source whose reviews fell and were rated, and another whose newest night failed."""
    small_night.publish(FAILED, stored_nights.FIRST, ["Zoé"])
    stored_nights.fallen(Stream(GOOD, "cinema-fr"))
    small_night.publish(GOOD, stored_nights.FIRST + timedelta(days=100), ["Zoé", "Guy"])
    run_sql("UPDATE sentiment.review SET rating = 4 WHERE source = :s", s=GOOD)
    run_sql(UNOPENED, n=stored_nights.FIRST + timedelta(days=1), s=FAILED)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the machine's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = browsers.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(nights: None) -> Iterator[str]:
    """Serve the pages to whoever comes; yield their address."""
    with browsers.served(visitors.guarded(may_trigger=True)) as address:
        yield f"{address}/"
    reading._engine.cache_clear()


@contextmanager
def database_in(state: str, server: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the pages read a database in that state."""
    reading._engine.cache_clear()
    if state == "empty":
        with databases.copy_of(server, "empty") as copy:
            yield
            reading._engine.cache_clear()
        databases.drop(copy)
    elif state == "stopped":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        from sentiment import settings

        monkeypatch.setenv("SENTIMENT_READER_URL", f"postgresql://reader:x@127.0.0.1:{port}/reviews")
        settings.load.cache_clear()
        yield
    else:
        yield
    reading._engine.cache_clear()


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_read_by_everybody(
    state: str, look: str, address: str, browser: Browser, server: Database, monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    width, scheme = LOOKS[look]
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page, elsewhere, faults = context.new_page(), [], []
    page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith(address) else None)
    with database_in(state, server, monkeypatch):
        for path in STATES[state]:
            page.goto(f"{address}{path}")
            faults += [f"{path}: {fault}" for fault in faults_of(page)]
            name = re.sub(r"\W+", "-", f"{state} {path.partition('?')[0] or 'night'} {look}")
            page.screenshot(path=request.config.cache.mkdir("screenshots") / f"{name}.png", full_page=True)
    context.close()
    assert faults == []
    assert elsewhere == []


def faults_of(page: Page) -> list[str]:
    """Return what axe-core holds against the page that is serious or critical, and what is too wide."""
    page.locator("h1").wait_for()
    root = page.locator("html")
    return [*browsers.serious_faults(root), *browsers.too_wide(root)]


@pytest.mark.parametrize(("width", "drawing"), [(1100, ".wide"), (390, ".narrow")])
def test_a_chart_shows_what_its_marks_stand_for(address: str, browser: Browser, width: int, drawing: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{address}?source={GOOD}")
    chart, about = page.locator(".chart").first, page.locator(".chart + output").first
    points = chart.locator(f"{drawing} [aria-roledescription=point]")
    labels = points.evaluate_all("marks => marks.map(m => m.ariaLabel)")
    assert len(labels) > 1
    chart.focus()
    for key, label in (("End", labels[-1]), ("ArrowLeft", labels[-2]), ("Home", labels[0]), ("ArrowLeft", labels[0])):
        page.keyboard.press(key)
        assert about.text_content() == label
    points.nth(3).hover(force=True)
    assert about.text_content() == labels[3]
    page.mouse.move(0, 0)
    assert about.text_content() == ""
    page.close()
