"""Texts, numbers and dates of pages in the visitor's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from sentiment.dashboard.pages import PARIS

FOLDER = Path(__file__).parent / "locale"
ENGLISH = "en"
LANGUAGES = (ENGLISH, "fr")
PERCENT = {ENGLISH: "%", "fr": "\u202f%"}
"""What follows a share."""
NONE = "–"
"""Shown where there is no value."""


@cache
def catalogue(language: str) -> Catalog:
    """Return the messages of a language; English is the language of the templates, which has none."""
    if language == ENGLISH:
        return Catalog(locale=ENGLISH)
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def likeliest_language(*wanted: str | None) -> str:
    """Return the language of the first of these that is one, like `fr`, `fr-CA` or a header `fr,en;q=0.5`."""
    for value in wanted:
        for part in (value or "").split(","):
            code = part.partition(";")[0].strip().lower().partition("-")[0]
            if code in LANGUAGES:
                return code
    return ENGLISH


@dataclass(frozen=True)
class Translation:
    """How a page writes in one language."""

    language: str

    def text(self, message: str, /, **values: object) -> str:
        """Return a message of the catalogue with its values filled in; of one that is not there the message itself."""
        known = catalogue(self.language).get(message)
        translated = known.string if known and isinstance(known.string, str) and known.string else message
        return translated.format(**values) if values else translated

    def number(self, value: float | None) -> str:
        """Return a number with the language's marks."""
        return NONE if value is None else format_decimal(value, locale=self._locale)

    def decimal(self, value: float | None) -> str:
        """Return a number with two decimals."""
        return NONE if value is None else self.fixed(value, 2)

    def percent(self, share: float | None) -> str:
        """Return a share, 0 to 1, in percent with one decimal."""
        return NONE if share is None else self.share(share, 1)

    def share(self, share: float, digits: int) -> str:
        """Return a share, 0 to 1, in percent with that many decimals."""
        pattern = f"#,##{0:.{digits}f}{PERCENT[self.language]}"
        return format_percent(share, pattern, locale=self._locale)

    def fixed(self, value: float, digits: int) -> str:
        """Return a number with that many decimals."""
        return self._signed(value, digits, f"{0:.{digits}f};−{0:.{digits}f}")

    def points(self, difference: float | None) -> str:
        """Return a difference of shares in percentage points, with its sign."""
        return NONE if difference is None else self._signed(difference * 100, 1, "+0.0;−0.0")

    def day(self, value: date | None) -> str:
        """Return a day, like 28 Nov 2026."""
        return NONE if value is None else format_date(value, "d MMM y", locale=self._locale)

    def weekday(self, value: date) -> str:
        """Return the name of a day's weekday."""
        return format_date(value, "EEEE", locale=self._locale)

    def day_and_month(self, value: date) -> str:
        """Return a day, like 21 October."""
        return format_date(value, "d MMMM", locale=self._locale)

    def moment(self, value: datetime | None) -> str:
        """Return a moment in Paris, like 29 Nov, 04:12."""
        return NONE if value is None else format_datetime(value, "d MMM y, HH:mm", tzinfo=PARIS, locale=self._locale)

    def duration(self, seconds: float | None) -> str:
        """Return a duration in minutes and seconds, or hours and minutes."""
        if seconds is None:
            return NONE
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"

    def _signed(self, value: float, decimals: int, pattern: str) -> str:
        """Return a number by a pattern with one sign for less than 0, which no 0 has."""
        return format_decimal(round(float(value), decimals) + 0.0, pattern, locale=self._locale)

    @property
    def _locale(self) -> Locale:
        return Locale.parse(self.language)
