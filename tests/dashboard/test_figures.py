"""Every figure of the pages beside what other SQL, over the tables themselves, and a formula make of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from math import ceil, log2, sqrt

import numpy as np
import pytest
from bs4 import BeautifulSoup
from scipy.stats import binomtest
from sentiment import settings
from sentiment.dashboard import pages
from sentiment.dashboard.evidence import MOST_FILMS, RECENT_NIGHTS
from sentiment.dashboard.formats import Translation
from sentiment.dashboard.pages import CALIBRATION_DAYS, DAYS, MOST_MOVERS, MOST_REVIEWS, Z_OF_FILMS
from sentiment.database import transaction
from sentiment.drift.history import Stream
from sentiment.drift.sentences import SUBJECTS
from sentiment.evaluation import intervals, stored
from sentiment.evaluation.labelled_set import LabelSource
from sentiment.evaluation.model import Evaluation
from sentiment.evaluation.report import Cell
from sentiment.samples import sample_dump
from sentiment.scoring import registry
from starlette.testclient import TestClient

from tests.kit import nights, stored_nights, visitors
from tests.kit.nights import NightSpec
from tests.kit.rows import copy_rows, newest_run, rows, run_sql, scalar
from tests.kit.visitors import text_of

pytestmark = pytest.mark.usefixtures("server")

STREAM = Stream("figures", "cinema-fr")
REVIEWED, OTHER_MODEL = "figures_of_reviews", "other"
EN = Translation("en")


@pytest.fixture(scope="module")
def days(_database_of_the_module: None) -> list[date]:
    """Store nights of which the last ones are less positive; return their dates."""
    registry.register(registry.find(STREAM.model_id, settings.load()))
    return stored_nights.fallen(STREAM)


@pytest.fixture(scope="module")
def reviewed(days: list[date]) -> Iterator[date]:
    """Publish a night of reviews, by a second model too, which contradicts the first about some; return the night."""
    night = days[-1]
    dump = settings.load().home / "dumps" / "figures.jsonl"
    sample_dump.write(sample_dump.SampleDump(night, 300, seed=3), dump)
    nights.publish_without_spark(NightSpec(REVIEWED, night, dump))
    run_sql(stored_nights.INSERT_MODEL.text, model_id=OTHER_MODEL)
    run_sql("UPDATE sentiment.model SET positive_label = 'pos' WHERE model_id = :m", m=OTHER_MODEL)
    run = newest_run(REVIEWED)
    copy_rows("run", "run_id", run, run_id=f"{run}-2", model_id=OTHER_MODEL)
    copy_rows("review_sentiment", "run_id", run, run_id=f"{run}-2", model_id=OTHER_MODEL)
    run_sql("UPDATE sentiment.review_sentiment SET label = 'pos' WHERE model_id = :m AND score < 0.6", m=OTHER_MODEL)
    yield night
    dump.unlink()


def page_of(viewer: TestClient, path: str, source: str = STREAM.source, **values: object) -> BeautifulSoup:
    return visitors.page_of(viewer, path, source=source, **values)


def table(page: BeautifulSoup, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    (section,) = [s for s in page.select("section") if s.h2 and s.h2.get_text() == heading]
    body = section.tbody
    assert body
    return [[text_of(cell) for cell in row.select("th, td")] for row in body.select("tr")]


def marks(page: BeautifulSoup, text: str) -> list[str]:
    """Return what the marks of the page's charts stand for whose description holds the text."""
    return sorted(label for mark in page.select(".wide [aria-label]") if text in (label := str(mark["aria-label"])))


def wilson(k: int, n: int) -> intervals.Interval:
    """Of Python; the pages have theirs from SQL."""
    interval = intervals.wilson(k, n)
    assert interval
    return interval


def films(first: date, last: date) -> dict[str, tuple[int, int]]:
    """Return the positive fresh reviews, and all of them, of each film from one night to another."""
    query = """
        SELECT item_id, sum(n_fresh)::int AS n, sum(n_fresh_positive)::int AS k FROM sentiment.film_night
        WHERE source = :s AND night BETWEEN :a AND :b GROUP BY item_id"""
    return {row.item_id: (row.k, row.n) for row in rows(query, s=STREAM.source, a=first, b=last)}


def bins(column: str, first: date, last: date) -> list[int]:
    """Return the sum of each bin of a column from one night to another."""
    query = """
        SELECT bin_counts FROM drift.profile_metrics
        WHERE source = :s AND slice_key = 'all' AND column_name = :c AND night BETWEEN :a AND :b"""
    return [sum(n) for n in zip(*(r[0] for r in rows(query, s=STREAM.source, c=column, a=first, b=last)), strict=True)]


def described(day: date, k: int, n: int) -> str:
    low, high = map(EN.percent, wilson(k, n))
    return f"{EN.day(day)}: {EN.percent(k / n)} of {EN.number(n)} reviews positive, between {low} and {high}"


def test_shares_of_nights(viewer: TestClient, days: list[date]) -> None:
    sums = rows(
        "SELECT night, sum(n_positive)::int AS k, sum(n)::int AS n FROM sentiment.film_night WHERE source = :s "
        "AND night > :first GROUP BY night ORDER BY night", s=STREAM.source, first=days[-1] - timedelta(DAYS),
    )  # fmt: skip
    for path in ("/", "/print"):
        page = page_of(viewer, path)
        assert marks(page, "reviews positive") == sorted(described(row.night, row.k, row.n) for row in sums)
        newest, (low, high) = sums[-1], map(EN.percent, wilson(sums[-1].k, sums[-1].n))
        headline = f"{EN.percent(newest.k / newest.n)} of {newest.n} reviews of {EN.day(newest.night)} are positive"
        assert f"{headline}, between {low} and {high} with 95% certainty." in text_of(page)


def newcombe(now: tuple[int, int], then: tuple[int, int], n_films: int) -> tuple[float, float]:
    """Return a 95 % interval of a change (Statistics in Medicine 17, 1998, method 10), where so many hold at once."""
    # As many intervals as the next power of 2.
    level = 1 - 0.05 / 2 ** ceil(log2(n_films))
    (a, low_a, high_a), (b, low_b, high_b) = (
        (k / n, *binomtest(k, n).proportion_ci(level, "wilson")) for k, n in (now, then)
    )
    return (
        a - b - sqrt((a - low_a) ** 2 + (high_b - b) ** 2),
        a - b + sqrt((high_a - a) ** 2 + (b - low_b) ** 2),
    )


def test_films_that_moved(viewer: TestClient, days: list[date]) -> None:
    last = days[-1]
    now, then = films(last - timedelta(6), last), films(last - timedelta(34), last - timedelta(7))
    compared = [film for film in now.keys() & then.keys() if min(now[film][1], then[film][1]) >= 5]
    moved = []
    for film in compared:
        (k_now, n_now), (k_then, n_then) = now[film], then[film]
        low, high = newcombe(now[film], then[film], len(compared))
        a, b, sure = k_now / n_now, k_then / n_then, "yes" if low > 0 or high < 0 else "no, it may be chance"
        change = f"{EN.points(a - b)} [{EN.points(low)}; {EN.points(high)}]"
        row = [film, f"{EN.percent(b)} ({n_then})", f"{EN.percent(a)} ({n_now})", change, sure]
        moved.append(((sure != "yes", -abs(a - b), film), row))
    ordered = [row for _, row in sorted(moved)]
    assert len(ordered) > MOST_MOVERS
    for path in ("/", "/print"):
        page = page_of(viewer, path)
        assert table(page, "Which films moved most?") == ordered[:MOST_MOVERS]
        assert f"Of {len(compared)} films with five reviews" in text_of(page)


def test_of_a_thousand_films_that_stand_still_none_has_moved_for_sure(days: list[date]) -> None:
    rng, source = np.random.default_rng(1), "still"
    positive = {(back, film): int(rng.binomial(30, 0.6)) for back in (0, 10) for film in range(1000)}
    positive |= {(0, 1000): 3, (10, 1000): 20}
    values = [(days[-1] - timedelta(back), f"f{film}", k) for (back, film), k in positive.items()]
    nights_of_all, items, of_them = zip(*values, strict=True)
    # As autovacuum may do just before a source's first nights: the planner takes it that the source has none.
    with transaction("owner") as c:
        c.exec_driver_sql("ANALYZE sentiment.film_night")
    # One statement: after each one, triggers sum the films of its nights.
    run_sql(
        "INSERT INTO sentiment.film_night (night, source, item_id, model_id, n, n_positive, n_fresh, n_fresh_positive, "
        "run_id) SELECT night, :s, item_id, :m, 30, k, 30, k, 'r' FROM unnest(CAST(:nights AS date[]), "
        "CAST(:items AS text[]), CAST(:k AS integer[])) AS t(night, item_id, k)",
        s=source, m=STREAM.model_id, nights=list(nights_of_all), items=list(items), k=list(of_them),
    )  # fmt: skip
    alone = [newcombe((positive[0, film], 30), (positive[10, film], 30), 1) for film in range(1000)]
    assert sum(low > 0 or high < 0 for low, high in alone) > 20
    with transaction("reader") as c:
        c.exec_driver_sql("SET LOCAL statement_timeout = '3s'")
        listed = pages.rows(c, "movers", {"source": source, "night": days[-1], "most": 2000, **Z_OF_FILMS})
    assert [row.item_id for row in listed if row.is_sure] == ["f1000"]
    run_sql("DELETE FROM sentiment.film_night WHERE source = :s", s=source)


def test_watched_series(viewer: TestClient, days: list[date]) -> None:
    judged = rows(
        "SELECT DISTINCT ON (column_name) * FROM drift.drift_metrics WHERE source = :s AND night = :n "
        "AND slice_key = 'all' AND drift_type = 'BASELINE' ORDER BY column_name, revision DESC",
        s=STREAM.source, n=days[-1],
    )  # fmt: skip
    listed = [
        [f"{r.column_name} {SUBJECTS[r.column_name]}", r.status, EN.decimal(r.z), EN.decimal(r.threshold),
         EN.number(r.n)]
        for r in judged
    ]  # fmt: skip
    assert table(page_of(viewer, "/drift"), "Every watched series") == listed


def test_what_makes_a_fall(viewer: TestClient, days: list[date]) -> None:
    page = page_of(viewer, "/series", column="positive")
    began = scalar(
        "SELECT began FROM drift.alarm WHERE source = :s AND slice_key = 'all' AND column_name = 'positive'",
        s=STREAM.source,
    )
    reference, since = (days[0], days[stored_nights.N_REFERENCE - 1]), (began, days[-1])
    then, now = films(*reference), films(*since)
    shown = table(page, "What makes it?")
    assert len(shown) == MOST_FILMS
    for film, before, after, _ in shown:
        (k_then, n_then), (k_now, n_now) = then[film], now[film]
        assert before == f"{EN.percent(k_then / n_then)} ({EN.number(n_then)})"
        assert after == f"{EN.percent(k_now / n_now)} ({EN.number(n_now)})"
    a, b = (sum(k for k, _ in of.values()) / sum(n for _, n in of.values()) for of in (then, now))
    assert f"From {EN.percent(a)} to {EN.percent(b)}: {EN.points(b - a)} points since {EN.day(began)}." in text_of(page)
    for name, (first, last) in {"reference": reference, "now": since}.items():
        counted = bins("positive", first, last)
        shares = {label: n / sum(counted) for label, n in zip(("–", "no", "yes"), counted, strict=True)}
        assert marks(page, f", {name}: ") == sorted(f"{label}, {name}: {EN.percent(s)}" for label, s in shares.items())


def test_a_quiet_series_is_compared_by_its_last_nights(viewer: TestClient, days: list[date]) -> None:
    page = page_of(viewer, "/series", column="uncertain", night=days[-1])
    assert f"since {EN.day(days[-RECENT_NIGHTS])}" in text_of(page)


def test_probabilities_and_what_came_true(viewer: TestClient, days: list[date]) -> None:
    first = days[-1] - timedelta(CALIBRATION_DAYS - 1)
    labelled, positive = (bins(column, first, days[-1]) for column in ("labelled_logit", "positive_logit"))
    expected = [
        f"{EN.percent(k / n)} of {EN.number(n)} reviews positive"
        for k, n in zip(positive[1:], labelled[1:], strict=True)
        if n
    ]
    shown = [label.partition(": ")[2] for label in marks(page_of(viewer, "/models"), "reviews positive")]
    assert sorted(shown) == sorted(expected)


def test_evaluations(viewer: TestClient, days: list[date]) -> None:
    cells = (
        Cell("pos", "pos", 9, 70, 66.0, 1.2),
        Cell("pos", "neg", 6, 10, 6.5, 8.0),
        Cell("neg", "neg", 8, 20, 17.0, 1.5),
    )
    evaluated = Evaluation(
        "20260101-figures", STREAM.model_id, "f", ("neg", "pos"), "a set", "0" * 64, LabelSource.polarity, cells, {}, ()
    )
    stored.insert(evaluated)
    by_label = {"neg": (20 / 30, 20 / 20), "pos": (70 / 70, 70 / 80)}
    averaged = [(*shares, 2 * shares[0] * shares[1] / sum(shares)) for shares in by_label.values()]
    macro = [sum(column) / 2 for column in zip(*averaged, strict=True)]
    weighted = [0.2 * neg + 0.8 * pos for neg, pos in zip(*averaged, strict=True)]
    ends = rows("SELECT f1_score_low, f1_score_high FROM sentiment.evaluation_class ORDER BY label")
    between = [f"{EN.percent(low)} – {EN.percent(high)}" for low, high in ends]
    assert table(page_of(viewer, "/models"), "How well they predict") == [
        ["neg", *map(EN.percent, averaged[0]), between[0], "20"],
        ["pos", *map(EN.percent, averaged[1]), between[1], "80"],
        ["accuracy", "–", "–", EN.percent(0.9), "82.6% – 94.5%", "100"],
        ["macro avg", *map(EN.percent, macro), "–", "100"],
        ["weighted avg", *map(EN.percent, weighted), "–", "100"],
    ]


def test_two_models(viewer: TestClient, reviewed: date) -> None:
    pairs = rows(
        "SELECT label, other FROM sentiment.review_sentiment s JOIN (SELECT review_id, label AS other "
        "FROM sentiment.review_sentiment WHERE model_id = :other) AS o USING (review_id) JOIN sentiment.review r "
        "USING (review_id) WHERE s.model_id = :current AND r.source = :s",
        other=OTHER_MODEL, current=STREAM.model_id, s=REVIEWED,
    )  # fmt: skip
    n, alike = len(pairs), sum(a == b for a, b in pairs)
    assert 0 < alike < n
    positive, current = (sum(pair[i] == "pos" for pair in pairs) for i in (1, 0))
    text = text_of(page_of(viewer, "/models", REVIEWED))
    assert (
        f"{OTHER_MODEL} gives {EN.percent(alike / n)} of {n} new reviews of {EN.day(reviewed)} the same label" in text
    )
    assert f"it calls {EN.percent(positive / n)} positive, the current model {EN.percent(current / n)}." in text


def test_a_film(viewer: TestClient, reviewed: date) -> None:
    film = scalar(
        "SELECT item_id FROM sentiment.review WHERE source = :s AND item_id IS NOT NULL "
        "GROUP BY item_id ORDER BY count(*) DESC, 1 LIMIT 1", s=REVIEWED,
    )  # fmt: skip
    reviews = rows(
        "SELECT label, score, rating, text, abs(p_positive - 0.5) AS doubt FROM sentiment.review JOIN "
        "sentiment.review_sentiment USING (review_id) WHERE source = :s AND item_id = :i AND model_id = :m",
        s=REVIEWED, i=film, m=STREAM.model_id,
    )  # fmt: skip
    n, k = len(reviews), sum(row.label == "pos" for row in reviews)
    assert n > 5
    low, high = map(EN.percent, wilson(k, n))
    page = page_of(viewer, "/film", REVIEWED, item=film)
    text = text_of(page)
    assert f"{EN.percent(k / n)} of {n} reviews are positive, between {low} and {high} with 95% certainty." in text
    rated = [row for row in reviews if row.rating is not None]
    mean = EN.decimal(sum(row.rating for row in rated) / len(rated))
    assert f"{len(rated)} of its newest reviews have a rating, {mean} of 5 in the mean." in text
    assert marks(page, f"{EN.day(reviewed)}: ") == [described(reviewed, k, n)]
    by_rating = {row.rating: [r.label for r in rated if r.rating == row.rating] for row in rated}
    assert marks(page, "rating ") == sorted(
        f"rating {EN.number(rating)}: {EN.percent(of.count('pos') / len(of))} of {len(of)} reviews positive"
        for rating, of in by_rating.items()
    )
    shown = page.select("article")
    assert len(shown) == min(n, MOST_REVIEWS)
    verdicts = {" ".join(row.text.split()): f"{row.label} {EN.percent(row.score)}" for row in reviews}
    for article in shown:
        verdict, content = (text_of(article.select(f"p.{name}")[0]) for name in ("verdict", "text"))
        assert verdict.startswith(verdicts[content])
    doubtful = page_of(viewer, "/film", REVIEWED, item=film, doubt=1).select("p.text")
    least_sure = min(reviews, key=lambda row: row.doubt)
    assert text_of(doubtful[0]) == " ".join(least_sure.text.split())


@pytest.mark.parametrize("doubt", [0, 1])
def test_pages_of_a_films_reviews_have_all_of_them_once(
    viewer: TestClient, reviewed: date, doubt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_REVIEWS", 2)
    film, n = rows(
        "SELECT item_id, count(*) FROM sentiment.review WHERE source = :s AND item_id IS NOT NULL "
        "GROUP BY item_id ORDER BY count(*) DESC, 1 LIMIT 1", s=REVIEWED,
    )[0]  # fmt: skip
    read = page_of(viewer, "/film", REVIEWED, item=film, doubt=doubt)
    texts = [text_of(text) for text in read.select("p.text")]
    while later := read.select_one("a[rel=next]"):
        read = visitors.page_of(viewer, str(later["href"]))
        texts += [text_of(text) for text in read.select("p.text")]
    assert len(texts) == len(set(texts)) == n > 4
    assert read.select_one("a[rel=prev]")


def test_alarms_are_in_the_visitors_language(viewer: TestClient, days: list[date]) -> None:
    named = {row.sentence for row in rows("SELECT sentence FROM drift.v_alarm WHERE source = :s", s=STREAM.source)}
    for language, subject in (("en", "positive reviews fell from"), ("fr", "critiques positives en baisse, de")):
        sentences = page_of(viewer, "/drift", lang=language).select("ul.alarms strong")
        assert {str(sentence["lang"]) for sentence in sentences} == {language}
        assert any(subject in text_of(sentence) for sentence in sentences)
        assert (text_of(sentences[0]) in named) == (language == "en")
