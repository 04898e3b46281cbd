"""Values as versions 1 and 2 of the reading read them (`runs.model.READING_VERSION`): what identifies the reviews of
sources whose rule is from then. Nothing here is ever to be mended, since every such review would be new.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.dump import dates, values
from sentiment.dump.profiles import DateStyle, Profile

MONTHS = ("janv", "fevr", "mars", "avri", "mai", "juin", "juil", "aout", "sept", "octo", "nove", "dece")
SHORT_MONTHS = ("jan", "fev", "mar", "avr", "mai", "jun", "jul", "aou", "sep", "oct", "nov", "dec")
POSITIVE = ("1", "1.0", "true", "pos", "positive", "positif", "vrai", "oui")
NEGATIVE = ("0", "0.0", "false", "neg", "negative", "négatif", "faux", "non")


def identifying(as_text: dict[str, Column], profile: Profile) -> dict[str, Column]:
    """Return the columns that may identify a review, of a record's values as text, null where there is none."""
    short = {name: F.nullif(F.trim(value), F.lit("")) for name, value in as_text.items()}
    return {
        "own_id": short["own_id"],
        "item_id": short["item_id"],
        "item_title": values.text(short["item_title"], profile),
        "author": values.text(short["author"], profile),
        "review_date": _date(short["review_date"], profile),
        "title": values.text(short["title"], profile),
        "text": values.text(as_text["text"], profile),
        "rating": _rating(short["rating"], profile),
        "polarity": _polarity(short["polarity"], profile),
    }


def _rating(value: Column, profile: Profile) -> Column:
    number = r"(\d+(?:[.,]\d+)?)"
    parts = rf"^{number}\s*(?:/\s*{number})?$"
    most = F.coalesce(values.number(F.regexp_extract(value, parts, 2)), F.lit(profile.rating_scale))
    return F.round(values.number(F.regexp_extract(value, parts, 1)) * values.STARS_MOST / most, 1)


def _polarity(value: Column, profile: Profile) -> Column:
    default = Profile.model_fields
    lower = F.lower(value)
    positive = POSITIVE if profile.positive == default["positive"].default else profile.positive
    negative = NEGATIVE if profile.negative == default["negative"].default else profile.negative
    return (
        F.when(lower.isin([word.lower() for word in positive]), 1)
        .when(lower.isin([word.lower() for word in negative]), 0)
        .cast("int")
    )


def _date(value: Column, profile: Profile) -> Column:
    styles = {
        DateStyle.iso: dates.day(value, r"^(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?$", "ymd"),
        DateStyle.day_first: dates.day(value, r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:\D.*)?$", "dmy"),
        DateStyle.month_first: dates.day(value, r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:\D.*)?$", "mdy"),
        DateStyle.french: _french(value),
        DateStyle.epoch: dates.epoch(value),
    }
    return F.coalesce(*(styles[style] for style in profile.dates if style in styles))


def _french(value: Column) -> Column:
    plain = F.translate(F.lower(value), "éèêûùàç", "eeeuuac")
    pattern = r"(?:^|\D)(\d{1,2})(?:er)?\s+([a-z]{3,9})\.?\s+(\d{4})(?:\D|$)"
    name = F.regexp_extract(plain, pattern, 2)
    names = {m: i for months in (SHORT_MONTHS, MONTHS) for i, m in enumerate(months, 1)}
    # juin and juil differ in the fourth letter only, so four letters are tried before three.
    of_month = F.create_map(*(F.lit(value) for pair in names.items() for value in pair))
    month = F.coalesce(of_month[F.substring(name, 1, 4)], of_month[F.substring(name, 1, 3)])
    day, year = (F.regexp_extract(plain, pattern, group).cast("int") for group in (1, 3))
    return F.make_date(year, month, day)
