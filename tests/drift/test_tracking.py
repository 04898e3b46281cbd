"""Tracking on Postgres: the statistics of the simulator, and one path for tonight, late nights and replays."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sentiment.database import transaction
from sentiment.drift import alarms, bands, history, reference, replays, sentences, simulate, tracking
from sentiment.drift.history import Stream
from sentiment.drift.simulate import Nights, Shift
from sentiment.drift.watched import MAIN_SERIES, REASON
from sentiment.errors import DataError, ParameterError
from sentiment.runs.model import READING_VERSION

from tests.kit import stored_nights
from tests.kit.stored_nights import AUDIENCE, FIRST, N_REFERENCE, simulated

pytestmark = pytest.mark.usefixtures("server")

_NUMBERS = count(1)


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream(f"tracked{next(_NUMBERS)}", "tracked-model")
    yield stream
    stored_nights.remove(stream)


def pinned(stream: Stream, nights: Nights) -> tuple[reference.Reference, list[date]]:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    return reference.pin(stream, dates[0], dates[N_REFERENCE - 1]), dates[N_REFERENCE:]


def rows(query: str, stream: Stream) -> list[tuple[Any, ...]]:
    with transaction() as c:
        return [tuple(row) for row in c.execute(sa.text(query), stream.keys)]


MAIN_DRIFT = """
SELECT night, z, status FROM drift.v_drift WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE'
  AND slice_key = 'all' AND column_name = 'positive'"""
BASELINE_STATUSES = """
SELECT DISTINCT status FROM drift.v_drift WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE'"""


def test_stored_statistics_equal_the_simulators(stream: Stream) -> None:
    nights = simulated(Shift(share=-0.08))
    frozen, after = pinned(stream, nights)
    tracking.replay(stream, after[0], None)
    stored = {night: z for night, z, _ in rows(MAIN_DRIFT, stream)}
    in_memory = nights[N_REFERENCE:]
    index = simulate.series_of(AUDIENCE).index(MAIN_SERIES)
    model = replays.pin(AUDIENCE, nights[:N_REFERENCE], 1.0, 1).model
    z = model.z(in_memory.sums, in_memory.days)[:, index]
    assert [stored[night] for night in after] == pytest.approx(list(z), rel=1e-6)
    film = ("film", "film-01", "positive")
    i, j = frozen.series.index(film), simulate.series_of(AUDIENCE).index(film)
    assert frozen.model.mean[i] == pytest.approx(model.mean[j])
    assert frozen.model.icc[i] == pytest.approx(model.icc[j], rel=1e-6, abs=1e-9)


def test_without_a_reference_nothing_is_green(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, simulated()[:3])
    statuses = tracking.replay(stream, dates[0], None)
    assert set(statuses[dates[2]]) == {"insufficient_data"}
    assert rows(BASELINE_STATUSES, stream) == [("insufficient_data",)]


def test_too_few_nights_are_refused_with_the_number_missing(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, simulated()[:50])
    with pytest.raises(DataError) as refused:
        reference.pin(stream, dates[0], dates[-1])
    assert {"50", str(reference.MIN_NIGHTS), str(reference.MIN_NIGHTS - 50)} <= numbers_in(refused.value.message)
    with pytest.raises(ParameterError, match=f"{dates[-1]}.*{dates[0]}"):
        reference.pin(stream, dates[-1], dates[0])
    assert not [r for r in reference.listed() if r.stream == stream]


def numbers_in(text: str) -> set[str]:
    """Return the whole numbers that a message names."""
    return set(re.findall(r"\d+", text))


def test_an_alarm_opens_is_followed_acknowledged_and_closed(stream: Stream) -> None:
    fallen = simulated(Shift(share=-0.12), n_after=16)
    rng = np.random.default_rng(9)
    back = simulate.nights(AUDIENCE, 20, rng, first_day=len(fallen.days) % 7)
    _, after = pinned(stream, simulate.joined([fallen, back]))
    tracking.replay(stream, after[0], after[0])
    (alarm,) = (a for a in alarm_rows(stream) if (a["slice_key"], a["column_name"]) == ("all", "positive"))
    assert after[6] <= alarm["opened"] <= after[9]
    assert after[5] <= alarm["began"] <= alarm["opened"]
    assert alarm["closed"] is not None
    assert alarm["n_nights"] > 5
    assert alarm["side"] == -1
    assert "60 %" in alarm["sentence"]
    with pytest.raises(ParameterError, match=str(alarm["closed"])):
        alarms.acknowledge(alarm["alarm_id"], "seen", "me")


def alarm_rows(stream: Stream) -> list[dict[str, Any]]:
    with transaction() as c:
        return [dict(row) for row in c.execute(sa.text(ALARMS), stream.keys).mappings()]


ALARMS = """
SELECT v.*, a.side FROM drift.v_alarm v JOIN drift.alarm a USING (alarm_id)
WHERE v.source = :source AND v.model_id = :model_id ORDER BY v.opened, alarm_id"""


def test_acknowledging_needs_a_reason_and_outlasts_a_replay(stream: Stream) -> None:
    _, after = pinned(stream, simulated(Shift(share=-0.12)))
    tracking.replay(stream, after[0], None)
    alarm = next(a for a in alarm_rows(stream) if (a["slice_key"], a["column_name"]) == ("all", "positive"))
    assert alarm["status"] == "alarm"
    with pytest.raises(ParameterError, match="reason"):
        alarms.acknowledge(alarm["alarm_id"], "  ", "me")
    with pytest.raises(ParameterError, match="nothing"):
        alarms.acknowledge("nothing", "why", "me")
    acknowledged = alarms.acknowledge(alarm["alarm_id"], "a strike of the critics", "me")
    tracking.replay(acknowledged.stream, acknowledged.night, None)
    now = stored_nights.visible_rows(stream)
    assert next(a for a in alarm_rows(stream) if a["alarm_id"] == alarm["alarm_id"])["status"] == "acknowledged"
    status = {night: status for night, _, status in rows(MAIN_DRIFT, stream)}
    assert (status[after[-2]], status[after[-1]]) == ("alarm", "acknowledged")
    tracking.replay(stream, after[0], None)
    assert stored_nights.visible_rows(stream) == now


def test_one_turned_film_is_named(stream: Stream) -> None:
    _, after = pinned(stream, simulated(Shift(film=0, film_share=0.0)))
    with transaction() as c:
        c.execute(
            sa.text(
                "INSERT INTO sentiment.item (source, item_id, item_title, run_id) "
                "VALUES (:source, 'film-01', 'Les Jours gris', 'r')"
            ),
            {"source": stream.source},
        )
    tracking.replay(stream, after[0], None)
    alarm = next(a for a in alarm_rows(stream) if (a["slice_key"], a["slice_value"]) == ("film", "film-01"))
    assert alarm["side"] == -1
    assert "Les Jours gris" in alarm["sentence"]
    with transaction("owner") as c:
        c.execute(sa.text("DELETE FROM sentiment.item WHERE source = :s"), {"s": stream.source})


def test_a_broken_vocabulary_is_named_as_such(stream: Stream) -> None:
    _, after = pinned(stream, simulated(Shift(unknown=0.03)))
    tracking.replay(stream, after[0], None)
    (alarm,) = alarm_rows(stream)
    assert alarm["column_name"] == "unknown_share"
    assert sentences.SHARES["unknown_share"][1] in alarm["sentence"]


def test_a_reason_for_quarantine_is_named_even_if_the_reference_never_had_it(stream: Stream) -> None:
    nights = simulated()
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    broken = dates[-4]
    for night in dates:
        foreign = {"text_french": 60} if night >= broken else {}
        stored_nights.store_validation(stream, night, 500, {"text_present": 5 + night.day % 3, **foreign})
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    tracking.replay(stream, dates[N_REFERENCE], None)
    columns = {"quarantined", "refused"}
    by_slice = {(a["slice_key"], a["slice_value"]): a for a in alarm_rows(stream) if a["column_name"] in columns}
    assert set(by_slice) == {("all", "all"), (REASON, "text_french")}
    alarm = by_slice[REASON, "text_french"]
    assert (alarm["opened"], alarm["side"]) == (broken, 1)
    named = ("text_french", "0 %", "12 %", sentences.MEANINGS[REASON, "text_french"])
    assert [text for text in named if text not in alarm["sentence"]] == []


def test_alarms_that_a_new_reading_makes_are_acknowledged_once(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, simulated())
    first_read = dates[-4]
    for night in dates:
        n = 5 if night >= first_read else 60
        stored_nights.store_validation(stream, night, 500, {"text_present": n + night.day % 3})
    with transaction("owner") as c:
        version = "UPDATE sentiment.run SET reading_version = :now WHERE source = :source AND night >= :night"
        c.execute(sa.text(version), {"source": stream.source, "night": first_read, "now": READING_VERSION})
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    for night in dates[N_REFERENCE:]:
        tracking.track(f"{stream.source}-{night}")
    of_refused = [alarm for alarm in alarm_rows(stream) if alarm["column_name"] in ("quarantined", "refused")]
    assert {alarm["opened"] for alarm in of_refused} == {first_read}
    assert {(alarm["status"], alarm["reason"], alarm["acknowledged_by"]) for alarm in of_refused} == {
        ("acknowledged", tracking.READING_STEP, "sentiment")
    }
    acknowledged = "SELECT DISTINCT night FROM drift.acknowledgement WHERE source = :source"
    assert rows(acknowledged, stream) == [(first_read,)]


@pytest.mark.heavy
def test_shuffled_late_and_replayed_nights_end_in_the_same_tables(stream: Stream) -> None:
    nights = simulated(Shift(share=-0.1), seed=3)
    dates = stored_nights.put(stream, FIRST, AUDIENCE, nights)
    reference.pin(stream, dates[0], dates[N_REFERENCE - 1])
    after = dates[N_REFERENCE:]
    tracking.replay(stream, after[0], None)
    in_order = stored_nights.visible_rows(stream)
    assert in_order["alarm"]

    tracking.replay(stream, after[0], None)
    assert stored_nights.visible_rows(stream) == in_order
    assert rows(NEWEST_REVISION, stream) == [(0,)]

    stored_nights.delete_judgement(stream)
    for night in after:
        stored_nights.unpublish(stream, night)
    for no in np.random.default_rng(4).permutation(len(after)):
        stored_nights.put(stream, after[no], AUDIENCE, nights[N_REFERENCE + no : N_REFERENCE + no + 1])
        tracking.replay(stream, after[no], None)
    assert stored_nights.visible_rows(stream) == in_order
    assert rows(NEWEST_REVISION, stream)[0][0] > 0


NEWEST_REVISION = "SELECT max(revision) FROM drift.drift_metrics WHERE source = :source AND model_id = :model_id"


@pytest.mark.heavy
@pytest.mark.parametrize("chunk", [1, 7])
def test_how_many_nights_are_in_memory_changes_nothing(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    _, after = pinned(stream, simulated(Shift(share=-0.1), n_after=12))
    tracking.replay(stream, after[0], None)
    before = stored_nights.visible_rows(stream)
    monkeypatch.setattr(tracking, "NIGHTS_AT_ONCE", chunk)
    tracking.replay(stream, after[0], None)
    assert stored_nights.visible_rows(stream) == before


def test_a_small_night_a_missing_night_and_a_new_category_raise_nothing(stream: Stream) -> None:
    nights = simulated(n_after=8)
    rng = np.random.default_rng(8)
    small = simulate.nights(AUDIENCE, 1, rng, Shift(volume=20 / 400), len(nights.days) % 7)
    _, after = pinned(stream, simulate.joined([nights, small]))
    stored_nights.unpublish(stream, after[3])
    with transaction() as c:
        c.execute(sa.text(RENAME_SLICE), {**stream.keys, "night": after[5]})
    statuses = tracking.replay(stream, after[0], None)
    assert after[3] not in statuses
    assert set(statuses[after[-1]]) == {"insufficient_data"}
    assert not alarm_rows(stream)
    assert Counter(s for night in statuses.values() for s in night.elements())["ok"] > 100


@pytest.mark.heavy
def test_a_series_unknown_to_the_reference_is_insufficient_data_and_changes_no_other(stream: Stream) -> None:
    frozen, after = pinned(stream, simulated(Shift(share=-0.1)))
    statuses_before = tracking.replay(stream, after[0], None)
    before = stored_nights.visible_rows(stream)
    with transaction() as c:
        c.execute(sa.text(ADD_SLICE), {**stream.keys, "night": after[5]})
    statuses = tracking.replay(stream, after[5], None)
    assert rows(UNKNOWN, stream) == [(after[5], frozen.reference_id, 400, None, None, "insufficient_data")]
    assert statuses[after[5]] == statuses_before[after[5]] + Counter(insufficient_data=1)
    # From the night with the unknown series on, its state included.
    tracking.replay(stream, after[6], None)
    now = stored_nights.visible_rows(stream)
    known = [row for row in now["drift"] if row[2] != "podcast"]
    assert now | {"drift": known} == before


RENAME_SLICE = """
UPDATE drift.profile_metrics SET slice_value = 'podcast'
WHERE source = :source AND model_id = :model_id AND night = :night AND slice_key = 'item_type'
  AND slice_value = 'series'"""
ADD_SLICE = """
INSERT INTO drift.profile_metrics (night, source, model_id, slice_key, slice_value, column_name, data_type, n, n_null,
  avg, stddev, edges_id, bin_counts, n_items, sum_item_sq, sum_item_cross, sum_item_n_sq, run_id)
SELECT night, source, model_id, slice_key, 'podcast', column_name, data_type, 400, 0, 1, 0, edges_id, '{0,0,400}', 1,
  160000, 160000, 160000, run_id
FROM drift.profile_metrics
WHERE source = :source AND model_id = :model_id AND night = :night AND slice_key = 'item_type'
  AND slice_value = 'series'"""
UNKNOWN = """
SELECT night, reference_id, n, z, threshold, status FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND drift_type = 'BASELINE' AND slice_value = 'podcast'"""


@pytest.mark.heavy
def test_a_new_reference_leaves_out_nights_in_alarm_and_starts_anew(stream: Stream) -> None:
    first, after = pinned(stream, simulated(Shift(share=-0.12)))
    tracking.replay(stream, after[0], None)
    alarmed = {night for (night,) in rows(NIGHTS_IN_ALARM, stream)}
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


NIGHTS_IN_ALARM = """
SELECT DISTINCT night FROM drift.v_drift
WHERE source = :source AND model_id = :model_id AND status = 'alarm' AND slice_key = 'all'"""


def test_estimated_performance_stands_beside_the_realised_one(stream: Stream) -> None:
    frozen, after = pinned(stream, simulated())
    assert frozen.calibrator is not None
    assert frozen.calibrator.method == "isotonic"
    tracking.replay(stream, after[0], None)
    for _, _, n, accuracy, f1, real_accuracy, real_f1 in stored_nights.visible_rows(stream)["performance"]:
        assert n > 200
        assert accuracy == pytest.approx(real_accuracy, abs=0.02)
        assert f1 == pytest.approx(real_f1, abs=0.02)


@pytest.mark.parametrize("window", ["week", "month"])
def test_weeks_and_months_are_sums(stream: Stream, window: str) -> None:
    stored_nights.put(stream, FIRST, AUDIENCE, simulated()[:35])
    nights = rows(COUNTS, stream)
    for start, n, mean, bins in rows(COUNTS_BY_WINDOW[window], stream):
        of_window = [counts for night, *counts in nights if window_of(night, window) == start]
        assert n == sum(counts[0] for counts in of_window)
        assert bins == list(np.sum([counts[1] for counts in of_window], axis=0))
        assert mean == pytest.approx(bins[2] / n)


def window_of(night: date, window: str) -> date:
    """Return the Monday of the night's week, or the first day of its month."""
    return night - timedelta(days=night.weekday()) if window == "week" else night.replace(day=1)


COUNTS = """
SELECT night, n, bin_counts FROM drift.profile_metrics
WHERE source = :source AND model_id = :model_id AND column_name = 'positive' AND slice_key = 'all'"""
COUNTS_BY_WINDOW = {
    "week": """
SELECT week, n, avg, bin_counts FROM drift.v_profile_week
WHERE source = :source AND model_id = :model_id AND column_name = 'positive' AND slice_key = 'all'""",
    "month": """
SELECT month, n, avg, bin_counts FROM drift.v_profile_month
WHERE source = :source AND model_id = :model_id AND column_name = 'positive' AND slice_key = 'all'""",
}


def test_a_range_without_nights_is_refused(stream: Stream) -> None:
    with pytest.raises(ParameterError, match=stream.source):
        tracking.replay(stream, FIRST, FIRST + timedelta(days=3))


def test_the_first_series_is_the_main_one(stream: Stream) -> None:
    dates = stored_nights.put(stream, FIRST, AUDIENCE, simulated()[:2])
    with transaction() as c:
        counted = history.load(c, stream, dates, ["film-01"], bands.UNRECORDED)
    series = history.series_in(list(counted.values()))
    assert series[0] == MAIN_SERIES
    assert ("film", "(rest)", "positive") in series
    assert ("all", "all", "log_volume") in series
