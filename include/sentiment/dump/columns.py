"""Which column of a dump is which column of the contract."""

from __future__ import annotations

from sentiment.errors import DumpRefusedError

ALIASES: dict[str, tuple[str, ...]] = {
    "own_id": ("id", "review_id", "review-id", "avis_id"),
    "item_id": ("film_id", "film-url", "film_url", "item_id", "series_id"),
    "item_type": ("type", "item_type"),
    "item_title": ("film", "film_title", "item_title", "movie", "series"),
    "author": ("author", "user", "auteur", "pseudo", "username"),
    "rating": ("rating", "note", "stars", "score"),
    "review_date": ("date", "review_date", "published_at"),
    "title": ("title", "titre", "headline"),
    "text": ("review", "text", "texte", "avis", "critique", "comment", "content"),
    "polarity": ("polarity", "label"),
}
"""Names seen in French review dumps, the likeliest first; compared without case."""


def mapping(found: list[str], where: str) -> dict[str, str]:
    """Contract column -> dump column, for what is there.

    Raises DumpRefusedError, listing what was found and what is needed, where no column holds the text.
    """
    by_lower = {name.strip().lower(): name for name in reversed(found)}
    chosen = {
        ours: by_lower[theirs[0]] for ours, names in ALIASES.items() if (theirs := [n for n in names if n in by_lower])
    }
    if "text" not in chosen:
        raise DumpRefusedError(
            f"{where} has no column with the review's text: found {', '.join(found) or 'none'}; "
            f"needed one of {', '.join(ALIASES['text'])}.",
            f"rename the column, e.g. to {ALIASES['text'][0]}, and: make nightly DUMP={where}",
        )
    return chosen
