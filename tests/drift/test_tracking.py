"""The real path on real Postgres: the same verdicts as in memory, one path for tonight, late nights and replays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import alarms, history, reference, replays, simulate, tracking
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Nights, Shift
from sentiment.drift.watched import MAIN_SERIES
from sentiment.errors import DataError, ParameterError

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, MINE, N_REFERENCE, made

pytestmark = pytest.mark.usefixtures("server")

_NUMBERS = count(1)


@pytest.fixture
def stream() -> Iterator[Stream]:
    one = Stream(f"tracked{next(_NUMBERS)}", "tracked-model")
    yield one
    stored_nights.remove(one)


def pinned(stream: Stream, nights: Nights) -> tuple[reference.Reference, list[date]]:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    return reference.pin(stream, dates[0], dates[N_REFERENCE - 1]), dates[N_REFERENCE:]


def rows(query: str, stream: Stream) -> list[tuple[Any, ...]]:
    with transaction() as c:
        return [tuple(row) for row in c.execute(sa.text(query), stream.keys)]


def test_the_real_path_says_what_the_simulator_says(stream: Stream) -> None:
    nights = made(Shift(share=-0.08))
    found, after = pinned(stream, nights)
    tracking.replay(stream, after[0], None)
    stored = dict(
        rows(
            f"SELECT night, z FROM drift.v_drift {MINE} AND drift_type = 'BASELINE' AND slice_key = 'all' "
            "AND column_name = 'positive'",
            stream,
        )
    )
    in_memory = nights[N_REFERENCE:]
    index = simulate.series_of(AUDIENCE).index(("all", "all", "positive"))
    model = replays.pin(AUDIENCE, nights[:N_REFERENCE], 1.0, 1).model
    z = model.z(in_memory.sums, in_memory.days)[:, index]
    assert [stored[night] for night in after] == pytest.approx(list(z), rel=1e-6)
    film = ("film", "film-01", "positive")
    mine, theirs = found.series.index(film), simulate.series_of(AUDIENCE).index(film)
    assert found.model.mean[mine] == pytest.approx(model.mean[theirs])
    assert found.model.icc[mine] == pytest.approx(model.icc[theirs], rel=1e-6, abs=1e-9)


def test_without_a_reference_nothing_is_green(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, made()[:3])
    statuses = tracking.replay(stream, dates[0], None)
    assert set(statuses[dates[2]]) == {"insufficient_data"}
    assert {
        row[0] for row in rows(f"SELECT DISTINCT status FROM drift.v_drift {MINE} AND drift_type = 'BASELINE'", stream)
    } == {"insufficient_data"}


def test_too_few_nights_are_refused_with_how_many_are_missing(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, made()[:50])
    with pytest.raises(DataError, match=r"there are 50 .* a reference needs 56: 6 nights are\s+missing"):
        reference.pin(stream, dates[0], dates[-1])
    with pytest.raises(ParameterError, match="is after"):
        reference.pin(stream, dates[-1], dates[0])
    assert not [r for r in reference.listed() if r.stream == stream]


def test_an_alarm_opens_is_followed_acknowledged_and_closed(stream: Stream) -> None:
    fallen = made(Shift(share=-0.12), n_after=16)
    rng = np.random.default_rng(9)
    back = simulate.nights(AUDIENCE, 20, rng, first_day=len(fallen.days) % 7)
    _, after = pinned(stream, simulate.joined([fallen, back]))
    tracking.replay(stream, after[0], after[0])
    mine = [a for a in alarm_rows(stream) if (a["slice_key"], a["column_name"]) == ("all", "positive")]
    assert len(mine) == 1
    alarm = mine[0]
    assert after[6] <= alarm["opened"] <= after[9]
    assert after[5] <= alarm["began"] <= alarm["opened"]
    assert alarm["closed"] is not None
    assert alarm["n_nights"] > 5
    assert "positive reviews fell from 60 % to" in alarm["sentence"]
    with pytest.raises(ParameterError, match="closed on"):
        alarms.acknowledge(alarm["alarm_id"], "seen", "me")


def alarm_rows(stream: Stream) -> list[dict[str, Any]]:
    with transaction() as c:
        found = c.execute(sa.text(f"SELECT * FROM drift.v_alarm {MINE} ORDER BY opened, alarm_id"), stream.keys)
        return [dict(row._mapping) for row in found]


def test_acknowledging_needs_a_reason_and_outlasts_a_replay(stream: Stream) -> None:
    _, after = pinned(stream, made(Shift(share=-0.12)))
    tracking.replay(stream, after[0], None)
    alarm = next(a for a in alarm_rows(stream) if (a["slice_key"], a["column_name"]) == ("all", "positive"))
    assert alarm["status"] == "alarm"
    with pytest.raises(ParameterError, match="reason"):
        alarms.acknowledge(alarm["alarm_id"], "  ", "me")
    with pytest.raises(ParameterError, match="no alarm"):
        alarms.acknowledge("nothing", "why", "me")
    noted = alarms.acknowledge(alarm["alarm_id"], "a strike of the critics", "me")
    tracking.replay(noted.stream, noted.night, None)
    now = stored_nights.seen(stream)
    assert next(a for a in alarm_rows(stream) if a["alarm_id"] == alarm["alarm_id"])["status"] == "acknowledged"
    status = dict(
        rows(
            f"SELECT night, status FROM drift.v_drift {MINE} AND slice_key = 'all' "
            "AND column_name = 'positive' AND drift_type = 'BASELINE'",
            stream,
        )
    )
    assert (status[after[-2]], status[after[-1]]) == ("alarm", "acknowledged")
    tracking.replay(stream, after[0], None)
    assert stored_nights.seen(stream) == now


def test_one_turned_film_is_named(stream: Stream) -> None:
    _, after = pinned(stream, made(Shift(film=0, film_share=0.0)))
    with transaction() as c:
        c.execute(
            sa.text(
                "INSERT INTO sentiment.item (source, item_id, item_title, run_id) "
                "VALUES (:source, 'film-01', 'Les Jours gris', 'r')"
            ),
            {"source": stream.source},
        )
    tracking.replay(stream, after[0], None)
    told = {(a["slice_key"], a["slice_value"]): a["sentence"] for a in alarm_rows(stream)}
    assert "positive reviews of Les Jours gris fell from" in told["film", "film-01"]
    with transaction("owner") as c:
        c.execute(sa.text("DELETE FROM sentiment.item WHERE source = :s"), {"s": stream.source})


def test_a_broken_vocabulary_is_named_as_such(stream: Stream) -> None:
    _, after = pinned(stream, made(Shift(unknown=0.03)))
    tracking.replay(stream, after[0], None)
    told = {a["column_name"]: a["sentence"] for a in alarm_rows(stream)}
    assert set(told) == {"unknown_share"}
    assert "the vocabulary changed, which says nothing of the sentiment" in told["unknown_share"]


def test_a_reason_for_quarantine_is_named_even_if_the_reference_never_had_it(stream: Stream) -> None:
    nights = made()
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    broken = dates[-4]
    for night in dates:
        foreign = {"text_french": 60} if night >= broken else {}
        stored_nights.judged(stream, night, 500, {"text_present": 5 + night.day % 3, **foreign})
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    tracking.replay(stream, dates[N_REFERENCE], None)
    columns = {"quarantined", "refused"}
    told = {(a["slice_key"], a["slice_value"]): a for a in alarm_rows(stream) if a["column_name"] in columns}
    assert set(told) == {("all", "all"), ("quarantine_reason", "text_french")}
    alarm = told["quarantine_reason", "text_french"]
    assert broken == alarm["opened"]
    assert "records refused by the rule text_french rose from 0 % to 12 %; the language changed" in alarm["sentence"]


def test_shuffled_late_and_replayed_nights_end_in_the_same_tables(stream: Stream) -> None:
    nights = made(Shift(share=-0.1), seed=3)
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    after = dates[N_REFERENCE:]
    tracking.replay(stream, after[0], None)
    in_order = stored_nights.seen(stream)
    assert in_order["alarm"]

    tracking.replay(stream, after[0], None)
    assert stored_nights.seen(stream) == in_order
    assert max(r[0] for r in rows(f"SELECT max(revision) FROM drift.drift_metrics {MINE}", stream)) == 0

    stored_nights.untold(stream)
    for night in after:
        stored_nights.take_away(stream, night)
    for no in np.random.default_rng(4).permutation(len(after)):
        stored_nights.put(stream, after[no], AUDIENCE, nights[N_REFERENCE + no : N_REFERENCE + no + 1])
        tracking.replay(stream, after[no], None)
    assert stored_nights.seen(stream) == in_order
    assert rows(f"SELECT max(revision) FROM drift.drift_metrics {MINE}", stream)[0][0] > 0


@pytest.mark.parametrize("chunk", [1, 7])
def test_how_many_nights_are_in_memory_changes_nothing(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    _, after = pinned(stream, made(Shift(share=-0.1), n_after=12))
    tracking.replay(stream, after[0], None)
    before = stored_nights.seen(stream)
    monkeypatch.setattr(tracking, "NIGHTS_AT_ONCE", chunk)
    tracking.replay(stream, after[0], None)
    assert stored_nights.seen(stream) == before


def test_a_small_night_a_missing_night_and_a_new_category_raise_nothing(stream: Stream) -> None:
    nights = made(n_after=8)
    rng = np.random.default_rng(8)
    small = simulate.nights(AUDIENCE, 1, rng, Shift(volume=20 / 400), len(nights.days) % 7)
    _, after = pinned(stream, simulate.joined([nights, small]))
    stored_nights.take_away(stream, after[3])
    with transaction() as c:
        c.execute(
            sa.text(
                f"UPDATE drift.profile_metrics SET slice_value = 'podcast' {MINE} AND night = :night "
                "AND slice_key = 'item_type' AND slice_value = 'series'"
            ),
            {**stream.keys, "night": after[5]},
        )
    statuses = tracking.replay(stream, after[0], None)
    assert after[3] not in statuses
    assert set(statuses[after[-1]]) == {"insufficient_data"}
    assert not alarm_rows(stream)
    assert Counter(s for night in statuses.values() for s in night.elements())["ok"] > 100
    assert not [key for key in newest_series(stream, after[5]) if "podcast" in key]


def newest_series(stream: Stream, night: date) -> list[tuple[Any, ...]]:
    query = f"SELECT slice_value FROM drift.v_drift {MINE} AND drift_type = 'BASELINE' AND night = '{night}'"
    return rows(query, stream)


def test_a_new_reference_leaves_out_nights_in_alarm_and_starts_anew(stream: Stream) -> None:
    first, after = pinned(stream, made(Shift(share=-0.12)))
    tracking.replay(stream, after[0], None)
    alarmed = {
        night
        for (night,) in rows(
            f"SELECT DISTINCT night FROM drift.v_drift {MINE} AND status = 'alarm' AND slice_key = 'all'", stream
        )
    }
    second = reference.pin(stream, FIRST, after[-1])
    assert alarmed
    assert not alarmed & set(second.nights)
    assert set(second.excluded) == alarmed
    assert [r.is_current for r in reference.listed() if r.stream == stream] == [True, False]
    assert reference.pin(stream, FIRST, after[-1]).reference_id == second.reference_id
    old = reference.find(first.reference_id)
    assert old.nights == first.nights
    assert np.array_equal(old.model.mean, first.model.mean)
    assert np.array_equal(old.limits.cusum, first.limits.cusum)


def test_estimated_performance_stands_beside_the_realised_one(stream: Stream) -> None:
    found, after = pinned(stream, made())
    assert found.calibrator is not None
    assert found.calibrator.method == "isotonic"
    tracking.replay(stream, after[0], None)
    for _, _, n, accuracy, f1, real_accuracy, real_f1 in stored_nights.seen(stream)["performance"]:
        assert n > 200
        assert accuracy == pytest.approx(real_accuracy, abs=0.02)
        assert f1 == pytest.approx(real_f1, abs=0.02)


def test_weeks_and_months_are_sums(stream: Stream) -> None:
    stored_nights.put(stream, FIRST, AUDIENCE, made()[:35])
    for view, window in (("v_profile_week", "week"), ("v_profile_month", "month")):
        for start, n, mean, bins in rows(
            f"SELECT {window}, n, avg, bin_counts FROM drift.{view} {MINE} AND column_name = 'positive' "
            "AND slice_key = 'all'",
            stream,
        ):
            nights = rows(
                f"SELECT n, bin_counts FROM drift.profile_metrics {MINE} AND column_name = 'positive' AND "
                f"slice_key = 'all' AND date_trunc('{window}', night) = '{start}'",
                stream,
            )
            assert n == sum(night[0] for night in nights)
            assert bins == list(np.sum([night[1] for night in nights], axis=0))
            assert mean == pytest.approx(bins[2] / n)


def test_a_range_without_nights_is_said(stream: Stream) -> None:
    with pytest.raises(ParameterError, match="No night of"):
        tracking.replay(stream, FIRST, FIRST + timedelta(days=3))


def test_the_first_series_is_the_whole_night(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, made()[:2])
    with transaction() as c:
        counted = history.load(c, stream, dates, ["film-01"])
    series = history.series_in(list(counted.values()))
    assert series[0] == MAIN_SERIES
    assert ("film", "(rest)", "positive") in series
    assert ("all", "all", "log_volume") in series
