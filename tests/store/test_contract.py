"""What readers may rely on: names, order and types of the views' columns, Wilson intervals, pseudonyms.

A column may be added at the end, here too. Any other change breaks somebody's query.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from psycopg2.sql import SQL, Identifier
from scipy.stats import binomtest
from sentiment import database
from sentiment.sql import execute

from tests.kit.rows import remove_source
from tests.store import small_night

pytestmark = pytest.mark.usefixtures("server")

SOURCE, NIGHT = "contract_test", date(2026, 7, 6)

CONTRACT = """
sentiment.v_review_sentiment
  review_id            text
  source               text
  item_id              text
  item_type            text
  item_title           text
  author_pseudonym     text
  rating               numeric(2,1)
  review_date          date
  title                text
  text                 text
  polarity             smallint
  label                text
  score                double precision
  p_positive           double precision
  n_wordpieces         integer
  model_id             text
  first_night          date
  last_night           date
  run_id               text
  uncertain            boolean
  probabilities        jsonb

sentiment.v_sentence_sentiment
  review_id            text
  sentence_no          smallint
  source               text
  item_id              text
  item_title           text
  sentence             text
  label                text
  score                double precision
  begin_char           integer
  end_char             integer
  model_id             text

sentiment.v_daily_sentiment
  night                date
  source               text
  model_id             text
  n_reviews            bigint
  n_fresh              bigint
  n_positive           bigint
  share_positive       double precision
  share_positive_low   double precision
  share_positive_high  double precision
  share_fresh_positive double precision
  n_uncertain          bigint
  n_items              bigint
  is_last_good         boolean

sentiment.v_film_sentiment
  source               text
  item_id              text
  model_id             text
  n_reviews            bigint
  n_positive           bigint
  share_positive       double precision
  share_positive_low   double precision
  share_positive_high  double precision
  first_night          date
  last_night           date

sentiment.v_runs
  run_id               text
  night                date
  source               text
  model_id             text
  dump_uri             text
  status               text
  rows_read            bigint
  rows_accepted        bigint
  rows_quarantined     bigint
  rows_duplicate       bigint
  rows_scored          bigint
  rows_reused          bigint
  rows_published       bigint
  verdict              text
  reason               text
  airflow_run_id       text
  code_version         text
  started_at           timestamp with time zone
  finished_at          timestamp with time zone
  published_at         timestamp with time zone
  supersedes           text
  is_last_good         boolean
  requeue_of           text

sentiment.v_unopened_runs
  failed_at            timestamp with time zone
  night                date
  source               text
  dump_uri             text
  dag_id               text
  airflow_run_id       text
  error_kind           text
  error                text
  try_next             text

sentiment.v_quarantine
  run_id               text
  night                date
  source               text
  status               text
  file_no              integer
  record_no            bigint
  reasons              text[]
  details              text
  raw_bytes            bigint
  requeued_in          text

sentiment.v_quarantine_reasons
  run_id               text
  night                date
  source               text
  rule_name            text
  n_records            bigint
  n_requeued           bigint
  status               text

sentiment.v_unread_values
  run_id               text
  night                date
  source               text
  status               text
  rule_name            text
  n_values             bigint

sentiment.v_evaluation
  model_id             text
  set_name             text
  label_source         text
  row_no               integer
  label                text
  precision            double precision
  recall               double precision
  f1_score             double precision
  support              bigint
  precision_low        double precision
  precision_high       double precision
  recall_low           double precision
  recall_high          double precision
  f1_score_low         double precision
  f1_score_high        double precision
  left_out             bigint
  ece                  double precision
  brier                double precision
  set_sha256           text
  evaluation_id        text
  evaluated_at         timestamp with time zone

drift.v_drift
  night                date
  source               text
  model_id             text
  slice_key            text
  slice_value          text
  column_name          text
  drift_type           text
  reference_id         text
  n                    bigint
  effect               double precision
  z                    double precision
  status               text
  cusum_low            double precision
  cusum_high           double precision
  threshold            double precision
  cusum_threshold      double precision
  effect_floor         double precision
  avg_delta            double precision
  percent_null_delta   double precision
  js_distance          double precision
  ks_statistic         double precision
  population_stability_index double precision
  wasserstein_distance double precision
  chi_squared_statistic double precision

drift.v_alarm
  alarm_id             text
  source               text
  model_id             text
  slice_key            text
  slice_value          text
  column_name          text
  reference_id         text
  status               text
  channel              text
  began                date
  opened               date
  last_night           date
  closed               date
  n_nights             integer
  effect               double precision
  sentence             text
  reason               text
  acknowledged_by      text
  facts                jsonb

drift.v_profile_week
  week                 date
  source               text
  model_id             text
  slice_key            text
  slice_value          text
  column_name          text
  edges_id             text
  n_nights             bigint
  n                    bigint
  n_null               bigint
  avg                  double precision
  bin_counts           bigint[]

drift.v_profile_month
  month                date
  source               text
  model_id             text
  slice_key            text
  slice_value          text
  column_name          text
  edges_id             text
  n_nights             bigint
  n                    bigint
  n_null               bigint
  avg                  double precision
  bin_counts           bigint[]
"""


def catalogue() -> dict[str, list[tuple[str, str]]]:
    """View -> its columns with their types, in order."""
    query = """
SELECT c.oid::regclass::text AS view, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('sentiment'::regnamespace, 'drift'::regnamespace)
ORDER BY c.oid, a.attnum"""
    columns: dict[str, list[tuple[str, str]]] = {}
    with database.transaction("reader") as c:
        for row in c.execute(sa.text(query)):
            columns.setdefault(row.view, []).append((row.name, row.type))
    return columns


def contract() -> dict[str, list[tuple[str, str]]]:
    """The table above, read."""
    promised: dict[str, list[tuple[str, str]]] = {}
    for block in CONTRACT.strip().split("\n\n"):
        view, *lines = block.splitlines()
        promised[view] = [(name, kind) for name, kind in (line.split(maxsplit=1) for line in lines)]
    return promised


def test_views_are_what_was_promised() -> None:
    columns, promised = catalogue(), contract()
    assert {view: columns.get(view) for view in promised} == promised


@pytest.mark.parametrize("n", [1, 2, 10, 97, 2000, 1_000_000])
@pytest.mark.parametrize("share", [0, 0.003, 0.5, 0.62, 1])
def test_wilson_intervals(n: int, share: float) -> None:
    k = round(n * share)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    with database.transaction("reader") as c:
        query = sa.text("SELECT sentiment.wilson_low(:k, :n) AS low, sentiment.wilson_high(:k, :n) AS high")
        interval = c.execute(query, {"k": k, "n": n}).one()
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_no_reviews_have_no_interval() -> None:
    with database.transaction("reader") as c:
        assert c.exec_driver_sql("SELECT sentiment.wilson_low(0, 0), sentiment.wilson_high(0, 0)").one() == (None, None)


@pytest.fixture
def authors() -> Iterator[list[str | None]]:
    """Who wrote the reviews of a small night; one of them twice, one unnamed."""
    names: list[str | None] = ["Zoé Vexillaire", "Zoé Vexillaire", "Guy Perce-Neige", None]
    small_night.publish(SOURCE, NIGHT, names)
    yield names
    remove_source(SOURCE)


def test_authors_appear_only_as_pseudonyms(authors: list[str | None]) -> None:
    with database.transaction("reader") as c:
        for view in contract():
            as_text = SQL("SELECT v::text FROM {} v").format(Identifier(*view.split(".")))
            values = str(execute(c, as_text).all())
            assert not [name for name in authors if name and name in values], view
        query = "SELECT author_pseudonym FROM sentiment.v_review_sentiment WHERE source = :source ORDER BY text"
        first, again, other, unnamed = c.execute(sa.text(query), {"source": SOURCE}).scalars()
    assert first == again != other
    assert len(first) == len(other) == 17
    assert unnamed is None


def test_pseudonyms_depend_on_this_databases_salt(authors: list[str | None]) -> None:
    query = sa.text(
        "SELECT count(*) FROM sentiment.v_review_sentiment v JOIN sentiment.review r USING (review_id) WHERE "
        "v.source = :source AND author_pseudonym = 'a' || left(encode(sha256(convert_to(author, 'UTF8')), 'hex'), 16)"
    )
    with database.transaction("owner") as c:
        assert c.execute(query, {"source": SOURCE}).scalar_one() == 0


MODEL = sa.table("model", sa.column("uncertain_low"), sa.column("uncertain_high"), schema="sentiment")
SHARES = (
    sa.text(
        "SELECT share_positive, share_positive_low, share_fresh_positive FROM sentiment.v_daily_sentiment "
        "WHERE source = :source"
    ),
    sa.text(
        "SELECT share_positive, share_positive_low, share_positive_high FROM sentiment.v_film_sentiment "
        "WHERE source = :source"
    ),
)


def test_what_is_uncertain_follows_the_models_band(authors: list[str | None]) -> None:
    with database.engine("owner").connect() as c, c.begin() as rolled_back:

        def uncertain_reviews(**values: object) -> list[tuple[object, ...]]:
            for column, value in values.items():
                c.execute(sa.update(MODEL).values({column: value}))
            query = (
                "SELECT DISTINCT uncertain, probabilities ->> 'pos' FROM sentiment.v_review_sentiment WHERE source = :s"
            )
            return [tuple(row) for row in c.execute(sa.text(query), {"s": SOURCE})]

        assert uncertain_reviews() == [(False, "0.9")]
        assert uncertain_reviews(uncertain_high=0.95) == [(True, "0.9")]
        assert uncertain_reviews(uncertain_low=0.92) == [(False, "0.9")]
        c.execute(sa.text("UPDATE sentiment.review_sentiment SET p_positive = NULL"))
        assert uncertain_reviews() == [(True, "0.9")], "without a positive label the score decides"
        rolled_back.rollback()


def test_a_model_without_a_positive_label_has_no_positive_share(authors: list[str | None]) -> None:
    with database.engine("owner").connect() as c, c.begin() as rolled_back:
        for query in SHARES:
            assert None not in c.execute(query, {"source": SOURCE}).one()
        c.execute(sa.text("UPDATE sentiment.model SET positive_label = NULL"))
        for query in SHARES:
            assert c.execute(query, {"source": SOURCE}).one() == (None, None, None)
        rolled_back.rollback()


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        ("ete", ["Été à 100 % net"]),
        ("100 %", ["Été à 100 % net"]),
        ("_", []),
        ("\\", ["a\\b"]),
        ("%", ["Été à 100 % net"]),
    ],
)
def test_films_are_searched_without_accents_and_by_the_very_characters(wanted: str, titles: list[str]) -> None:
    with database.engine("writer").connect() as c, c.begin() as rolled_back:
        for title in ("Été à 100 % net", "a\\b", "Autre"):
            values = {"id": title, "title": title}
            c.execute(sa.text("INSERT INTO sentiment.item VALUES ('search', :id, 'film', :title, 'r')"), values)
        query = "SELECT item_title FROM sentiment.search_films(:wanted) WHERE source = 'search'"
        assert list(c.execute(sa.text(query), {"wanted": wanted}).scalars()) == titles
        rolled_back.rollback()
