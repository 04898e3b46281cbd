"""Values of a dump as the contract's types: Spark SQL expressions over strings, by a source profile."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.dump.profiles import DateStyle, Profile

MONTHS = ("janv", "fevr", "mars", "avri", "mai", "juin", "juil", "aout", "sept", "octo", "nove", "dece")
SHORT_MONTHS = ("jan", "fev", "mar", "avr", "mai", "jun", "jul", "aou", "sep", "oct", "nov", "dec")
STARS_MOST = 5.0
UNSAFE = r"&#(?:0*(?:[1-9]\d{6,}|5[5-7]\d{3})|[xX]0*(?:[1-9a-fA-F][0-9a-fA-F]{5,}|[dD][89a-fA-F][0-9a-fA-F]{2}));"
"""Numeric HTML entities past Unicode's end or of surrogate halves, which stay as they are."""


def text(value: Column, profile: Profile) -> Column:
    """Return the text with HTML entities as the characters they stand for, decoded once; null of null.

    Nothing is decoded where the profile has no HTML entities, or an entity of the text is UNSAFE.
    """
    if not profile.html_entities:
        return value
    # The library throws for numbers past Unicode's end, which would fail the job; halves of surrogate pairs are no
    # characters.
    safe = value.rlike(r"&#?\w+;") & ~value.rlike(UNSAFE)
    # HTML 4, which the library knows, has no &apos;.
    plain = F.regexp_replace(value, "&apos;", "'")
    call = F.call_function(
        "java_method", F.lit("org.apache.commons.text.StringEscapeUtils"), F.lit("unescapeHtml4"), plain
    )
    return F.when(safe, call).otherwise(value)


def rating(value: Column, profile: Profile) -> Column:
    """Return stars out of five, to one decimal, of `4,5`, `4.5/5` or `9/10`; null where the value is no rating.

    A number without its scale is out of the profile's `rating_scale`.
    """
    number = r"(\d+(?:[.,]\d+)?)"
    parts = rf"^{number}\s*(?:/\s*{number})?$"
    most = F.coalesce(_number(F.regexp_extract(value, parts, 2)), F.lit(profile.rating_scale))
    return F.round(_number(F.regexp_extract(value, parts, 1)) * STARS_MOST / most, 1)


def _number(value: Column) -> Column:
    return F.nullif(F.translate(value, ",", "."), F.lit("")).cast("double")


def polarity(value: Column, profile: Profile) -> Column:
    """Return 1 for the profile's positive values, 0 for its negative ones, null for all others."""
    lower = F.lower(value)
    return (
        F.when(lower.isin([w.lower() for w in profile.positive]), 1)
        .when(lower.isin([w.lower() for w in profile.negative]), 0)
        .cast("int")
    )


def item_type(value: Column, item_id: Column, profile: Profile) -> Column:
    """Return film, series, or the dump's own type in lower case; where it is null, the type by the item's id."""
    lower = F.lower(value)
    named = F.coalesce(*(F.when(lower.isin(names), F.lit(kind)) for kind, names in profile.item_types.items()), lower)
    by_id = [F.when(F.contains(item_id, F.lit(mark)), F.lit(kind)) for kind, mark in profile.item_type_in_id.items()]
    return F.coalesce(named, *by_id)


def date(value: Column, profile: Profile) -> Column:
    """Return the day by the first of the profile's styles that fits; null where none fits or there is no such day."""
    styles = {
        DateStyle.iso: _day(value, r"^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$", "ymd"),
        DateStyle.day_first: _day(value, r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:\D.*)?$", "dmy"),
        DateStyle.month_first: _day(value, r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:\D.*)?$", "mdy"),
        DateStyle.french: _french(value),
        DateStyle.epoch: _epoch(value),
    }
    return F.coalesce(*(styles[style] for style in profile.dates))


def _day(value: Column, pattern: str, order: str) -> Column:
    part = {name: F.regexp_extract(value, pattern, i).cast("int") for i, name in enumerate(order, 1)}
    return F.make_date(part["y"], part["m"], part["d"])


def _french(value: Column) -> Column:
    """Return the first day like `12 février 2008`, `1er mars 2020` or `3 févr. 2021` in a text."""
    # Not Spark's date patterns: they know neither abbreviations nor a text around the date.
    plain = F.translate(F.lower(value), "éèêûùàç", "eeeuuac")
    pattern = r"(?:^|\D)(\d{1,2})(?:er)?\s+([a-z]{3,9})\.?\s+(\d{4})(?:\D|$)"
    name = F.regexp_extract(plain, pattern, 2)
    names = {m: i for months in (SHORT_MONTHS, MONTHS) for i, m in enumerate(months, 1)}
    # juin and juil differ in the fourth letter only, so four letters are tried before three.
    of_month = F.create_map(*(F.lit(value) for pair in names.items() for value in pair))
    month = F.coalesce(of_month[F.substring(name, 1, 4)], of_month[F.substring(name, 1, 3)])
    day, year = (F.regexp_extract(plain, pattern, group).cast("int") for group in (1, 3))
    return F.make_date(year, month, day)


def _epoch(value: Column) -> Column:
    """Return the day in Paris of seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970."""
    digits = F.regexp_extract(value, r"^(\d{9,10}|\d{12,13})(?:\.\d*)?$", 1)
    seconds = F.when(F.length(digits) > 10, digits.cast("long") / 1000).otherwise(digits.cast("long"))
    return F.to_date(F.from_utc_timestamp(F.timestamp_seconds(seconds), "Europe/Paris"))
