"""A small part of `python -m bench --only drift`: few replays, so the bounds are wide, but a broken rule fails them."""

from __future__ import annotations

import pytest
from sentiment.drift import replays
from sentiment.drift.replays import Outcome
from sentiment.drift.simulate import Audience, Shift

from bench import drift_cases, drift_rivals
from bench.drift_rivals import EQUAL, PIPELINE

REPLAYS, NIGHTS = 6, 180
AUDIENCE = Audience()


SHIFTS = {"-3": Shift(share=-0.03), "-6": Shift(share=-0.06)}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return drift_rivals.compare(replays.simulated(AUDIENCE, NIGHTS, REPLAYS, SHIFTS), SHIFTS)


def test_quiet_years_are_quiet_and_falls_are_detected(outcomes: dict[str, Outcome]) -> None:
    pipeline = outcomes[PIPELINE]
    # at 1 a year, 16 or more in 6 years come once in a thousand times
    assert sum(pipeline.false_alarms) < 16
    assert pipeline.within("-3", 14) >= 0.6
    assert pipeline.within("-6", 5) >= 0.7


def test_other_rules_are_worse_on_the_same_nights(outcomes: dict[str, Outcome]) -> None:
    pipeline, rate = outcomes[PIPELINE], outcomes[PIPELINE].rate()[0]
    assert set(outcomes) == {PIPELINE, *drift_rivals.CUTS, *(rule + EQUAL for rule in drift_rivals.CUTS)}
    assert outcomes["PSI > 0.1"].within("-3", 14) == 0
    for rule in drift_rivals.CUTS:
        assert outcomes[rule + EQUAL].rate()[0] <= rate
    assert outcomes["KS p < .05" + EQUAL].within("-3", 14) < pipeline.within("-3", 14)
    assert outcomes["KS p < .05"].rate()[0] > 8 * max(rate, 1)


def test_single_cases() -> None:
    assert [case for case in drift_cases.all_cases(AUDIENCE, NIGHTS, 3) if not case.met] == []
