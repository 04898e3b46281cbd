"""What each quality rule refuses, in few words, for pages: apart from the rules, which need Spark."""

from __future__ import annotations

from sentiment.contract import FORGOTTEN, NO_TEXT

_NESTED = "an object or a list where one value is expected"
MEANINGS = {
    "readable": "the record can't be read",
    FORGOTTEN: "a person asked to have the review removed",
    NO_TEXT: "no text, so no review",
    "text_present": "a blank text",
    "text_not_too_short": "a text of too few characters",
    "text_not_too_long": "a text of too many characters",
    "text_not_markup": "markup or an address, and little else",
    "text_french": "another language than French",
    "prepared_not_blank": "a text of which nothing is left for the network",
    "no_nul": "a character that can't be stored",
    "no_lone_surrogate": "a text that was cut within a character",
    "not_mojibake": "letters that were read in another encoding",
    "no_lost_letters": "letters that were lost before the dump was written",
    "fields_not_too_long": "an id, a type or a title of too many bytes",
    "same_id_other_review": "the identity of another review",
    "text_undamaged": "slight damage, published all the same",
    "text_without_tags": "tags of HTML, published all the same",
    "rating_in_range": "a rating that is none from 0.5 to 5",
    "date_readable": "a date that can't be read",
    "date_not_future": "a date after the night",
    "polarity_known": "a polarity that is neither 0 nor 1",
    "author_not_too_long": "an author's name of too many bytes",
    **{f"{name}_single": _NESTED for name in ("own_id", "item_id", "item_type", "item_title", "title", "author")},
}
"""Rule -> what fails it."""
