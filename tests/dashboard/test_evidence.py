"""What makes an alarm, who may do what about it, and a night as a file."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from sentiment.dashboard import document, evidence, pages, reading
from sentiment.dashboard.evidence import bin_labels
from sentiment.drift.history import Stream
from sentiment.drift.watched import BY_NAME, COUNTED, MAIN_SERIES
from sentiment.errors import ParameterError
from starlette.testclient import TestClient

from tests.kit import stored_nights
from tests.kit.rows import rows, run_sql
from tests.store import small_night

pytestmark = pytest.mark.usefixtures("server")

SOURCE, MODEL = "evidence", "cinema-fr"
STREAM = Stream(SOURCE, MODEL)
REFERENCE = stored_nights.N_REFERENCE


@pytest.fixture(scope="module")
def nights(_database_of_the_module: None) -> list[date]:
    """Store nights of which the last ones are a tenth less positive, tracked against a reference of the first."""
    small_night.publish(SOURCE, stored_nights.FIRST - timedelta(days=1), ["Zoé"])
    return stored_nights.fallen(STREAM)


def test_an_alarm_leads_to_what_makes_it(viewer: TestClient, nights: list[date]) -> None:
    alarm = rows(
        "SELECT * FROM drift.v_alarm WHERE source = :s AND slice_key = 'all' AND column_name = 'positive'", s=SOURCE
    )[0]
    page = viewer.get("/", params={"source": SOURCE}).text
    assert alarm.sentence in unescape(page)
    links = [unescape(link) for link in re.findall(r'href="(/series[^"]+)"', page)]
    own = next(link for link in links if "column=positive" in link and "slice_key=all" in link)
    seen = viewer.get(own)
    assert seen.status_code == 200
    assert alarm.sentence in unescape(seen.text)
    assert seen.text.count('<div class="wide"><svg') == 2

    def split(c: sa.Connection) -> tuple[float, float, float]:
        parts = evidence.series(c, pages.Choice(SOURCE), MAIN_SERIES).attribution
        assert parts
        return parts.after - parts.before, parts.mix, parts.within

    total, mix, within = reading.read_now(split)
    assert total == pytest.approx(mix + within)
    assert total < -0.05
    then, now = (
        rows(
            "SELECT sum(n_fresh_positive)::float / sum(n_fresh) AS share FROM sentiment.film_night "
            "WHERE source = :s AND night BETWEEN :a AND :b", s=SOURCE, a=a, b=b
        )[0].share
        for a, b in ((nights[0], nights[REFERENCE - 1]), (alarm.began, nights[-1]))
    )  # fmt: skip
    assert total == pytest.approx(now - then)


def test_every_watched_column_has_a_page_and_labels_of_its_bins(viewer: TestClient, nights: list[date]) -> None:
    for column in COUNTED:
        assert len(bin_labels(column.name)) == column.n_bins
        assert viewer.get("/series", params={"source": SOURCE, "column": column.name}).status_code == 200
    wrong = viewer.get("/series", params={"column": "nothing"})
    assert wrong.status_code == 400
    assert "positive" in wrong.text
    assert set(BY_NAME) >= {column.name for column in COUNTED}


def test_marks_stand_where_something_else_than_the_reviews_is_new(nights: list[date]) -> None:
    night = nights[-2]
    detail = json.dumps({"rules": ["text_present"], "reasons": {}})
    run_sql(
        "UPDATE sentiment.run_step SET detail = cast(:d AS jsonb) WHERE run_id = :r", d=detail, r=f"{SOURCE}-{night}"
    )

    def marks(c: sa.Connection) -> set[tuple[date, str]]:
        marked = pages.rows(c, "marks", {"source": SOURCE, "night": nights[-1], "days": 90})
        return {(row.night, row.kind) for row in marked}

    standing = reading.read_now(marks)
    assert (night, "rules") in standing
    assert (nights[-1], "rules") in standing
    assert (nights[REFERENCE], "reference") in standing
    assert {kind for _, kind in standing} == {"rules", "reference"}


def test_who_may_not_act_sees_who_may_and_the_command(
    viewer: TestClient, operator: TestClient, nights: list[date]
) -> None:
    alarm = rows("SELECT alarm_id FROM drift.v_alarm WHERE source = :s AND status = 'alarm'", s=SOURCE)[0].alarm_id
    seen = viewer.get("/drift", params={"source": SOURCE}).text
    assert "data-trigger" not in seen
    assert "runs of acknowledge_alarm" in seen
    assert f"sentiment drift ack {alarm}" in seen
    acting = operator.get("/drift", params={"source": SOURCE}).text
    confs = [json.loads(unescape(conf)) for conf in re.findall(r"data-conf='([^']+)'", acting)]
    assert {"alarm": alarm} in confs
    models = operator.get("/models", params={"source": SOURCE}).text
    assert 'data-trigger="rescore_reviews"' in models


def test_a_night_as_a_file_needs_nothing_beside_itself(nights: list[date], tmp_path: Path) -> None:
    small_night.publish("filed", date(2026, 6, 1), ["Zoé", "<b>Guy</b>"])
    run_id = rows("SELECT run_id FROM sentiment.run WHERE source = 'filed'")[0].run_id
    path = tmp_path / "night.html"
    document.write(run_id, path, "fr")
    text = path.read_text("utf-8")
    assert "La nuit du 1 juin 2026 est publiée." in text
    assert not re.search(r"<script|<link|<iframe|\bhref=|\bsrc=|url\(", text)
    assert [p.name for p in tmp_path.iterdir()] == ["night.html"]
    with pytest.raises(ParameterError):
        document.write("20260101-00000000", path, "fr")
    with pytest.raises(ParameterError):
        document.write(run_id, path, "de")
