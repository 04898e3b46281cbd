"""Source profiles: chosen by what fits, your own before ours, and told where they can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentiment.dump import profiles
from sentiment.errors import DumpRefusedError, ParameterError

ALL = list(profiles.known(None).values())


@pytest.mark.parametrize(
    ("columns", "source", "expected"),
    [
        (["film-url", "review", "polarity"], "allocine", "allocine"),
        (["Film-URL", "Review", "Polarity"], "other", "allocine"),
        (["id", "film", "pseudo", "note", "date", "critique"], "allocine", "usual"),
        (["review"], "usual", "usual"),
    ],
)
def test_the_best_fitting_is_chosen(columns: list[str], source: str, expected: str) -> None:
    assert profiles.best_fitting(columns, ALL, source, "d").name == expected


def test_no_fit_lists_what_was_found_and_needed() -> None:
    with pytest.raises(DumpRefusedError) as told:
        profiles.best_fitting(["a", *map(str, range(30))], ALL, "", "dump.csv")
    assert "dump.csv has no column" in told.value.message
    assert "and 11 more; needed one of review, critique" in told.value.message
    assert "SENTIMENT_SOURCES" in told.value.try_next


def test_your_own_profile_wins(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('about = "x"\nencoding = "windows-1252"\n[columns]\ntext = ["Opinion Libre"]\n')
    (tmp_path / "usual.toml").write_text('about = "y"\n[columns]\ntext = ["z"]\n')
    known = profiles.known(tmp_path)
    assert known["usual"].about == "y"
    assert known["mine"].chosen(["id", "opinion libre"]) == {"text": "opinion libre"}
    assert profiles.named_profile("mine", tmp_path).read_as().java == "windows-1252"
    with pytest.raises(ParameterError, match="there are: allocine, usual, mine"):
        profiles.named_profile("yours", tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("about = ", "can't be used"),
        ('about = "x"\n[columns]\nid = ["a"]\n', "columns.id is none of own_id"),
        ('about = "x"\n[columns]\nauthor = ["a"]\n', "columns.text is missing"),
        ('about = "x"\nencoding = "utf-7"\n[columns]\ntext = ["a"]\n', "expected one of utf-8"),
        ('about = "x"\ndates = ["roman"]\n[columns]\ntext = ["a"]\n', "dates.0"),
        ('about = "x"\nlisting = "some"\n[columns]\ntext = ["a"]\n', "listing"),
        ('about = "x"\nratings = 5\n[columns]\ntext = ["a"]\n', "ratings"),
    ],
)
def test_a_profile_that_cant_be_used_says_why(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(content)
    with pytest.raises(ParameterError) as told:
        profiles.known(tmp_path)
    assert words in told.value.message
    assert str(tmp_path / "mine.toml") in told.value.message
