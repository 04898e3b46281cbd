"""Every sentence of the pages is there in French; numbers, shares and days are written as each language writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from sentiment.dashboard import charts, formats, rendering
from sentiment.dashboard.formats import Translation, likeliest_language
from sentiment.drift.sentences import SUBJECTS

EN, FR = Translation("en"), Translation("fr")
SPACES = str.maketrans("\u00a0\u202f", "  ")


def messages() -> set[str]:
    """Return the sentences of templates and charts, titles of sections, and what watched series are about."""
    called = re.compile(r"""(?:(?:\bt|\btext)\(\s*|^  \()"((?:[^"\\]|\\.)+)\"""", re.MULTILINE)
    files = [*(rendering.FOLDER / "templates").glob("*.html"), rendering.FOLDER / "charts.py"]
    known = {message for file in files for message in called.findall(file.read_text("utf-8"))}
    names = {*rendering.SECTIONS.values(), *SUBJECTS.values(), *(name for name, _ in charts.MARKS.values())}
    return known | names


@pytest.mark.parametrize("message", sorted(messages()))
def test_every_message_is_there_in_french_with_its_values(message: str) -> None:
    known = formats.catalogue("fr").get(message)
    assert known is not None
    assert known.string
    assert set(re.findall(r"\{\w+\}", str(known.string))) == set(re.findall(r"\{\w+\}", message))


def test_a_share_a_number_and_a_day() -> None:
    assert (EN.percent(0.613), FR.percent(0.613).translate(SPACES)) == ("61.3%", "61,3 %")
    assert (EN.number(12345), FR.number(12345).translate(SPACES)) == ("12,345", "12 345")
    assert (EN.points(-0.051), FR.points(0.051)) == ("−5.1", "+5,1")
    assert (EN.day(date(2026, 2, 3)), FR.day(date(2026, 2, 3))) == ("3 Feb 2026", "3 févr. 2026")
    assert EN.moment(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "2 Jul 2026, 00:30"
    assert [EN.percent(None), EN.number(None), EN.day(None), EN.duration(None)] == ["–"] * 4
    assert (EN.duration(75), EN.duration(3700)) == ("1 min 15 s", "1 h 01 min")


def test_the_language_is_the_first_requested_one_that_there_is() -> None:
    assert likeliest_language(None, "de", "fr-CA,en;q=0.8") == "fr"
    assert likeliest_language("en", "fr") == "en"
    assert likeliest_language(None, None, "it") == "en"
