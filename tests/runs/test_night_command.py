"""The line to type next has all that was typed for the night, and what the error itself puts into it."""

from __future__ import annotations

import shlex

import pytest
from sentiment.errors import DumpRefusedError
from sentiment.runs import night_command

PARAMS = {"dump": "/data/l'été; touch owned.csv", "night": "2026-11-22", "source": "web", "profile": "mine"}
TYPED = night_command.typed(PARAMS)


def values(line: str) -> dict[str, str]:
    """Return the values of a line `make nightly NAME=value …` as a shell hands them to make."""
    begin, *pairs = shlex.split(line[line.index("make nightly") :])[1:]
    assert begin == "nightly"
    return dict(word.split("=", 1) for word in pairs)


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("make nightly", {}),
        ("make nightly DUMP=… DATE=…", {}),
        ("publish as another source: make nightly SOURCE=web_2 …", {"SOURCE": "web_2"}),
        ("rm -rf .venv && make nightly", {}),
        ("make nightly DUMP=… ENCODING=windows-1252", {"ENCODING": "windows-1252"}),
        ("make nightly ALLOW=row_count,same_dump REASON='why it is right'",
         {"ALLOW": "row_count,same_dump", "REASON": "why it is right"}),
        ("make nightly DATE=2026-11-21 PROFILE=other", {"DATE": "2026-11-21", "PROFILE": "other"}),
    ],
)  # fmt: skip
def test_a_line_has_what_was_typed_and_its_own_values(line: str, own: dict[str, str]) -> None:
    typed = {"DUMP": PARAMS["dump"], "DATE": "2026-11-22", "SOURCE": "web", "PROFILE": "mine"}
    assert values(night_command.completed(line, TYPED)) == typed | own


def test_what_stands_round_the_line_stays() -> None:
    line = "SENTIMENT_MAX_DECOMPRESSION_RATIO=1000 make nightly DUMP=…, if you trust it"
    completed = night_command.completed(line, {"DUMP": "/a.csv", "DATE": "2026-11-22"})
    assert completed == (
        "SENTIMENT_MAX_DECOMPRESSION_RATIO=1000 make nightly DUMP=/a.csv DATE=2026-11-22, if you trust it"
    )
    two = night_command.completed("make nightly DATE=2026-11-21; or: make nightly ALLOW=dump_date", {"DUMP": "a"})
    assert two == "make nightly DUMP=a DATE=2026-11-21; or: make nightly DUMP=a ALLOW=dump_date"


@pytest.mark.parametrize("line", ["sentiment runs", "", "gzip -t /a.gz", "make nightly DUMP=…"])
def test_other_lines_and_lines_of_nobody_stay(line: str) -> None:
    assert night_command.completed(line, TYPED if "make" not in line else {}) == line


def test_params_become_the_names_of_make() -> None:
    params = PARAMS | {"supersede": True, "reason": "it was cut", "allow": ["row_count", "same_dump"]}
    params |= {"sentences": True, "dry_run": False, "encoding": None}
    assert values(night_command.completed("make nightly", night_command.typed(params))) == {
        "DUMP": PARAMS["dump"], "DATE": "2026-11-22", "SOURCE": "web", "PROFILE": "mine",
        "SUPERSEDE": "it was cut", "ALLOW": "row_count,same_dump", "SENTENCES": "1",
    }  # fmt: skip


def test_errors_are_completed_on_their_way_out() -> None:
    with pytest.raises(DumpRefusedError) as refused, night_command.completing(PARAMS):
        raise DumpRefusedError("it is cut", "make nightly ALLOW=row_count REASON='why'")
    assert values(refused.value.try_next)["DUMP"] == PARAMS["dump"]
