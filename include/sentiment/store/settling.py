"""Make every review show the version of the newest night that lists it, inside the publishing transaction.

The temporary table `unsettled` holds the reviews that a merge or a superseded night has touched. Of these, a review
that no night lists any more is deleted; of the others one version is shown, and another is kept for as long as some
night lists it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sentiment.errors import DataError
from sentiment.sql import statement

CHOOSE = ("choose_versions", "delete_unlisted_reviews", "leave_shown_versions")
"""Statements that leave in `chosen_version` the reviews whose version changes, and which it is to be."""

# Statements that show the chosen versions. The order matters: versions are kept before they are overwritten; sentences
# are deleted while the old text still shows which ones move, scores once the new one does; what is kept is restored
# only then, and removed last.
SHOW = (
    "keep_shown_versions",
    "delete_moved_sentences",
    "show_versions",
    "delete_moved_scores",
    "restore_scores",
    "restore_sentences",
    "delete_unneeded_versions",
)

RESTATE = ("restate_reviews", "restate_versions", "restate_scores", "restate_first_nights")
"""Statements after which no row names a replaced run, nor a first night that no longer lists its review."""


def settle(c: sa.Connection, params: Mapping[str, Any]) -> None:
    """Show the version of the newest night for every unsettled review.

    Raises DataError where that version is not kept any more.
    """
    if c.execute(sa.text("SELECT 1 FROM unsettled LIMIT 1")).first() is None:
        return
    # Autovacuum can't see temporary tables, so that this one has no statistics until it is analyzed here.
    c.execute(sa.text("ANALYZE unsettled"))
    _execute_all(c, CHOOSE, params)
    lost = c.execute(statement("store/settle/count_lost_versions")).one()
    if lost.n:
        raise DataError(
            f"{lost.n:,} reviews, like {lost.review_id}, would have to show a version that is not kept any more.",
            "supersede within SENTIMENT_KEEP_SUPERSEDED_DAYS, list these reviews in the dump, or restore a backup",
        )
    _execute_all(c, SHOW, params)


def restate(c: sa.Connection, params: Mapping[str, Any]) -> None:
    """Name, in rows that stay, a run that still lists them in place of the replaced ones."""
    _execute_all(c, RESTATE, params)


def _execute_all(c: sa.Connection, names: tuple[str, ...], params: Mapping[str, Any]) -> None:
    for name in names:
        c.execute(statement(f"store/settle/{name}"), params)
