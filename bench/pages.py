"""Measure the pages in Airflow's UI: each address on two years of scored reviews, made in SQL."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from sentiment import database
from starlette.testclient import TestClient

from tests.kit import visitors
from tests.kit.homes import own_home

FILMS = 20_000
REQUESTS = 40
"""Requests of each address; the first, which draws the first chart of the process, isn't counted."""
MEDIAN_MS, MOST_MS = 300, 1000
"""Budgets of the median and of the 95th percentile, in milliseconds."""
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

    @property
    def is_missed(self) -> bool:
        """Whether a budget is missed."""
        return self.median_ms >= MEDIAN_MS or self.most_ms >= MOST_MS

    def row(self) -> tuple[str, ...]:
        """Return the cells of a table's row."""
        return self.name, f"{self.median_ms:.0f} ms", f"{self.most_ms:.0f} ms", f"{MEDIAN_MS} / {MOST_MS} ms"


def measure(reviews: int, report: Callable[[str], None]) -> list[Answered]:
    """Fill a database of its own with `reviews` scored reviews of 20,000 films, and request every address."""
    with own_home():
        began = time.monotonic()
        _fill(reviews)
        report(f"{reviews:,} reviews of {FILMS:,} films over two years, filled in {time.monotonic() - began:.0f} s")
        visitor = visitors.client(may_trigger=True)
        visitor.get("/")
        return [_answered(visitor, name, addresses) for name, addresses in ADDRESSES.items()]


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
    counted = times[1:]
    return Answered(name, statistics.median(counted), statistics.quantiles(counted, n=20)[-1])
