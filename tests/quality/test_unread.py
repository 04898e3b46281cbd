"""The likely cause of values that can't be read."""

from __future__ import annotations

import pytest
from sentiment.quality.same_ids import is_common
from sentiment.quality.unread import Cause, Unread, likely_cause


@pytest.mark.parametrize(
    ("column", "values", "named"),
    [
        ("rating", ["7", "8,5", "10"], ["up to 10", "rating_scale = 10"]),
        ("rating", ["16", "12"], ["rating_scale = 20"]),
        ("rating", ["80", "bien"], ["rating_scale = 100"]),
        ("rating", ["1200"], []),
        ("rating", ["bien"], []),
        ("review_date", ["3/22/24 12:29"], ["month_first"]),
        ("review_date", ["3/22/2024", "3/4/2024"], ["month_first"]),
        ("review_date", ["hier"], []),
        ("polarity", ["2"], []),
        ("polarity", ["1", "2.0"], ["positive = "]),
    ],
)
def test_a_cause_is_named_where_the_values_show_it(column: str, values: list[str], named: list[str]) -> None:
    cause = str(likely_cause(column, values) or "")
    assert [part for part in named if part not in cause] == []
    assert bool(cause) == bool(named)


def test_the_sentence_has_share_examples_and_cause() -> None:
    column = Unread("rating", 3, 10, ((0, 7, "11"), (1, 2, "12")), Cause("is it 20?", {"rating_scale": 20}))
    assert column.sentence(0.2) == (
        "3 of 10 values of rating (30%) can't be read, more than 20%, like '11' (file 0, record 7), '12' (file 1, "
        "record 2): is it 20? Then rating_scale = 20 in the source profile"
    )


@pytest.mark.parametrize(("n", "n_identities", "expected"), [(2, 3, False), (3, 300, False), (4, 300, True)])
def test_shared_identities_are_common_beyond_two_and_one_percent(n: int, n_identities: int, expected: bool) -> None:
    assert is_common(n, n_identities) is expected
