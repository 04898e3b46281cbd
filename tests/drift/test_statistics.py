"""Every statistic against scipy, a known table, or an example worked by hand."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from scipy import special, stats
from sentiment.drift import (
    attribution,
    channels,
    counts,
    distances,
    null_model,
    performance,
    sentences,
    simulate,
    thresholds,
)
from sentiment.drift.channels import Night, Thresholds
from sentiment.drift.sentences import Cause, Change, Facts
from sentiment.drift.simulate import Audience
from sentiment.drift.watched import ALL, COLUMNS, LOGIT_EDGES, REASON, SLICES

from bench import drift_rivals

ONE = np.array([1.0])


def test_clustered_variance_by_hand() -> None:
    sums = counts.of_shares([[3.0, 1.0]], [[2.0, 1.0]])
    assert (sums.item_sq[0], sums.item_cross[0], sums.item_n_sq[0]) == (5, 7, 10)
    # sum over films of (s_f - n_f p)^2 / n^2 with p = 3/4: ((2 - 9/4)^2 + (1 - 3/4)^2) / 16
    assert sums.clustered_variance()[0] == pytest.approx((0.25**2 + 0.25**2) / 16)
    assert np.isnan(counts.zeros((1,)).clustered_variance()[0])


def test_one_review_a_film_is_the_binomial_variance() -> None:
    k = (np.arange(200.0) < 120).astype(float)[None]
    assert counts.of_shares(np.ones((1, 200)), k).clustered_variance()[0] == pytest.approx(0.6 * 0.4 / 200)


@pytest.mark.parametrize("effect", [1.0, 1.5, 3.0])
def test_simulated_nights_have_the_design_effect_and_the_null_model_estimates_it(effect: float) -> None:
    audience = Audience(design_effect=effect, volume_spread=0.0)
    nights = simulate.nights(audience, 2100, np.random.default_rng(3))
    main = nights.sums[:, :1]
    model = null_model.fit(main, nights.days, np.array([0.02]), ONE)
    binomial = 0.6 * 0.4 / main.n[:, 0]
    between = main.mean[:, 0] - model.expected(nights.days)[:, 0]
    assert np.mean(between**2 / binomial) == pytest.approx(effect, rel=0.1)
    assert np.mean(model.variance(main)[:, 0] / binomial) == pytest.approx(effect, rel=0.1)
    z = model.z(main, nights.days)[:, 0]
    assert z.mean() == pytest.approx(0, abs=1e-9)
    assert z.std() == pytest.approx(1, abs=0.02)


def test_weekday_effects_are_estimated_where_they_exist_and_shrunk_where_not() -> None:
    rng = np.random.default_rng(4)
    days = np.arange(350) % 7
    n = np.full((350, 2), 800.0)
    share = np.stack([0.6 + 0.03 * (days == 5), np.full(350, 0.6)], axis=1)
    k = rng.binomial(800, share).astype(float)
    model = null_model.fit(counts.Sums(n, k, k, k, k, n), days, np.array([0.02, 0.02]), np.ones(2))
    assert model.weekday[5, 0] - model.weekday[:5, 0].mean() == pytest.approx(0.03, abs=0.006)
    assert model.shrinkage[0] > 0.8
    assert model.shrinkage[1] < 0.6
    assert np.abs(model.weekday[:, 1]).max() < 0.003


def test_a_rare_share_has_no_long_tail() -> None:
    rng = np.random.default_rng(5)
    n = np.full((4000, 1), 800.0)
    k = rng.binomial(800, 0.01, (4000, 1)).astype(float)
    nights = counts.Sums(n, k, k, k, k, n)
    days = np.zeros(4000, dtype=np.int64)
    angle, plain = (null_model.fit(nights, days, np.zeros(1), np.array([s])).z(nights, days) for s in (1.0, 0.0))
    assert stats.skew(plain[:, 0]) > 0.3
    assert abs(stats.skew(angle[:, 0])) < 0.2


def test_no_standard_error_is_believed_below_a_fifth_of_the_floor() -> None:
    n = np.full((60, 1), 1e6)
    still = counts.Sums(n, n * 0.5, n * 0.25, n * 0.25, n * 0.5, n)
    model = null_model.fit(still, np.arange(60) % 7, np.array([0.1]), np.zeros(1))
    assert model.variance(still)[0, 0] == pytest.approx(0.02**2)


def night(z: float, effect: float | None = None, n: float = 100) -> Night:
    return Night(np.array([z]), np.array([z if effect is None else effect]), np.array([n]))


def walk(zs: list[float], limits: tuple[float, float] = (4.0, 5.0), floor: float = 0.5) -> list[channels.Decision]:
    state, decisions = channels.begin(1), []
    for no, z in enumerate(zs, start=1):
        decision = channels.decide(
            state, night(z), no, Thresholds(np.array([limits[0]]), np.array([limits[1]])), np.array([floor]), ONE
        )
        state = decision.state
        decisions.append(decision)
    return decisions


def test_cusum_by_hand() -> None:
    # Montgomery's tabular CUSUM with k = 0.5: max(0, S + z - 0.5) up, max(0, S - z - 0.5) down
    decisions = walk([1.0, 2.0, -0.2, -3.0])
    assert [d.state.cusum[1, 0] for d in decisions] == pytest.approx([0.5, 2.0, 1.3, 0.0])
    assert [d.state.cusum[0, 0] for d in decisions] == pytest.approx([0.0, 0.0, 0.0, 2.5])
    assert decisions[2].state.since.tolist() == [[-1], [1]]
    assert decisions[3].state.since.tolist() == [[4], [-1]]


def test_an_alarm_opens_once_is_followed_and_closes() -> None:
    decisions = walk([-2.0] * 6 + [0.0] * 12)
    assert [bool(d.opened[0]) for d in decisions].count(True) == 1
    alarm = [int(d.alarm[0]) for d in decisions]
    # 1.5 a night: past 5 on the fourth; held at 5; 0.5 less a night: at 2.5 on the fifth quiet night
    assert alarm == [0, 0, 0, -1, -1, -1, -1, -1, -1, -1, 0, *[0] * 7]
    assert decisions[10].state.cusum.max() == 0


def test_shewhart_finds_one_broken_night_and_the_floor_holds_both_back() -> None:
    broke = walk([0.0, 4.5])
    assert broke[1].by_shewhart[0]
    assert broke[1].alarm[0] == 1
    assert not any(d.opened[0] for d in walk([0.0, 4.5, 3.0, 3.0], floor=6.0))


def test_a_night_that_is_not_judged_changes_nothing() -> None:
    nan = float("nan")
    decisions = walk([2.0, nan, nan, 2.0])
    assert channels.same(decisions[0].state, decisions[2].state)
    assert not decisions[1].judged[0]
    assert decisions[3].state.cusum[1, 0] == pytest.approx(3.0)


def test_run_length_of_cusum_is_that_of_the_tables() -> None:
    # Two-sided tabular CUSUM, k = 1/2, h = 4: 168 nights between false alarms, 8.38 to find a shift of one sigma
    # (Montgomery, "Introduction to Statistical Quality Control", table 9.3)
    for shift, expected in ((0.0, 168.0), (1.0, 8.38)):
        sums, length = np.zeros((2, 4000)), np.zeros(4000)
        running = np.ones(4000, dtype=bool)
        rng = np.random.default_rng(6)
        while running.any():
            sums = channels.cusum_step(sums, rng.normal(shift, 1, 4000))
            length += running
            running &= sums.max(axis=0) <= 4
        assert length.mean() == pytest.approx(expected, rel=0.05)


def test_thresholds_of_normal_nights_are_the_normal_ones() -> None:
    z = np.random.default_rng(7).standard_normal((3000, 1))
    z = (z - z.mean()) / z.std()
    limits = thresholds.choose(z, np.zeros(1), np.array([thresholds.MAIN]), budget=8.0)
    rate = thresholds.HEADROOM[thresholds.MAIN] * 8 / 4
    assert limits.shewhart[0] == pytest.approx(stats.norm.isf(rate / 365 / 2), abs=0.12)
    # ARL = 365 / 1.5: h is a little above 4 (168 at 4, 465 at 5)
    assert 4.0 < limits.cusum[0] < 4.9


def test_more_series_and_smaller_budgets_ask_for_more() -> None:
    z = np.random.default_rng(8).standard_normal((180, 20))
    rest = np.full(20, thresholds.OTHER)
    few = thresholds.choose(z[:, :2], np.zeros(2), rest[:2], 1.0)
    many = thresholds.choose(z, np.zeros(20), rest, 1.0)
    stricter = thresholds.choose(z, np.zeros(20), rest, 0.25)
    assert few.shewhart[0] < many.shewhart[0] < stricter.shewhart[0]
    assert few.cusum[0] < many.cusum[0] < stricter.cusum[0]
    again = thresholds.choose(z, np.zeros(20), rest, 1.0)
    assert np.array_equal(many.shewhart, again.shewhart)


def test_calibration_is_isotonic_and_its_errors_are_worked_by_hand() -> None:
    edges = (-1.0, 0.0, 1.0)
    n, positive = np.array([400.0, 300, 200, 300]), np.array([40.0, 20, 150, 270])
    calibrator = performance.calibrate(n, positive, edges)
    assert calibrator is not None
    # the first two bins, 10 % and 6.7 %, are pooled to 60 / 700
    assert calibrator.positive == pytest.approx([60 / 700, 60 / 700, 0.75, 0.9])
    p = special.expit([-1.5, -0.5, 0.5, 1.5])
    assert calibrator.ece == pytest.approx(sum(abs(k - m * q) for k, m, q in zip(positive, n, p, strict=True)) / 1200)
    brier = sum(k * (1 - q) ** 2 + (m - k) * q**2 for k, m, q in zip(positive, n, p, strict=True)) / 1200
    assert calibrator.brier == pytest.approx(brier)
    estimate = performance.estimate(np.array([0.0, 100, 0, 100]), calibrator, edges)
    assert estimate.accuracy == pytest.approx((1 - 60 / 700 + 0.9) / 2)
    true_positive = 90.0
    assert estimate.f1 == pytest.approx(2 * true_positive / (100 + 90 + 100 * 60 / 700))


def test_few_labels_give_a_temperature() -> None:
    rng = np.random.default_rng(9)
    n = np.full(len(LOGIT_EDGES) + 1, 40.0)
    logits = distances.middles(LOGIT_EDGES)
    calibrator = performance.calibrate(n, rng.binomial(40, special.expit(logits / 2)).astype(float), LOGIT_EDGES)
    assert calibrator is not None
    assert calibrator.method == "temperature"
    assert calibrator.temperature == pytest.approx(2.0, rel=0.25)
    assert performance.calibrate(n / 40, n / 80, LOGIT_EDGES) is None


def test_estimated_performance_covers_the_realised_one() -> None:
    rng = np.random.default_rng(10)
    truth = special.expit(distances.middles(LOGIT_EDGES) / 1.5)
    shape = rng.dirichlet(np.full(len(truth), 2.0))
    off = np.zeros((200, 2))
    for i in range(200):
        labelled, night_n = rng.multinomial(5000, shape), rng.multinomial(800, shape)
        known, hidden = rng.binomial(labelled, truth), rng.binomial(night_n, truth)
        calibrator = performance.calibrate(labelled.astype(float), known.astype(float), LOGIT_EDGES)
        assert calibrator is not None
        estimate = performance.estimate(night_n.astype(float), calibrator, LOGIT_EDGES)
        real = performance.realised(night_n.astype(float), hidden.astype(float), LOGIT_EDGES)
        off[i] = real.accuracy - estimate.accuracy, real.f1 - estimate.f1  # type: ignore[operator]
        off[i] /= estimate.accuracy_error, estimate.f1_error
    assert np.abs(off.mean(axis=0)).max() < 0.25
    assert off.std(axis=0) == pytest.approx([1, 1], abs=0.15)


def test_realised_figures_by_hand() -> None:
    # predicted positive: 10, of which 8 are; predicted negative: 10, of which 3 are positive
    estimate = performance.realised(np.array([10.0, 10.0]), np.array([3.0, 8.0]), (0.0,))
    assert estimate.accuracy == pytest.approx(15 / 20)
    assert estimate.f1 == pytest.approx(2 * 8 / (2 * 8 + 2 + 3))


def test_split_of_a_change_by_hand() -> None:
    # film A 50 % to 25 % of the reviews at 80 % positive; B the rest, 40 % falling to 20 %
    split = attribution.split(*(np.array(v) for v in ([50.0, 50.0], [40.0, 20.0], [25.0, 75.0], [20.0, 15.0])))
    assert (split.before, split.after) == pytest.approx((0.6, 0.35))
    assert split.mix == pytest.approx(-0.25 * 0.8 + 0.25 * 0.3)
    assert split.within == pytest.approx(-0.2 * (0.5 + 0.75) / 2)
    assert split.mix + split.within == pytest.approx(split.total)
    assert split.by_film.sum() == pytest.approx(split.total)


def test_a_new_film_belongs_to_the_mix() -> None:
    split = attribution.split(*(np.array(v) for v in ([100.0, 0.0], [60.0, 0.0], [100.0, 50.0], [60.0, 0.0])))
    assert split.within == 0
    assert split.mix == pytest.approx(split.total) == pytest.approx(0.4 - 0.6)
    assert split.by_film.argmin() == 1


def test_distances_are_scipys() -> None:
    rng = np.random.default_rng(11)
    edges = LOGIT_EDGES
    h, r = (rng.multinomial(900, rng.dirichlet(np.ones(len(edges) + 1))).astype(float) for _ in range(2))
    both = [np.concatenate([[0.0], side]) for side in (h, r)]
    result = distances.between(both[0], both[1], edges)
    middles = distances.middles(edges)
    assert result.wasserstein_distance == pytest.approx(stats.wasserstein_distance(middles, middles, h, r))
    rows = np.repeat(middles, h.astype(int)), np.repeat(middles, r.astype(int))
    assert result.ks_statistic == pytest.approx(stats.ks_2samp(*rows).statistic)
    assert drift_rivals.psi(both[0][None], both[1])[0] == pytest.approx(result.population_stability_index)
    assert drift_rivals.ks(both[0][None], both[1])[0] == pytest.approx(result.ks_statistic)
    assert drift_rivals.wasserstein(both[0][None], both[1])[0] == pytest.approx(result.wasserstein_distance)


def change(column: str, before: float, after: float, last: date = date(2026, 3, 7), **where: str) -> Change:
    slice_key, slice_value = where.get("slice_key", ALL), where.get("slice_value", ALL)
    return Change(column, slice_key, slice_value, date(2026, 3, 5), last, before, after)


def parts_in(sentence: str, *parts: str) -> bool:
    """Return whether a sentence names these parts, in this order."""
    return re.search(".*".join(re.escape(part) for part in parts), sentence) is not None


def test_a_sentence_names_when_what_from_what_to_what_and_why() -> None:
    fell = change("positive", 0.61, 0.54)
    subject = sentences.SHARES["positive"][0]
    one_film = sentences.sentence(Facts(fell, Cause(0.1, "Les Jours gris", 0.76)))
    assert parts_in(one_film, "Thursday", subject, "61 %", "54 %", sentences.fraction(0.76), "Les Jours gris")
    mix, within = (sentences.sentence(Facts(fell, Cause(part, "x", 0.1))) for part in (0.8, 0.2))
    assert len({one_film, mix, within}) == 3
    film = change("positive", 0.61, 0.2, date(2026, 3, 5), slice_key="film", slice_value="Aube")
    assert parts_in(sentences.sentence(Facts(film)), "Thursday", subject, "Aube", "61 %", "20 %")


def test_a_sentence_names_a_day_or_a_date_and_what_a_change_means() -> None:
    subject, meaning = sentences.SHARES["unknown_share"]
    late = sentences.sentence(Facts(change("unknown_share", 0.004, 0.02, date(2026, 4, 1))))
    assert parts_in(late, "5 March", subject, "0 %", "2 %", meaning)
    assert parts_in(sentences.sentence(Facts(change("text_chars", 400.2, 300.4))), "400", "300")
    assert parts_in(sentences.sentence(Facts(change("refused", 0.0012, 0.0014))), "0.12 %", "0.14 %")


@pytest.mark.parametrize("column", [w.name for w in COLUMNS if w.judged and w.may_alarm])
def test_every_watched_column_has_a_sentence_for_its_alarm(column: str) -> None:
    assert column in sentences.SHARES or column in sentences.NUMBERS
    fell, rose = (sentences.sentence(Facts(change(column, 0.4, after))) for after in (0.2, 0.7))
    assert fell != rose


def test_sentences_are_for_watched_columns_alone() -> None:
    assert {*sentences.SHARES, *sentences.NUMBERS} <= {w.name for w in COLUMNS if w.judged and w.may_alarm}
    assert not sentences.SHARES.keys() & sentences.NUMBERS.keys()


def test_every_judged_column_has_a_subject_for_the_pages() -> None:
    assert {w.name for w in COLUMNS if w.judged} == sentences.SUBJECTS.keys()


@pytest.mark.parametrize("slice_key", [*SLICES, REASON])
def test_every_slice_has_a_phrase_in_its_alarms_sentence(slice_key: str) -> None:
    of_slice = sentences.sentence(Facts(change("positive", 0.6, 0.4, slice_key=slice_key, slice_value="x-1")))
    assert "x-1" in of_slice
    assert slice_key == "film" or sentences.SLICE_PHRASES[slice_key] in of_slice


@pytest.mark.parametrize("part", [0.25, 0.33, 0.5, 0.67, 0.75, 1.0, 1.5])
def test_fractions_differ(part: float) -> None:
    """Each part has a phrase of its own, the one of the largest least part that it reaches."""
    assert sentences.fraction(part) == max(f for f in sentences.FRACTIONS if f[0] <= part)[1]
