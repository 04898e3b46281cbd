"""Labels whose meaning depends on the others of the dump: 0 is negative beside 1, and no label between -1 and 1."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from sentiment.dump.profiles import Profile
from sentiment.dump.values import fold

LabelSets = dict[str, list[str]]
"""Field of `Profile`, positive, negative or neutral -> its words."""
FIELDS = ("positive", "negative", "neutral")
MOST = 40
"""Labels of a dump that are looked at; one with more has no labels."""


def sets(profile: Profile) -> LabelSets:
    """Return the words that a profile reads as labels."""
    return {name: list(getattr(profile, name)) for name in FIELDS}


def inferred(profile: Profile, labels: Collection[str]) -> LabelSets:
    """Return how a dump's labels are to be read, where they mean something else together than alone; else nothing.

    `labels` are all that the dump has. A profile that names words of its own is never read otherwise.
    """
    if sets(profile) != sets(Profile(name="x", about="", columns={})) or len(labels) > MOST:
        return {}
    seen = {fold(label).removesuffix(".0") for label in labels}
    if seen <= {"-1", "0", "1"} and {"-1", "0"} <= seen:
        return _moved(profile, {"0": "neutral"})
    if "label_2" in seen:
        return _moved(profile, {"label_1": "neutral", "label_2": "positive"})
    # Which of 1 and 2 is positive is not to be seen: of three, 1 is often no label.
    return _moved(profile, {"1": ""}) if seen == {"0", "1", "2"} else {}


def otherwise(seen: Collection[str], meant: LabelSets) -> str:
    """Return what is wrong where labels are to be read as `meant`, and were fixed as the profile's; else nothing."""
    if not meant:
        return ""
    lines = " ".join(f"{name} = {json.dumps(own, ensure_ascii=False)}" for name, own in meant.items())
    return (
        f"the labels are {', '.join(sorted(seen))}, of which the source's first night had not all: alone they mean "
        f"something else. The source profile can name them: {lines}"
    )


def _moved(profile: Profile, to: Mapping[str, str]) -> LabelSets:
    """Return the profile's words, some of them moved to another field, or with an empty name to none."""
    rest = {name: [w for w in own if fold(w).removesuffix(".0") not in to] for name, own in sets(profile).items()}
    for word, name in to.items():
        if name:
            rest[name] += [word, f"{word}.0"]
    return rest
