"""One sentence that a film editor understands, for every alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pydantic import TypeAdapter

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


@dataclass(frozen=True)
class Facts:
    """What a sentence is made of, as an alarm is stored with it."""

    change: Change
    cause: Cause | None = None


FACTS = TypeAdapter(Facts)
"""Facts as JSON."""


class Language(Protocol):
    """How a language writes what stands in a sentence."""

    def text(self, message: str, /, **values: object) -> str:
        """Return an English message in the language, with its values filled in."""

    def weekday(self, day: date) -> str:
        """Return the name of a day's weekday."""

    def day_and_month(self, day: date) -> str:
        """Return a day like `21 October`."""

    def share(self, share: float, digits: int) -> str:
        """Return a share, 0 to 1, in percent."""

    def fixed(self, value: float, digits: int) -> str:
        """Return a number with that many decimals."""


class English:
    """English, as sentences are stored."""

    def text(self, message: str, /, **values: object) -> str:
        """Return the message with its values filled in."""
        return message.format(**values)

    def weekday(self, day: date) -> str:
        """Return a name like `Thursday`, whatever the machine's language."""
        return WEEKDAY_NAMES[day.weekday()]

    def day_and_month(self, day: date) -> str:
        """Return a day like `21 October`."""
        return f"{day.day} {day:%B}"

    def share(self, share: float, digits: int) -> str:
        """Return a share like `61 %`."""
        return f"{100 * share:.{digits}f} %"

    def fixed(self, value: float, digits: int) -> str:
        """Return a number like `3.91`."""
        return f"{value:.{digits}f}"


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
NUMBERS: dict[str, tuple[str, int, str]] = {
    "logit": ("the mean score (logit)", 2, ""),
    "text_chars": ("the mean length of reviews", 0, "the texts changed, which says nothing of the sentiment"),
    "pieces_per_word": (
        "wordpieces a word",
        2,
        "the vocabulary or the tokeniser changed, which says nothing of the sentiment",
    ),
    "rating": ("the mean rating", 2, ""),
}
"""Column that is no share -> its subject in a sentence, the decimals of its mean, and the meaning of a change."""
SUBJECTS = {
    **{column: subject for column, (subject, _) in SHARES.items()},
    **{column: subject for column, (subject, _, _) in NUMBERS.items()},
    "known": "reviews known from earlier nights",
    "log_volume": "reviews of a night, as a logarithm",
}
"""Column -> what it is about, also of the columns that only warn."""
SLICE_PHRASES = {"rating_band": "with rating", "item_type": "of type", REASON: "by the rule"}
"""Slice key -> what stands before the slice's value in a sentence; films stand after `of`."""
MIX = "mostly because other films are reviewed, not because films are judged otherwise"
WITHIN = "films are judged otherwise, and no single film makes a quarter of it"
VERBS = {
    True: "{since} {subject}{slice} fell from {before} to {after}",
    False: "{since} {subject}{slice} rose from {before} to {after}",
}
"""Whether the series fell -> what happened."""
PHRASES = {
    *SUBJECTS.values(), *SLICE_PHRASES.values(), *VERBS.values(), MIX, WITHIN, *(phrase for _, phrase in FRACTIONS),
    *MEANINGS.values(), *(meaning for _, meaning in SHARES.values() if meaning),
    *(meaning for _, _, meaning in NUMBERS.values() if meaning),
}  # fmt: skip
"""Messages of sentences that stand in tables, beside those in this module's functions."""


def sentence(facts: Facts, language: Language | None = None) -> str:
    """Return since when a series changed, from what to what, and why: `Since Thursday positive reviews fell from …`.

    Raises KeyError for a column without a subject: `SHARES` or `NUMBERS` must have every column that may alarm.
    """
    change, cause, tr = facts.change, facts.cause, language or English()
    if change.column in SHARES:
        subject, meaning = SHARES[change.column]
        meaning = MEANINGS.get((change.slice_key, change.slice_value), meaning)
        before, after = _shares(change.before, change.after, tr)
    else:
        subject, digits, meaning = NUMBERS[change.column]
        before, after = tr.fixed(change.before, digits), tr.fixed(change.after, digits)
    text = tr.text(
        VERBS[change.after < change.before], since=_since(change, tr), subject=tr.text(subject),
        slice=_slice(change, tr), before=before, after=after,
    )  # fmt: skip
    reason = _reason(cause, tr) if cause else meaning and tr.text(meaning)
    return tr.text("{change}; {reason}.", change=text, reason=reason) if reason else f"{text}."


def _shares(before: float, after: float, tr: Language) -> tuple[str, str]:
    # As many digits as it takes to tell the two apart, at most two.
    for digits in (0, 1, 2):
        first, second = tr.share(before, digits), tr.share(after, digits)
        if first != second:
            break
    return first, second


def _since(change: Change, tr: Language) -> str:
    if change.since == change.last_night:
        return tr.text("On {weekday}", weekday=tr.weekday(change.since))
    if (change.last_night - change.since).days < RECENT_DAYS:
        return tr.text("Since {weekday}", weekday=tr.weekday(change.since))
    return tr.text("Since {day}", day=tr.day_and_month(change.since))


def _slice(change: Change, tr: Language) -> str:
    if change.slice_key == ALL:
        return ""
    if change.slice_key == "film":
        is_rest = change.slice_value == REST
        return tr.text(" of the other films") if is_rest else tr.text(" of {film}", film=change.slice_value)
    return f" {tr.text(SLICE_PHRASES[change.slice_key])} {change.slice_value or tr.text('unknown')}"


def _reason(cause: Cause, tr: Language) -> str:
    if cause.film_part >= WORTH_NAMING:
        part = tr.text(fraction(cause.film_part))
        return tr.text("{fraction} of that is one film, {film}", fraction=part, film=cause.film)
    return tr.text(MIX if cause.mix_part >= 0.5 else WITHIN)


def fraction(part: float) -> str:
    """Return the phrase for a part, like `two thirds`; `part` is at least 0."""
    return next(phrase for least, phrase in FRACTIONS if part >= least)
