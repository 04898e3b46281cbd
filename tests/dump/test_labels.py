"""Labels that mean something else together than alone."""

from __future__ import annotations

import pytest
from sentiment.dump import labels, profiles

USUAL = profiles.known(None)["usual"]


@pytest.mark.parametrize(
    ("seen", "positive", "negative", "neutral"),
    [
        ({"-1", "0", "1"}, {"1"}, {"-1"}, {"0"}),
        ({"-1.0", "0.0", "1.0"}, {"1"}, {"-1"}, {"0"}),
        ({"LABEL_0", "LABEL_1", "LABEL_2"}, {"label_2"}, {"label_0"}, {"label_1"}),
    ],
)
def test_of_three_labels_the_middle_one_is_none(
    seen: set[str], positive: set[str], negative: set[str], neutral: set[str]
) -> None:
    meant = labels.inferred(USUAL, seen)
    assert positive <= {*meant["positive"]}
    assert negative <= {*meant["negative"]}
    assert neutral <= {*meant["neutral"]}
    assert not neutral & {*meant["positive"], *meant["negative"]}


@pytest.mark.parametrize("seen", [{"0", "1"}, {"-1", "1"}, {"neg", "pos"}, {"-1", "0", "1", "mixte"}, set()])
def test_of_two_labels_or_other_names_the_profile_is_right(seen: set[str]) -> None:
    assert labels.inferred(USUAL, seen) == {}
    assert labels.otherwise(seen, {}) == ""


def test_of_0_1_and_2_neither_1_nor_2_is_taken_for_positive() -> None:
    meant = labels.inferred(USUAL, {"0", "1", "2"})
    assert not {"1", "2"} & {*meant["positive"], *meant["neutral"], *meant["negative"]}
    assert "0" in meant["negative"]


def test_a_profile_that_names_its_labels_is_never_read_otherwise() -> None:
    named = USUAL.model_copy(update={"negative": ["-1", "0"]})
    assert labels.inferred(named, {"-1", "0", "1"}) == {}


def test_labels_that_were_fixed_otherwise_are_reported_with_the_lines_of_a_profile() -> None:
    seen = {"-1", "0", "1"}
    sentence = labels.otherwise(seen, labels.inferred(USUAL, seen))
    assert "-1, 0, 1" in sentence
    assert 'neutral = ["' in sentence
