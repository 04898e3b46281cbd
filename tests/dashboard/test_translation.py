"""Every sentence of the pages is there in French; numbers, shares and days are written as each language writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sentiment.dashboard import charts, formats, rendering
from sentiment.dashboard.formats import Translation, likeliest_language
from sentiment.drift import sentences
from sentiment.drift.sentences import Cause, Change, Facts
from sentiment.quality.meanings import MEANINGS

EN, FR = Translation("en"), Translation("fr")
SPACES = str.maketrans("\u00a0\u202f", "  ")


def messages() -> set[str]:
    """Return the sentences of templates, charts and alarms, titles of sections, and what rules refuse."""
    called = re.compile(r"""(?:(?:\bt|\btext)\(\s*|^  \()"((?:[^"\\]|\\.)+)\"""", re.MULTILINE)
    files = [*(rendering.FOLDER / "templates").glob("*.html"), rendering.FOLDER / "charts.py", Path(sentences.__file__)]
    known = {message for file in files for message in called.findall(file.read_text("utf-8"))}
    names = {
        *rendering.SECTIONS.values(),
        *sentences.PHRASES,
        *MEANINGS.values(),
        *(name for name, _ in charts.MARKS.values()),
    }
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


def test_an_alarms_sentence_is_in_the_visitors_language() -> None:
    change = Change("positive", "all", "all", date(2026, 10, 21), date(2026, 10, 29), 0.62, 0.57)
    facts = Facts(change, Cause(0.1, "Aube", 0.5))
    stored = SimpleNamespace(sentence=sentences.sentence(facts), facts=sentences.FACTS.dump_json(facts).decode())
    assert rendering.sentence_of(stored, EN) == (stored.sentence, "en")
    text, language = rendering.sentence_of(stored, FR)
    begins, cause = (
        "Depuis le 21 octobre, critiques positives en baisse, de 62 % à 57 %",
        "dont la moitié par un seul film",
    )
    assert (text.translate(SPACES), language) == (f"{begins} ; {cause}, Aube.", "fr")
    stored.facts = None
    assert rendering.sentence_of(stored, FR) == (stored.sentence, "en")
