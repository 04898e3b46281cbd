"""Which refused records of a night are kept that is not published: some of every rule, within bounds."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentiment.store.refused import Spread, shares

COUNTS = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 10_000), min_size=1, max_size=20)


@given(COUNTS, st.integers(1, 20_000))
def test_shares_are_within_the_bound_and_leave_nothing_that_fits(by_rule: dict[str, int], most: int) -> None:
    chosen = shares(by_rule, most)
    assert chosen.keys() == by_rule.keys()
    assert all(chosen[rule] <= n for rule, n in by_rule.items())
    assert sum(chosen.values()) == min(sum(by_rule.values()), most)


def batch(*records: tuple[str, bytes]) -> pa.RecordBatch:
    reasons = [[rule, "another"] for rule, _ in records]
    return pa.RecordBatch.from_pydict({"reasons": reasons, "raw": [raw for _, raw in records]})


def test_a_rule_that_many_records_fail_takes_no_other_rules_rows() -> None:
    spread = Spread({"a": 9, "b": 2}, 5, 1000)
    chosen = [spread(batch(*[("a", b"x")] * 9)), spread(batch(("b", b"x"), ("b", b"y")))]
    assert [part.num_rows for part in chosen] == [3, 2]


@pytest.mark.parametrize(("most_bytes", "expected"), [(20, [b"x" * 10]), (200, [b"x" * 10, b"x" * 90])])
def test_bytes_are_bounded_by_rule(most_bytes: int, expected: list[bytes]) -> None:
    spread = Spread({"a": 2, "b": 1}, 100, most_bytes)
    assert spread(batch(("a", b"x" * 10), ("a", b"x" * 90))).column("raw").to_pylist() == expected
