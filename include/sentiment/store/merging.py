"""Merge a night that is staged and audited into the tables, inside the publishing transaction.

Two sets of statements do it. In the newest night of a source, what is new is in no table yet, so that nothing needs
to be looked up. Any other night, and one that replaces another, may find its reviews there, in newer versions too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from sentiment.labels import Band
from sentiment.runs.model import Run
from sentiment.sql import statement
from sentiment.store import settling

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Staged:
    """How many staged reviews some statements are about: one that is about none isn't executed.

    Each would read all of staging for nothing, or join it by a plan for rows that are not there: minutes where the
    server's statistics of a table are those of an empty one.
    """

    seen_before: int
    """Reviews that are not new."""
    with_sentences: int


def is_newest_night(c: sa.Connection, night: date, source: str) -> bool:
    """Return whether no night from `night` on is published, so that `review` holds what came before `night`."""
    query = "SELECT 1 FROM sentiment.run WHERE source = :source AND night >= :night AND status = 'published'"
    return c.execute(sa.text(query), {"source": source, "night": night}).first() is None


def merge(c: sa.Connection, run: Run, replaced: list[str], band: Band | None, staged: Staged) -> int:
    """Merge what is staged into every table; return how many of its reviews are visible with their score, or
    overtaken by a newer night. `replaced` are the runs whose night this run takes the place of, `band` is what the
    profile counts `uncertain` by, None where that is not recorded.
    """
    band_low, band_high = band or (None, None)
    params = {
        "night": run.night,
        "source": run.source,
        "model_id": run.model_id,
        "run_id": run.run_id,
        "replaced": replaced,
        "band_low": band_low,
        "band_high": band_high,
    }
    # maintain_store makes the months from this one on; a night of an older one may be the first of its month.
    c.execute(sa.text("SELECT sentiment.ensure_month(:night)"), params)
    newest = not replaced and is_newest_night(c, run.night, run.source)
    n_reviews = _merge_newest(c, params, staged) if newest else _merge_other(c, run, params, staged)
    write_refused(c, run.run_id)
    _execute(c, "store/publish/insert_duplicates", params)
    if run.requeue_of:
        _execute(c, "store/publish/link_requeued", params)
    _execute(c, "store/publish/insert_profile", params)
    return n_reviews


def write_refused(c: sa.Connection, run_id: str) -> None:
    """Write the staged refused records, and the values that can't be read, in place of what the run has of them."""
    for name in (
        "stopped/delete_quarantine",
        "stopped/delete_unread",
        "publish/insert_quarantine",
        "publish/insert_unread",
    ):
        _execute(c, f"store/{name}", {"run_id": run_id})


def _execute(c: sa.Connection, name: str, params: Params) -> sa.CursorResult[Any]:
    return c.execute(statement(name), params)


def _merge_newest(c: sa.Connection, params: Params, staged: Staged) -> int:
    if staged.seen_before:
        _execute(c, "store/publish/keep_changed_versions", params)
    _execute(c, "store/publish/insert_new_reviews", params)
    _execute(c, "store/publish/insert_night", params)
    # Before any score is written: settling keeps the scores of the versions that were shown until now.
    settling.settle(c, params)
    n_reviews = _execute(c, "store/publish/insert_new_scores", params).rowcount
    with _sentences(c, params, staged):
        if staged.seen_before:
            _execute(c, "store/publish/upsert_scores", params)
    _execute(c, "store/publish/insert_film_night", params)
    _execute(c, "store/publish/upsert_titles", params)
    if staged.seen_before:
        n_reviews += _execute(c, "store/publish/count_published_not_new", params).scalar_one()
    return n_reviews


def _merge_other(c: sa.Connection, run: Run, params: Params, staged: Staged) -> int:
    _execute(c, "store/publish/keep_differing_versions", params)
    _execute(c, "store/publish/insert_missing_reviews", params)
    _execute(c, "store/publish/insert_missing_night", params)
    # Before any score is written, as in the newest night; and only scores of texts that are shown then are written.
    settling.settle(c, params)
    if params["replaced"]:
        settling.restate(c, params)
    with _sentences(c, params, staged):
        _execute(c, "store/publish/upsert_shown_scores", params)
        _execute(c, "store/publish/set_first_night", params)
    _execute(c, "store/publish/insert_film_night", params)
    _write_titles(c, run, params)
    n_reviews: int = _execute(c, "store/publish/count_published", params).scalar_one()
    return n_reviews


@contextmanager
def _sentences(c: sa.Connection, params: Params, staged: Staged) -> Iterator[None]:
    """Delete sentences that are scored otherwise now, let the scores be written, and insert those that are missing.

    In this order: insert_sentences goes by how many sentences of a review are stored.
    """
    if staged.with_sentences:
        _execute(c, "store/publish/delete_other_sentences", params)
    yield
    if staged.with_sentences:
        _execute(c, "store/publish/insert_sentences", params)


def _write_titles(c: sa.Connection, run: Run, params: Params) -> None:
    """Leave each film with the title of the newest night that names it."""
    if not params["replaced"]:
        _execute(c, "store/publish/insert_missing_titles", params)
        return
    c.execute(sa.text("DELETE FROM sentiment.item WHERE source = :source AND run_id = ANY(:replaced)"), params)
    # The statement that runs first wins, as neither replaces a title: in the source's last night this run's own, in an
    # earlier one those of the reviews that are shown.
    order = ["store/publish/insert_missing_titles", "store/publish/restore_titles"]
    is_last = is_newest_night(c, run.night + timedelta(days=1), run.source)
    for name in order if is_last else reversed(order):
        _execute(c, name, params)
