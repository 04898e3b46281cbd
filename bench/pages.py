"""Measure the pages in Airflow's UI on two years of scored reviews, made in SQL: each address, and in a browser."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment import database
from starlette.testclient import TestClient

from tests.kit import browsers, visitors
from tests.kit.homes import own_home

if TYPE_CHECKING:
    from playwright.sync_api import Page

FILMS = 20_000
REQUESTS = 40
"""Requests of each address; the first, which draws the first chart of the process, isn't counted."""
BUDGETS_MS = (300, 1000)
"""Of the median and of the 95th percentile of an answer, in milliseconds."""
USABLE_BUDGETS_MS = (2000, 2000)
"""Of both, from a browser's request until the page is laid out and its scripts have run, in milliseconds."""
VISITS = 10
"""Visits of each page in a browser; the first, which starts a process of Chromium's, isn't counted."""
FILL = Path(__file__).with_name("pages.sql")
ADDRESSES = {
    "last night": [f"/?night=2026-{month:02d}-15" for month in range(1, 12)],
    "drift": ["/drift", "/drift?night=2026-06-01"],
    "series": ["/series?column=positive", "/series?column=rating", "/series?column=logit"],
    "films": ["/films"],
    "search": ["/films?q=numéro 77", "/films?q=film 1234", "/films?q=le film"],
    "film": [f"/film?source=bench&item=film-{n}" for n in (1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10000)],
    "film, doubtful": [f"/film?source=bench&doubt=1&item=film-{n}" for n in (1, 2, 5, 10, 50, 100, 500, 1000)],
    "quarantine": ["/quarantine", "/quarantine?rule=text_french&night=2026-05-01"],
    "models": ["/models"],
    "about": ["/about"],
    "print": ["/print"],
    "run": ["/run?dag_id=nightly_reviews&run_id=x"],
    **{f"{name}.csv": [f"/tables/{name}.csv"] for name in ("nights", "marks", "alarms", "movers", "drift", "refused")},
}
"""What is measured -> its addresses, requested in turn."""


@dataclass(frozen=True)
class Answered:
    """How long an address took, in milliseconds."""

    name: str
    median_ms: float
    most_ms: float
    """95th percentile."""
    budgets_ms: tuple[int, int]

    @property
    def is_missed(self) -> bool:
        """Whether a budget is missed."""
        return self.median_ms >= self.budgets_ms[0] or self.most_ms >= self.budgets_ms[1]

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table's row."""
        return (
            self.name,
            f"{self.median_ms:.0f} ms",
            f"{self.most_ms:.0f} ms",
            " / ".join(map(str, self.budgets_ms)) + " ms",
        )


def measure(reviews: int, report: Callable[[str], None]) -> list[Answered]:
    """Fill a database of its own with `reviews` scored reviews of 20,000 films, and request every address."""
    with own_home():
        began = time.monotonic()
        _fill(reviews)
        report(f"{reviews:,} reviews of {FILMS:,} films over two years, filled in {time.monotonic() - began:.0f} s")
        visitor = visitors.client(may_trigger=True)
        visitor.get("/")
        answered = [_answered(visitor, name, addresses) for name, addresses in ADDRESSES.items()]
        return [*answered, *_usable()]


def _fill(reviews: int) -> None:
    with database.transaction("owner") as c:
        c.exec_driver_sql(f"SET LOCAL bench.reviews = '{int(reviews)}'")
        c.exec_driver_sql(f"SET LOCAL bench.films = '{FILMS}'")
        c.exec_driver_sql("SET LOCAL statement_timeout = 0")
        c.exec_driver_sql(FILL.read_text("utf-8"), execution_options={"no_parameters": True})
    # As after days of nights: the planner knows the tables, and their pages are marked as visible to all.
    with database.engine("owner").connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        c.exec_driver_sql("VACUUM ANALYZE")


def _answered(visitor: TestClient, name: str, addresses: list[str]) -> Answered:
    times = []
    for address in islice(cycle(addresses), REQUESTS + 1):
        began = time.perf_counter()
        answer = visitor.get(address)
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, f"{address}: {answer.status_code}\n{answer.text}"
    return _summary(name, times[1:], BUDGETS_MS)


def _usable() -> list[Answered]:
    """Open every page in a browser; return how long each took until it can be used."""
    from playwright.sync_api import sync_playwright

    usable = []
    with browsers.served(visitors.guarded(may_trigger=True)) as address, sync_playwright() as playwright:
        browser = browsers.launch(playwright)
        page = browser.new_page(base_url=address)
        for name, addresses in ADDRESSES.items():
            if not name.endswith(".csv"):
                visited = [_visited(page, path) for path in islice(cycle(addresses), VISITS + 1)]
                usable.append(_summary(f"{name}, in a browser", visited[1:], USABLE_BUDGETS_MS))
        browser.close()
    return usable


def _visited(page: Page, path: str) -> float:
    """Return the milliseconds from the request of a page until everything on it has loaded and is drawn."""
    page.goto(path, wait_until="load")
    # Two frames later what the load has changed is on the screen.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return float(page.evaluate("performance.now()"))


def _summary(name: str, times_ms: list[float], budgets_ms: tuple[int, int]) -> Answered:
    return Answered(name, statistics.median(times_ms), statistics.quantiles(times_ms, n=20)[-1], budgets_ms)
