"""Source profiles: the best fitting is chosen, the user's replace bundled ones, faulty ones are refused by file."""

from __future__ import annotations

import re
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


def test_no_fit_lists_the_columns_and_the_names_of_the_text() -> None:
    with pytest.raises(DumpRefusedError) as refused:
        profiles.best_fitting(["a", *map(str, range(30))], ALL, "", "dump.csv")
    assert "dump.csv" in refused.value.message
    assert re.search(r"\b11\b.*\breview\b.*\bcritique\b", refused.value.message)
    assert "SENTIMENT_SOURCES" in refused.value.try_next


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "l'été"
    for read in (lambda: profiles.known(folder), lambda: profiles.profile_file("usual", folder)):
        with pytest.raises(ParameterError, match="SENTIMENT_SOURCES") as refused:
            read()
        assert str(folder) in refused.value.message.replace('"', "")
        assert "unset SENTIMENT_SOURCES" in refused.value.try_next


def test_tags_and_damage_stay_unless_a_profile_asks(tmp_path: Path) -> None:
    assert {(profile.html, profile.repair) for profile in ALL} == {(False, False)}
    (tmp_path / "mine.toml").write_text('about = "x"\nhtml = true\nrepair = true\n[columns]\ntext = ["z"]\n')
    mine = profiles.get_profile("mine", tmp_path)
    assert (mine.html, mine.repair) == (True, True)


def test_your_own_profile_wins(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('about = "x"\nencoding = "windows-1252"\n[columns]\ntext = ["Opinion Libre"]\n')
    (tmp_path / "usual.toml").write_text('about = "y"\n[columns]\ntext = ["z"]\n')
    known = profiles.known(tmp_path)
    assert known["usual"].about == "y"
    assert known["mine"].mapping(["id", "opinion libre"]) == {"text": "opinion libre"}
    assert profiles.get_profile("mine", tmp_path).read_as().java == "windows-1252"
    with pytest.raises(ParameterError, match="allocine, usual, mine"):
        profiles.get_profile("yours", tmp_path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("about = ", "mine.toml"),
        ('about = "x"\n[columns]\nid = ["a"]\n', "columns.id"),
        ('about = "x"\n[columns]\nauthor = ["a"]\n', "columns.text"),
        ('about = "x"\nencoding = "utf-7"\n[columns]\ntext = ["a"]\n', "utf-7"),
        ('about = "x"\ndates = ["roman"]\n[columns]\ntext = ["a"]\n', "dates.0"),
        ('about = "x"\nlisting = "some"\n[columns]\ntext = ["a"]\n', "listing"),
        ('about = "x"\nratings = 5\n[columns]\ntext = ["a"]\n', "ratings"),
        ('about = "x"\nidentity = ["film"]\n[columns]\ntext = ["a"]\n', "identity"),
    ],
)
def test_a_faulty_profile_is_refused_by_file_and_key(tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / "mine.toml").write_text(content)
    with pytest.raises(ParameterError) as refused:
        profiles.known(tmp_path)
    assert name in refused.value.message
    assert str(tmp_path / "mine.toml") in refused.value.message
