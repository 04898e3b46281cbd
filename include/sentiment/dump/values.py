"""Values of a dump as the contract's types: Spark SQL expressions over strings, by a source profile."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentiment.arrow_functions import of_texts
from sentiment.dump.profiles import Profile
from sentiment.dump.repair import fix_encoding
from sentiment.text_patterns import MOJIBAKE, TAG

STARS_MOST = 5.0
MISSING = ("nan", "none", "nat", "n/a", "null", "#nom?", "-")
"""What programs write for a value that is missing, in lower case."""
SPACES = " \t\r\n\v\f\u00a0\u202f"
ACCENTS, PLAIN = "éèêëûùüàâçôîï", "eeeeuuuaacoii"
COMBINING = "\u0300\u0301\u0302\u0308\u0327"
"""Accents of letters that are written in two characters."""
_NUMBER, _UNIT = r"(\d+(?:[.,]\d+)?)", r"(?:[ée]toiles?|stars?|points?|pts|\*|★|⭐)"
POINTS = rf"^(?:(?:note|rating|score)\s*:?\s*)?{_NUMBER}\s*{_UNIT}?\s*(?:(?:/|sur|out of|of)\s*{_NUMBER}\s*{_UNIT}?)?$"
PERCENT = rf"^{_NUMBER}\s*%$"
DRAWN = r"^([★⭐]+)(½?)([☆✩]*)$"
EMOJI_STYLE = "\ufe0f"
UNSAFE = r"&#(?:0*(?:[1-9]\d{6,}|5[5-7]\d{3})|[xX]0*(?:[1-9a-fA-F][0-9a-fA-F]{5,}|[dD][89a-fA-F][0-9a-fA-F]{2}));"
"""Numeric HTML entities past Unicode's end or of surrogate halves, which stay as they are."""
MOST_REPAIRED = 100_000
"""Characters of a text beyond which none is repaired: it is too long to be published."""
LINE_TAGS = r"(?i)<(?:br|/(?:p|div|li|tr|h[1-6]|blockquote))\b[^<>]*>[ \t]{0,20}\r?\n?"
"""Tags of HTML that end a line, with the line's own end where it has one."""
CELL_TAGS = r"(?i)</t[dh]\b[^<>]*>"
BLANKS = " \t\r\n"


def text(value: Column, profile: Profile) -> Column:
    """Return the text as the profile reads it: without tags, with entities decoded, repaired; null of null."""
    if profile.html:
        value = _without_tags(value)
    if profile.html_entities or profile.html:
        value = _decoded(value)
    return _repaired(value) if profile.repair else value


def _without_tags(value: Column) -> Column:
    """Return the text with a line feed for what ends a line in HTML, without all other tags and outer blanks."""
    plain = F.regexp_replace(F.regexp_replace(value, LINE_TAGS, "\n"), CELL_TAGS, " ")
    plain = F.call_function("btrim", F.regexp_replace(plain, TAG, ""), F.lit(BLANKS))
    return F.when(value.contains("<"), plain).otherwise(value)


def _repaired(value: Column) -> Column:
    # Python is handed the few texts with something to repair; of the others it is handed null.
    damaged = F.when((F.length(value) <= MOST_REPAIRED) & value.rlike(MOJIBAKE), value)
    return F.coalesce(of_texts(damaged, fix_encoding), value)


def _decoded(value: Column) -> Column:
    """Return the text with HTML entities as the characters they stand for, decoded once.

    Nothing is decoded where an entity of the text is UNSAFE.
    """
    # The library throws for numbers past Unicode's end, which would fail the job; halves of surrogate pairs are no
    # characters.
    safe = value.rlike(r"&#?\w+;") & ~value.rlike(UNSAFE)
    # HTML 4, which the library knows, has no &apos;.
    plain = F.regexp_replace(value, "&apos;", "'")
    call = F.call_function(
        "java_method", F.lit("org.apache.commons.text.StringEscapeUtils"), F.lit("unescapeHtml4"), plain
    )
    return F.when(safe, call).otherwise(value)


def short(value: Column) -> Column:
    """Return a value without what is space round it; null where nothing remains, or a word for a missing value."""
    trimmed = F.btrim(value, F.lit(SPACES))
    return F.when(~F.lower(trimmed).isin(["", *MISSING]), trimmed)


def rating(value: Column, profile: Profile) -> Column:
    """Return stars out of five, to one decimal, of `4,5`, `9/10`, `4 sur 5`, `80%`, `4 étoiles` or `★★★★☆`.

    Null where the value is no rating. A number without its scale is out of the profile's `rating_scale`.
    """
    lower = F.lower(value)
    points, most = (number(F.regexp_extract(lower, POINTS, group)) for group in (1, 2))
    share = F.coalesce(
        points / F.coalesce(most, F.lit(profile.rating_scale)),
        number(F.regexp_extract(lower, PERCENT, 1)) / 100,
        _drawn(F.translate(lower, EMOJI_STYLE, ""), profile.rating_scale),
    )
    return F.round(share * STARS_MOST, 1)


def _drawn(value: Column, scale: float) -> Column:
    """Return the share of filled stars of `★★★★☆`, or of the scale where none is hollow."""
    full, half, hollow = (F.length(F.regexp_extract(value, DRAWN, group)) for group in (1, 2, 3))
    most = F.when(hollow > 0, full + half + hollow).otherwise(scale)
    return F.when(value.rlike(DRAWN), (full + half / 2) / most)


def number(value: Column) -> Column:
    """Return a number with a decimal comma or point; null of nothing."""
    return F.nullif(F.translate(value, ",", "."), F.lit("")).cast("double")


def polarity(value: Column, profile: Profile) -> Column:
    """Return 1 for the profile's positive words, 0 for its negative ones, null for all others; accents don't count."""
    word = folded(value)
    return F.when(_is_of(word, profile.positive), 1).when(_is_of(word, profile.negative), 0).cast("int")


def labelled(value: Column, profile: Profile) -> Column:
    """Return the value where it is a label; null for the profile's words of no label, like `neutre`."""
    return F.when(~_is_of(folded(value), profile.neutral), value)


def folded(value: Column) -> Column:
    """Return a word in lower case and without accents."""
    return F.translate(F.lower(value), f"{ACCENTS}{COMBINING}", PLAIN)


def _is_of(word: Column, labels: Collection[str]) -> Column:
    return word.isin([fold(known) for known in labels])


def fold(word: str) -> str:
    """Return one word as `folded` does."""
    return word.lower().translate(str.maketrans(ACCENTS, PLAIN, COMBINING))


def item_type(value: Column, item_id: Column, profile: Profile) -> Column:
    """Return film, series, or the dump's own type in lower case; where it is null, the type by the item's id."""
    lower = F.lower(value)
    named = F.coalesce(*(F.when(lower.isin(names), F.lit(kind)) for kind, names in profile.item_types.items()), lower)
    by_id = [F.when(F.contains(item_id, F.lit(mark)), F.lit(kind)) for kind, mark in profile.item_type_in_id.items()]
    return F.coalesce(named, *by_id)
