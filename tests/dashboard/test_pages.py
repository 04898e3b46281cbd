"""The pages over a real database: figures are SQL's, texts are texts, a server that is away is reported in seconds."""

from __future__ import annotations

import csv
import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sentiment import database
from sentiment.dashboard import app, pages, reading
from sentiment.settings import Settings
from starlette.testclient import TestClient

from tests.kit import visitors
from tests.kit.rows import rows, run_sql
from tests.store import small_night

pytestmark = pytest.mark.usefixtures("server")

SOURCE, NIGHT = "pages", date(2026, 6, 1)
UNOPENED = """
INSERT INTO sentiment.unopened_run
  (airflow_run_id, dag_id, night, source, dump_uri, error_kind, error, try_next, failed_at)
VALUES ('r1', 'nightly_reviews', :n, :s, 'x', 'DumpNotFoundError', 'No dump <b>there</b>.', 'ls -la x', now())"""
HOSTILE = "<script>alert(1)</script> & «œuvre» \u202etxet \U0001f600"


@pytest.fixture(scope="module")
def published(_database_of_the_module: None) -> None:
    """Publish a night of which a title and a text are hostile, and another source's."""
    small_night.publish("another", NIGHT - timedelta(days=1), ["Zoé", "Guy"])
    small_night.publish(SOURCE, NIGHT, ["Zoé", "Guy", None, "Léa"])
    run_sql("UPDATE sentiment.item SET item_title = :t WHERE source = :s", t=f"=1+1 {HOSTILE}", s=SOURCE)
    run_sql("UPDATE sentiment.review SET text = :t WHERE source = :s AND text = 'texte 0'", t=HOSTILE, s=SOURCE)


PATHS = (
    "/", "/print", "/drift", "/series?column=positive", "/films", "/films?q=texte", "/quarantine", "/models", "/about",
    "/run?dag_id=nightly_reviews&run_id=x", "/run?dag_id=other&run_id=x",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_database_has_every_page(viewer: TestClient, path: str) -> None:
    answer = viewer.get(path)
    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_the_first_page_has_the_figures_of_the_night(viewer: TestClient, published: None) -> None:
    page = viewer.get("/", params={"source": SOURCE}).text
    daily = rows("SELECT * FROM sentiment.v_daily_sentiment WHERE source = :s ORDER BY night", s=SOURCE)
    assert "The night of 1 Jun 2026 is published." in page
    newest = daily[-1]
    assert f"{newest.share_positive:.1%} of {newest.n_reviews} reviews of 1 Jun 2026 are positive" in page
    assert f"between {newest.share_positive_low:.1%} and {newest.share_positive_high:.1%}" in page
    assert re.search(r"1 by the rule <a [^>]+>blank_text</a>", page)
    assert page.count('<div class="wide"><svg') == 1
    other = viewer.get("/", params={"source": "another", "night": str(NIGHT)}).text
    assert "The night of 31 May 2026 is published." in other
    assert "No night has run yet." in viewer.get("/", params={"source": SOURCE, "night": "2026-05-01"}).text
    french = viewer.get("/", params={"source": SOURCE, "lang": "fr"}).text
    assert "La nuit du 1 juin 2026 est publiée." in french
    assert '<html lang="fr">' in french


def test_texts_are_texts(viewer: TestClient, published: None) -> None:
    page = viewer.get("/film", params={"source": SOURCE, "item": "f1"}).text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; «œuvre»") >= 3
    assert "Zoé" not in page
    pseudonyms = rows(
        "SELECT DISTINCT author_pseudonym p FROM sentiment.v_review_sentiment WHERE source = :s", s=SOURCE
    )
    assert all(row.p is None or row.p in page for row in pseudonyms)
    assert not re.search(r"\sstyle=|\son\w+=|javascript:", page)


def test_a_film_is_searched_accents_aside_and_an_unknown_one_is_none(viewer: TestClient, published: None) -> None:
    assert "item=f1" in viewer.get("/films", params={"q": "OEUVRE".replace("OE", "œ")}).text
    assert viewer.get("/film", params={"source": SOURCE, "item": "nothing"}).status_code == 404
    wrong = viewer.get("/", params={"night": "yesterday"})
    assert wrong.status_code == 400
    assert "night" in wrong.text


def test_refused_records_have_their_rules_and_no_payload(viewer: TestClient, published: None) -> None:
    page = viewer.get("/quarantine", params={"source": SOURCE, "rule": "blank_text"}).text
    assert "sentiment quarantine show" in page
    assert ">blank_text</td>" in page
    none = viewer.get("/quarantine", params={"source": SOURCE, "rule": "other"}).text
    assert "sentiment quarantine show" not in none


@pytest.mark.parametrize("name", pages.TABLES)
def test_every_table_downloads(viewer: TestClient, published: None, name: str) -> None:
    answer = viewer.get(f"/tables/{name}.csv", params={"source": SOURCE})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    header, *lines = csv.reader(io.StringIO(answer.text))
    assert "night" in header or "opened" in header or "item_id" in header
    if name == "nights":
        assert [line[header.index("n_reviews")] for line in lines] == ["4"]
    assert viewer.get("/tables/secrets.csv").status_code == 404


def test_a_cell_is_no_formula() -> None:
    row: Any = ("=1+1", "-2", "plain", -2, None)
    assert app.as_csv(["a", "b", "c", "d", "e"], [row]).splitlines()[1] == "'=1+1,'-2,plain,-2,"


def test_a_failed_night_has_its_sentence_and_its_next_line(viewer: TestClient, published: None) -> None:
    run_sql(UNOPENED, n=NIGHT + timedelta(days=5), s=SOURCE)
    page = viewer.get("/", params={"source": SOURCE}).text
    assert "failed before its dump was read" in page
    assert "No dump &lt;b&gt;there&lt;/b&gt;." in page
    assert "<code>ls -la x</code>" in page
    run_sql("DELETE FROM sentiment.unopened_run WHERE source = :s", s=SOURCE)


def test_a_forgotten_review_is_gone_at_once(viewer: TestClient, published: None) -> None:
    film = {"source": SOURCE, "item": "f1"}
    before = viewer.get("/film", params=film).text.count("<article")
    run_sql("DELETE FROM sentiment.review WHERE source = :s AND text = 'texte 3'", s=SOURCE)
    assert viewer.get("/film", params=film).text.count("<article") == before - 1


@pytest.fixture
def silent_server(set_settings: Callable[..., Settings]) -> Iterator[None]:
    """Have the reader's address be that of a server that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(100)
        set_settings(reader_url=f"postgresql://reader:x@127.0.0.1:{server.getsockname()[1]}/reviews")
        yield


def test_a_server_that_is_away_is_reported_in_three_seconds(silent_server: None) -> None:
    viewer, began = visitors.client(), time.monotonic()
    answer = viewer.get("/")
    assert answer.status_code == 503
    assert "reviews database" in answer.text
    assert time.monotonic() - began < reading.ANSWER_S + 1
    assert viewer.get("/static/page.css").status_code == 200


def test_statements_of_a_page_are_bounded_and_read_only() -> None:
    def settings_of(c: sa.Connection) -> tuple[str, str, str]:
        shown = [str(c.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in
                 ("statement_timeout", "default_transaction_read_only", "transaction_isolation")]  # fmt: skip
        return shown[0], shown[1], shown[2]

    assert reading.read_now(settings_of) == ("3s", "on", "repeatable read")
    assert database.url("reader").username == "sentiment_reader"
