"""A small part of `python -m bench --only drift`: few replays, so the bounds are wide, but a broken rule fails them."""

from __future__ import annotations

import pytest
from sentiment.drift import cases, replays, rivals
from sentiment.drift.replays import EQUAL, Found
from sentiment.drift.simulate import Audience, Shift

REPLAYS, NIGHTS = 6, 180
AUDIENCE = Audience()


@pytest.fixture(scope="module")
def found() -> dict[str, Found]:
    return replays.measure(AUDIENCE, NIGHTS, REPLAYS, {"-3": Shift(share=-0.03), "-6": Shift(share=-0.06)})


def test_quiet_years_are_quiet_and_falls_are_found(found: dict[str, Found]) -> None:
    ours = found["ours"]
    # at 1 a year, 16 or more in 6 years come once in a thousand times
    assert sum(ours.false_alarms) < 16
    assert ours.within("-3", 14) >= 0.6
    assert ours.within("-6", 5) >= 0.7


def test_other_rules_are_worse_on_the_same_nights(found: dict[str, Found]) -> None:
    assert set(found) == {"ours", *rivals.CUTS, *(rule + EQUAL for rule in rivals.CUTS)}
    assert found["PSI > 0.1"].within("-3", 14) == 0
    for rule in rivals.CUTS:
        assert found[rule + EQUAL].rate()[0] <= found["ours"].rate()[0]
    assert found["KS p < .05" + EQUAL].within("-3", 14) < found["ours"].within("-3", 14)
    assert found["KS p < .05"].rate()[0] > 8 * max(found["ours"].rate()[0], 1)


def test_single_cases() -> None:
    missed = [case for case in cases.all_cases(AUDIENCE, NIGHTS, 3) if not case.met]
    assert missed == []
