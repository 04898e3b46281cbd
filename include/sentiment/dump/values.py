"""How a profile's values become the contract's: Spark SQL expressions over the strings of a dump."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.dump.profiles import DateStyle, Profile

MONTHS = ("janv", "fevr", "mars", "avri", "mai", "juin", "juil", "aout", "sept", "octo", "nove", "dece")
SHORT_MONTHS = ("jan", "fev", "mar", "avr", "mai", "jun", "jul", "aou", "sep", "oct", "nov", "dec")
STARS_MOST = 5.0
UNSAFE = r"&#(?:0*(?:[1-9]\d{6,}|5[5-7]\d{3})|[xX]0*(?:[1-9a-fA-F][0-9a-fA-F]{5,}|[dD][89a-fA-F][0-9a-fA-F]{2}));"
"""Numeric entities that are left as they are."""


def text(value: Column, profile: Profile) -> Column:
    """Text as a reader of the page would see it: HTML entities as the characters they stand for, once."""
    if not profile.html_entities:
        return value
    # The library refuses numbers past Unicode's end by an exception, which would end the job; halves of surrogate
    # pairs are no characters.
    safe = value.rlike(r"&#?\w+;") & ~value.rlike(UNSAFE)
    plain = F.regexp_replace(value, "&apos;", "'")
    call = F.call_function(
        "java_method", F.lit("org.apache.commons.text.StringEscapeUtils"), F.lit("unescapeHtml4"), plain
    )
    return F.when(safe, call).otherwise(value)


def rating(value: Column, profile: Profile) -> Column:
    """Stars out of five, to one decimal: `4,5`, `4.5/5`, `9/10`; a bare number is out of the profile's scale."""
    number = r"(\d+(?:[.,]\d+)?)"
    parts = rf"^{number}\s*(?:/\s*{number})?$"
    most = F.coalesce(_number(F.regexp_extract(value, parts, 2)), F.lit(profile.rating_scale))
    return F.round(_number(F.regexp_extract(value, parts, 1)) * STARS_MOST / most, 1)


def _number(value: Column) -> Column:
    return F.nullif(F.translate(value, ",", "."), F.lit("")).cast("double")


def polarity(value: Column, profile: Profile) -> Column:
    """1 positive, 0 negative, null for other words."""
    word = F.lower(value)
    return (
        F.when(word.isin([w.lower() for w in profile.positive]), 1)
        .when(word.isin([w.lower() for w in profile.negative]), 0)
        .cast("int")
    )


def item_type(value: Column, item_id: Column, profile: Profile) -> Column:
    """film, series, or what the dump says; where it says nothing, what the item's id (an address) tells."""
    word = F.lower(value)
    said = F.coalesce(*(F.when(word.isin(names), F.lit(kind)) for kind, names in profile.item_types.items()), word)
    told = [F.when(F.contains(item_id, F.lit(mark)), F.lit(kind)) for kind, mark in profile.item_type_in_id.items()]
    return F.coalesce(said, *told)


def date(value: Column, profile: Profile) -> Column:
    """A day, by the first of the profile's styles that fits; null where none does, or there is no such day."""
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
    """`Publiée le 12 février 2008`, `1er mars 2020`, `3 févr. 2021`: the first such words."""
    plain = F.translate(F.lower(value), "éèêûùàç", "eeeuuac")
    pattern = r"(?:^|\D)(\d{1,2})(?:er)?\s+([a-z]{3,9})\.?\s+(\d{4})(?:\D|$)"
    word = F.regexp_extract(plain, pattern, 2)
    names = {m: i for months in (SHORT_MONTHS, MONTHS) for i, m in enumerate(months, 1)}
    of_month = F.create_map(*(F.lit(each) for pair in names.items() for each in pair))
    month = F.coalesce(of_month[F.substring(word, 1, 4)], of_month[F.substring(word, 1, 3)])
    day, year = (F.regexp_extract(plain, pattern, group).cast("int") for group in (1, 3))
    return F.make_date(year, month, day)


def _epoch(value: Column) -> Column:
    """Seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970, as a day in Paris."""
    digits = F.regexp_extract(value, r"^(\d{9,10}|\d{12,13})(?:\.\d*)?$", 1)
    seconds = F.when(F.length(digits) > 10, digits.cast("long") / 1000).otherwise(digits.cast("long"))
    return F.to_date(F.from_utc_timestamp(F.timestamp_seconds(seconds), "Europe/Paris"))
