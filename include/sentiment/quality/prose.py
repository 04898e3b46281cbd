"""Prose, markup and damage of a record's texts, as Spark SQL: what the rules of texts are put together from.

A search for plain signs comes first wherever it spares most texts a regular expression.
"""

from __future__ import annotations

from sentiment.contract import quoted
from sentiment.text_patterns import ADDRESS, LOST, MARKUP, MOJIBAKE, REPLACEMENT, SURELY_LOST, TAG

# In Spark SQL's raw literals, r'...', backslashes stay as they are.
UNSEEN = r"\s\p{Z}\p{Cc}\p{Cf}\x{FFFD}"
VISIBLE = f"r'[^{UNSEEN}]'"
"""A character that is neither space, control, format nor the replacement character."""

LEAST_PROSE_CHARS, LEAST_PROSE_SHARE = 10, 0.2
"""A text with fewer visible characters beside its markup, and a smaller share of these, is but markup."""

SLIGHT_CHARS, SLIGHT_MOST, FEW_CHARS = 40, 2, 400
"""Damage is slight where there are at most two damaged sequences, and at most one in 40 characters; or in a long text
at most one in 400. A ligature or two don't disturb the network: .968 was measured with them, .974 without."""
_ADDRESS_SIGNS = ("://", "www.", "WWW.", "@")
_MARKUP_SIGNS = ("<", "&", "[", *_ADDRESS_SIGNS)

ALL_TEXTS = "concat_ws(' ', text, title, author, item_title)"
"""SQL of all that is text of a record: what one program decoded wrongly is wrong in all of it."""


def has_tags(text: str) -> str:
    """Return the SQL condition of a text with a tag of HTML; null of null."""
    return f"contains({text}, '<') AND {text} RLIKE {quoted(TAG)}"


def without_markup(text: str) -> str:
    """Return the SQL of a text without tags, entities, addresses and forum tags."""
    return f"regexp_replace({text}, {quoted(MARKUP)}, '')"


def without_addresses(text: str) -> str:
    """Return the SQL of a text with a space in place of every address."""
    return _spaced(text, _ADDRESS_SIGNS, ADDRESS)


def language_part(text: str) -> str:
    """Return the SQL of a text as its language is detected by: a space in place of every address and tag."""
    return _spaced(text, ("<", *_ADDRESS_SIGNS), f"{TAG}|{ADDRESS}")


def _spaced(text: str, signs: tuple[str, ...], pattern: str) -> str:
    """Return the SQL of a text with a space for what fits the pattern, which only texts with one of the signs do."""
    return f"if({_has_any(text, signs)}, regexp_replace({text}, {quoted(pattern)}, ' '), {text})"


def _has_any(text: str, signs: tuple[str, ...]) -> str:
    return " OR ".join(f"contains({text}, {quoted(sign)})" for sign in signs)


def n_visible(text: str) -> str:
    """Return the SQL of how many visible characters a text has."""
    return f"length(regexp_replace({text}, r'[{UNSEEN}]', ''))"


def is_prose(text: str) -> str:
    """Return the SQL condition of a text of which more than a little is neither markup nor address."""
    rest, seen = n_visible(without_markup(text)), n_visible(text)
    enough = f"{rest} >= {LEAST_PROSE_CHARS} OR {rest} >= {LEAST_PROSE_SHARE} * {seen}"
    return f"NOT ({_has_any(text, _MARKUP_SIGNS)}) OR {enough}"


# In an address a question mark begins the query.
_TEXT = without_addresses("text")
_HAS_MOJIBAKE = f"{ALL_TEXTS} RLIKE {quoted(MOJIBAKE)}"
_HAS_REPLACEMENT = "contains(text, '\ufffd')"
_HAS_QUESTION = f"contains(text, '?') AND {_TEXT} RLIKE {quoted(SURELY_LOST)}"
HAS_LOST_LETTERS = f"({_HAS_REPLACEMENT} OR {_HAS_QUESTION})"
"""SQL condition of a text with a sign in place of a letter."""
N_DAMAGED = " + ".join(
    f"coalesce(if({condition}, regexp_count({text}, {quoted(pattern)}), 0), 0)"
    for condition, text, pattern in (
        (_HAS_MOJIBAKE, ALL_TEXTS, MOJIBAKE),
        (_HAS_REPLACEMENT, "text", REPLACEMENT),
        (_HAS_QUESTION, _TEXT, LOST),
    )
)
"""SQL of how many damaged sequences the texts of a record hold."""
IS_SLIGHT = (
    f"n_damaged <= greatest(least({SLIGHT_MOST}, length({ALL_TEXTS}) DIV {SLIGHT_CHARS}), "
    f"length({ALL_TEXTS}) DIV {FEW_CHARS})"
)
"""SQL condition of a record with so little damage that it doesn't disturb the network. Reads the column `n_damaged`."""
FIRST_MOJIBAKE = f"nullif(regexp_extract({ALL_TEXTS}, {quoted(MOJIBAKE)}, 0), '')"
_LOST_IN_WORD = quoted(SURELY_LOST + r"\p{L}*")
FIRST_LOST = (
    f"coalesce(nullif(regexp_extract(text, {quoted(REPLACEMENT)}, 0), ''), regexp_extract({_TEXT}, {_LOST_IN_WORD}, 0))"
)
"""SQL of the first damaged sequence, as an example."""
