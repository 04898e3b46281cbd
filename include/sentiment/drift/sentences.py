"""One sentence that a film editor understands, for every alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sentiment.drift.watched import ALL, REASON, REST

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
    """A change of one series that a sentence describes."""

    column: str
    slice_key: str
    slice_value: str
    """Of a film its title, or `REST`."""
    since: date
    """The night on which the change began."""
    last_night: date
    before: float
    """Mean in the reference, in the column's unit."""
    after: float
    """Mean since the change began."""


@dataclass(frozen=True)
class Cause:
    """Parts of a change of the positive share, 1 being the whole change; a part may be negative or above 1."""

    mix_part: float
    """Part that other films being reviewed makes."""
    film: str
    """Title of the film with the largest part."""
    film_part: float
    """Its part."""


SHARES: dict[str, tuple[str, str]] = {
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
"""Column -> its subject in a sentence, and the meaning of a change; empty where the change is one of sentiment."""
MEANINGS = {(REASON, "text_french"): SHARES["not_french"][1]}
"""Slice key and value -> a meaning that is more exact than the column's."""
NUMBERS: dict[str, tuple[str, str, str]] = {
    "logit": ("the mean score (logit)", ".2f", ""),
    "text_chars": ("the mean length of reviews", ".0f", "the texts changed, which says nothing of the sentiment"),
    "pieces_per_word": (
        "wordpieces a word",
        ".2f",
        "the vocabulary or the tokeniser changed, which says nothing of the sentiment",
    ),
    "rating": ("the mean rating", ".2f", ""),
}
"""Column that is no share -> its subject in a sentence, the format of its mean, and the meaning of a change."""
SUBJECTS = {
    **{column: subject for column, (subject, _) in SHARES.items()},
    **{column: subject for column, (subject, _, _) in NUMBERS.items()},
    "known": "reviews known from earlier nights",
    "log_volume": "reviews of a night, as a logarithm",
}
"""Column -> what it is about, also of the columns that only warn."""
SLICE_PHRASES = {"rating_band": "with rating", "item_type": "of type", REASON: "by the rule"}
"""Slice key -> what stands before the slice's value in a sentence; films stand after `of`."""


def sentence(change: Change, cause: Cause | None = None) -> str:
    """Return since when a series changed, from what to what, and why: `Since Thursday positive reviews fell from …`.

    Raises KeyError for a column without a subject: `SHARES` or `NUMBERS` must have every column that may alarm.
    """
    if change.column in SHARES:
        subject, meaning = SHARES[change.column]
        meaning = MEANINGS.get((change.slice_key, change.slice_value), meaning)
        before, after = _percent(change.before, change.after)
    else:
        subject, style, meaning = NUMBERS[change.column]
        before, after = format(change.before, style), format(change.after, style)
    verb = "fell" if change.after < change.before else "rose"
    text = f"{_since(change)} {subject}{_slice(change)} {verb} from {before} to {after}"
    reason = _cause(cause) if cause else meaning
    return f"{text}; {reason}." if reason else f"{text}."


def _percent(before: float, after: float) -> tuple[str, str]:
    # As many digits as it takes to tell the two apart, at most two.
    for digits in (0, 1, 2):
        first, second = (f"{100 * share:.{digits}f} %" for share in (before, after))
        if first != second:
            break
    return first, second


def _since(change: Change) -> str:
    if change.since == change.last_night:
        return f"On {WEEKDAY_NAMES[change.since.weekday()]}"
    if (change.last_night - change.since).days < RECENT_DAYS:
        return f"Since {WEEKDAY_NAMES[change.since.weekday()]}"
    return f"Since {change.since.day} {change.since:%B}"


def _slice(change: Change) -> str:
    if change.slice_key == ALL:
        return ""
    if change.slice_key == "film":
        return " of the other films" if change.slice_value == REST else f" of {change.slice_value}"
    return f" {SLICE_PHRASES[change.slice_key]} {change.slice_value or 'unknown'}"


def _cause(cause: Cause) -> str:
    if cause.film_part >= WORTH_NAMING:
        return f"{fraction(cause.film_part)} of that is one film, {cause.film}"
    if cause.mix_part >= 0.5:
        return "mostly because other films are reviewed, not because films are judged otherwise"
    return "films are judged otherwise, and no single film makes a quarter of it"


def fraction(part: float) -> str:
    """Return the phrase for a part, like `two thirds`; `part` is at least 0."""
    return next(phrase for least, phrase in FRACTIONS if part >= least)
