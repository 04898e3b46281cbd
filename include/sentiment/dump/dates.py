"""Dates as dumps write them, as days in Paris: Spark SQL expressions over strings.

Of a text with several days the first counts. What is none of a profile's styles is null and never guessed: relative
days (`il y a 2 jours`), months without a day, a day that its month doesn't have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.dump import values
from sentiment.dump.profiles import DateStyle

MONTHS = {
    DateStyle.french: (
        "janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre", "octobre", "novembre",
        "decembre",
    ),
    DateStyle.english: (
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ),
}  # fmt: skip
"""Names without accents; they may be cut after three letters or more, but for `jui`."""
CUT_INSIDE = {"jun": 6, "jul": 7}
"""French ways to cut juin and juillet that are no beginning of them."""
FIRST_YEAR_OF_TWO_DIGITS = 69
"""Two-digit years from here on are of the 20th century, as in POSIX's strptime."""
BEFORE = r"^\D{0,60}?"
"""What may come before a date of digits: `Publiée le `."""
ZONED = (
    r"(?:^|[t\s,])(\d{1,2}):(\d{2})(?::\d{2}(?:[.,]\d+)?)?\s*([ap]m)?\s*"
    r"(?:(?:utc|gmt)?([+-](?:0\d|1[0-4])):?(\d{2})(?!\d)|(?:z|utc|gmt)(?![a-z+-])|"
    r"(?:utc|gmt)?([+-](?:0\d|1[0-4]))(?![\d:]))"
)
"""A time of day with its distance from UTC: hours, minutes, am or pm, hours and minutes of the distance."""


def date(value: Column, styles: Collection[DateStyle]) -> Column:
    """Return the day by the first of the styles that fits; null where none fits or there is no such day.

    A time with a zone is an instant, whose day in Paris counts; one without is taken as Paris time.
    """
    plain = F.translate(values.folded(value), values.SPACES, " " * len(values.SPACES))
    languages = tuple(style for style in styles if style in MONTHS)
    readers: dict[DateStyle, Callable[[Column], Column]] = {
        DateStyle.iso: _iso,
        DateStyle.day_first: lambda v: _digits(v, "dmy"),
        DateStyle.month_first: lambda v: _digits(v, "mdy"),
    }
    if languages:
        # Where the first language stands, since no name stands for two months.
        readers[languages[0]] = lambda v: _named(v, languages)
    day = F.coalesce(*(readers[style](plain) for style in styles if style in readers), F.lit(None).cast("date"))
    if DateStyle.epoch not in styles:
        return _in_paris(day, plain)
    return F.coalesce(_in_paris(day, plain), epoch(plain))


def day(value: Column, pattern: str, order: str) -> Column:
    """Return the day of a pattern's groups, years of four digits; `order` names them, like `ymd`."""
    part = _parts(value, pattern, order)
    return F.make_date(*(part[name].cast("int") for name in "ymd"))


def _parts(value: Column, pattern: str, order: str) -> dict[str, Column]:
    """Return a pattern's groups by the letters of `order`, a `-` for each that is no part of the day."""
    return {name: F.regexp_extract(value, pattern, i) for i, name in enumerate(order, 1)}


def epoch(value: Column) -> Column:
    """Return the day in Paris of seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970."""
    digits = F.regexp_extract(value, r"^(\d{9,10}|\d{12,13})(?:\.\d*)?$", 1)
    seconds = F.when(F.length(digits) > 10, digits.cast("long") / 1000).otherwise(digits.cast("long"))
    return F.to_date(F.from_utc_timestamp(F.timestamp_seconds(seconds), "Europe/Paris"))


def _iso(value: Column) -> Column:
    """Return the day of 2024-03-03, 2024/3/3 or 20240303."""
    parted = day(value, BEFORE + r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)", "y-md")
    return F.coalesce(parted, day(value, r"^((?:19|20)\d{2})(\d{2})(\d{2})(?:t\d{4,6})?$", "ymd"))


def _digits(value: Column, order: str) -> Column:
    """Return the day of 3/3/2024 or 03.03.24, in the order `dmy` or `mdy`."""
    first, second = order[0], order[1]
    parted = day(value, BEFORE + r"(\d{1,2}) ?([/.-]) ?(\d{1,2}) ?\2 ?(\d{4})(?!\d)", f"{first}-{second}y")
    short = r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{2})(?![\d/.-])"
    return F.coalesce(parted, _with_short_year(value, short, f"{first}-{second}y"))


def _named(value: Column, languages: Collection[DateStyle]) -> Column:
    """Return the first day like `12 fevrier 2008`, `1er mars 2020`, `5-oct-94` or in English `April 11, 2018`."""
    months = dict(names(languages))
    # The longest first: an alternative matches where another begins like it.
    name = f"({'|'.join(sorted(months, key=len, reverse=True))})(?![a-z])"
    number = F.create_map(*(F.lit(item) for pair in months.items() for item in pair))
    start = r"(?:^|[^\d.,:/-]|[^\d][.,:/-])"
    patterns = [
        (rf"{start}(\d{{1,2}})(?:er|st|nd|rd|th)?[ .-]{{1,3}}(?:de |of )?{name}\.?[ ,.-]{{1,3}}(\d{{4}})(?!\d)", "dmy"),
        (rf"^(\d{{1,2}})([-/.]){name}\.?\2(\d{{2}})(?![\d/.:-])", "d-my"),
    ]
    if DateStyle.english in languages:
        english = f"({'|'.join(sorted(dict(names([DateStyle.english])), key=len, reverse=True))})(?![a-z])"
        # Between day and year programs write the time and its zone: `Sun Mar 03 14:05:00 CET 2024`.
        time = r"(?:\d{1,2}:\d{2}(?::\d{2})? (?:[a-z]{1,5} |[+-]\d{4} )?)?"
        patterns.append((rf"(?:^|[^a-z]){english}\.? (\d{{1,2}})(?:st|nd|rd|th)?,? {time}(\d{{4}})(?!\d)", "mdy"))
    return F.coalesce(*(_of_named_month(value, pattern, order, number) for pattern, order in patterns))


def _of_named_month(value: Column, pattern: str, order: str, number: Column) -> Column:
    part = _parts(value, pattern, order)
    return F.make_date(_full_year(part["y"].cast("int")), number[part["m"]], part["d"].cast("int"))


def names(languages: Collection[DateStyle]) -> Iterator[tuple[str, int]]:
    """Yield each name, whole or cut, with its month's number; none that stands for two months of its language."""
    for language in languages:
        cuts = [(m[:n], i) for i, m in enumerate(MONTHS[language], 1) for n in range(3, len(m) + 1)]
        months = {cut: {i for c, i in cuts if c == cut} for cut, _ in cuts}
        yield from ((cut, min(numbers)) for cut, numbers in months.items() if len(numbers) == 1)
        if language is DateStyle.french:
            yield from CUT_INSIDE.items()


def _with_short_year(value: Column, pattern: str, order: str) -> Column:
    part = {name: group.cast("int") for name, group in _parts(value, pattern, order).items()}
    return F.make_date(_full_year(part["y"]), part["m"], part["d"])


def _full_year(year: Column) -> Column:
    century = F.when(year >= FIRST_YEAR_OF_TWO_DIGITS, 1900).otherwise(2000)
    return F.when(year < 100, year + century).otherwise(year)


def _in_paris(day: Column, value: Column) -> Column:
    """Return the day in Paris of the instant that a day is with the zoned time in the value; the day where none is."""
    hour, minute, half, hours, minutes, hours_alone = (F.regexp_extract(value, ZONED, group) for group in range(1, 7))
    hour_of_day = hour.cast("int") % F.when(half == "", 24).otherwise(12) + F.when(half == "pm", 12).otherwise(0)
    ahead = F.coalesce(hours.cast("int"), hours_alone.cast("int"), F.lit(0))
    # The sign stands before the hours alone.
    ahead_minutes = F.coalesce(minutes.cast("int"), F.lit(0)) * F.when(hours.startswith("-"), -1).otherwise(1)
    since_midnight = (hour_of_day - ahead) * 60 + minute.cast("int") - ahead_minutes
    instant = F.timestamp_seconds(F.unix_date(day).cast("long") * 86400 + since_midnight * 60)
    return F.when(value.rlike(ZONED), F.to_date(F.from_utc_timestamp(instant, "Europe/Paris"))).otherwise(day)
