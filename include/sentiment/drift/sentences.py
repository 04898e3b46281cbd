"""One sentence a film editor understands, for every alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sentiment.drift.watched import REASON, REST

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RECENT_DAYS = 7
WORTH_NAMING = 0.25
"""A film is named from this part of the change on."""
FRACTIONS = (
    (1.25, "more than all"),
    (0.9, "nearly all"),
    (0.7, "three quarters"),
    (0.58, "two thirds"),
    (0.42, "half"),
    (0.29, "a third"),
    (0.0, "a quarter"),
)


@dataclass(frozen=True)
class Change:
    """What a sentence is made of: the series, since when, the column's mean before and now."""

    column: str
    slice_key: str
    slice_value: str
    since: date
    last_night: date
    before: float
    after: float


@dataclass(frozen=True)
class Cause:
    """For the positive share: the part that other films being reviewed makes, and the film that makes most."""

    mix_part: float
    film: str
    film_part: float


SHARES = {
    "positive": ("positive reviews", ""),
    "uncertain": ("reviews the model is unsure of", ""),
    "not_french": ("reviews that are not French", "the language changed, which says nothing of the sentiment"),
    "rating_missing": ("reviews without a rating", "the dump changed, which says nothing of the sentiment"),
    "unknown_share": (
        "wordpieces the model does not know",
        "the vocabulary changed, which says nothing of the sentiment",
    ),
    "agreement": ("labels that agree with the rating", "the model or the ratings changed"),
    "quarantined": ("records sent to quarantine", "the dump changed, which says nothing of the sentiment"),
    "refused": ("records refused", "the dump changed, which says nothing of the sentiment"),
}
MEANINGS = {(REASON, "text_french"): SHARES["not_french"][1]}
"""Of slices that say more than their column does."""
NUMBERS = {
    "logit": ("the mean score (logit)", ".2f", ""),
    "text_chars": ("the mean length of reviews", ".0f", "the texts changed, which says nothing of the sentiment"),
    "pieces_per_word": (
        "wordpieces a word",
        ".2f",
        "the vocabulary or the tokeniser changed, which says nothing of the sentiment",
    ),
    "rating": ("the mean rating", ".2f", ""),
}


def sentence(told: Change, cause: Cause | None = None) -> str:
    """Since when, what, from what to what, and what makes it; e.g. `Since Thursday positive reviews fell from …`."""
    if told.column in SHARES:
        what, meaning = SHARES[told.column]
        meaning = MEANINGS.get((told.slice_key, told.slice_value), meaning)
        before, after = _percent(told.before, told.after)
    else:
        what, style, meaning = NUMBERS.get(told.column, (told.column, ".2f", ""))
        before, after = format(told.before, style), format(told.after, style)
    verb = "fell" if told.after < told.before else "rose"
    said = f"{_since(told)} {what}{_where(told)} {verb} from {before} to {after}"
    reason = _cause(cause) if cause else meaning
    return f"{said}; {reason}." if reason else f"{said}."


def _percent(before: float, after: float) -> tuple[str, str]:
    """As many digits as it takes to tell them apart, at most two."""
    for digits in (0, 1, 2):
        said = tuple(f"{100 * share:.{digits}f} %" for share in (before, after))
        if said[0] != said[1]:
            break
    return said[0], said[1]


def _since(told: Change) -> str:
    if told.since == told.last_night:
        return f"On {WEEKDAY_NAMES[told.since.weekday()]}"
    if (told.last_night - told.since).days < RECENT_DAYS:
        return f"Since {WEEKDAY_NAMES[told.since.weekday()]}"
    return f"Since {told.since.day} {told.since:%B}"


def _where(told: Change) -> str:
    if told.slice_key == "all":
        return ""
    if told.slice_key == "film":
        return " of the other films" if told.slice_value == REST else f" of {told.slice_value}"
    names = {"rating_band": "with rating", "item_type": "of type", REASON: "by the rule"}
    return f" {names.get(told.slice_key, told.slice_key)} {told.slice_value or 'unknown'}"


def _cause(cause: Cause) -> str:
    if cause.film_part >= WORTH_NAMING:
        return f"{fraction(cause.film_part)} of that is one film, {cause.film}"
    if cause.mix_part >= 0.5:
        return "mostly because other films are reviewed, not because films are judged otherwise"
    return "films are judged otherwise, and no single film makes a quarter of it"


def fraction(part: float) -> str:
    """A part in words."""
    return next(words for least, words in FRACTIONS if part >= least)
