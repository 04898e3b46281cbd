"""Whatever a dump holds, no record is lost, and each that is refused has its reasons."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sentiment.settings import Settings

from tests.intake import through

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOUND = [{"id": f"sound-{n}", "review": f"Un film sobre et juste, vu {n} fois sans ennui."} for n in range(150)]
TWICE = SOUND[7]
HALF_PAIR = b'{"review": "Un film \\ud83d coup\\u00e9"}'
EXPECTED_REASONS = {
    "readable",
    "no_text",
    "text_present",
    "text_french",
    "text_not_markup",
    "no_nul",
    "no_lone_surrogate",
    "not_mojibake",
    "no_lost_letters",
}
"""Rules that some generated record must fail, or the test covers less than it should."""

odd_text = st.text(
    st.one_of(
        st.sampled_from("a é\u0301\u200b\u00a0\ufffd\x00\n\t\\\"'{}<>&;Ã©â€™😀?\u2028"),
        st.characters(exclude_categories=[]),  # lone surrogates too
    ),
    max_size=60,
)
phrases = st.sampled_from(
    [
        "Un très beau film, émouvant et drôle, que je recommande à toute la famille.",
        "A wonderful picture from the first minute to the last: nobody should miss it this winter.",
        "<div><p></p></div>",
        "https://example.org/avis?film=12",
        "FranÃ§ois est gÃ©nial",
        "J?ai ador?, c?est tr?s bien men?",
        "C:\\ud83d",
        "&#0;&#xD83D;&eacute;",
    ]
)
scalar = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), odd_text, phrases)
nested = st.recursive(scalar, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(odd_text, inner, max_size=2))
record = st.fixed_dictionaries(
    {"review": st.one_of(odd_text, phrases, scalar)},
    optional={
        "id": st.one_of(st.sampled_from(["a", "b", "sound-1"]), odd_text),
        "film_id": st.one_of(odd_text, st.just("x" * 3000)),
        "author": odd_text,
        "title": scalar,
        "rating": st.one_of(st.floats(0, 6), st.sampled_from(["4,5", "9/10", "onze", "4\x00"]), scalar),
        "date": st.one_of(st.sampled_from(["2026-11-20", "2999-01-01", "hier", "12 février 2008"]), odd_text),
        "polarity": st.one_of(st.integers(0, 2), odd_text),
        "other": nested,
    },
)


def as_line(value: dict[str, Any], ascii_only: bool, damage: int) -> bytes:
    line = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    match damage:
        case 1:
            return line[: len(line) // 2]
        case 2:
            return line.replace(b"e", b"\xe9")
        case 3:
            return line + b" {}"
        case 4:
            return line.decode("utf-8", "replace").encode("utf-16-be").replace(b"\n", b"")
        case _:
            return line


line = st.builds(as_line, record, st.booleans(), st.integers(0, 40)).filter(lambda raw: b"\n" not in raw)


def generated(n: int) -> list[bytes]:
    """Return about `n` lines for one Spark job, the same ones every time."""
    lines = []

    @settings(max_examples=n, deadline=None, derandomize=True, phases=[Phase.generate], database=None)
    @given(line)
    def take(raw: bytes) -> None:
        lines.append(raw)

    take()
    return [raw for raw in lines if raw.strip()]


def test_records_in_are_accepted_quarantined_or_duplicate(spark: SparkSession, tmp_path: Path) -> None:
    records = [*(json.dumps(r).encode() for r in (*SOUND, TWICE)), HALF_PAIR, *generated(1000)]
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(b"\n".join(records))
    accepted, refused, repeated, n_read, _ = through(spark, dump, Settings(home=tmp_path))
    assert n_read == len(records)
    positions = [row["record_no"] for row in (*accepted, *refused, *repeated)]
    assert sorted(positions) == list(range(1, len(records) + 1))
    assert {reason for row in refused for reason in row["reasons"]} >= EXPECTED_REASONS
    first = {row["record_no"]: row["of_record_no"] for row in repeated}
    assert first[len(SOUND) + 1] == SOUND.index(TWICE) + 1
    assert set(first.values()) <= {row["record_no"] for row in accepted}
    for row in refused:
        messages = row["details"].split("\n")
        assert row["reasons"]
        assert [re.match(r"(\w+) \(\w+\): .", message)[1] for message in messages] == row["reasons"]  # type: ignore[index]
        assert "\x00" not in row["details"]
        assert row["raw"] == (b"" if "no_text" in row["reasons"] else records[row["record_no"] - 1])
    for row in accepted:
        assert "\x00" not in repr(row.asDict())
        text = json.loads(records[row["record_no"] - 1])["review"]
        if isinstance(text, str) and "&" not in text:
            assert row["text"] == text, "nothing is changed on the way"
